"""The processes of a simulation, and the people at their pages: who writes, reads and moves when."""

import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from contextvars import Context, copy_context
from random import Random
from typing import Any

from tests.bench.wide import counts as counting
from tests.bench.wide import installation, virtual
from tests.bench.wide.counts import Counts
from tests.bench.wide.options import Options
from tests.bench.wide.pages import Elsewhere, Page, Request
from tests.bench.wide.redis import Redis, broadcast
from webapp import app as application
from webapp.live import hub

# Seconds of virtual time: within which processes start and pages open, until traffic is even, and until all is calm.
START_SECONDS, WARM_SECONDS, CALM_SECONDS = 15.0, 6.0, 20.0
# From the first letter to the message, and from the message to the eyes of a reader at most.
TYPING_SECONDS, READING_SECONDS = 2.0, 1.5
TURN_SECONDS = 0.01


class Process:
    """A process of the application, in a context of its own."""

    def __init__(self, world: "World", number: int) -> None:
        self.is_sampled = number < world.options.sample
        self.context: Context = copy_context()
        self.context.run(virtual.objects.set, {})
        self.context.run(counting.is_sampled.set, self.is_sampled)
        self.broadcast = broadcast(world.redis, is_deaf=not self.is_sampled)
        self.is_ready = asyncio.Event()
        self.task = self.run(self._serve())

    def run(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        return asyncio.get_running_loop().create_task(work, context=self.context.copy())

    async def _serve(self) -> None:
        application.broadcaster = lambda: self.broadcast  # called before anything is awaited
        async with application.lifespan(application.app):
            self.is_ready.set()
            await asyncio.Event().wait()  # to the end


class World:
    """All processes, and the people at their pages."""

    def __init__(self, options: Options, town: installation.Installation, counts: Counts) -> None:
        self.options, self.town, self.counts = options, town, counts
        self.chance = Random(f"world {options.seed}")
        self.redis = Redis(counts, is_whole=options.sample == options.processes)
        self.processes: list[Process] = []
        people = options.people + 1
        self.process_of = [0] * people
        self.room_of = [0] * people
        self.pages: list[Page | Elsewhere | None] = [None] * people
        self.looking: list[set[int]] = [set() for _ in range(options.rooms + 1)]
        self.last_numbers = [installation.FIRST_MESSAGES] * (options.rooms + 1)
        self.busy = set[asyncio.Task[Any]]()
        # Pages that were closed, checked when all is calm as far as they came.
        self.problems: list[str] = []

    def spawn(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        task = process.run(work)
        self.busy.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self.busy.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.problems.append(repr(error)[:3000])

    # What people do.

    def open_page(self, person: int) -> None:
        """One of their rooms, on whatever process the proxy chooses: any, or that of the room."""
        room = self.chance.choice(self.town.rooms_of[person])
        number = room % self.options.processes if self.options.sticky else self.chance.randrange(self.options.processes)
        process = self.processes[number]
        self.process_of[person], self.room_of[person] = number, room
        self.looking[room].add(person)
        if process.is_sampled:
            opened = self.pages[person] = Page(self.town.cookies[person], room, process.context, self.counts)
            opened.task.add_done_callback(self._done)
            return
        page = self.pages[person] = Elsewhere(person, room)
        process.context.run(_watch, "opened", page)
        if (last := self.last_numbers[room]) > installation.FIRST_MESSAGES:
            self.spawn(process, self._read(person, room, last, "read marks"))

    async def close_page(self, person: int) -> None:
        self.looking[self.room_of[person]].discard(person)
        page, self.pages[person] = self.pages[person], None
        if isinstance(page, Page):
            await page.close()
        elif page:
            self.processes[self.process_of[person]].context.run(_watch, "closed", page)

    async def move(self, person: int) -> None:
        if self.pages[person] is not None:
            await self.close_page(person)
            self.open_page(person)

    async def write(self, person: int) -> None:
        room, cookie = self.room_of[person], self.town.cookies[person]
        await Request(cookie, "POST", f"/rooms/r{room}/typing").ask("typing")
        await asyncio.sleep(TYPING_SECONDS)
        form = {"body": f"A message of a usual length, with *a word* that stands out, by {person}"}
        form |= {"nonce": f"nonce-{self.chance.randrange(10**12):012}", "author": self.town.codes[person]}
        await Request(cookie, "POST", f"/rooms/r{room}/messages", form).ask("post")
        self.last_numbers[room] += 1
        self.counts.note_event("posts")
        for reader in sorted(self.looking[room] - {person}):
            self.spawn(self.processes[self.process_of[reader]], self._see(reader, room, self.last_numbers[room]))

    async def _see(self, person: int, room: int, number: int) -> None:
        await asyncio.sleep(self.chance.uniform(0.3, READING_SECONDS))
        if self.room_of[person] == room:
            await self._read(person, room, number, "read marks")

    async def _read(self, person: int, room: int, number: int, kind: str) -> None:
        self.counts.note_event(kind)
        form = {"number": str(number)}
        await Request(self.town.cookies[person], "POST", f"/rooms/r{room}/read", form).ask(kind)

    # The course of it.

    async def run(self) -> None:
        await self._start()
        traffic = [
            asyncio.ensure_future(self._often(self.options.posts, self._somebody_writes)),
            asyncio.ensure_future(self._often(self.options.people / self.options.page_seconds, self._somebody_moves)),
        ]
        await asyncio.sleep(WARM_SECONDS)
        _progress("measuring")
        gc.collect()
        begun = time.process_time()
        heard = self.facts()["rings heard"]
        self.counts.is_on = True
        await asyncio.sleep(self.options.seconds)
        self.counts.is_on = False
        self.counts.heard = self.facts()["rings heard"] - heard
        _progress(f"measured in {time.process_time() - begun:.0f} s of CPU")
        for task in traffic:
            task.cancel()
        await asyncio.wait(traffic)
        await asyncio.sleep(CALM_SECONDS + TYPING_SECONDS)

    async def _start(self) -> None:
        for number in range(self.options.processes):
            process = Process(self, number)
            await process.is_ready.wait()
            self.processes.append(process)
            await asyncio.sleep(START_SECONDS / self.options.processes)
        _progress("started")
        # In an order of chance, so that each process gets its own little by little.
        order = self.chance.sample(range(1, self.options.people + 1), self.options.people)
        for count, person in enumerate(order):
            self.open_page(person)
            if count % max(1, self.options.people // 2000) == 0:
                await asyncio.sleep(START_SECONDS / 2000)
        while self.busy:
            await asyncio.sleep(0.1)
        _progress("opened")
        if self.problems:
            raise RuntimeError(self.problems[0])

    async def _often(self, rate: float, act: Any) -> None:
        """Act so many times a second, at moments of chance."""
        at = loop_time = asyncio.get_running_loop().time()
        while True:
            at += self.chance.expovariate(rate)
            if (pause := at - loop_time) > 0:
                await asyncio.sleep(pause)
            loop_time = asyncio.get_running_loop().time()
            act()

    def _somebody_writes(self) -> None:
        room = self.chance.randrange(1, self.options.rooms + 1)
        if looking := sorted(self.looking[room]):
            person = self.chance.choice(looking)
            self.spawn(self.processes[self.process_of[person]], self.write(person))

    def _somebody_moves(self) -> None:
        person = self.chance.randrange(1, self.options.people + 1)
        self.spawn(self.processes[self.process_of[person]], self.move(person))

    def check(self) -> list[str]:
        """Every message that was posted since a page was served must have come to it, once and in order."""
        problems = self.problems
        for person, page in enumerate(self.pages):
            if isinstance(page, Page):
                last, first = self.last_numbers[page.room], page.version
                if first is None or page.numbers != list(range(first + 1, last + 1)):
                    problems.append(f"page of {person} in room {page.room}: {first} {page.numbers[-9:]}, not to {last}")
        return problems

    def facts(self) -> Counter[str]:
        """Of the hubs that are looked into, since they started."""
        found = Counter[str]()
        for process in self.processes[: self.options.sample]:
            seen = process.context.run(lambda: hub().counts)
            found["rings lost"] += seen.rings_lost
            found["failures"] += seen.read_failures + seen.publish_failures
            found["channels"] += process.context.run(lambda: len(hub().channels))
            found["rings heard"] += seen.rings_heard
        found["pages"] = sum(isinstance(page, Page) for page in self.pages)
        return found


def _watch(what: str, page: Elsewhere) -> None:
    for watcher in hub().providers.watchers:
        getattr(watcher, what)(page)


def _progress(what: str) -> None:
    print(f"{time.process_time():.0f} s of CPU: {what}", file=sys.stderr, flush=True)
