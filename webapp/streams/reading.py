"""What an endless document showed is read: the page has no script that could report it."""

from webapp.conversations.read_marks import ALL, read_marks
from webapp.live import Reader
from webapp.live.providers import StreamWatcher

# In chunks with something of the log, and in no others.
MESSAGE_MARKER = b'<li id="message-'


class DocumentReading(StreamWatcher):
    """Marks a room as read when its document begins, when it ends, and in chats with each message that comes."""

    def __init__(self) -> None:
        self._begun: set[Reader] = set()

    def wrote(self, reader: Reader, chunk: bytes) -> None:
        room = reader.number("room")
        if room is None or reader.framing != "html":
            return
        if reader not in self._begun or ("receipts" in reader.states and MESSAGE_MARKER in chunk):
            self._begun.add(reader)
            _mark_read(reader, room)

    def closed(self, reader: Reader) -> None:
        self._begun.discard(reader)
        room = reader.number("room")
        if room is not None and reader.framing == "html":
            _mark_read(reader, room)


def _mark_read(reader: Reader, room: int) -> None:
    """Where it can't be written, the next page that is served marks it again."""
    read_marks().add(reader.labels["user"], room, ALL, "receipts" in reader.states)
