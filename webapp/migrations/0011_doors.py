from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [('parley', '0010_removed')]

    initial = False

    operations = [
        ops.AddField(
            model_name='AuditEntry',
            name='place',
            field=fields.CharField(default='', db_default='', max_length=80),
        ),
        ops.AddField(
            model_name='Conduct',
            name='answered',
            field=fields.BigIntField(default=0, db_default=0),
        ),
    ]
