"""Pictures and files in an S3-compatible store: what is promised of the data folder holds there, too."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Person
from tests.file_sending import PIECE, photo, say
from tests.file_sending import send as send_file
from tests.servers import START_SECONDS, free_port, wait_until
from webapp import settings
from webapp.cli import backup, check
from webapp.conversations.models import Room
from webapp.core.errors import NotFound, Unavailable
from webapp.core.faults import Faults, faults
from webapp.media import places
from webapp.media.bucket import Bucket
from webapp.media.files import PIECE_BYTES, FileStore
from webapp.settings import media_url
from webapp.settings.database_url import Unusable

KEY, SECRET = "parley", "a/secret?of#some@length"
CODE, OTHER = "abcdefghijklmnopqrstuv", "-_ABCDEFGHIJKLMNOPQRST"
# Two parts, the last not full.
CONTENT = bytes(range(256)) * (6 * 2**12) + b"end"
FORM = "/settings/profile"


class S3:
    """A store that checks signatures, whose objects are files of a folder; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"s3://{KEY}:a%2Fsecret%3Fof%23some%40length@bucket/some/prefix?endpoint=http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "nanio", "serve", "--data-dir", str(self.folder)]
        environment = {**os.environ, "NANIO_ACCESS_KEY": KEY, "NANIO_SECRET_KEY": SECRET}
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(self.port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.answers, START_SECONDS, "the store does not start")

    def answers(self) -> bool:

        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stored(self) -> dict[str, bytes]:
        """By key below the prefix."""
        root = self.folder / "bucket" / "some" / "prefix"
        files = (path for path in root.rglob("*") if path.is_file() and ".nanio" not in str(path))
        return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    server = S3(tmp_path_factory.mktemp("s3"))
    (server.folder / "bucket").mkdir()
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def bucket(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> media_url.Bucket:
    """What MEDIA_URL says in each test."""
    found = media_url.read(s3_server.url)
    assert found
    monkeypatch.setattr(settings, "MEDIA", found)
    for path in sorted(s3_server.folder.glob("bucket/**/*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return found


@pytest.fixture
def used() -> set[str]:
    return set()


@pytest.fixture
def store(used: set[str], bucket: media_url.Bucket) -> FileStore:
    async def owner(codes: Collection[str]) -> set[str]:
        return used & set(codes)

    return FileStore(places.open_place(Path("/nowhere/files")), owner)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "sent"
    path.write_bytes(CONTENT)
    return path


async def read(store: FileStore, name: str, start: int = 0, end: int | None = None) -> bytes:
    pieces = [piece async for piece in store.read(name, start, end)]
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
    return b"".join(pieces)


# Files.


async def test_a_file_of_several_parts_is_moved_in_and_read_in_any_range(
    store: FileStore, s3_server: S3, source: Path
) -> None:
    assert await store.size(CODE) is None
    await store.put(CODE, source)
    await store.put(CODE, source)  # as one does who does not know whether the first time was the last
    assert not source.exists()
    assert s3_server.stored() == {f"files/ab/{CODE}": CONTENT}
    assert await store.size(CODE) == len(CONTENT)
    megabyte = 2**20
    for start, end in ((0, None), (0, 1), (5, 5), (megabyte - 1, megabyte + 1), (len(CONTENT) - 3, 2 * len(CONTENT))):
        assert await read(store, CODE, start, end) == CONTENT[start:end]
    assert await read(store, CODE, len(CONTENT)) == b""


async def test_what_is_not_there_is_not_found_and_no_error_to_delete(store: FileStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await read(store, CODE)
    await store.put_bytes(f"{CODE}-thumb.webp", b"small")
    await store.drop([CODE, f"{CODE}-thumb.webp", OTHER])
    assert await store.size(f"{CODE}-thumb.webp") is None
    with faults.holding(Faults()), pytest.raises(Unavailable):
        await store.put(CODE, tmp_path / "never-sent")


async def test_the_sweep_takes_what_no_row_names_and_only_after_an_hour(
    store: FileStore, s3_server: S3, used: set[str]
) -> None:
    young, old = "ab" + "y" * 20, ("ab/" + CODE, f"ab/{CODE}-thumb.webp", "-_/" + OTHER)
    await store.put_bytes(young, b"a")
    for key in old:  # laid into its folder from two hours ago
        path = s3_server.folder / "bucket/some/prefix/files" / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a")
        os.utime(path, (time.time() - 7200,) * 2)
    used.add(OTHER)
    assert {key async for keys in store.place.list_keys() for key in keys} == {*old, f"ab/{young}"}
    await store.sweep()
    assert set(s3_server.stored()) == {f"files/-_/{OTHER}", f"files/ab/{young}"}


async def test_files_of_a_message_come_from_it_through_us_and_go_with_the_message(
    alice: Person, bob: Person, visitor: Person, room: Room, s3_server: S3
) -> None:
    sound = os.urandom(2 * PIECE + 9)
    codes = [await send_file(bob, room.path, "notes.bin", sound), await send_file(bob, room.path, "a.jpg", photo())]
    assert (await say(bob, room.path, codes)).status_code == 303
    stored = s3_server.stored()
    assert set(stored) == {
        f"files/{code[:2]}/{code}{end}" for code, end in zip([*codes, codes[1]], ("", "", "-thumb.webp"), strict=True)
    }
    notes, thumb = f"{room.path}/files/{codes[0]}/notes.bin", f"{room.path}/files/{codes[1]}-thumb.webp"
    assert (await alice.get(notes)).content == sound
    part = await alice.get(notes, Range=f"bytes={PIECE - 1}-{PIECE}")
    assert (part.status_code, part.content) == (206, sound[PIECE - 1 : PIECE + 1])
    assert Image.open(BytesIO((await alice.get(thumb)).content)).size == (60, 40)
    assert (await visitor.get(notes)).status_code == 404
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert s3_server.stored() == {}


# Pictures of people.


def picture(colour: str) -> dict[str, tuple[str, bytes, str]]:
    file = BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return {"picture": ("me.png", file.getvalue(), "image/png")}


async def send(person: Person, colour: str) -> int:
    answer = await person.client.post(FORM, data={"display_name": "Alice", "bio": ""}, files=picture(colour))
    return answer.status_code


async def test_a_picture_of_a_person_is_stored_served_and_deleted(alice: Person, bob: Person, s3_server: S3) -> None:
    assert await send(alice, "red") == 303
    assert alice.user
    await alice.user.refresh_from_db()
    digest = alice.user.picture
    assert set(s3_server.stored()) == {f"pictures/{digest}.webp", f"pictures/{digest}-96.webp"}
    served = await bob.get(f"/pictures/{digest}-96.webp")
    assert (served.status_code, Image.open(BytesIO(served.content)).size) == (200, (96, 96))
    assert (await bob.get(f"/pictures/{'0' * 32}.webp")).status_code == 404
    assert await send(bob, "red") == 303
    assert await send(alice, "blue") == 303
    assert len(s3_server.stored()) == 4, "the red one is Bob's, too"
    assert await send(bob, "blue") == 303
    assert len(s3_server.stored()) == 2
    assert not [name for name in s3_server.stored() if str(digest) in name or ".gone" in name]


# When it does not answer.


async def test_while_it_is_away_messages_go_on_and_files_are_refused(
    alice: Person, s3_server: S3, source: Path, store: FileStore
) -> None:
    assert await send(alice, "red") == 303
    assert alice.user
    await alice.user.refresh_from_db()
    shown = f"/pictures/{alice.user.picture}.webp"
    s3_server.stop()
    try:
        answer = await alice.client.post(FORM, data={"display_name": "Alice", "bio": ""}, files=picture("blue"))
        assert answer.status_code == 503
        assert "The picture can&#39;t be kept right now. Try again later." in answer.text
        assert (await alice.get(shown)).status_code == 503
        with pytest.raises(Unavailable):
            await store.size(CODE)
        with pytest.raises(Unavailable, match=r"The file can't be kept right now\. Try again later\."):
            await store.put(CODE, source)
        assert source.read_bytes() == CONTENT
        await store.drop([CODE])  # which the sweep does again
        health = (await alice.get("/health")).json()
        assert (health["status"], health["media"], health["disk"]) == ("degraded", "down", "ok")
        assert (await alice.get("/lobby")).status_code == 200
        assert not await places.is_bucket_writable()
    finally:
        s3_server.start()
    assert await places.is_bucket_writable()
    assert (await alice.get(shown)).status_code == 200
    await store.put(CODE, source)


async def told_by_check(capsys: pytest.CaptureFixture[str]) -> str:
    await check.run_checks()
    return next(line for line in capsys.readouterr().out.splitlines() if " media " in line)


async def test_check_says_whether_it_takes_files(
    app: object, bucket: media_url.Bucket, s3_server: S3, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    place = f"s3://bucket/some/prefix at http://127.0.0.1:{s3_server.port}"
    assert await told_by_check(capsys) == f"ok  media     pictures and files in {place}"
    assert s3_server.stored() == {}, "nothing is left of the look"
    for url in (s3_server.url.replace("a%2F", "b%2F"), s3_server.url.replace("@bucket", "@nowhere")):
        monkeypatch.setattr(settings, "MEDIA", media_url.read(url))
        line = await told_by_check(capsys)
        assert line.startswith("bad media     s3://")
        assert line.endswith("Check MEDIA_URL.")
        assert SECRET not in line


@pytest.mark.sqlite
async def test_a_backup_says_that_it_does_not_hold_them(app: object, tmp_path: Path) -> None:
    told = backup.back_up(tmp_path / "parley.tar.gz")
    assert told[-1].startswith("Pictures and files are in s3://bucket/some/prefix at http://127.0.0.1:")
    assert told[-1].endswith(", which is yours to save: they are not in it.")


# The setting.


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://chat", "s3://chat"),
        ("s3://chat/", "s3://chat"),
        ("s3://chat/a/b/?region=eu-1", "s3://chat/a/b"),
        ("s3://k:s%2F@chat?endpoint=https://s3.example.org/", "s3://chat at https://s3.example.org"),
        ("s3://chat?endpoint=http://[::1]:9000&region=x", "s3://chat at http://[::1]:9000"),
    ],
)
def test_an_address_of_a_bucket_is_read(url: str, place: str) -> None:
    found = media_url.read(url)
    assert found
    assert found.place == place
    Bucket(found, "files")


def test_an_address_of_a_bucket_has_its_parts() -> None:
    assert media_url.read("") is None
    found = media_url.read("s3://k%40:s%2F%3F@chat/p?endpoint=https://s3.example.org&region=eu-1")
    assert found == media_url.Bucket("chat", "p", "https://s3.example.org", "eu-1", "k@", "s/?")


REFUSED: dict[str, type[Exception]] = {
    "https://chat.example.org": ValueError,
    "s3://": ValueError,
    "s3:///prefix": ValueError,
    "s3://k:s@": ValueError,
    "s3://k:a/b@chat": ValueError,
    "s3://chat#part": ValueError,
    "s3://key@chat": Unusable,
    "s3://:secret@chat": Unusable,
    "s3://chat?secret=x": Unusable,
    "s3://chat?endpoint=s3.example.org": Unusable,
    "s3://chat?endpoint=ftp://s3.example.org": Unusable,
    "s3://chat?endpoint=https://s3.example.org/path": Unusable,
}


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_can_not_be_used_stops_the_start(url: str) -> None:
    with pytest.raises(REFUSED[url]) as caught:
        media_url.read(url)
    assert "secret" not in str(caught.value).replace("a secret", "").replace("has secret", "")
