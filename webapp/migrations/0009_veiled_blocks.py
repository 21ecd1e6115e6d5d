from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

# Between two who have met under their names the blocker knows who it is. A guest never has a name.
WITH_A_NAME = """
    NOT EXISTS (SELECT 1 FROM "user" WHERE id IN (blocker_id, blocked_id) AND is_guest) AND (
    EXISTS (SELECT 1 FROM membership AS mine JOIN membership AS theirs ON theirs.room_id = mine.room_id
        JOIN room ON room.id = mine.room_id AND room.kind <> 'stranger'
        WHERE mine.user_id = blocker_id AND theirs.user_id = blocked_id)
    OR EXISTS (SELECT 1 FROM room WHERE low = blocker_id AND high = blocked_id OR low = blocked_id AND high = blocker_id)
    OR EXISTS (SELECT 1 FROM friendship WHERE low_id = blocker_id AND high_id = blocked_id
        OR low_id = blocked_id AND high_id = blocker_id))"""


class Migration(migrations.Migration):
    dependencies = [('parley', '0008_data_saver')]

    initial = False

    operations = [
        ops.CreateModel(
            name='VeiledBlock',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('blocker', fields.ForeignKeyField('parley.User', source_field='blocker_id', db_constraint=True, to_field='id', related_name='veiled_blocks', on_delete=OnDelete.CASCADE)),
                ('blocked', fields.ForeignKeyField('parley.User', source_field='blocked_id', db_index=True, db_constraint=True, to_field='id', related_name='veiled_blocked_by', on_delete=OnDelete.CASCADE)),
                ('everywhere', fields.BooleanField(default=False, db_default=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'veiled_block', 'app': 'parley', 'unique_together': (('blocker', 'blocked'),), 'pk_attr': 'id', 'table_description': 'A block without a name.'},
            bases=['Model'],
        ),
        ops.RunSQL(
            f"""INSERT INTO veiled_block (blocker_id, blocked_id, everywhere, created_at)
            SELECT blocker_id, blocked_id,
                NOT EXISTS (SELECT 1 FROM "user" WHERE id IN (blocker_id, blocked_id) AND is_guest), created_at
            FROM block WHERE NOT ({WITH_A_NAME}) ORDER BY id""",
            "SELECT 1",
        ),
        ops.RunSQL(
            # Browsers have cached the stylesheet that named them, under the address of its version.
            'UPDATE "user" SET blocks_version = blocks_version + 1 '
            "WHERE id IN (SELECT blocker_id FROM veiled_block)",
            "SELECT 1",
        ),
        ops.RunSQL(
            """DELETE FROM block WHERE EXISTS (SELECT 1 FROM veiled_block WHERE
            veiled_block.blocker_id = block.blocker_id AND veiled_block.blocked_id = block.blocked_id)""",
            "SELECT 1",
        ),
    ]
