from typing import Any

from tortoise import migrations
from tortoise.migrations import operations as ops

# The words by which messages are found (messages/words.py, messages/index.py), in two dialects. Nothing is written
# here: a million messages take a minute, which a chore takes while people talk.
#
# The triggers make a path that forgets the words harmless, also one in a process of the version before: of what
# changes or goes nothing is found, and the word `stale`, which nobody can type, tells the chore to write it anew. In
# SQLite's index segments hold what is gone until they are merged: `is_dirty` tells that there is something of it.
SQLITE = (
    # Every character above 127 belongs to a word: SQLite decides nothing.
    "CREATE VIRTUAL TABLE message_words USING fts5(words, tokenize='ascii', columnsize=0)",
    # Merging takes turns with posts, not part in them.
    "INSERT INTO message_words(message_words, rank) VALUES('automerge', 0)",
    """CREATE TABLE word_index (
        id INTEGER PRIMARY KEY, low BIGINT NOT NULL, high BIGINT NOT NULL, seen BIGINT NOT NULL,
        dirty INT NOT NULL DEFAULT 0
    )""",
    """CREATE TRIGGER message_words_gone AFTER DELETE ON message
    WHEN EXISTS (SELECT 1 FROM message_words WHERE rowid = old.id) BEGIN
        DELETE FROM message_words WHERE rowid = old.id;
        UPDATE word_index SET dirty = 1 WHERE dirty <> 1;
    END""",
    """CREATE TRIGGER message_words_removed AFTER UPDATE OF removed_at ON message
    WHEN new.removed_at IS NOT NULL AND old.removed_at IS NULL BEGIN
        DELETE FROM message_words WHERE rowid = new.id;
        UPDATE word_index SET dirty = 1 WHERE dirty <> 1;
    END""",
    """CREATE TRIGGER message_words_changed AFTER UPDATE OF body ON message WHEN new.body <> old.body BEGIN
        UPDATE message_words SET words = char(57344) || 'stale' WHERE rowid = new.id;
        UPDATE word_index SET dirty = 1 WHERE dirty <> 1;
    END""",
    # Who leaves is no longer found as the author.
    """CREATE TRIGGER message_words_author AFTER UPDATE OF author_id ON message
    WHEN old.author_id IS NOT NULL AND new.author_id IS NOT old.author_id
    AND EXISTS (SELECT 1 FROM message_words WHERE rowid = new.id) BEGIN
        UPDATE message_words SET words = replace(words, char(57344) || 'u' || old.author_id || ' ', '')
        WHERE rowid = new.id;
        UPDATE word_index SET dirty = 1 WHERE dirty <> 1;
    END""",
    "INSERT INTO word_index SELECT 1, top, top, top, 0 FROM (SELECT coalesce(max(id), 0) + 1 AS top FROM message)",
)
POSTGRES = (
    """CREATE TABLE message_words (
        id BIGINT PRIMARY KEY REFERENCES message ON DELETE CASCADE, room_id INT NOT NULL, words TSVECTOR NOT NULL
    )""",
    "CREATE INDEX idx_message_words_words ON message_words USING gin(words) WITH (fastupdate = off)",
    "CREATE INDEX idx_message_words_room ON message_words (room_id, id)",
    """CREATE TABLE word_index (
        id INT PRIMARY KEY, low BIGINT NOT NULL, high BIGINT NOT NULL, seen BIGINT NOT NULL,
        dirty INT NOT NULL DEFAULT 0
    )""",
    """CREATE FUNCTION message_words_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.removed_at IS NULL THEN
            UPDATE message_words SET words = ('''' || chr(57344) || 'stale''')::tsvector WHERE id = NEW.id;
        ELSE
            DELETE FROM message_words WHERE id = NEW.id;
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER message_words_changed AFTER UPDATE OF body, removed_at ON message FOR EACH ROW
    WHEN (NEW.body <> OLD.body OR (NEW.removed_at IS NOT NULL AND OLD.removed_at IS NULL))
    EXECUTE FUNCTION message_words_changed()""",
    "INSERT INTO word_index SELECT 1, top, top, top, 0 FROM (SELECT coalesce(max(id), 0) + 1 AS top FROM message) AS newest",
)


async def make_tables(apps: Any, editor: Any) -> None:
    is_postgres = editor.client.capabilities.dialect == "postgres"
    for statement in POSTGRES if is_postgres else SQLITE:
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [('parley', '0026_files')]

    initial = False

    operations = [ops.RunPython(make_tables, ops.RunPython.noop)]
