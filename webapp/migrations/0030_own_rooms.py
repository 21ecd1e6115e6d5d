from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

# What administrators are shown: no chats of two, and no guests. Of a partial index the condition stands in the query.
# As it is written here no index by kind can take it, which SQLite would choose, and sort all rooms of these kinds.
LISTED = '''"kind" NOT IN ('direct', 'stranger') AND "closed_at" IS NULL'''


class Migration(migrations.Migration):
    dependencies = [('parley', '0029_sealed_files')]

    initial = False

    operations = [
        ops.CreateModel(
            name='RoomAlias',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', db_constraint=True, to_field='id', related_name='aliases', on_delete=OnDelete.CASCADE)),
                ('key', fields.CharField(db_index=True, max_length=80)),
            ],
            options={'table': 'room_alias', 'app': 'parley', 'unique_together': (('room', 'key'),), 'table_description': 'An address that a room had: it leads on who may read the room, and is taken for nobody.', 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Invitation',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('room', fields.ForeignKeyField('parley.Room', source_field='room_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='invitations', on_delete=OnDelete.CASCADE)),
                ('digest', fields.CharField(unique=True, max_length=64)),
                ('maker', fields.ForeignKeyField('parley.User', source_field='maker_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name='invitations', on_delete=OnDelete.SET_NULL)),
                ('note', fields.CharField(default='', max_length=100)),
                ('made_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('expires_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('most_uses', fields.IntField(null=True)),
                ('uses', fields.IntField(default=0)),
                ('revoked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'invitation', 'app': 'parley', 'table_description': 'A link to a room, or without one to the site. Of its token only the SHA-256 is stored.', 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='InvitationUse',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('invitation', fields.ForeignKeyField('parley.Invitation', source_field='invitation_id', db_constraint=True, to_field='id', related_name='people', on_delete=OnDelete.CASCADE)),
                ('user', fields.ForeignKeyField('parley.User', source_field='user_id', db_index=True, db_constraint=True, to_field='id', related_name='invitation_uses', on_delete=OnDelete.CASCADE)),
                ('used_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'invitation_use', 'app': 'parley', 'unique_together': (('invitation', 'user'),), 'table_description': 'Who came by which invitation.', 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.AddField(model_name='Room', name='first_number', field=fields.BigIntField(default=1, db_default=1)),
        ops.AddField(model_name='Room', name='who_posts', field=fields.CharField(default='members', db_default='members', max_length=10)),
        ops.AddField(model_name='Room', name='who_invites', field=fields.CharField(default='owners', db_default='owners', max_length=10)),
        ops.AddField(model_name='Room', name='slow_seconds', field=fields.IntField(default=0, db_default=0)),
        ops.AddField(model_name='Room', name='keep_days', field=fields.IntField(default=0, db_default=0)),
        ops.AddField(model_name='Room', name='next_keep_days', field=fields.IntField(null=True)),
        ops.AddField(model_name='Room', name='keep_changes_at', field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
        ops.AddField(model_name='Membership', name='kicked_by', field=fields.IntField(null=True)),
        ops.AddField(model_name='Membership', name='inviter', field=fields.IntField(null=True)),
        ops.AddField(model_name='Message', name='notice', field=fields.CharField(default='', db_default='', max_length=40)),
        ops.AddField(model_name='User', name='added_by', field=fields.CharField(default='everyone', db_default='everyone', max_length=8)),
        ops.RunSQL(
            # Few rooms forget, or did: an hour's look for them must not read all.
            'CREATE INDEX "idx_room_forgetting" ON "room" ("id") '
            'WHERE "keep_days" > 0 OR "next_keep_days" IS NOT NULL OR "first_number" > 1',
            'DROP INDEX "idx_room_forgetting"',
        ),
        ops.RunSQL(
            # Few of a room's rows are of people who are out: their list must not read all members.
            'CREATE INDEX "idx_membership_out" ON "membership" ("room_id", "sort_name", "id") WHERE "role" = \'kicked\'',
            'DROP INDEX "idx_membership_out"',
        ),
        ops.RunSQL(
            'CREATE INDEX "idx_membership_owner" ON "membership" ("room_id") WHERE "role" = \'owner\'',
            'DROP INDEX "idx_membership_owner"',
        ),
        ops.AddField(model_name='AuditEntry', name='room', field=fields.IntField(null=True)),
        ops.AddIndex(model_name='AuditEntry', index=Index(fields=['room', 'id'], name='idx_audit_entry_room')),
        ops.AddIndex(model_name='Attachment', index=Index(fields=['room_id', 'size', 'thumb_size'], name='idx_attachment_by_room')),
        ops.RunSQL(
            f'CREATE INDEX "idx_room_newest" ON "room" ("id") WHERE {LISTED}',
            'DROP INDEX "idx_room_newest"',
        ),
        ops.RunSQL(
            f'CREATE INDEX "idx_room_active" ON "room" ("last_at", "id") WHERE {LISTED}',
            'DROP INDEX "idx_room_active"',
        ),
        ops.RunSQL(
            f'CREATE INDEX "idx_room_longest" ON "room" ("last_number", "id") WHERE {LISTED}',
            'DROP INDEX "idx_room_longest"',
        ),
        ops.RunSQL(
            f'CREATE INDEX "idx_room_largest" ON "room" ("member_count", "id") WHERE {LISTED}',
            'DROP INDEX "idx_room_largest"',
        ),
        ops.RunSQL(
            'CREATE INDEX "idx_user_newest" ON "user" ("id") WHERE NOT "is_guest"',
            'DROP INDEX "idx_user_newest"',
        ),
        ops.RunSQL(
            'CREATE INDEX "idx_user_seen" ON "user" ("last_seen_at", "id") WHERE NOT "is_guest"',
            'DROP INDEX "idx_user_seen"',
        ),
    ]
