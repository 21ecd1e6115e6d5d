from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0025_pins')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Attachment',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('code', fields.CharField(unique=True, max_length=22)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.CASCADE)),
                ('message', fields.ForeignKeyField('parley.Message', source_field='message_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.CASCADE)),
                ('author', fields.ForeignKeyField('parley.User', source_field='author_id', null=True, db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.SET_NULL)),
                ('place', fields.SmallIntField(null=True)),
                ('kind', fields.CharField(default='file', max_length=8)),
                ('type', fields.CharField(default='', max_length=60)),
                ('name', fields.CharField(max_length=120)),
                ('description', fields.CharField(default='', db_default='', max_length=300)),
                ('size', fields.BigIntField()),
                ('received', fields.BigIntField(default=0)),
                ('width', fields.IntField(null=True)),
                ('height', fields.IntField(null=True)),
                ('thumb_width', fields.IntField(null=True)),
                ('thumb_height', fields.IntField(null=True)),
                ('thumb_size', fields.IntField(null=True)),
                ('digest', fields.CharField(null=True, max_length=32)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'attachment', 'app': 'parley', 'table_description': "A file that is attached to a message, or is in its author's composer still.", 'indexes': [Index(fields=['room_id', 'id']), Index(fields=['author_id', 'created_at'])], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Message',
            name='file_count',
            field=fields.SmallIntField(default=0, db_default=0),
        ),
        ops.RunSQL(
            # Few have no message: those that are in a composer still, and those that were left there.
            'CREATE INDEX "idx_attachment_pending" ON "attachment" ("author_id", "created_at") WHERE "message_id" IS NULL',
            'DROP INDEX "idx_attachment_pending"',
        ),
    ]
