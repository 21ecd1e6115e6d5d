"""How often open pages read what people reacted: a storm of reactions is a few frames a second, not one for each."""

import asyncio

from webapp.core.lifetime import Slot
from webapp.live import hub

# The first of a room is read at once, those of the pause after it together: at most three frames in any second.
PAUSE_SECONDS = 0.5


class Pacer:
    """The rooms of this process in which reactions were read just now, with the version to read after the pause."""

    def __init__(self) -> None:
        self._pauses: dict[int, int] = {}

    def announce(self, room: int, version: int) -> None:
        """Read the room's log up to this version, now or after the pause; a post reads it at once."""
        if room in self._pauses:
            self._pauses[room] = max(self._pauses[room], version)
        elif f"room:{room}" in hub().channels:
            self._pauses[room] = 0
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._end_pause, room)
            hub().read_log(f"room:{room}", version)

    def _end_pause(self, room: int) -> None:
        if version := self._pauses.pop(room):
            self.announce(room, version)


pacer = Slot[Pacer]("pauses between reactions")


def reacted(room_id: int, version: int) -> None:
    """Reactions have taken the log to this version, which nothing but open pages of the room shows."""
    hub().broadcast("reacted", room=room_id, version=version)


def on_reacted(room: int, version: int) -> None:
    pacer().announce(room, version)
