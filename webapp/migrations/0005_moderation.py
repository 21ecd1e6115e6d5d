from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('parley', '0004_strangers')]

    initial = False

    operations = [
        ops.CreateModel(
            name='AddressBan',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('hash', fields.CharField(unique=True, max_length=32)),
                ('until', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'address_ban', 'app': 'parley', 'pk_attr': 'id', 'table_description': 'Nobody new from there. The hash means nothing once its day is over, and the row goes.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('admin', fields.ForeignKeyField('parley.User', source_field='admin_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='decisions', on_delete=OnDelete.SET_NULL)),
                ('admin_name', fields.CharField(max_length=40)),
                ('action', fields.CharField(max_length=8)),
                ('person', fields.ForeignKeyField('parley.User', source_field='person_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='decided', on_delete=OnDelete.SET_NULL)),
                ('name', fields.CharField(max_length=40)),
                ('code', fields.CharField(max_length=9)),
                ('report', fields.BigIntField(null=True, db_index=True)),
                ('until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('told', fields.CharField(default='', max_length=300)),
                ('note', fields.CharField(default='', max_length=500)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'audit_entry', 'app': 'parley', 'pk_attr': 'id', 'table_description': 'One decision: who did what about whom, when, and why. Names are kept as they were.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Chore',
            fields=[
                ('name', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=20)),
                ('done_at', fields.BigIntField()),
            ],
            options={'table': 'chore', 'app': 'parley', 'pk_attr': 'name', 'table_description': 'Something that one of the processes does from time to time, whichever of them comes first.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Report',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('about', fields.CharField(max_length=60)),
                ('reporter', fields.ForeignKeyField('parley.User', source_field='reporter_id', null=True, db_constraint=True, to_field='id', related_name='reports', on_delete=OnDelete.SET_NULL)),
                ('person', fields.ForeignKeyField('parley.User', source_field='person_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='reported', on_delete=OnDelete.SET_NULL)),
                ('name', fields.CharField(max_length=40)),
                ('code', fields.CharField(max_length=9)),
                ('place', fields.CharField(max_length=80)),
                ('path', fields.TextField(default='', unique=False)),
                ('reason', fields.CharField(max_length=10)),
                ('text', fields.TextField(default='', unique=False)),
                ('transcript', fields.TextField(unique=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('handled_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('outcome', fields.CharField(default='', max_length=8)),
            ],
            options={'table': 'report', 'app': 'parley', 'unique_together': (('reporter', 'about'),), 'indexes': [Index(fields=['handled_at', 'created_at'])], 'pk_attr': 'id', 'table_description': 'Something that somebody found wrong, frozen as it was then: what it was about may be changed or gone by now.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Session',
            name='address',
            field=fields.CharField(null=True, max_length=32),
        ),
        ops.AddIndex(
            model_name='Session',
            index=Index(fields=['used_at']),
        ),
        ops.AddField(
            model_name='User',
            name='ban_reason',
            field=fields.CharField(default='', db_default='', max_length=300),
        ),
        ops.AddField(
            model_name='User',
            name='banned_until',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='User',
            name='warning',
            field=fields.CharField(default='', db_default='', max_length=300),
        ),
        ops.AddIndex(
            model_name='User',
            index=Index(fields=['banned_until']),
        ),
        ops.RunSQL(
            # Few have one: it is forgotten after a day or two.
            'CREATE INDEX "idx_session_address" ON "session" ("created_at") WHERE "address" IS NOT NULL',
            'DROP INDEX "idx_session_address"',
        ),
    ]
