"""Which streams end because of an account: its session has ended, it was banned, or is no administrator's any more."""

from collections.abc import Iterator, Mapping, Sequence

from webapp.accounts.endings import BANNED, SIGNED_OUT, UNMADE
from webapp.accounts.queries import SessionRights, rights_by_session, viewers_by_token
from webapp.accounts.viewer import Viewer
from webapp.core.batches import Batches
from webapp.core.lifetime import Slot
from webapp.live import Ending, Reader

# The label of the streams of an administrator's pages: what they show is not for others.
ADMIN = "admin"
# By the token of the session.
opening_viewers = Slot[Batches[str, Viewer | None]]("batches of viewers whose streams open")


async def viewer_of_stream(token: str) -> Viewer | None:
    """Return what `viewer_by_token` does; those of streams that open at the same time are read together."""
    return await opening_viewers().get(token)


def viewer_batches() -> Batches[str, Viewer | None]:
    return Batches(viewers_by_token)


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
    return list(_ended(readers, await rights_by_session({reader.labels["session"] for reader in readers})))


def _ended(readers: Sequence[Reader], rights: Mapping[int, SessionRights]) -> Iterator[tuple[Reader, Ending]]:
    for reader in readers:
        may = rights.get(reader.labels["session"])
        if may is None:
            yield reader, SIGNED_OUT
        elif may.is_banned:
            yield reader, BANNED
        elif ADMIN in reader.labels and not may.is_admin:
            yield reader, UNMADE
