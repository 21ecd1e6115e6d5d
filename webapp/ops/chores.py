"""Work that one process of all does."""

from tortoise import fields
from tortoise.models import Model

from webapp.db import sql
from webapp.db.sql import NOW


class Chore(Model):
    """Something that one of the processes does from time to time, whichever of them comes first."""

    name = fields.CharField(20, primary_key=True)
    done_at = fields.BigIntField()

    class Meta:
        table = "chore"
        table_description = "Something that one of the processes does from time to time, whichever of them comes first."

    @classmethod
    async def claim(cls, name: str, seconds: int) -> bool:
        """Whether this process is to do it: nobody has for so many seconds, by the clock that all share."""
        won = await sql.execute(
            f"INSERT INTO chore (name, done_at) VALUES (?, {NOW}) "
            "ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at "
            f"WHERE chore.done_at <= excluded.done_at - {int(seconds)} RETURNING name",
            name,
        )
        return bool(won)
