import unicodedata
from typing import Any

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


def bare(text: str) -> str:
    """The text without case, accents and double spaces, as names are searched for."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    letters = unicodedata.normalize("NFD", " ".join(folded.split()))
    return unicodedata.normalize("NFC", "".join(c for c in letters if not "\u0300" <= c <= "\u036f"))


async def order_by_code_point(apps: Any, editor: Any) -> None:
    """One order on both engines, in which a page begins after the last name of the one before."""
    if editor.client.capabilities.dialect == "postgres":
        await editor.client.execute_script('ALTER TABLE "user" ALTER COLUMN sort_name TYPE varchar(80) COLLATE "C"')


async def name_for_order(apps: Any, editor: Any) -> None:
    """Those who are here already are listed like those who come."""
    is_sqlite = editor.client.capabilities.dialect == "sqlite"
    update = 'UPDATE "user" SET sort_name = ' + ("? WHERE id = ?" if is_sqlite else "$1 WHERE id = $2")
    people = await editor.client.execute_query_dict('SELECT id, display_name FROM "user" WHERE NOT is_guest')
    if rows := [[bare(person["display_name"])[:80], person["id"]] for person in people]:
        await editor.client.execute_many(update, rows)


class Migration(migrations.Migration):
    dependencies = [('parley', '0013_letters')]

    initial = False

    operations = [
        ops.AddField(
            model_name='User',
            name='sort_name',
            field=fields.CharField(default='', db_default='', max_length=80),
        ),
        ops.AddField(
            model_name='User',
            name='presence_for',
            field=fields.CharField(default='', db_default='', max_length=8),
        ),
        ops.RunPython(order_by_code_point, ops.RunPython.noop),
        ops.RunPython(name_for_order, ops.RunPython.noop),
        ops.RunSQL(
            # Of those alone whom everybody may find: a page of the list of people is a range of it.
            """CREATE INDEX "idx_user_directory" ON "user" ("sort_name", "code")
            WHERE "found_by" = 'everyone' AND NOT "is_guest" """,
            'DROP INDEX "idx_user_directory"',
        ),
    ]
