from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [('parley', '0005_moderation')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Conduct',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('person', fields.IntField(unique=True)),
                ('points', fields.IntField(default=0)),
                ('pause_until', fields.BigIntField(default=0)),
                ('firsts', fields.CharField(default='', max_length=160)),
                ('changed_at', fields.BigIntField(db_index=True)),
            ],
            options={'table': 'conduct', 'app': 'parley', 'pk_attr': 'id', 'table_description': 'What is remembered of a person. `firsts` are the chats with the digests of what they said first there.'},
            bases=['Model'],
        ),
    ]
