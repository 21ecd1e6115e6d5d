"""Readers that are many, slow, or gone before they are served: nobody else notices, and nothing of them is left."""

import asyncio
import contextlib
import socket
import sqlite3
import time

from tests.faults.harness import figures, lines
from tests.live_page import session_cookie
from tests.server_people import (
    SETTINGS,
    Enter,
    Person,
    connections,
    eventually,
    has_messages,
    holds,
    memory,
    open_all,
    status,
)
from tests.servers import App


async def calm(app: App, before: dict[str, float], seconds: float = 20) -> dict[str, float]:
    """Wait until as many tasks, files and streams are left as there were before."""
    names = ("parley_tasks", "process_open_fds", 'parley_streams{kind="sse"}', "parley_outbox_bytes")

    def is_calm() -> bool:
        now = figures(app)
        return all(now[name] <= before[name] + (2 if name == "process_open_fds" else 0) for name in names)

    await eventually(is_calm, seconds, f"what was there before: {before}, now {figures(app)}")
    return figures(app)


async def test_one_process_on_sqlite_reaches_two_hundred_pages_once_and_forgets_them(enter: Enter) -> None:
    with App(SETTINGS) as app:
        alice, bob = await enter(app, "Alice"), await enter(app, "Bob")
        room = await alice.room(app)
        async with bob.page(room, app) as witness:
            async with contextlib.AsyncExitStack() as stack:
                pages = await open_all(stack, [alice.page(room, app) for _ in range(200)])
                before = time.monotonic()
                await alice.say(app, room, "hello")
                for page in pages:
                    await page.until(lambda page: page.bodies == ["hello"])
                print(f"\n200 pages within {(time.monotonic() - before) * 1000:.0f} ms")
                await alice.say(app, room, "again")
                for page in pages:
                    await holds(page, {1: "hello", 2: "again"})
                await witness.until(lambda page: page.people == ["Alice", "Bob"])
            await alice.client.aclose()
            # The reader and the person's presence are let go by the same lines.
            await witness.until(lambda page: page.people == ["Bob"], 15)
            assert len(connections(app.pid, app.port)) <= 2
        assert "Traceback" not in app.log.read_text()


# Messages of 4 kB each: more than the kernel, uvicorn and an outbox hold for one page together.
MUCH = 1200


def asleep(person: Person, app: App, room: str) -> socket.socket:
    """An open page whose browser does not read what comes."""
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.settimeout(10)
    page.connect(("127.0.0.1", app.port))
    cookie = session_cookie(person.client)
    head = f"GET /rooms/{room}/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
    page.sendall(head.encode())
    assert b" 200 " in page.recv(20)
    return page


async def test_pages_that_do_not_read_are_disconnected_and_delay_nobody(enter: Enter) -> None:
    with App(SETTINGS) as app, contextlib.ExitStack() as sockets:
        alice, sloth = await enter(app, "Alice"), await enter(app, "Sloth")
        room = await alice.room(app)
        async with contextlib.AsyncExitStack() as stack:
            pages = await open_all(stack, [alice.page(room, app) for _ in range(5)])
            sleepers = [await asyncio.to_thread(asleep, sloth, app, room) for _ in range(20)]
            ports = {sockets.enter_context(sleeper).getsockname()[1] for sleeper in sleepers}
            await pages[0].until(lambda page: page.people == ["Alice", "Sloth"])
            await sloth.client.aclose()
            memory_at_first, slowest = memory(app.pid), 0.0
            for count in range(20, MUCH + 1, 20):
                before = time.monotonic()
                await asyncio.gather(*(alice.say(app, room, "much " * 790) for _ in range(20)))
                for page in pages:
                    await page.until(has_messages(count))
                slowest = max(slowest, time.monotonic() - before)
            await eventually(lambda: not ports & connections(app.pid, app.port), 20, "those who sleep are let go")
            grown = memory(app.pid) - memory_at_first
            print(f"\n20 messages to those who read took {slowest:.2f} s at most; {grown:.0f} MB more memory")
            assert slowest < 20
            assert grown < 100
            for page in pages:
                assert (page.connections, page.repeated) == (1, [])
            await pages[0].until(lambda page: page.people == ["Alice"], 15)
        with sqlite3.connect(app.folder / "data" / "parley.sqlite3") as database:
            assert database.execute("SELECT count(*) FROM message").fetchone() == (MUCH,)
        database.close()
        assert "Traceback" not in app.log.read_text()


async def test_a_client_that_sends_a_byte_a_second_holds_up_nobody(enter: Enter) -> None:
    with App(SETTINGS) as app, contextlib.ExitStack() as sockets:
        alice = await enter(app, "Alice")
        room = await alice.room(app)
        slow = [sockets.enter_context(socket.create_connection(("127.0.0.1", app.port))) for _ in range(50)]
        request = f"POST /rooms/{room}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nbody="
        for client in slow[:25]:
            client.sendall(request.encode())  # the head at once, and then its body by the byte
        for second in range(4):
            for client in slow:
                client.sendall(b"x" if client in slow[:25] else request[second : second + 1].encode())
            before = time.monotonic()
            assert (await alice.say(app, room, f"message {second}")).status_code == 303
            assert time.monotonic() - before < 10
            await asyncio.sleep(max(0.0, 1 - (time.monotonic() - before)))
        assert status(app) == "ok"
        assert lines(app) == []


DROPPED = 2000


async def test_two_thousand_connections_that_are_dropped_leave_nothing_behind(enter: Enter) -> None:
    with App(SETTINGS) as app:
        alice = await enter(app, "Alice")
        room = await alice.room(app)
        for number in range(3):
            await alice.say(app, room, f"message {number}")
        cookie = session_cookie(alice.client)
        head = f"GET /rooms/{room}/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
        await asyncio.to_thread(drop, app, head, 200)  # what is made once, is made
        async with alice.page(room, app) as page:
            await page.until(has_messages(3))
        await alice.client.aclose()
        before = await calm(app, figures(app) | {'parley_streams{kind="sse"}': 0})
        await asyncio.to_thread(drop, app, head, DROPPED)
        now = await calm(app, before, 30)
        grown = (now["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]) / 2**20
        print(f"\n{DROPPED} connections dropped: {grown:.1f} MB more memory")
        assert grown < 30
        assert status(app) == "ok"
        assert lines(app) == []


def drop(app: App, head: str, count: int) -> None:
    """Opened and dropped: before the request, in the middle of it, after it, when the answer has begun."""
    for number in range(count):
        with socket.create_connection(("127.0.0.1", app.port)) as client:
            match number % 4:
                case 1:
                    client.sendall(head[:40].encode())
                case 2:
                    client.sendall(head.encode())
                case 3:
                    client.sendall(head.encode())
                    client.recv(20)
            if number % 2:  # with a reset, as a machine does that loses power
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
