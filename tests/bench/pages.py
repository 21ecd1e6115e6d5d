"""Rows about pages that are asked for: rooms, the lobby, the first answer, and what a long history costs."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator

from tests.bench import machine
from tests.bench.contenders import Channels, Contender, Parley
from tests.bench.live import heard, started
from tests.bench.loader import Load, load, wrk
from tests.bench.posts import MOST
from tests.bench.report import Row
from tests.bench.scale import Scale

A_SECOND = 10
SMALL = 1000
RESUMING = 200


def body_of(contender: Contender, path: str) -> str:
    """The page as somebody signed in gets it; it must be one, or nothing was measured."""
    connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=30)
    try:
        connection.request("GET", path, headers=contender.headers(0))
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    assert response.status == 200, f"{contender.name}: {response.status} for {path}"
    return text


def ask(
    row: Row, contender: Contender, figure: str, path: str, seconds: int, headers: dict[str, str] | None = None
) -> None:
    asked = wrk(contender, path, seconds, headers)
    row.noise.append(asked.noise)
    found = {"a_second": asked.a_second, "p99_ms": asked.p99_ms, "CPU_ms": asked.cpu_ms}
    row.note(contender.name, **{f"{figure}_{what}": value for what, value in found.items()})


@contextlib.contextmanager
def posting(row: Row, contender: Contender, seconds: int) -> Iterator[None]:
    """Ten messages a second are posted in the room meanwhile, with sixteen pages open on it."""
    results: list[Load] = []

    def post() -> None:
        options = {"messages": A_SECOND * (seconds + 1), "rate": A_SECOND, "settle": 0}
        results.append(load(contender, contender.readers(), contender.posts(), **options))

    thread = threading.Thread(target=post)
    thread.start()
    time.sleep(0.7)  # it opens its pages first; what is measured has no beginning that could be waited for
    try:
        yield
    finally:
        thread.join()
    noise = row.noise[:]
    heard(row, contender, results[0])
    row.noise[:] = noise  # each took the other for a stranger


def page(scale: Scale) -> Iterator[Row]:
    """The page of a room, signed in, with fifty messages; the same while people write; and far back in its history."""
    row = Row(f"Room page of 50 messages, signed in: quiet, and while {A_SECOND} messages a second are posted")
    paths = {"Parley": "/rooms/r0", "Channels": "/rooms/0"}
    with started(scale, Parley(16, [5000]), Channels(16)) as contenders:
        for contender in scale.rounds_of(contenders):
            path, seconds = paths[contender.name], max(3, scale.seconds // 2)
            html = body_of(contender, path)
            assert html.count('<li id="message-') == 50, html
            row.note(contender.name, kB=len(html.encode()) / 1000)
            body_of(contender, path)
            ask(row, contender, "quiet", path, seconds)
            with posting(row, contender, seconds):
                ask(row, contender, "written_in", path, seconds)
            quiet, written_in = (row.values[f"{name}_a_second"][contender.name][-1] for name in ("quiet", "written_in"))
            row.note(contender.name, left_percent=100 * written_in / quiet)
            if isinstance(contender, Parley):
                ask(row, contender, "packed", path, seconds, {"Accept-Encoding": "gzip"})
                ask(row, contender, "far_back", f"{path}?before=1000", seconds)
    row.bar("room page, requests a second, of Django's", row.ratio("quiet_a_second", "Parley", "Channels"), "x", 25, 30)
    row.bar(f"the same while {A_SECOND} a second are posted", row.median("left_percent"), "%", 90, 97)
    yield row


def lobby(scale: Scale) -> Iterator[Row]:
    """The lobby of somebody who is in 200 rooms and has 200 friends, beside that of a newcomer."""
    row = Row("Lobby: 200 rooms and 200 friends, beside one room and none")
    many, few = Parley(400, [20] * 200, friends=200, everywhere=True), Parley(16)
    with started(scale, many, few):
        for name, contender in scale.rounds_of([("200 of both", many), ("newcomer", few)]):
            asked = wrk(contender, "/lobby", max(3, scale.seconds // 2))
            row.noise.append(asked.noise)
            size = len(body_of(contender, "/lobby").encode()) / 1000
            row.note(name, requests_a_second=asked.a_second, p99_ms=asked.p99_ms, CPU_ms=asked.cpu_ms, kB=size)
    yield row


def start(scale: Scale) -> Iterator[Row]:
    """From the command to the first answer, when the database is there and the files are in memory."""
    row = Row("Start to first answer, warm")
    with Parley() as contender:
        for _ in range(3 * scale.rounds):
            contender.app.terminate()
            with machine.Watch([]) as watch, machine.on(machine.SERVER):
                begun = time.monotonic()
                contender.app.start()
                body_of(contender, "/rooms/r0")
                row.note(contender.name, seconds=time.monotonic() - begun)
                watch.pids = contender.pids
            row.note(contender.name, CPU_seconds=watch.cpu)
            row.noise.append(watch.noise)
    row.bar("start to first answer", row.median("CPU_seconds"), "CPU s", 0.5, 0.35, is_cost=True)
    yield row


def growth(scale: Scale) -> Iterator[Row]:
    """What a long history costs those who read and write at its end."""
    row = Row(f"Growth: a room of {scale.history:,} messages beside one of {SMALL:,}")
    both = {"large": Parley(RESUMING, [scale.history]), "small": Parley(RESUMING, [SMALL])}
    with started(scale, *both.values()):
        for name in scale.rounds_of(list(both)):
            contender, seconds = both[name], max(3, scale.seconds // 2)
            asked = wrk(contender, "/rooms/r0", seconds)
            far = wrk(contender, "/rooms/r0?before=500", seconds)
            people, contender.people = contender.people, 16
            options = {"messages": MOST, "warm": 20, "lasting": seconds * 1000}
            posted = load(contender, contender.readers(), contender.posts(), **options)
            contender.people = people
            back = load(contender, contender.readers(since=0), contender.posts(), before=20, opening_at_once=RESUMING)
            for result in (posted, back):
                heard(row, contender, result)
            row.noise += [asked.noise, far.noise]
            row.note(
                name,
                page_a_second=asked.a_second,
                page_CPU_ms=asked.cpu_ms,
                far_back_a_second=far.a_second,
                far_back_CPU_ms=far.cpu_ms,
                posts_a_second=posted.posts_a_second,
                post_CPU_ms=posted.cpu / (posted.counted / 16) * 1000,
                resume_CPU_ms=back.opening_cpu / RESUMING * 1000,
                resume_all_s=back.opening_ms / 1000,
            )
    for what, figure in (("page", "page_a_second"), ("post", "posts_a_second")):
        row.bar(f"{what} with a long history, of a short one's", row.ratio(figure, "large", "small", 100), "%", 90, 97)
    of_short = row.ratio("resume_CPU_ms", "large", "small", 100)
    row.bar("CPU of a resume with a long history, of a short one's", of_short, "%", 110, 103, is_cost=True)
    yield row
