import re
import unicodedata
from typing import Any

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields



def bare(text: str) -> str:
    """The text without case, accents and double spaces, as names are searched for."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    letters = unicodedata.normalize("NFD", " ".join(folded.split()))
    return unicodedata.normalize("NFC", "".join(c for c in letters if not "\u0300" <= c <= "\u036f"))


def search_names(username: str, shown: str) -> set[str]:
    """What people are found by: the user name, and the display name from each of its words on."""
    name = bare(shown)
    parts = {name[word.start() :] for word in re.finditer(r"[^\s()._'’-]+", name)}
    return {part[:80] for part in parts | {name, bare(username)} if part}


async def order_by_code_point(apps: Any, editor: Any) -> None:
    """Without this, PostgreSQL could not use the index for prefixes: in most collations they are not a range."""
    if editor.client.capabilities.dialect == "postgres":
        await editor.client.execute_script('ALTER TABLE search_name ALTER COLUMN folded TYPE varchar(80) COLLATE "C"')


async def make_searchable(apps: Any, editor: Any) -> None:
    """Those who are here already are found like those who come."""
    is_sqlite = editor.client.capabilities.dialect == "sqlite"
    insert = "INSERT INTO search_name (user_id, folded) VALUES " + ("(?, ?)" if is_sqlite else "($1, $2)")
    people = await editor.client.execute_query_dict('SELECT id, username, display_name FROM "user"')
    rows = [
        [person["id"], folded]
        for person in people
        for folded in search_names(person["username"] or "", person["display_name"])
    ]
    if rows:
        await editor.client.execute_many(insert, rows)


class Migration(migrations.Migration):
    dependencies = [('parley', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Block',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('blocker', fields.ForeignKeyField('parley.User', source_field='blocker_id', db_constraint=True, to_field='id', related_name='blocks', on_delete=OnDelete.CASCADE)),
                ('blocked', fields.ForeignKeyField('parley.User', source_field='blocked_id', db_index=True, db_constraint=True, to_field='id', related_name='blocked_by', on_delete=OnDelete.CASCADE)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'block', 'app': 'parley', 'unique_together': (('blocker', 'blocked'),), 'pk_attr': 'id', 'table_description': 'One person wants nothing of another, both ways, and without telling.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Friendship',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('low', fields.ForeignKeyField('parley.User', source_field='low_id', db_constraint=True, to_field='id', related_name='friendships_low', on_delete=OnDelete.CASCADE)),
                ('high', fields.ForeignKeyField('parley.User', source_field='high_id', db_index=True, db_constraint=True, to_field='id', related_name='friendships_high', on_delete=OnDelete.CASCADE)),
                ('asked_by', fields.IntField(db_index=True)),
                ('asked_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('accepted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('declined_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('withdrawn', fields.BooleanField(default=False)),
            ],
            options={'table': 'friendship', 'app': 'parley', 'unique_together': (('low', 'high'),), 'pk_attr': 'id', 'table_description': 'A pair of people, one of whom asked. Friends when `accepted_at` is set.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Membership',
            name='is_request',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Room',
            name='high',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='Room',
            name='last_author',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='Room',
            name='last_line',
            field=fields.CharField(default='', db_default='', max_length=120),
        ),
        ops.AddField(
            model_name='Room',
            name='low',
            field=fields.IntField(null=True),
        ),
        ops.CreateModel(
            name='SearchName',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_constraint=True, to_field='id', related_name='search_names', on_delete=OnDelete.CASCADE)),
                ('folded', fields.CharField(db_index=True, max_length=80)),
            ],
            options={'table': 'search_name', 'app': 'parley', 'unique_together': (('user', 'folded'),), 'pk_attr': 'id', 'table_description': 'One of the texts that begin where a search may begin: what is typed is a prefix of them, so that an index finds it.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='User',
            name='blocks_version',
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name='User',
            name='found_by',
            field=fields.CharField(default='everyone', db_default='everyone', max_length=8),
        ),
        ops.AddField(
            model_name='User',
            name='picture',
            field=fields.CharField(null=True, max_length=32),
        ),
        ops.AddField(
            model_name='User',
            name='shows_presence',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='User',
            name='shows_receipts',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='User',
            name='shows_typing',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='User',
            name='written_by',
            field=fields.CharField(default='friends', db_default='friends', max_length=8),
        ),
        ops.RunSQL(
            # Two people have one room between them, however many first messages are sent at the same moment.
            'CREATE UNIQUE INDEX "uid_room_pair" ON "room" ("low", "high")',
            'DROP INDEX "uid_room_pair"',
        ),
        ops.RunSQL(
            # As typed, until the next message: what is rendered has no place here.
            """UPDATE room SET last_author = (SELECT author_id FROM message WHERE room_id = room.id
            AND number = room.last_number), last_line = coalesce((SELECT substr(body, 1, 120) FROM message
            WHERE room_id = room.id AND number = room.last_number), '')""",
            "SELECT 1",
        ),
        ops.RunPython(order_by_code_point, ops.RunPython.noop),
        ops.RunPython(make_searchable, ops.RunPython.noop),
    ]
