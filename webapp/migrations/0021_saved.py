from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0020_levels')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Saved',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_constraint=True, to_field='id', related_name='saved', on_delete=OnDelete.CASCADE)),
                ('message', fields.ForeignKeyField('parley.Message', source_field='message_id', db_index=True, db_constraint=True, to_field='id', related_name='saved', on_delete=OnDelete.CASCADE)),
                ('saved_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'saved', 'app': 'parley', 'unique_together': (('user', 'message'),), 'indexes': [Index(fields=['user_id', 'id'])], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Pin',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', db_constraint=True, to_field='id', related_name='pins', on_delete=OnDelete.CASCADE)),
                ('message', fields.ForeignKeyField('parley.Message', source_field='message_id', db_index=True, db_constraint=True, to_field='id', related_name='pins', on_delete=OnDelete.CASCADE)),
                ('number', fields.BigIntField()),
                ('pinned_by', fields.ForeignKeyField('parley.User', source_field='pinned_by_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='pins', on_delete=OnDelete.SET_NULL)),
                ('pinned_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'pin', 'app': 'parley', 'unique_together': (('room', 'message'),), 'indexes': [Index(fields=['room_id', 'id'])], 'pk_attr': 'id'},
            bases=['Model'],
        ),
    ]
