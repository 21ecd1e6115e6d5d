from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [('parley', '0016_appearance')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Message',
            name='reply_to',
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name='Message',
            name='edited_version',
            field=fields.BigIntField(default=0, db_default=0),
        ),
        ops.AddIndex(
            model_name='Message',
            index=Index(fields=['room_id', 'reply_to']),
        ),
        # Until now a message had a new version only when its words had changed.
        ops.RunSQL(
            'UPDATE message SET edited_version = version WHERE edited_at IS NOT NULL OR removed_at IS NOT NULL',
            'SELECT 1',
        ),
    ]
