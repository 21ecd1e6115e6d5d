"""The child process that makes pictures: what it may take, when it ends, and that the server outlives it."""

import asyncio
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.servers import ROOT
from webapp.core.errors import Invalid, Unavailable
from webapp.http.forms import Upload
from webapp.media import images
from webapp.media.process import MAX_QUEUED, MAX_QUEUED_BYTES, PICTURES_PER_CHILD, PictureProcess
from webapp.media.sizes import Refused

AVATAR = {"work": "avatar", "crop": [500, 500, 1000]}
HANG = """
import sys
from webapp.media.child import read_message, write_message
write_message(sys.stdout.buffer, {"is_ready": True})
read_message(sys.stdin.buffer, 2**62)
sys.stdin.buffer.read()
"""
# It refuses whatever comes, and says whether more had come already.
WATCHFUL = """
import select, sys
from webapp.media.child import read_message, write_message
requests = open(0, "rb", buffering=0)
write_message(sys.stdout.buffer, {"is_ready": True})
while True:
    read_message(requests, 2**62)
    more = select.select([requests], [], [], 0.05)[0]
    write_message(sys.stdout.buffer, {"is_alone": not more})
"""


def content(size: tuple[int, int] = (64, 64), kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "red").save(file, kind)
    return file.getvalue()


def python(program: str) -> list[str]:
    return [sys.executable, "-P", "-c", program]


def bounded(**bounds: int) -> list[str]:
    """The real child, with other bounds."""
    lines = [f"child.{name} = {value}" for name, value in bounds.items()]
    return python("\n".join(["from webapp.media import child", *lines, "child.main()"]))


Made = Callable[..., PictureProcess]


@pytest.fixture
def made() -> Iterator[Made]:
    """Makes processes, and ends them."""
    processes = list[PictureProcess]()

    def make(*args: Any, **options: Any) -> PictureProcess:
        processes.append(PictureProcess(*args, **options))
        return processes[-1]

    yield make
    for process in processes:
        process.end()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Neither ended nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_it_begins_when_it_is_needed_and_ends_when_it_is_not(made: Made) -> None:
    process = made(idle_seconds=0.2)
    answer, parts = await process.run(AVATAR, content())
    pid = process.pid
    assert answer == {"sizes": [256, 96]}
    assert [Image.open(BytesIO(part)).size for part in parts] == [(256, 256), (96, 96)]
    await until(lambda: process.pid is None)
    await until(lambda: not os.path.exists(f"/proc/{pid}"))  # nor is there a zombie
    await process.run(AVATAR, content())
    assert process.pid not in (None, pid)


async def test_it_has_nothing_of_the_server_but_two_pipes(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "a secret that nobody knows")
    monkeypatch.setenv("DATABASE_URL", "postgres://parley:a-secret@localhost/parley")
    process = made()
    await process.run(AVATAR, content())
    assert b"a secret" not in Path(f"/proc/{process.pid}/environ").read_bytes().replace(b"-", b" ")
    files = sorted(os.readlink(f"/proc/{process.pid}/fd/{name}") for name in os.listdir(f"/proc/{process.pid}/fd"))
    assert len([name for name in files if name.startswith("pipe:")]) <= 4, "input, answers, and what stderr may be"
    assert not [name for name in files if "socket" in name or "sqlite" in name]
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert f"Max address space         {512 * 2**20}" in limits
    assert "Max core file size        0" in limits


async def test_after_some_pictures_there_is_a_new_one(made: Made) -> None:
    process, pids = made(), list[int | None]()
    small = content((8, 8))
    for _ in range(PICTURES_PER_CHILD + 1):
        await process.run(AVATAR, small)
        pids.append(process.pid)
    assert len(set(pids[: PICTURES_PER_CHILD - 1])) == 1
    assert pids[PICTURES_PER_CHILD - 1] is None
    assert pids[-1] not in (None, pids[0])


async def test_one_picture_is_worked_on_at_a_time(made: Made) -> None:
    process = made(python(WATCHFUL))
    answers = await asyncio.gather(*(process.run(AVATAR, b"a") for _ in range(4)))
    assert [answer for answer, _ in answers] == [{"is_alone": True}] * 4


async def test_more_than_can_wait_are_refused(made: Made) -> None:
    process = made(python(HANG))
    waiting = [asyncio.create_task(process.run(AVATAR, b"a")) for _ in range(MAX_QUEUED)]
    await until(lambda: process.pid)
    with pytest.raises(Unavailable, match="Many pictures come in right now"):
        await process.run(AVATAR, b"a")
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert all(task.cancelled() for task in waiting)
    await until(lambda: process.pid is None)


async def test_more_bytes_than_may_wait_are_refused(made: Made) -> None:
    process = made(python(HANG))
    large = asyncio.create_task(process.run(AVATAR, bytes(MAX_QUEUED_BYTES - 1)))
    await until(lambda: process.pid)
    with pytest.raises(Unavailable, match="Many pictures come in right now"):
        await process.run(AVATAR, b"aa")
    large.cancel()
    await asyncio.wait([large])
    await until(lambda: process.pid is None)


async def test_who_cancels_leaves_no_child_that_works(made: Made) -> None:
    process = made(python(HANG))
    work = asyncio.create_task(process.run(AVATAR, b"a"))
    await until(lambda: process.pid)
    pid = process.pid
    assert pid
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await until(lambda: not is_alive(pid))
    process.command = PictureProcess().command
    assert (await process.run(AVATAR, content()))[0] == {"sizes": [256, 96]}, "the next is made as ever"


async def test_a_child_that_hangs_is_ended_by_the_clock(made: Made) -> None:
    process = made(python(HANG))
    process.max_seconds = 1.0
    with pytest.raises((Refused, Unavailable)):  # Unavailable: the machine took the second to begin
        await process.run(AVATAR, b"a")
    assert process.pid is None


def slow() -> bytes:
    """A progressive JPEG whose last scan is there sixty times: five seconds."""
    file = BytesIO()
    Image.frombytes("RGB", (2400, 2400), os.urandom(2400 * 2400 * 3)).save(file, "JPEG", progressive=True, quality=95)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 60 + content[-2:]


@pytest.mark.parametrize(
    ("picture", "bounds"),
    [
        (lambda: content((4000, 4000)), {"MAX_MEMORY_BYTES": 80 * 2**20}),
        (slow, {"MAX_CPU_SECONDS": 1}),
    ],
    ids=["memory", "time"],
)
async def test_a_picture_that_takes_too_much_is_refused(
    made: Made, picture: Callable[[], bytes], bounds: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    process = made(bounded(**bounds))
    await process.run(AVATAR, content())
    with pytest.raises(Refused, match="complicated"):
        await process.run(AVATAR, picture())
    assert process.pid is None, "what it left behind in its memory is gone"
    assert ("died" in caplog.text) == ("MAX_CPU_SECONDS" in bounds)
    await process.run(AVATAR, content())


async def test_a_large_picture_leaves_no_memory_behind(made: Made) -> None:
    process = made(bounded(LARGE_BYTES=60 * 2**20))
    await process.run(AVATAR, content())
    assert process.pid
    await process.run(AVATAR, content((4000, 4000)))
    assert process.pid is None


async def test_a_picture_does_not_suffer_from_those_before(made: Made) -> None:
    """As it would where memory that others took was not given back whole."""
    program = """
import os, sys
from webapp.media.child import read_message, write_message
write_message(sys.stdout.buffer, {"is_ready": True})
read_message(sys.stdin.buffer, 2**62)
write_message(sys.stdout.buffer, {"pid": os.getpid()})
read_message(sys.stdin.buffer, 2**62)
write_message(sys.stdout.buffer, {"is_exhausted": True})
"""
    process = made(python(program))
    first, _ = await process.run(AVATAR, b"a")
    second, _ = await process.run(AVATAR, b"a")
    assert second["pid"] not in (None, first["pid"])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x03\xff\xff\xff",
        b'\x00\x00\x00\x16{"parts": [9999999999]}'[:26],
        b'\x00\x00\x00\x0f{"parts": [-1]}',
        b'\x00\x00\x00\x0e{"parts": [5]}abc',
    ],
)
async def test_a_child_that_was_taken_over_is_not_believed(made: Made, answer: bytes) -> None:
    program = f"""
import sys
from webapp.media.child import read_message, write_message
write_message(sys.stdout.buffer, {{"is_ready": True}})
read_message(sys.stdin.buffer, 2**62)
sys.stdout.buffer.write({answer!r})
"""
    with pytest.raises(Refused, match="complicated"):
        await made(python(program)).run(AVATAR, b"a")


@pytest.mark.parametrize("command", [["/no/such/python"], [sys.executable, "-c", "raise SystemExit(1)"]])
async def test_a_child_that_does_not_start_is_no_fault_of_the_picture(
    made: Made, command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    process = made(command)
    with pytest.raises(Unavailable, match=r"Pictures can't be taken right now\. Try again later\."):
        await process.run(AVATAR, content())
    assert "the child that makes pictures can't be started" in caplog.text
    assert process.pid is None


async def test_a_child_that_is_killed_costs_one_picture(made: Made) -> None:
    process = made()
    await process.run(AVATAR, content())
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(Refused):
        await process.run(AVATAR, content())
    assert (await process.run(AVATAR, content()))[0] == {"sizes": [256, 96]}


SERVER = f"""
import asyncio
from threading import Thread
from time import sleep
from webapp.media.process import PictureProcess
process = PictureProcess({python(HANG)!r} if HANGS else PictureProcess().command)
def work():
    asyncio.run(process.run({AVATAR!r}, PICTURE))
if HANGS:
    Thread(target=work, daemon=True).start()
else:
    work()
while process.pid is None:
    sleep(0.01)
print(process.pid, flush=True)
input()
"""


def begin(program: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A server, and the child that it has begun."""
    server = subprocess.Popen(python(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert server.stdout
    pid = int(server.stdout.readline())
    assert is_alive(pid)
    return server, pid


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it may work for twenty seconds more")
@pytest.mark.parametrize("hangs", [False, True])
async def test_a_server_that_is_killed_leaves_no_child(hangs: bool) -> None:
    program = f"HANGS, PICTURE = {hangs}, {content()!r}\n{SERVER}"
    # A child of the test hangs when it is asked, and hears of its server's end from the system alone.
    if hangs:
        program = program.replace("import sys\\n", "import ctypes, sys\\nctypes.CDLL(None).prctl(1, 9)\\n", 1)
    server, pid = begin(program)
    server.kill()
    await asyncio.to_thread(server.communicate)
    await until(lambda: not is_alive(pid))


async def test_a_server_that_ends_leaves_no_child() -> None:
    program = f"HANGS, PICTURE = False, {content()!r}\n{SERVER}"
    server, pid = begin(program)
    await asyncio.to_thread(server.communicate, b"\n")
    assert server.returncode == 0
    await until(lambda: not is_alive(pid))


def test_a_server_that_starts_reads_nothing_of_pictures() -> None:
    """What reads pictures takes 10 MB and a tenth of the time of a start."""
    program = "import sys, webapp.media.images; print('PIL' in sys.modules)"
    found = subprocess.run(python(program), capture_output=True, text=True, cwd=ROOT, check=True,
                           env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert found.stdout == "False\n"


def with_size(kind: str, width: int, height: int) -> bytes:
    """A small picture whose head says that it is as large as this."""
    whole = bytearray(content((8, 8), kind))
    if kind == "GIF":
        whole[6:10] = struct.pack("<HH", width, height)
    else:
        frame = whole.index(b"\xff\xc0")
        whole[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(whole)


@pytest.mark.parametrize(
    ("kind", "width", "sentence"),
    [
        ("GIF", 5001, "That picture has too many pixels; 25 million are the most."),
        ("GIF", 60_000, "That picture has too many pixels; 25 million are the most."),
        ("JPEG", 20_001, "That picture has too many pixels; 100 million are the most."),
        ("JPEG", 60_000, "That picture has too many pixels; 100 million are the most."),
    ],
)
async def test_a_sentence_names_the_bound_of_the_format(kind: str, width: int, sentence: str) -> None:
    picture = with_size(kind, width, 5000)
    with pytest.raises(Invalid) as refused:
        await images.process_image(Upload(len(picture), picture))
    assert str(refused.value.problems["picture"]) == sentence
