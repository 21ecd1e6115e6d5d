from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.fields.base import OnDelete


class Migration(migrations.Migration):
    dependencies = [('parley', '0003_export')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Stranger',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('mask', fields.OneToOneField('parley.User', source_field='mask_id', db_constraint=True, to_field='id', related_name='stranger', on_delete=OnDelete.CASCADE)),
                ('person', fields.IntField(unique=True)),
                ('interests', fields.CharField(default='', max_length=125)),
                ('language', fields.CharField(default='en', max_length=2)),
                ('since', fields.BigIntField(null=True, db_index=True)),
                ('here_until', fields.BigIntField(default=0)),
                ('room_id', fields.IntField(null=True, db_index=True)),
                ('last_room_id', fields.IntField(null=True)),
                ('kept_room_id', fields.IntField(null=True)),
            ],
            options={'table': 'stranger', 'app': 'parley', 'pk_attr': 'id', 'table_description': 'A person as strangers know them: a mask, which is a user of its own with nothing of the person in it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Met',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('low', fields.IntField()),
                ('high', fields.IntField()),
                ('at', fields.BigIntField(db_index=True)),
                ('skipped', fields.IntField(null=True, db_index=True)),
            ],
            options={'table': 'met', 'app': 'parley', 'unique_together': (('low', 'high'),), 'pk_attr': 'id', 'table_description': 'Two people who were brought together, when, and who of them was left within seconds. Forgotten after an hour.'},
            bases=['Model'],
        ),
    ]
