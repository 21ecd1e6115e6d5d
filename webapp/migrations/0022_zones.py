from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [('parley', '0021_saved')]

    initial = False

    operations = [
        ops.AddField(
            model_name='User',
            name='time_zone',
            field=fields.CharField(default='', db_default='', max_length=64),
        ),
    ]
