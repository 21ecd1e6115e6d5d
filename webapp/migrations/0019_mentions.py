from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0018_reactions')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Mention',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', null=True, db_constraint=True, to_field='id', related_name='mentions', on_delete=OnDelete.CASCADE)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', db_constraint=True, to_field='id', related_name='mentions', on_delete=OnDelete.CASCADE)),
                ('message', fields.ForeignKeyField('parley.Message', source_field='message_id', db_index=True, db_constraint=True, to_field='id', related_name='mentions', on_delete=OnDelete.CASCADE)),
                ('number', fields.BigIntField()),
                ('kind', fields.CharField(max_length=8)),
            ],
            options={'table': 'mention', 'app': 'parley', 'unique_together': (('user', 'room', 'number'),), 'indexes': [Index(fields=['user_id', 'id']), Index(fields=['room_id', 'number'])], 'pk_attr': 'id', 'table_description': 'Whom a message calls: who is named, whose message it answers, or everyone.'},
            bases=['Model'],
        ),
    ]
