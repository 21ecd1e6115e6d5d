from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [('parley', '0007_language')]

    initial = False

    operations = [
        ops.AddField(
            model_name='User',
            name='saves_data',
            field=fields.BooleanField(default=False, db_default=False),
        ),
    ]
