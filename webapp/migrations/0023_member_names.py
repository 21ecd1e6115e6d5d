from typing import Any

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

# The database itself copies the name, so that a process of the version before, which does not know the column, can't
# leave it empty or old while an upgrade is under way.
SQLITE = (
    """CREATE TRIGGER membership_sort_name AFTER INSERT ON membership BEGIN
        UPDATE membership SET sort_name = (SELECT sort_name FROM "user" WHERE id = NEW.user_id) WHERE id = NEW.id;
    END""",
    """CREATE TRIGGER user_sort_name AFTER UPDATE OF sort_name ON "user" WHEN NEW.sort_name <> OLD.sort_name BEGIN
        UPDATE membership SET sort_name = NEW.sort_name WHERE user_id = NEW.id;
    END""",
)
POSTGRES = (
    # One order on both engines: see 0014.
    'ALTER TABLE membership ALTER COLUMN sort_name TYPE varchar(80) COLLATE "C"',
    """CREATE FUNCTION membership_sort_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.sort_name := (SELECT sort_name FROM "user" WHERE id = NEW.user_id);
        RETURN NEW;
    END $$""",
    "CREATE TRIGGER membership_sort_name BEFORE INSERT ON membership "
    "FOR EACH ROW EXECUTE FUNCTION membership_sort_name()",
    """CREATE FUNCTION user_sort_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE membership SET sort_name = NEW.sort_name WHERE user_id = NEW.id;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER user_sort_name AFTER UPDATE OF sort_name ON "user"
    FOR EACH ROW WHEN (NEW.sort_name <> OLD.sort_name) EXECUTE FUNCTION user_sort_name()""",
)


async def copy_names(apps: Any, editor: Any) -> None:
    is_postgres = editor.client.capabilities.dialect == "postgres"
    for statement in POSTGRES if is_postgres else SQLITE:
        await editor.client.execute_query(statement)
    await editor.client.execute_query(
        'UPDATE membership SET sort_name = (SELECT sort_name FROM "user" WHERE "user".id = membership.user_id)'
    )


class Migration(migrations.Migration):
    dependencies = [('parley', '0022_zones')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Membership',
            name='sort_name',
            field=fields.CharField(default='', db_default='', max_length=80),
        ),
        ops.RunPython(copy_names, ops.RunPython.noop),
        ops.AddIndex(model_name='Membership', index=Index(fields=['room_id', 'sort_name'], name='idx_membership_by_name')),
    ]
