"""What an endless document showed is read: the page has no script that could report it."""

import logging

from webapp.conversations.models import Membership
from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.live import Reader, hub
from webapp.live.providers import StreamWatcher

logger = logging.getLogger(__name__)

# In chunks with something of the log, and in no others.
MESSAGE_MARKER = b'<li id="message-'

# The people and rooms for which it is about to be written.
scheduled = Slot[set[tuple[int, int]]]("marks of reading")


class ReadMarks(StreamWatcher):
    """Marks a room as read when its document begins, when it ends, and in chats with each message that comes."""

    def __init__(self) -> None:
        self._begun: set[Reader] = set()

    def wrote(self, reader: Reader, chunk: bytes) -> None:
        room = reader.number("room")
        if room is None or reader.framing != "html":
            return
        if reader not in self._begun or ("receipts" in reader.states and MESSAGE_MARKER in chunk):
            self._begun.add(reader)
            schedule_mark_read(reader.labels["user"], room)

    def closed(self, reader: Reader) -> None:
        self._begun.discard(reader)
        room = reader.number("room")
        if room is not None and reader.framing == "html":
            schedule_mark_read(reader.labels["user"], room)


def schedule_mark_read(user: int, room: int) -> None:
    """Mark the room as read soon: once for all that happens until then, as many pages may close together."""
    if (user, room) not in scheduled():
        scheduled().add((user, room))
        hub().spawn(mark_read(user, room))


async def mark_read(user: int, room: int) -> None:
    scheduled().discard((user, room))
    try:
        if await Membership.mark_all_read(user, room):
            hub().refresh(f"room:{room}", "receipts")
            hub().broadcast_reliably("place", user=user, room=room)
    except engine.DOWN as error:
        logger.debug("what was read could not be written; the next page that is served marks it again: %r", error)
