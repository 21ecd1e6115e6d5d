"""
A small world for the engine: real hubs, channels, bells and outboxes, and around them everything that can go wrong.

Time is the loop's own and goes on when nobody has anything to do, so a minute takes milliseconds. Whatever is
left to chance is drawn from a seed, by each part for itself: the same seed is the same story.
"""

import asyncio
import contextlib
import logging
import selectors
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import pytest
from broadcaster import Broadcast, Event

from tests.live.providing import ending
from webapp.live import Ending, Frame, Hub, Providers, Reader, outbox
from webapp.live.bridge import LINK_DOWN, LINK_UP, RETRY_SECONDS
from webapp.live.frames import KEEP_ALIVE
from webapp.live.heartbeat import HEARTBEAT_SECONDS, POLL_SECONDS
from webapp.live.items import Item, Pair, Welcome
from webapp.live.providers import LogSource
from webapp.live.shards import ALL, ShardedBackend, ShardedBroadcast, shard_of
from webapp.live.states import BULK

ROOMS = (1, 2, 3)
# More changes than this, and who comes back gets the log anew.
MOST_CHANGES = 12
# How many messages such a log has.
PAGE = 6
# A few people, of whom some have several pages; each is in some of the rooms.
PEOPLE = (1, 2, 3, 4)
# So that a schedule of a few dozen changes meets every bound.
BOUNDS = {
    "webapp.live.outbox.LIMIT_BYTES": 60,
    "webapp.live.reader.SLICE_SIZE": 2,
    "webapp.live.heartbeat.CHANNEL_BATCH_SIZE": 2,
    "webapp.live.bridge.MAX_QUEUED": 4,
    "webapp.live.tail.MAX_ROWS": 4,
}
SEND_SECONDS = 15.0
MOST_TURNS = 20_000
A_MOMENT = 0.3
# As SILENCE_SECONDS of the link to Redis.
CONFIRM_SECONDS = 2.5


class _Idle(selectors.SelectSelector):
    """Nothing ever comes from outside: to wait is to move the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self._turns = 0 if timeout > 0 else self._turns + 1
        assert self._turns < MOST_TURNS, "something turns in circles"
        self.now += max(0.0, timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._idle = _Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        return self._idle.now

    def jump(self, seconds: float) -> None:
        """As a process finds it that was frozen for so long."""
        self._idle.now += seconds


class Row(NamedTuple):
    """A message: the versions of the last change of its words, or of those that it quotes, and of its reactions."""

    words: int = 0
    chips: int = 0

    def __str__(self) -> str:
        return f"{self.words}.{self.chips}"

    @classmethod
    def read(cls, text: str) -> "Row":
        return cls(*map(int, text.split(".")))


# Messages, by their ids in order.
Messages = dict[int, Row]


class Change(NamedTuple):
    """A line of a room's log: posted first, then edited, quoting what was edited, or reacted to."""

    version: int
    message: int
    is_reaction: bool = False


def rows_of(log: Sequence[Change]) -> Messages:
    rows: Messages = {}
    for version, message, is_reaction in log:
        row = rows.get(message, Row())
        rows[message] = row._replace(chips=version) if is_reaction else row._replace(words=version)
    return rows


class Store:
    """The database: per room its changes, of which those of an original and of all that answers it share a version."""

    def __init__(self, seed: int) -> None:
        self.logs: dict[int, list[Change]] = {room: [] for room in ROOMS}
        # What answers which message.
        self.originals: dict[int, int] = {}
        self.offsets = dict.fromkeys(ROOMS, 0)
        self.people = dict.fromkeys(ROOMS, 0)
        # Which rooms people are in, and what they have of each for themselves.
        self.members = {person: set(ROOMS[: 1 + person % len(ROOMS)]) for person in PEOPLE}
        self.marks = {(person, room): 0 for person in PEOPLE for room in ROOMS}
        self.closed = set[int]()
        self.signed_out = set[int]()
        self.backup: dict[int, list[Change]] = {}
        self.is_well, self.is_away = True, False
        self.reads = self.tail_reads = 0
        self._next = 0
        self._chance = Random(f"store {seed}")

    def version(self, room: int) -> int:
        return self.logs[room][-1].version if self.logs[room] else self.offsets[room]

    def messages(self, room: int, upto: int | None = None) -> Messages:
        return rows_of([change for change in self.logs[room] if upto is None or change.version <= upto])

    def post(self, room: int, answers: int | None = None) -> int:
        self._next += 1
        if answers is not None:
            self.originals[self._next] = answers
        return self._commit(room, [self._next])

    def edit(self, room: int, message: int) -> int:
        """With all that answer it, whose quotes change."""
        quoting = [one for one in self.messages(room) if self.originals.get(one) == message]
        return self._commit(room, [message, *quoting])

    def react(self, room: int, message: int) -> int:
        return self._commit(room, [message], is_reaction=True)

    def _commit(self, room: int, changed: list[int], is_reaction: bool = False) -> int:
        # After a restore the next version is far above the last change that is left.
        version = self.current(room) + 1
        self.logs[room] += [Change(version, message, is_reaction) for message in changed]
        return version

    def restore(self) -> None:
        """As `python -m webapp restore`: what came after the backup is gone, and the versions are far ahead."""
        leap = 1000 + max(self.current(room) for room in ROOMS)
        for room, log in self.backup.items():
            self.offsets[room] = (log[-1].version if log else 0) + leap
            self.logs[room] = list(log)

    def current(self, room: int) -> int:
        """What stands in the room's row."""
        return max(self.version(room), self.offsets[room])

    async def _answer(self) -> None:
        """A query takes its time, or more than anybody waits; or it fails."""
        if self.is_away:
            raise ConnectionError("the database is away")
        if self.is_well:
            if (delay := self._chance.choice((None, 0, 0.002, 0.01))) is not None:
                await asyncio.sleep(delay)
            return
        await asyncio.sleep(self._chance.choice((0, 0, 0, 0.01, 0.3, 2, 20)))
        if self._chance.random() < 0.3:
            raise ConnectionError("the database is away")

    async def read_log(
        self, room: int, cursors: Collection[int | None]
    ) -> tuple[int, Mapping[int | None, Frame]] | None:
        """By the rules of messages/changes.py."""
        self.reads += 1
        await self._answer()
        if room in self.closed:
            return None
        version, log = self.current(room), list(self.logs[room])
        await self._answer()
        return version, {cursor: self._frame(room, log, cursor, version) for cursor in cursors}

    @staticmethod
    def _frame(room: int, log: list[Change], cursor: int | None, version: int) -> Frame:
        rows = rows_of(log)
        if cursor is None or cursor > version or version - cursor > MOST_CHANGES:
            page = newest_page(rows)
            sent = f"= {room} {version} {written(page)}"
            return both(sent) if cursor is None else both(sent, f"^ {room} {version}")
        held = rows_of([change for change in log if change.version <= cursor])
        since = {message: row for message, row in rows.items() if max(row) > cursor}
        if not since:
            return Frame()
        posted = {message: row for message, row in since.items() if message not in held}
        edited = {message: row for message, row in since.items() if message in held and row.words > cursor}
        reacted = {message: row for message, row in since.items() if message in held and row.words <= cursor}
        parts = written(posted), written(edited, "*"), written(reacted, "&")
        return both(f"+ {room} {version} {' '.join(filter(None, parts))}")

    def read_rows(
        self, room: int, rows: Sequence[tuple[int, str]], cursors: Collection[int]
    ) -> tuple[int, Mapping[int | None, Frame]]:
        """By the rules of messages/changes.py: these rows are all that was posted after the lowest of the cursors."""
        self.tail_reads += 1
        version = rows[-1][0]
        frames: dict[int | None, Frame] = {}
        for cursor in cursors:
            posted = {int(text): Row(words) for words, text in rows if words > cursor}
            frames[cursor] = both(f"+ {room} {version} {written(posted)}") if posted else Frame()
        return version, frames

    async def read_versions(self, rooms: Collection[int]) -> Mapping[int, int]:
        await self._answer()
        found = {room: self.current(room) for room in rooms if room not in self.closed}
        await self._answer()
        return found

    async def read_people(self, rooms: Collection[int]) -> Mapping[int, Frame]:
        await self._answer()
        found = {room: both(f"~ {room} {self.people[room]}") for room in rooms}
        await self._answer()
        return found

    def sidebar(self, person: int) -> dict[int, str]:
        """What a page of theirs shows of each of their rooms, when it is as it should be."""
        rooms = sorted(self.members[person] - self.closed)
        return {room: f"{self.current(room)}/{self.marks[person, room]}" for room in rooms}

    async def check_access(self, readers: Sequence[Reader]) -> Sequence[tuple[Reader, Ending]]:
        await self._answer()
        ended = [(reader, ending("signed_out")) for reader in readers if reader.labels["session"] in self.signed_out]
        await self._answer()
        return ended


def both(line: str, html: str = "") -> Frame:
    """A frame in its two framings, which a page can tell apart."""
    return Frame(f"sse {line}\n".encode(), f"html {html or line}\n".encode())


def newest_page(messages: Messages) -> Messages:
    return dict(list(messages.items())[-PAGE:])


def written(messages: Messages, mark: str = "") -> str:
    return " ".join(f"{mark}{message}:{row}" for message, row in messages.items())


def listed(sidebar: Mapping[int, str]) -> str:
    return " ".join(f"{room}:{looks}" for room, looks in sorted(sidebar.items()))


class Entry(Item):
    state = "entries"
    moves = True
    __slots__ = ("change", "line", "still")

    def __init__(self, person: int, room: int, shown: str) -> None:
        super().__init__(person, f"room:{room}", hash(shown))
        version, _, mark = shown.partition("/")
        self.still = hash(mark)
        self.line, self.change = both(f"> {room} {shown}"), both(f"/ {room} {version}")

    def frame(self, reader: Reader, is_new: bool, is_on_top: bool) -> Frame:
        return self.change if is_on_top else self.line


class Sidebars:
    """Sidebars as webapp/sidebar/states.py has them: an item for each room that a person is in."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def topics(self, numbers: Collection[int]) -> Mapping[int, Collection[str]]:
        await self.store._answer()
        found = {person: [f"room:{room}" for room in self.store.sidebar(person)] for person in numbers}
        await self.store._answer()
        return found

    async def facts(self, topics: Collection[str]) -> Mapping[str, object]:
        await self.store._answer()
        rooms = [int(topic.removeprefix("room:")) for topic in topics]
        found = {f"room:{room}": self.store.current(room) for room in rooms if room not in self.store.closed}
        await self.store._answer()
        return found

    async def welcome(
        self, readers: Collection[Reader], topics: Mapping[int, Collection[str]], sent: Mapping[str, object]
    ) -> Welcome:
        await self.store._answer()
        people = sorted({reader.labels["user"] for reader in readers})
        found = {person: self.store.sidebar(person) for person in people}
        await self.store._answer()
        frames: dict[Reader, list[Frame]] = {}
        for reader in readers:
            text = listed(found[reader.labels["user"]])
            frames[reader] = [] if reader.digest == text else [both(f"@ {text}")]
        return Welcome(frames, [Entry(person, *entry) for person in people for entry in found[person].items()])

    async def items(
        self, pairs: Collection[Pair], sent: Mapping[str, object], found: Mapping[str, object]
    ) -> list[Item]:
        await self.store._answer()
        rooms = [(person, int(topic.removeprefix("room:"))) for person, topic in pairs]
        shown = [(person, room, self.store.sidebar(person).get(room)) for person, room in rooms]
        await self.store._answer()
        return [Entry(person, room, looks) for person, room, looks in shown if looks]

    async def delivered(self, items: Sequence[Item]) -> None:
        await self.store._answer()

    def removal(self, topic: str) -> Frame:
        return both(f"< {topic.removeprefix('room:')}")

    def is_whole(self, digest: str) -> bool:
        return True

    def expired(self, digest: str) -> str:
        return "!"


class Wire(ShardedBackend):
    """One process's link to the others, through the worst of brokers; one of the version before knows no shards."""

    def __init__(self, network: "Network", is_old: bool) -> None:
        super().__init__()
        self.network, self.is_old = network, is_old
        self.is_linked = True
        # The shards that the broker takes it to listen to, before it has confirmed so.
        self.listens: set[str] = {ALL} if is_old else set()
        self._heard: asyncio.Queue[Event] = asyncio.Queue()
        self._connection: asyncio.Task[None] | None = None
        self._notice: asyncio.TimerHandle | None = None
        network.wires.append(self)

    def broadcast(self) -> Broadcast:
        return Broadcast(backend=self) if self.is_old else ShardedBroadcast(self)

    async def connect(self) -> None: ...
    async def unsubscribe(self, channel: str) -> None: ...

    async def subscribe(self, channel: str) -> None:
        self._connect()

    async def disconnect(self) -> None:
        self._drop()
        if self in self.network.wires:
            self.network.wires.remove(self)

    async def publish(self, channel: str, message: Any) -> None:
        await self.network.carry(self, {ALL: message})

    async def ring(self, texts: Mapping[str, str]) -> None:
        if any(wire.is_old for wire in self.network.wires):
            texts = {ALL: "\n".join(texts.values())}
        await self.network.carry(self, {shard: f"{self.name}\n{text}" for shard, text in texts.items()})

    async def next_published(self) -> Event:
        return await self._heard.get()

    def hear(self, message: str) -> None:
        if self.is_linked or message in (LINK_DOWN, LINK_UP):
            self._heard.put_nowait(Event("test", message))

    def _connect(self) -> None:
        if self.is_old:
            self.hear(LINK_UP)
        elif self.is_linked:
            self._connection = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        """Subscribe to what is wanted, as long as the connection stands; a lost confirmation is noticed in the end."""
        is_first, leaving = True, ()
        joining: Collection[str] = set(self.subscriptions.begin().shards)
        while True:
            await self.network.delay()
            self.listens = self.listens.difference(leaving).union(joining)
            await self.network.delay()
            if joining and self.network.loses_confirmation():
                self._notice = asyncio.get_running_loop().call_later(CONFIRM_SECONDS, self._reconnect)
                return
            for shard in joining:
                self.subscriptions.confirm(shard)
            if is_first:
                self.hear(LINK_UP)
            is_first = False
            leaving, joining = await self.subscriptions.changes()

    def _reconnect(self) -> None:
        self._lose()
        self._connect()

    def _lose(self) -> None:
        self._drop()
        self.subscriptions.lose()
        self.hear(LINK_DOWN)

    def _drop(self) -> None:
        for pending in (self._connection, self._notice):
            if pending:
                pending.cancel()
        self._connection = self._notice = None
        self.listens = {ALL} if self.is_old else set()

    def cut(self, noticed_after: float = 0.0) -> None:
        if self.is_linked:
            self._drop()
            self.is_linked = False
            self._notice = asyncio.get_running_loop().call_later(noticed_after, self._lose)

    def mend(self) -> None:
        if not self.is_linked:
            if self._notice:
                self._lose()
            self.is_linked = True
            self._connect()


class Network:
    """What is published is lost, repeated, delayed and so overtaken, as chance will have it."""

    def __init__(self, seed: int) -> None:
        self.wires: list[Wire] = []
        self.is_well, self.refuses = True, False
        # How long a subscription takes to the broker, and its confirmation back, while all is well.
        self.delays: Sequence[float] = (0, 0.001)
        self._chance = Random(f"network {seed}")

    async def delay(self) -> None:
        """A subscription is on its way, or its confirmation."""
        await asyncio.sleep(self._chance.choice(self.delays if self.is_well else (0, 0.01, 0.2, 1)))

    def loses_confirmation(self) -> bool:
        return not self.is_well and self._chance.random() < 0.2

    async def carry(self, sender: Wire, texts: Mapping[str, str]) -> None:
        if not self.is_well:
            await asyncio.sleep(self._chance.choice((0, 0, 0.2)))
        if self.refuses or not sender.is_linked:
            raise ConnectionError("the link is down")
        for shard, text in texts.items():
            for wire in self.wires:
                for _ in range(1 if self.is_well else self._chance.choice((0, 1, 1, 2, 3))):
                    delay = 0 if self.is_well else self._chance.choice((0, 0, 0.01, 0.5, 5, 40))
                    if shard in wire.listens:
                        asyncio.get_running_loop().call_later(delay, wire.hear, text)


def last_frame(reader: Reader, ending: Ending) -> bytes:
    return f"{reader.framing} ! {reader.number('room')} {ending.name}\n".encode()


class Process:
    """A server process: a real hub, until it is killed or asked to leave."""

    def __init__(self, world: "World") -> None:
        self.world = world
        is_old = world.draw_version()
        read_rows = None if is_old else world.store.read_rows
        self.hub = Hub(
            Providers(
                logs={"room": LogSource(world.store.read_log, world.store.read_versions, ending("deleted"), read_rows)},
                states={"room": {"people": world.store.read_people}},
                topics={"user": Sidebars(world.store)},
                access_checks=[world.store.check_access],
                last_frame=lambda reader, ending: (
                    f"{reader.framing} ! {reader.number('room')} {ending.name}\n".encode()
                ),
            )
        )
        self.wire = Wire(world.network, is_old)
        self.is_up = True
        self.is_serving, self._is_over = asyncio.Event(), asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        async with self.hub.running(self.wire.broadcast(), "test"):
            self.is_serving.set()
            await self._is_over.wait()

    async def kill(self) -> None:
        """Nothing of it is said any more, to anybody."""
        self.wire.is_linked = self.is_up = False
        for client in self.world.clients:
            if client.process is self:
                client.lose_connection()
        await self._end()

    async def leave(self) -> None:
        self.is_up = False
        for reader in self.hub.readers():
            reader.outbox.close(f"{reader.framing} farewell\n".encode())
        await self._end()

    async def _end(self) -> None:
        self._is_over.set()
        await self._task
        assert not self.hub.tasks
        self.world.processes.remove(self)


class Session(Reader):
    """A reader with a place of its own in every set, so that a seed is the same story each time."""

    __slots__ = ("place",)
    places = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        Session.places += 1
        self.place = Session.places

    def __hash__(self) -> int:
        return self.place


def _pair(change: str) -> tuple[str, str]:
    name, _, row = change.partition(":")
    return name, row


class Client:
    """A page that is open somewhere. It checks each thing that it is given, when it is given."""

    def __init__(self, world: "World", room: int, session: int, cursor: int | None, framing: str) -> None:
        self.world, self.room, self.session, self.framing = world, room, session, framing
        # What it was served with: the log as of the cursor, if there was ever such a version. An endless document
        # holds nothing but what it is sent, and nothing of that can be taken back: (mark, message, row).
        self.cursor = cursor if framing == "sse" else None
        self.held = newest_page(world.store.messages(room, cursor)) if self.cursor is not None else {}
        self.document: list[tuple[str, int, Row]] = []
        # Of what it holds, that which the answer to a post has brought, and the stream has not yet.
        self.answered = set[int]()
        self.people: str | None = None
        self.person = PEOPLE[session % len(PEOPLE)]
        self.sidebar = world.store.sidebar(self.person) if self.cursor is not None else {}
        self.ended = ""
        self.process: Process | None = None
        # The only one that it goes to.
        self.home: Process | None = None
        self.stalls_for = self.hesitates_for = 0.0
        self._chance = Random(f"client {world.seed} {len(world.clients)}")
        self._connection: asyncio.Task[None] | None = None
        self.task = asyncio.ensure_future(self._stay())

    async def _stay(self) -> None:
        while not self.ended:
            self._connection = asyncio.ensure_future(self._connect())
            await asyncio.wait([self._connection])
            if not self._connection.cancelled():
                self._connection.result()
            await asyncio.sleep(self._chance.choice((0.05, 0.3, 3)))

    def lose_connection(self) -> None:
        if self._connection:
            self._connection.cancel()

    async def _connect(self) -> None:
        if not self.world.processes:
            return
        self.process = self.home or self._chance.choice(self.world.processes)
        try:
            await self.world.store._answer()
            if self.session in self.world.store.signed_out:
                self.ended = "signed_out"
                return
            is_resumed = self.framing == "sse" and self.cursor is not None and self._is_past(self.cursor)
            cursor = self.cursor if is_resumed else None
            await self.world.store._answer()
        except ConnectionError:
            return
        # Between the look at its right and its place among the readers.
        await asyncio.sleep(self.hesitates_for)
        if self.process.is_up:
            await self._listen(self.process, cursor)

    def _is_past(self, cursor: int) -> bool:
        return cursor <= self.world.store.current(self.room)

    @property
    def messages(self) -> Messages:
        """What it shows. In a document styles hide each form of a message but the last, and edits of what it lacks."""
        if self.framing == "sse":
            return self.held
        rows: Messages = {}
        for mark, message, row in self.document:
            if mark == "" or (mark == "*" and message in rows):
                rows[message] = row
            elif message in rows:
                rows[message] = rows[message]._replace(chips=row.chips)
        return rows

    async def _listen(self, process: Process, cursor: int | None) -> None:
        self.people = None
        # Which entry came last, whole: nothing did before the stream began.
        self.top = 0
        if self.framing == "html":
            self.cursor, self.document, self.sidebar = None, [], {}
        channels = [f"room:{self.room}", f"user:{self.person}"]
        labels = {"session": self.session, "user": self.person}
        reader = Session(channels, cursor, self.framing, {"people", "entries"}, labels)
        reader.digest = listed(self.sidebar)
        process.hub.join(reader)
        try:
            async for chunk in reader.outbox:
                await self._stall()
                if self._take(chunk.decode()):
                    return
        finally:
            process.hub.leave(reader)
            self.process = None

    async def _stall(self) -> None:
        seconds, self.stalls_for = self.stalls_for, 0.0
        if seconds:
            await asyncio.sleep(min(seconds, SEND_SECONDS))
            if seconds > SEND_SECONDS:
                self.lose_connection()
                await asyncio.sleep(0)

    def _take(self, chunk: str) -> bool:
        """Apply what has come; whether the document ends with it."""
        for sign_of_life in KEEP_ALIVE:
            chunk = chunk.replace(sign_of_life.decode(), "")
        for line in chunk.splitlines():
            framing, what, *rest = line.split()
            assert framing == self.framing, f"{line!r} is for others"
            if what in "@></":
                self._take_entries(what, rest)
                continue
            if what != "farewell":
                assert int(rest[0]) == self.room, f"{line!r} is of another room"
                if self._apply(what, rest[1], rest[2:]):
                    return True
        return False

    def _take_entries(self, what: str, facts: list[str]) -> None:
        if what == "@":
            self.sidebar, self.top = {int(entry.split(":")[0]): entry.split(":")[1] for entry in facts}, 0
        elif what == ">":
            self.top = int(facts[0])
            self.sidebar[self.top] = facts[1]
        elif what == "/":
            assert self.top == int(facts[0]), f"a change of {facts[0]}, while {self.top} is on top"
            self.sidebar[self.top] = f"{facts[1]}/{self.sidebar[self.top].partition('/')[2]}"
        else:
            self.sidebar.pop(int(facts[0]), None)

    def _apply(self, what: str, value: str, changes: list[str]) -> bool:
        if what == "!":
            self.ended = value
        elif what == "~":
            self.people = value
        else:
            held, version = self.cursor, int(value)
            self.cursor = version
            is_far = held is None or held > version or version - held > MOST_CHANGES
            assert is_far == (what in "=^"), f"{what} to one that held {held} of {version}"
            if what == "^":
                assert self.framing == "html"
                return True
            self._change(what == "=", held, version, changes)
        return False

    def _change(self, is_page: bool, held: int | None, version: int, changes: list[str]) -> None:
        parsed = [(name.strip("0123456789"), int(name.strip("*&")), Row.read(row)) for name, row in map(_pair, changes)]
        posted, edited, reacted = (
            {message: row for mark, message, row in parsed if mark == one} for one in ("", "*", "&")
        )
        if is_page:
            assert not self.document, "a document shows a log twice"
            self.held, self.answered = {}, set()
        else:
            assert held is not None
            assert held < version, f"{version} after {held}"
        repeated = posted.keys() & self.messages.keys() - self.answered
        assert not repeated, f"{sorted(repeated)} came twice to one that held {held}"
        if self.framing == "html":
            self.document += parsed
        else:
            for message, row in posted.items():
                self.place(message, row, is_streamed=True)
            self.answered -= posted.keys()
            self.held |= {message: edited[message] for message in edited.keys() & self.held.keys()}
            for message in reacted.keys() & self.held.keys():
                self.held[message] = self.held[message]._replace(chips=reacted[message].chips)
        assert list(self.messages) == sorted(self.messages), "out of order"

    def place(self, message: int, row: Row, is_streamed: bool = False) -> None:
        """As static/js/acts/outbox.js does: behind the last that has no higher number, in place of an older form."""
        before = [one for one in self.held if one <= message]
        if before and before[-1] == message:
            # Where the stream brings the same words its reactions are newer; in an answer they may be older.
            if self.held[message].words < row.words + is_streamed:
                self.held[message] = row
            return
        behind = {one: other for one, other in self.held.items() if one not in before}
        self.held = {one: self.held[one] for one in before} | {message: row} | behind

    async def answer(self, process: Process, message: int, seconds: float) -> None:
        """What a process answers to a post of this page, with the row as it finds it; meanwhile much may happen."""
        await asyncio.sleep(seconds / 2)
        row = self.world.store.messages(self.room).get(message)
        await asyncio.sleep(seconds / 2)
        if not row or not process.is_up or self.ended or self.room in self.world.store.closed:
            return  # its process was killed, as for a restore; or nobody looks at the answer
        if self.held and message < min(self.held):
            return  # the log was sent anew meanwhile, and begins further on
        if message not in self.held:
            self.answered.add(message)
        self.place(message, row)


class World:
    """Everything together. Its methods are what may happen; `settle` ends the chaos, and looks."""

    def __init__(self, loop: Loop, seed: int) -> None:
        self.loop, self.seed = loop, seed
        self.store, self.network = Store(seed), Network(seed)
        self.clients: list[Client] = []
        self.processes: list[Process] = []
        self._chance = Random(f"world {seed}")
        self._versions = Random(f"versions {seed}")
        self._rows = Random(f"rows {seed}")
        self._sessions = 0
        self._answers: list[asyncio.Task[None]] = []

    # What may happen.

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def start(self) -> None:
        if len(self.processes) < 3:
            process = Process(self)
            await process.is_serving.wait()
            self.processes.append(process)

    async def post(self, room: int, count: int, rings: str, answers: int | None = None) -> None:
        """Commit; the ring follows at once, late, or never: the process died in between."""
        if room in self.store.closed:
            return
        there = list(self.store.messages(room))
        for _ in range(count):
            version = self.store.post(room, there[answers % len(there)] if answers is not None and there else None)
            row = self._row(room)
            await asyncio.sleep(self._chance.choice((0, 0, 0.003)))
            process = self._any_process()
            if process and rings != "never":
                delay = 0 if rings == "at once" else self._chance.choice((0, 0.1, 3))
                self.loop.call_later(delay, process.hub.publish_version, f"room:{room}", version, row)

    def _row(self, room: int) -> str:
        """What the ring of a post brings: nothing of what answers another, or where its process knows of nothing."""
        message = max(self.store.messages(room))
        return "" if message in self.store.originals or self._rows.random() < 0.2 else str(message)

    async def send(self, which: int, rings: str, seconds: float) -> None:
        """A page with script posts. Its answer comes before the stream brings the message, or after."""
        pages = [client for client in self.clients if client.framing == "sse" and client.room not in self.store.closed]
        if pages and (process := self._any_process()):
            page = pages[which % len(pages)]
            await self.post(page.room, 1, rings)
            message = max(self.store.messages(page.room))
            self._answers.append(asyncio.ensure_future(page.answer(process, message, seconds)))

    async def edit(self, room: int, which: int, rings: bool) -> None:
        """Change a message, be it an old one that few pages hold."""
        if room not in self.store.closed and (messages := list(self.store.messages(room))):
            self._ring(room, self.store.edit(room, messages[which % len(messages)]), rings)

    async def react(self, room: int, which: int, count: int, rings: bool) -> None:
        """Add reactions to a message, or take them back: each takes a version, and no page is given its words."""
        if room not in self.store.closed and (messages := list(self.store.messages(room))):
            for _ in range(count):
                self._ring(room, self.store.react(room, messages[-1 - which % len(messages)]), rings)

    def _ring(self, room: int, version: int, rings: bool) -> None:
        if (process := self._any_process()) and rings:
            process.hub.publish_version(f"room:{room}", version)

    async def change_people(self, room: int, rings: bool) -> None:
        self.store.people[room] += 1
        if (process := self._any_process()) and rings:
            process.hub.refresh(f"room:{room}", "people")

    async def mark(self, person: int, room: int) -> None:
        """They read or mute a room, and every process hears of it that has a page of theirs."""
        self.store.marks[person, room] += 1
        for process in self._listening(f"user:{person}"):
            process.hub.mark_item(f"user:{person}", f"room:{room}")

    async def join_or_leave(self, person: int, room: int, is_whole: bool) -> None:
        """As by the room's button; or by what changes the whole list, like a block."""
        self.store.members[person] ^= {room}
        for process in self._listening(f"user:{person}"):
            if is_whole:
                process.hub.restart(f"user:{person}")
            else:
                process.hub.mark_item(f"user:{person}", f"room:{room}")

    async def sign_out(self, which: int, rings: bool) -> None:
        if self.clients:
            session = self.clients[which % len(self.clients)].session
            self.store.signed_out.add(session)
            if (process := self._any_process()) and rings:
                process.hub.close_streams(ending("signed_out"), session=session)

    async def close_room(self, room: int) -> None:
        self.store.closed.add(room)
        if process := self._any_process():
            process.hub.close_streams(ending("deleted"), f"room:{room}")

    async def connect(self, room: int, cursor: str, framing: str) -> None:
        self._sessions += 1
        version = self.store.current(room)
        held = {
            "none": None,
            "now": version,
            "old": self._chance.randint(max(0, version - 6), version),
            "first": 0,
            "future": version + 10**6,
        }[cursor]
        self.clients.append(Client(self, room, self._sessions, held, framing))

    async def stall(self, which: int, seconds: float) -> None:
        if self.clients:
            self.clients[which % len(self.clients)].stalls_for = seconds

    async def overrun(self, which: int) -> None:
        """A page reads nothing while much is posted."""
        if self.clients:
            await self.stall(which, 14.0)
            for _ in range(12):
                await self.post(self.clients[which % len(self.clients)].room, 1, "at once")
                await asyncio.sleep(0.05)

    async def vanish(self, which: int) -> None:
        """The connection breaks, and what was on its way is lost; the page comes back with what it holds."""
        if self.clients:
            self.clients[which % len(self.clients)].lose_connection()

    async def close_page(self, which: int) -> None:
        if self.clients:
            client = self.clients.pop(which % len(self.clients))
            await self._close(client)

    @staticmethod
    async def _close(client: Client) -> None:
        client.task.cancel()
        client.lose_connection()
        results = await asyncio.gather(client.task, client._connection or client.task, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def kill(self, which: int) -> None:
        if self.processes:
            await self.processes[which % len(self.processes)].kill()

    async def leave(self, which: int) -> None:
        if self.processes:
            await self.processes[which % len(self.processes)].leave()

    async def cut_link(self, which: int, noticed_after: float) -> None:
        if self.processes:
            self.processes[which % len(self.processes)].wire.cut(noticed_after)

    async def mend_links(self) -> None:
        for process in self.processes:
            process.wire.mend()

    async def harm_network(self, is_well: bool) -> None:
        self.network.is_well = is_well

    async def harm_store(self, is_well: bool) -> None:
        self.store.is_well = is_well

    async def jump(self, seconds: float) -> None:
        self.loop.jump(seconds)

    async def ring_falsely(self, room: int) -> None:
        """Somebody else in Redis, or a ring from before a restore: it promises what is not there."""
        for wire in self.network.wires:
            wire.hear(f"another\n{room} {self.store.current(room) + 1000}")

    async def back_up(self) -> None:
        self.store.backup = {room: list(log) for room, log in self.store.logs.items()}

    async def restore(self) -> None:
        """With every process stopped, as the command demands; the pages stay open."""
        if self.store.backup:
            for process in list(self.processes):
                await process.kill()
            self.store.restore()
            await self.start()

    def _listening(self, channel: str) -> list[Process]:
        """The processes that hear the news of a channel. The others read them when they are confirmed to listen."""
        return [one for one in self.processes if one.wire.is_old or shard_of(channel) in one.wire.listens]

    def draw_version(self) -> bool:
        """Return whether the next process is one of the version before, as in an upgrade."""
        return self._versions.random() < 0.2

    def _any_process(self) -> Process | None:
        return self._chance.choice(self.processes) if self.processes else None

    async def open_meanwhile(self, seconds: float) -> None:
        """So long after a page was opened, where nobody listened before, another process changes all that it shows."""
        self.network.delays = (0.1,)
        await self.connect(ROOMS[0], "now", "sse")
        self.clients[-1].home = self.processes[-1]
        person = self.clients[-1].person
        await self.join_or_leave(person, ROOMS[-1], is_whole=False)
        await asyncio.sleep(seconds)
        for room in ROOMS:
            self.processes[0].hub.publish_version(f"room:{room}", self.store.post(room))
        await self.change_people(ROOMS[0], rings=True)
        await self.mark(person, ROOMS[0])
        await self.join_or_leave(person, ROOMS[-1], is_whole=False)
        await asyncio.sleep(seconds)
        self.processes[0].hub.publish_version(f"room:{ROOMS[-1]}", self.store.post(ROOMS[-1]))
        # The trips to the broker and back, each with the rest after it that a pass of sidebars takes; no heartbeat.
        await asyncio.sleep(4)
        self.look(f"{seconds} s after a page was opened")
        self.look_at_sidebars(f"{seconds} s after a page was opened")

    # What must hold in the end.

    async def settle(self) -> None:
        self.store.is_well = self.network.is_well = True
        await self.mend_links()
        await self.start()
        for client in self.clients:
            client.stalls_for = 0.0
        # The longest that anything may still be under way: a reading that hangs, then a heartbeat.
        await asyncio.sleep(60 + HEARTBEAT_SECONDS)
        for answer in self._answers:
            answer.result()
        self.look("after everything")
        self.look_at_sidebars("after everything")
        await self._keeps_its_times()
        for client in self.clients:
            await self._close(client)
        for process in list(self.processes):
            assert not process.hub.channels, "who has left is still listed"
            assert not process.hub.labels
            assert not process.hub.following["user"].followers.topics
            await process.leave()

    def look(self, when: str) -> None:
        for number, client in enumerate(self.clients):
            if client.task.done():
                client.task.result()
            store, who = self.store, f"{when}: page {number} of room {client.room}"
            if client.session in store.signed_out or client.room in store.closed:
                assert client.ended, f"{who} is open to one who may not read"
                continue
            assert not client.ended, f"{who} has ended: {client.ended}"
            log, held = store.messages(client.room), client.messages
            expected = {message: row for message, row in log.items() if held and message >= min(held)}
            assert held == expected, f"{who} holds {held}, but the log is {log}"
            assert len(held) >= min(PAGE, len(log)), f"{who} holds no more than {held} of {log}"
            assert client.people == str(store.people[client.room]), f"{who} does not know who is here"
        readers = sum(len(process.hub.readers()) for process in self.processes)
        assert readers == sum(not client.ended for client in self.clients), f"{when}: readers that nobody reads"

    def look_at_sidebars(self, when: str) -> None:
        for number, client in enumerate(self.clients):
            if not client.ended:
                expected = self.store.sidebar(client.person)
                assert client.sidebar == expected, f"{when}: page {number} shows {client.sidebar} and not {expected}"

    async def _keeps_its_times(self) -> None:
        """Now that all is calm, how soon everything is known: the promises of architecture.md, one by one."""
        # A page that is put out comes back when it likes, within three seconds: it is no part of these promises.
        outbox.LIMIT_BYTES *= 10
        for room in set(ROOMS) - self.store.closed:
            await self.post(room, 2, "at once")
        await asyncio.sleep(A_MOMENT)
        self.look("after a ring")
        for room in set(ROOMS) - self.store.closed:
            await self.post(room, 1, "never")
            await self.change_people(room, rings=False)
        await asyncio.sleep(HEARTBEAT_SECONDS + A_MOMENT)
        self.look("after a heartbeat")
        await asyncio.sleep(BULK.max_rest + A_MOMENT)
        self.look_at_sidebars("after a heartbeat")
        for process in self.processes:
            process.wire.cut()
        await asyncio.sleep(A_MOMENT)
        for room in set(ROOMS) - self.store.closed:
            await self.post(room, 1, "never")
        await asyncio.sleep(POLL_SECONDS + A_MOMENT)
        self.look("while the link is down")
        for room in set(ROOMS) - self.store.closed:
            await self.post(room, 1, "never")
        await self.mend_links()
        await asyncio.sleep(A_MOMENT)
        self.look("as soon as the link is back")
        await self._keeps_its_times_about_rights()
        reads = self.store.reads
        for room in ROOMS:
            await self.ring_falsely(room)
        await asyncio.sleep(1)
        assert self.store.reads - reads <= len(ROOMS) * len(self.processes), "read again and again, for nothing"

    async def _keeps_its_times_about_rights(self) -> None:
        await self.sign_out(0, rings=True)
        await asyncio.sleep(A_MOMENT)
        self.look("after somebody has signed out")
        # The look at their right said yes; then they are signed out; then the stream joins.
        await self.connect(ROOMS[0], "now", "sse")
        self.clients[-1].hesitates_for = A_MOMENT
        await asyncio.sleep(A_MOMENT / 2)
        await self.sign_out(len(self.clients) - 1, rings=True)
        await asyncio.sleep(2 * A_MOMENT)
        self.look("after one was signed out who was about to join")
        self.store.is_away = self.network.refuses = True
        await self.sign_out(1, rings=True)
        await asyncio.sleep(A_MOMENT)
        self.network.refuses = False
        await asyncio.sleep(RETRY_SECONDS)
        self.store.is_away = False
        await asyncio.sleep(POLL_SECONDS + A_MOMENT)
        self.look("after a ring that could not be sent, and then not be followed")


@contextlib.contextmanager
def world(seed: int) -> Iterator[tuple[World, Callable[[Any], Any]]]:
    """A world, and how something happens in it."""
    loop = Loop()
    logging.disable(logging.WARNING)
    Session.places = 0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in BOUNDS.items():
            module, _, attribute = name.rpartition(".")
            patch.setattr(sys.modules[module], attribute, value)
        problems: list[object] = []
        loop.set_exception_handler(lambda _, context: problems.append(context))
        try:
            yield World(loop, seed), loop.run_until_complete
            assert not asyncio.all_tasks(loop), "something is left running"
            assert not problems
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    loop.run_until_complete(task)
            loop.close()
            logging.disable(logging.NOTSET)
