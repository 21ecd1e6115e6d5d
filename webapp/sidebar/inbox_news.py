"""That something has changed in a person's inbox: their page of it, if it is open, loads its lines again."""

from collections.abc import Collection
from time import time

from webapp.live import Frame, Payload, Reader, frames, hub
from webapp.live.providers import StreamWatcher

# A state of their channel, of the pages that show it; it is read, and so they load, once a second at most.
STATE = "inbox"
_CHANGED = Frame(frames.sse_signal(STATE))
# A page whose stream begins later than so long after it was made, as after an absence, loads its lines again.
FRESH_SECONDS = 2


class InboxStreams(StreamWatcher):
    """Pages of an inbox bring the time at which they were made."""

    def opened(self, reader: Reader) -> None:
        if STATE in reader.states and not -1 <= time() - reader.labels[STATE] <= FRESH_SECONDS:
            reader.put(_CHANGED)


def changed(users: Collection[int]) -> None:
    """Something has changed for these people that their lists of chats and rooms do not show: a reaction, an edit."""
    for user in users:
        hub().refresh(f"user:{user}", STATE)


def entries_changed(users: Collection[int]) -> None:
    """Pages of this process show these people something new in their lists: all processes with such pages do so."""
    for user in users:
        hub().refresh_local(f"user:{user}", STATE)


async def inbox(users: Collection[int]) -> dict[int, Payload]:
    """Return what open pages are sent: nothing is read for them, and they are loaded by what each of them shows."""
    return dict.fromkeys(users, _CHANGED)
