"""Which streams end because of an account: its session has ended, or it was banned."""

from collections.abc import Sequence

from webapp.accounts.endings import BANNED, SIGNED_OUT
from webapp.accounts.queries import bans_by_session
from webapp.live import Ending, Reader


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
    banned = await bans_by_session({reader.labels["session"] for reader in readers})
    signed_out = [(reader, SIGNED_OUT) for reader in readers if reader.labels["session"] not in banned]
    return signed_out + [(reader, BANNED) for reader in readers if banned.get(reader.labels["session"])]
