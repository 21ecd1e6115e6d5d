"""The dots of the directory: who of the people that are no friends comes and goes, on open pages that list them."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from time import time

from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.http import render
from webapp.live import Frame, Payload, Reader, frames, hub
from webapp.live.providers import StreamWatcher
from webapp.live.reader import deliver
from webapp.people.queries import DotRow, public_dots
from webapp.presence.queries import DIRECTORY
from webapp.relationships.queries import blocks_of
from webapp.sidebar.entries import CONTACTS_CHANGED

CHANNEL = f"{DIRECTORY}:0"
# A page is sent one frame in so long at most, with so many dots at most: 250 bytes each.
PAUSE_SECONDS = 1.0
MAX_DOTS = 50
HEARTBEAT_SECONDS = 15.0
# So long after a page was made its stream begins at the latest, or its list is loaded again.
FRESH_SECONDS, LATELY_SECONDS = 8, 10


class Directory(StreamWatcher):
    """
    Reads who has come online or left, together for all open pages of this process, and sends them the same frame.

    No page is read for: one that has just been made is sent what has changed lately, an older one loads its list
    again. Pages bring the time at which they were made, which reveals nothing of anybody, as a version would.
    """

    def __init__(self) -> None:
        self._lately: dict[int, float] = {}
        self._changed: dict[int, None] = {}
        self._hidden: set[int] = set()
        self._is_due = asyncio.Event()
        self._links_lost = 0

    def opened(self, reader: Reader) -> None:
        made_at = reader.labels.get(DIRECTORY)
        if made_at is None:
            return
        if -1 <= time() - made_at <= FRESH_SECONDS:
            self._mark(self._lately)
        else:
            reader.put(CONTACTS_CHANGED)

    def on_presence(self, users: str) -> None:
        """Note that these people (their ids with commas between) may have come online or left."""
        self._note([int(user) for user in users.split(",")])

    def on_unlisted(self, user: int) -> None:
        """Note that a person is not shown to everyone any more."""
        self._hidden.add(user)
        self._note([user])

    def _note(self, users: Collection[int]) -> None:
        now = time()
        self._lately = {user: at for user, at in self._lately.items() if now - at <= LATELY_SECONDS}
        self._lately |= dict.fromkeys(users, now)
        self._mark(users)

    def _mark(self, users: Iterable[int]) -> None:
        self._changed |= dict.fromkeys(users)
        self._is_due.set()

    async def run(self) -> None:
        """Send what is noted, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._is_due.wait()
            await hub().storm.wait_until_over()
            try:
                await self.send_changes()
            except Exception as error:
                engine.report_failure("who is online could not be read for the directory", error)
                self._is_due.set()
            await asyncio.sleep(PAUSE_SECONDS)

    async def send_changes(self) -> None:
        """Send every open page the dots that have changed: the first MAX_DOTS of them, the others the next time."""
        self._is_due.clear()
        readers = hub().readers(CHANNEL)
        if hub().is_connected and hub().counts.links_lost != self._links_lost:
            # What other processes published meanwhile was dropped.
            self._links_lost = hub().counts.links_lost
            await deliver(readers, CONTACTS_CHANGED)
        if not readers:
            self._changed.clear()
            self._hidden.clear()
        users = list(self._changed)[:MAX_DOTS]
        if not users:
            return
        rows = await public_dots(users, self._hidden.intersection(users))
        await _send(readers, rows)
        for user in users:
            self._changed.pop(user, None)
            self._hidden.discard(user)
        if self._changed:
            self._is_due.set()


async def _send(readers: list[Reader], rows: list[DotRow]) -> None:
    if not rows:
        return
    # Nobody is sent anything of a person blocked either way, nor of themselves.
    left_out: defaultdict[int, set[int]] = defaultdict(set)
    for user, other in await blocks_of([row.id for row in rows]):
        left_out[other].add(user)
    payloads: dict[frozenset[int], Payload] = {}
    groups: defaultdict[frozenset[int], list[Reader]] = defaultdict(list)
    for reader in readers:
        groups[frozenset(left_out.get(reader.labels["user"], ()))].append(reader)
    for without, group in groups.items():
        payload = payloads.setdefault(without, _dots([row for row in rows if row.id not in without]))
        await deliver(group, payload)


def _dots(rows: list[DotRow]) -> Payload:
    def made() -> Frame:
        dots = (
            frames.hx_partial(f"#dot-person-{row.code}", "outerHTML", _dot(row.code, row.is_online)) for row in rows
        )
        return Frame(frames.sse_event("".join(dots)))

    return frames.localized(made) if rows else Frame()


def _dot(code: str, is_online: bool) -> str:
    return render.fragment("presence/_online_dot.html", place="person", code=code, is_online=is_online).strip()


directory = Slot[Directory]("directory of people")


def on_presence(users: str) -> None:
    directory().on_presence(users)


def on_unlisted(user: int) -> None:
    directory().on_unlisted(user)
