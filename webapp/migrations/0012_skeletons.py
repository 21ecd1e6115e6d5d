import re
from typing import Any

from tortoise import migrations
from tortoise.migrations import operations as ops


async def collapse(apps: Any, editor: Any) -> None:
    """
    Names that differ only in dividers were two until now. Rooms and people that share such a skeleton stay with the old
    one, under their names. May be repeated.
    """
    query = editor.client.execute_query_dict
    taken = {row["skeleton"] for row in await query('SELECT skeleton FROM "user" WHERE skeleton IS NOT NULL')}
    for row in await query(
        """SELECT id, skeleton FROM "user" WHERE skeleton LIKE '\\_%' ESCAPE '\\' OR skeleton LIKE '%\\_' ESCAPE '\\'
        OR skeleton LIKE '%\\_\\_%' ESCAPE '\\' ORDER BY id"""
    ):
        skeleton = re.sub("_+", "_", row["skeleton"]).strip("_")
        if skeleton not in taken:
            taken.add(skeleton)
            values = skeleton.replace("'", "''"), row["id"]
            await editor.client.execute_script("""UPDATE "user" SET skeleton = '%s' WHERE id = %d""" % values)


class Migration(migrations.Migration):
    dependencies = [('parley', '0011_doors')]

    initial = False

    operations = [
        ops.RunPython(collapse, ops.RunPython.noop),
    ]
