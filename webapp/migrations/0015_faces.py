from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [('parley', '0014_directory')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Room',
            name='face',
            field=fields.CharField(default='', db_default='', max_length=24),
        ),
        ops.AddIndex(
            model_name='User',
            index=Index(fields=['is_admin']),
        ),
    ]
