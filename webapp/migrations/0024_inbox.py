from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0023_member_names')]

    initial = False

    operations = [
        ops.AddField(
            model_name='User',
            name='reactions_read',
            field=fields.BigIntField(default=0, db_default=0),
        ),
    ]
