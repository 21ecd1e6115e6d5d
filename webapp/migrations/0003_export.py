from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('parley', '0002_people')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Export',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user', fields.OneToOneField('parley.User', source_field='user_id', db_constraint=True, to_field='id', related_name='export', on_delete=OnDelete.CASCADE)),
                ('state', fields.CharField(default='waiting', max_length=8)),
                ('since', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('run', fields.CharField(null=True, unique=True, max_length=32)),
                ('process', fields.CharField(default='', max_length=16)),
                ('attempts', fields.IntField(default=0)),
                ('done', fields.BigIntField(default=0)),
                ('total', fields.BigIntField(default=0)),
                ('size', fields.BigIntField(default=0)),
            ],
            options={'table': 'export', 'app': 'parley', 'indexes': [Index(fields=['state', 'since'])], 'pk_attr': 'id', 'table_description': "Somebody's file, of which there is one at a time. `since` is when it came to be asked for, ready or failed."},
            bases=['Model'],
        ),
        # The new one does what the old one did, and has a person's messages of a room in order.
        ops.AddIndex(
            model_name='Message',
            index=Index(fields=['author_id', 'room_id', 'number']),
        ),
        ops.RemoveIndex(
            model_name='Message',
            fields=['author_id'],
        ),
        ops.RunSQL(
            # Whether anyone still has a picture is asked before it is deleted.
            'CREATE INDEX "idx_user_picture" ON "user" ("picture")',
            'DROP INDEX "idx_user_picture"',
        ),
    ]
