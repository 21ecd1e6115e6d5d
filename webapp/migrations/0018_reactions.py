from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0017_replies')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Reaction',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('message', fields.ForeignKeyField('parley.Message', source_field='message_id', db_constraint=True, to_field='id', related_name='reacted', on_delete=OnDelete.CASCADE)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_index=True, db_constraint=True, to_field='id', related_name='reactions_given', on_delete=OnDelete.CASCADE)),
                ('to_user', fields.ForeignKeyField('parley.User', source_field='to_user_id', null=True, db_constraint=True, to_field='id', related_name='reactions_received', on_delete=OnDelete.SET_NULL)),
                ('kind', fields.CharField(max_length=16)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'reaction', 'app': 'parley', 'unique_together': (('message', 'user', 'kind'),), 'indexes': [Index(fields=['to_user_id', 'id'])], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Message',
            name='reactions',
            field=fields.TextField(default='', db_default='', unique=False),
        ),
        ops.AddField(
            model_name='Message',
            name='said_version',
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name='Message',
            name='reacted_version',
            field=fields.BigIntField(null=True),
        ),
    ]
