from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('parley', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Block',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('blocker', fields.ForeignKeyField('parley.User', source_field='blocker_id', db_constraint=True, to_field='id', related_name='blocks', on_delete=OnDelete.CASCADE)),
                ('blocked', fields.ForeignKeyField('parley.User', source_field='blocked_id', db_index=True, db_constraint=True, to_field='id', related_name='blocked_by', on_delete=OnDelete.CASCADE)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'block', 'app': 'parley', 'unique_together': (('blocker', 'blocked'),), 'pk_attr': 'id', 'table_description': 'One person wants nothing of another, both ways, and without telling.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Friendship',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('low', fields.ForeignKeyField('parley.User', source_field='low_id', db_constraint=True, to_field='id', related_name='friendships_low', on_delete=OnDelete.CASCADE)),
                ('high', fields.ForeignKeyField('parley.User', source_field='high_id', db_index=True, db_constraint=True, to_field='id', related_name='friendships_high', on_delete=OnDelete.CASCADE)),
                ('asked_by', fields.IntField(db_index=True)),
                ('asked_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('accepted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('declined_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('withdrawn', fields.BooleanField(default=False)),
            ],
            options={'table': 'friendship', 'app': 'parley', 'unique_together': (('low', 'high'),), 'pk_attr': 'id', 'table_description': 'A pair of people, one of whom asked. Friends when `accepted_at` is set.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Membership',
            name='is_request',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Room',
            name='high',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='Room',
            name='last_author',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='Room',
            name='last_line',
            field=fields.CharField(default='', db_default='', max_length=120),
        ),
        ops.AddField(
            model_name='Room',
            name='low',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='User',
            name='folded_name',
            field=fields.CharField(default='', db_index=True, db_default='', max_length=80),
        ),
        ops.AddField(
            model_name='User',
            name='found_by',
            field=fields.CharField(default='everyone', db_default='everyone', max_length=8),
        ),
        ops.AddField(
            model_name='User',
            name='picture',
            field=fields.CharField(null=True, max_length=32),
        ),
        ops.AddField(
            model_name='User',
            name='shows_presence',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='User',
            name='shows_receipts',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='User',
            name='shows_typing',
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name='User',
            name='written_by',
            field=fields.CharField(default='friends', db_default='friends', max_length=8),
        ),
        ops.RunSQL(
            # Two people have one room between them, however many first messages are sent at the same moment.
            'CREATE UNIQUE INDEX "uid_room_pair" ON "room" ("low", "high")',
            'DROP INDEX "uid_room_pair"',
        ),
        ops.RunSQL('UPDATE "user" SET folded_name = lower(display_name)', "SELECT 1"),
    ]
