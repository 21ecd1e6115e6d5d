from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0009_veiled_blocks')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Room',
            name='is_last_removed',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Room',
            name='removed_count',
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.RunSQL(
            # Of removed messages alone, which are few: how many of them are among the unread is counted for lists.
            'CREATE INDEX "idx_message_removed" ON "message" ("room_id", "number") WHERE "removed_at" IS NOT NULL',
            'DROP INDEX "idx_message_removed"',
        ),
        ops.RunSQL(
            "UPDATE room SET removed_count = (SELECT COUNT(*) FROM message "
            "WHERE message.room_id = room.id AND message.removed_at IS NOT NULL) "
            "WHERE id IN (SELECT room_id FROM message WHERE removed_at IS NOT NULL)",
            "SELECT 1",
        ),
        ops.RunSQL(
            # It was stored in English.
            "UPDATE room SET is_last_removed = TRUE, last_line = '' WHERE EXISTS (SELECT 1 FROM message WHERE "
            "message.room_id = room.id AND message.number = room.last_number AND message.removed_at IS NOT NULL)",
            "SELECT 1",
        ),
    ]
