from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0019_mentions')]

    initial = False

    operations = [
        # What it holds beside `muted`, which was there before, says conversations/levels.py: no row has to change.
        ops.AddField(
            model_name='Membership',
            name='level',
            field=fields.CharField(default='all', db_default='all', max_length=8),
        ),
    ]
