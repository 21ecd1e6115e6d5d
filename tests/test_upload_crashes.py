"""Files whose server dies between any two steps: sent on and whole, or deleted without a trace."""

import asyncio
import contextlib
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Person
from tests.file_sending import PIECE, photo
from tests.people import who
from tests.server_people import Enter
from tests.server_people import Person as Client
from tests.servers import App
from webapp.conversations import access
from webapp.conversations.models import Room
from webapp.db import transaction
from webapp.files import beginning, contents, uploads
from webapp.files.models import Attachment
from webapp.files.retention import delete_unsent
from webapp.files.sending_queries import pending_file
from webapp.media import files
from webapp.media.files import FileStore, file_store
from webapp.messages import posting


class Crash(BaseException):
    """The machine stops here."""


class Steps:
    """What an upload does outside of the program, of which it does so many before the machine stops."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.count = 10**6, 0
        for owner, name in (
            (os, "pwrite"),
            (os, "ftruncate"),
            (contents, "inspect"),
            (uploads, "unlink"),
        ):
            monkeypatch.setattr(owner, name, self.wrapped(getattr(owner, name)))
        for owner, name in (
            (FileStore, "put"),
            (FileStore, "put_bytes"),
            (uploads, "process_photo"),
            (transaction, "transact"),
        ):
            monkeypatch.setattr(owner, name, self.wrapped_coroutine(getattr(owner, name)))

    def stop_after(self, steps: int) -> None:
        self.left, self.count = steps, 0

    def step(self) -> None:
        self.count += 1
        if self.left <= 0:
            raise Crash
        self.left -= 1

    def wrapped(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*values: Any, **named: Any) -> Any:
            self.step()
            result = work(*values, **named)
            self.step()
            return result

        return stepped

    def wrapped_coroutine(self, work: Callable[..., Any]) -> Callable[..., Any]:
        async def stepped(*values: Any, **named: Any) -> Any:
            self.step()
            result = await work(*values, **named)
            self.step()
            return result

        return stepped


async def send_on(one: Person, code: str, content: bytes, size: int = PIECE) -> None:
    """Send what has not arrived, as a page does after it has asked how much has."""
    while (file := await pending_file(who(one).id, code)) and file.received < file.size:
        await uploads.append(file, file.received, content[file.received : file.received + size])


async def stored(code: str) -> bytes:
    return b"".join([part async for part in file_store().read(code)])


def clear() -> None:
    for folder in (uploads.FOLDER, files.FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def age() -> None:
    """All files are of yesterday."""
    yesterday = time.time() - 25 * 3600
    for folder in (uploads.FOLDER, files.FOLDER):
        for path in folder.rglob("*"):
            os.utime(path, (yesterday, yesterday))


def left() -> list[Path]:
    return [path for folder in (uploads.FOLDER, files.FOLDER) for path in folder.rglob("*") if path.is_file()]


CONTENTS = {
    "a file of two pieces": os.urandom(PIECE + 100),
    "a file of one piece": b"short",
    "a picture": photo(),
    "a picture that may move": photo(kind="GIF"),
}


@pytest.mark.parametrize("what", CONTENTS)
@pytest.mark.parametrize("is_sent_on", [True, False], ids=["sent on", "never seen again"])
async def test_a_crash_between_any_two_steps_loses_nothing_and_leaves_nothing(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch, what: str, is_sent_on: bool
) -> None:
    content, steps = CONTENTS[what], Steps(monkeypatch)
    seat = await access.by_key(who(bob), room.key)
    clear()
    crashed, stop_after = True, 0
    while crashed:
        steps.stop_after(stop_after)
        code, crashed = "", False
        try:
            code = (await beginning.begin(seat, "a.bin", len(content))).code
            await send_on(bob, code, content)
        except Crash:
            crashed = True
        steps.stop_after(10**6)
        if is_sent_on and (rows := await Attachment.filter(message_id=None)):
            code = rows[0].code
            await send_on(bob, code, content)
            await posting.post(seat, "", secrets.token_hex(8), codes=[code])
            kept = await stored(code)
            assert kept == content or await Attachment.filter(code=code, kind="picture", size=len(kept)).exists()
        stop_after += 1
        await sweep_all()
        names = {name[:22] for name in (path.name for path in left())}
        assert names == {row.code for row in await Attachment.filter(message_id__not_isnull=True)}
        assert await Attachment.filter(message_id=None).count() == 0
    assert stop_after > 10


async def sweep_all() -> None:
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    await Attachment.filter(message_id=None).update(created_at=yesterday)
    age()
    await delete_unsent()
    await file_store().sweep()


class Sending:
    """A page that sends a file to a server, and goes on where it was after every error."""

    def __init__(self, client: Client, app: App, room: str) -> None:
        self.client, self.app, self.room, self.interrupted = client, app, room, 0

    async def insist(self, method: str, path: str, **options: Any) -> httpx2.Response:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                return await self.client.client.request(method, self.app.url + path, **options)
            self.interrupted += 1
            await asyncio.sleep(0.05)

    async def send(self, name: str, content: bytes) -> str:
        """Send the file and post it; return its address."""
        form = {"name": name, "size": str(len(content))}
        path = (await self.insist("POST", f"/rooms/{self.room}/files", data=form)).headers["location"]
        while True:
            answer = await self.insist("HEAD", path)
            at, size = (int(answer.headers[f"upload-{what}"]) for what in ("offset", "length"))
            if at == size:
                break
            await self.insist("PATCH", path, content=content[at : at + PIECE], headers={"Upload-Offset": str(at)})
        post = {"body": "", "nonce": secrets.token_hex(8), "file": path.rpartition("/")[2]}
        assert (await self.insist("POST", f"/rooms/{self.room}/messages", data=post)).status_code == 303
        return f"{path}/{name}"

    async def cut(self, content: bytes) -> str:
        """Begin a file, and lose the line in the middle of its first piece; return its address."""
        form = {"name": "cut.bin", "size": str(len(content))}
        path = (await self.insist("POST", f"/rooms/{self.room}/files", data=form)).headers["location"]
        cookies = "; ".join(f"{name}={value}" for name, value in self.client.client.cookies.items())
        head = f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.app.port}\r\nCookie: {cookies}\r\nUpload-Offset: 0\r\n"
        head += f"Sec-Fetch-Site: same-origin\r\nContent-Length: {len(content)}\r\n\r\n"
        _reader, writer = await asyncio.open_connection("127.0.0.1", self.app.port)
        writer.write(head.encode() + content[:100_000])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return str(path)


@pytest.mark.sqlite
async def test_files_arrive_whole_over_cut_lines_and_from_a_server_that_is_killed(enter: Enter) -> None:
    with App({"RATE_LIMITS": "off"}) as app:
        client = await enter(app, "Alice")
        sending = Sending(client, app, await client.room(app))
        content = os.urandom(3 * PIECE + 77)
        path = await sending.cut(content[:PIECE])
        async with asyncio.timeout(20):
            while (await sending.insist("HEAD", path)).headers["upload-offset"] != "100000":
                await asyncio.sleep(0.02)
        await sending.insist("DELETE", path)
        sent = dict[str, bytes]()

        async def send_all() -> None:
            for number in range(12):
                one = content[number:]
                sent[await sending.send(f"{number}.bin", one)] = one

        task = asyncio.create_task(send_all())
        for _ in range(2):
            goal = len(sent) + 3
            while len(sent) < goal:
                assert not task.done() or task.result() is None
                await asyncio.sleep(0.01)
            app.kill()
            await asyncio.to_thread(app.start)
        await task
        assert sending.interrupted > 0
        for address, one in sent.items():
            answer = await client.client.get(app.url + address)
            assert (answer.status_code, answer.content == one) == (200, True)
        with closing(sqlite3.connect(app.folder / "data" / "parley.sqlite3")) as database:
            messages = database.execute("SELECT count(*) FROM message WHERE file_count = 1").fetchone()[0]
            codes = {code for (code,) in database.execute("SELECT code FROM attachment WHERE message_id IS NOT NULL")}
        assert messages == len(codes) == 12
        assert {path.name for path in (app.folder / "data" / "files").rglob("*") if path.is_file()} == codes
