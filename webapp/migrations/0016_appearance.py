from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [('parley', '0015_faces')]

    initial = False

    operations = [
        ops.AddField(
            model_name='User',
            name='theme',
            field=fields.CharField(default='', db_default='', max_length=8),
        ),
        ops.AddField(
            model_name='User',
            name='text_size',
            field=fields.CharField(default='', db_default='', max_length=8),
        ),
    ]
