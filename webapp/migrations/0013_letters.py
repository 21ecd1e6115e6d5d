from typing import Any

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Widen(ops.AlterField):
    """
    A longer column. PostgreSQL changes no row for it; SQLite never looks at the length, and Tortoise would rebuild the
    table, with it every row that refers to one of its rows would go.
    """

    async def database_forward(self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None) -> None:
        if state_editor and state_editor.client.capabilities.dialect == "postgres":
            table = new_state.apps.get_model(f"{app_label}.{self.model_name}")._meta.db_table
            size = self.field.max_length  # type: ignore[union-attr]
            await state_editor.client.execute_script(
                f'ALTER TABLE "{table}" ALTER COLUMN "{self.name}" TYPE varchar({size})'
            )


class Migration(migrations.Migration):
    dependencies = [('parley', '0012_skeletons')]

    initial = False

    operations = [
        Widen('User', 'display_name', fields.CharField(max_length=160)),
        Widen('Report', 'name', fields.CharField(max_length=160)),
        Widen('Report', 'place', fields.CharField(max_length=300)),
        Widen('AuditEntry', 'admin_name', fields.CharField(max_length=160)),
        Widen('AuditEntry', 'name', fields.CharField(max_length=160)),
        Widen('AuditEntry', 'place', fields.CharField(default='', db_default='', max_length=300)),
        Widen('Room', 'name', fields.CharField(max_length=240)),
        Widen('Room', 'folded', fields.CharField(null=True, unique=True, max_length=480)),
    ]
