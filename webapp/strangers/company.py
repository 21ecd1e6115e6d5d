"""The company of strangers: matching those who wait, and noticing who is there, in every process."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.live import Ending, Reader, hub
from webapp.live.providers import StreamWatcher
from webapp.strangers.broadcasts import MOVED, moved, waits
from webapp.strangers.endings import MOVED_ON
from webapp.strangers.matching import match_waiting
from webapp.strangers.models import Stranger
from webapp.strangers.queries import Company, company_in, count_waiting, seconds_waiting_by_mask

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# In every second check the open pages renew the presence of their masks.
RENEW_INTERVAL = 2


class Matchmaker:
    """One matching at a time in this process: a call while one is under way is served by the next."""

    def __init__(self) -> None:
        self.turns = asyncio.Lock()
        self._asked = self._served = 0

    async def run_once(self) -> None:
        """Match until nobody else can be matched, and move the pages of those who were."""
        self._asked += 1
        mine = self._asked
        async with self.turns:
            if self._served >= mine:
                return
            serving = self._asked
            while found := await match_waiting():
                moved(wish.mask for pair in found for wish in pair)
            self._served = serving


matchmaker = Slot[Matchmaker]("matchmaker")


def _readers() -> list[Reader]:
    """Return the open pages of masks in this process."""
    masks = [channel for channel in hub().channels.values() if channel.kind == "mask"]
    return [reader for channel in masks for reader in channel.readers]


class CompanyWatcher:
    """Looks once a second after those whose pages are open in this process: who waits, and who talks."""

    def __init__(self) -> None:
        self._turn = 0
        self._seen: dict[int, Company] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.check()
            except Exception as error:
                engine.report_failure("strangers could not be looked after", error)

    async def check(self) -> None:
        waiting: defaultdict[int, list[Reader]] = defaultdict(list)
        talking: set[tuple[int, int]] = set()
        for reader in _readers():
            room = reader.number("room")
            if room is None:
                waiting[reader.labels["user"]].append(reader)
            else:
                talking.add((reader.labels["user"], room))
        self._turn += 1
        if (waiting or talking) and self._turn % RENEW_INTERVAL == 0:
            await Stranger.renew_presence(waiting, {mask for mask, _ in talking})
        if waiting:
            await matchmaker().run_once()
            await self._tell(waiting)
        await self._see({room for _, room in talking})

    async def _tell(self, waiting: dict[int, list[Reader]]) -> None:
        """Everybody who waits how long they have, and who does not any more that they are expected elsewhere."""
        total = await count_waiting()
        seconds = await seconds_waiting_by_mask(waiting)
        for mask, readers in waiting.items():
            frame = waits(total, seconds[mask]) if mask in seconds else MOVED
            for reader in readers:
                reader.put(frame)

    async def _see(self, rooms: set[int]) -> None:
        """Refresh chats in which a mask went away or came back, and end those it was away from for too long."""
        seen = await company_in(rooms) if rooms else {}
        for room, now in seen.items():
            if now.is_abandoned and await Stranger.end_abandoned(room):
                hub().refresh(f"room:{room}", "company")
            elif now != self._seen.get(room):
                hub().refresh_local(f"room:{room}", "company")
        self._seen = seen


watch = Slot[CompanyWatcher]("watch over strangers")


class StrangerStreams(StreamWatcher):
    """Notices that a page of a mask has closed. One that ends after each answer is back at once."""

    def closed(self, reader: Reader) -> None:
        if reader.number("mask") is not None and not reader.is_long_poll:
            hub().spawn(page_closed(reader.labels["user"]))


async def page_closed(mask: int) -> None:
    """Shorten the presence of a mask of which no other page is open here."""
    if not hub().readers(f"mask:{mask}"):
        try:
            await Stranger.shorten_presence(mask)
        except engine.DOWN as error:
            logger.debug("that a page closed could not be written; it is noticed a little later: %r", error)


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
    """Whose masks are not in the chat, or where people wait, any more."""
    rooms = {reader: reader.number("room") for reader in readers if reader.number("mask") is not None}
    if not rooms:
        return []
    rows = await Stranger.filter(mask_id__in={reader.labels["user"] for reader in rooms}).values("mask_id", "room_id")
    seated = {(row["mask_id"], row["room_id"]) for row in rows}
    return [
        (reader, MOVED_ON)
        for reader, room in rooms.items()
        if room is not None and (reader.labels["user"], room) not in seated
    ]
