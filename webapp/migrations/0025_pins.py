from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0024_inbox')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Room',
            name='pin_count',
            field=fields.IntField(default=0, db_default=0),
        ),
    ]
