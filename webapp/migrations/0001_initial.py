from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='Process',
            fields=[
                ('id', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=16)),
                ('seen_at', fields.BigIntField()),
                ('renewed', fields.IntField(default=0, db_default=0)),
            ],
            options={'table': 'process', 'app': 'parley', 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Room',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('key', fields.CharField(unique=True, max_length=80)),
                ('kind', fields.CharField(default='public', max_length=8)),
                ('name', fields.CharField(max_length=60)),
                ('folded', fields.CharField(null=True, unique=True, max_length=120)),
                ('topic', fields.CharField(default='', max_length=200)),
                ('version', fields.BigIntField(default=0)),
                ('last_number', fields.BigIntField(default=0)),
                ('last_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('member_count', fields.IntField(default=0)),
                ('locked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('closed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'room', 'app': 'parley', 'indexes': [Index(fields=['kind', 'last_at'])], 'pk_attr': 'id', 'table_description': 'A place with a log. `version` counts the changes of the log, `last_number` its messages.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='User',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('code', fields.CharField(unique=True, max_length=9)),
                ('username', fields.CharField(null=True, unique=True, max_length=30)),
                ('skeleton', fields.CharField(null=True, unique=True, max_length=30)),
                ('display_name', fields.CharField(max_length=40)),
                ('bio', fields.CharField(default='', max_length=300)),
                ('password_hash', fields.CharField(null=True, max_length=200)),
                ('is_guest', fields.BooleanField(default=False)),
                ('is_admin', fields.BooleanField(default=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('last_seen_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'user', 'app': 'parley', 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Membership',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', db_constraint=True, to_field='id', related_name='memberships', on_delete=OnDelete.CASCADE)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_index=True, db_constraint=True, to_field='id', related_name='memberships', on_delete=OnDelete.CASCADE)),
                ('role', fields.CharField(default='member', max_length=8)),
                ('read_number', fields.BigIntField(default=0)),
                ('delivered_number', fields.BigIntField(default=0)),
                ('muted', fields.BooleanField(default=False)),
                ('joined_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('kicked_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'membership', 'app': 'parley', 'unique_together': (('room', 'user'),), 'pk_attr': 'id', 'table_description': 'Who is in which room, and how far they have read.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Message',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', db_constraint=True, to_field='id', related_name='messages', on_delete=OnDelete.CASCADE)),
                ('number', fields.BigIntField()),
                ('posted_version', fields.BigIntField()),
                ('version', fields.BigIntField()),
                ('author', fields.ForeignKeyField('parley.User', source_field='author_id', null=True, db_constraint=True, to_field='id', related_name='messages', on_delete=OnDelete.SET_NULL)),
                ('body', fields.TextField(unique=False)),
                ('html', fields.TextField(unique=False)),
                ('continues', fields.BooleanField(default=False)),
                ('opens_day', fields.BooleanField(default=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('edited_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('removed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('nonce', fields.CharField(null=True, max_length=32)),
            ],
            options={'table': 'message', 'app': 'parley', 'unique_together': (('room', 'number'), ('room', 'author', 'nonce')), 'indexes': [Index(fields=['room_id', 'version']), Index(fields=['author_id'])], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Session',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('digest', fields.CharField(unique=True, max_length=64)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_index=True, db_constraint=True, to_field='id', related_name='sessions', on_delete=OnDelete.CASCADE)),
                ('user_agent', fields.CharField(default='', max_length=300)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('used_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'session', 'app': 'parley', 'pk_attr': 'id', 'table_description': 'One browser that is signed in. The browser has the token, the row only its digest.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Visit',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('process', fields.ForeignKeyField('parley.Process', source_field='process_id', db_constraint=True, to_field='id', related_name='visits', on_delete=OnDelete.CASCADE)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_index=True, db_constraint=True, to_field='id', related_name='visits', on_delete=OnDelete.CASCADE)),
                ('room_id', fields.IntField(null=True, db_index=True)),
            ],
            options={'table': 'visit', 'app': 'parley', 'unique_together': (('process', 'user', 'room_id'),), 'pk_attr': 'id', 'table_description': "A person's open page (or pages) in a process: which room it shows, or none."},
            bases=['Model'],
        ),
    ]
