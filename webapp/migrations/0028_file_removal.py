from typing import Any

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

# The database itself takes the rows of files with their message, so that a process of the version before, which does
# not know the table, can't leave any while an upgrade is under way.
SQLITE = (
    """CREATE TRIGGER message_removed AFTER UPDATE OF removed_at ON message
    WHEN NEW.removed_at IS NOT NULL AND OLD.removed_at IS NULL BEGIN
        DELETE FROM attachment WHERE message_id = NEW.id;
    END""",
)
POSTGRES = (
    """CREATE FUNCTION message_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        DELETE FROM attachment WHERE message_id = NEW.id;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER message_removed AFTER UPDATE OF removed_at ON message
    FOR EACH ROW WHEN (NEW.removed_at IS NOT NULL AND OLD.removed_at IS NULL) EXECUTE FUNCTION message_removed()""",
)


async def take_files(apps: Any, editor: Any) -> None:
    is_postgres = editor.client.capabilities.dialect == "postgres"
    for statement in POSTGRES if is_postgres else SQLITE:
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [('parley', '0027_message_words')]

    initial = False

    operations = [
        ops.AddField(
            model_name='User',
            name='takes_files',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        # What one person's files take, and everybody's, is counted in it alone.
        ops.AddIndex(model_name='Attachment', index=Index(fields=['author_id', 'size', 'thumb_size'], name='idx_attachment_sizes')),
        ops.RunPython(take_files, ops.RunPython.noop),
    ]
