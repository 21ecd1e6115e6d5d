"""Files on their way: in pieces, by who may send them, within bounds, and as what their bytes are."""

import asyncio
import os
import shutil
import struct
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, NamedTuple

import pytest
from PIL import Image

from tests.conftest import Person
from tests.file_rows import attachment
from tests.file_sending import PIECE, begin, photo, piece, say, send
from tests.page import words
from tests.people import befriend, chat_of, who
from webapp.conversations.access import by_key
from webapp.conversations.models import Membership, Room
from webapp.core import data_folder
from webapp.core.errors import Invalid
from webapp.core.faults import faults
from webapp.files import contents, quota, uploads
from webapp.files.attaching import attach
from webapp.files.contents import inspect
from webapp.files.models import Attachment
from webapp.files.names import as_webp, validate_name
from webapp.files.retention import delete_unsent
from webapp.media.files import file_store
from webapp.messages.models import Message


@pytest.fixture(autouse=True)
def empty_folder() -> None:
    """What other tests have sent by half, and the database forgets with each of them."""
    shutil.rmtree(uploads.FOLDER, ignore_errors=True)


async def stored(code: str) -> bytes:
    return b"".join([part async for part in file_store().read(code)])


def under_way() -> list[str]:
    return sorted(path.name for path in uploads.FOLDER.iterdir()) if uploads.FOLDER.is_dir() else []


async def test_a_file_arrives_in_pieces_and_goes_with_a_message(bob: Person, room: Room) -> None:
    content = os.urandom(PIECE + 1000)
    begun = await begin(bob, room.path, "Ünder the sea.bin", len(content), description="What I heard")
    path = begun.headers["location"]
    code = path.rpartition("/")[2]
    assert begun.status_code == 201
    assert f'name="file" value="{code}"' in begun.text
    assert "Ünder the sea.bin" in words(begun)
    first = await piece(bob, path, 0, content[:PIECE])
    assert (first.status_code, first.headers["upload-offset"]) == (204, str(PIECE))
    asked = await bob.client.head(path)
    assert (asked.status_code, asked.headers["upload-offset"]) == (200, str(PIECE))
    assert (await say(bob, room.path, [code], "too soon", HX_Request="true")).status_code == 422
    last = await piece(bob, path, PIECE, content[PIECE:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, str(len(content)))
    assert await stored(code) == content
    assert under_way() == []
    row = await Attachment.get(code=code)
    assert (row.kind, row.type, row.size, row.received) == (
        "file",
        "application/octet-stream",
        len(content),
        len(content),
    )
    assert (row.name, row.description) == ("Ünder the sea.bin", "What I heard")
    assert (await say(bob, room.path, [code])).status_code == 303


async def test_a_piece_at_another_place_is_refused_with_the_true_one(bob: Person, room: Room) -> None:
    path = (await begin(bob, room.path, "a", 10)).headers["location"]
    for offset, content, status, now in (
        (5, b"12345", 409, 0),
        (0, b"12345", 204, 5),
        (0, b"12345", 409, 5),
        (5, b"", 204, 5),
    ):
        answer = await piece(bob, path, offset, content)
        assert (answer.status_code, answer.headers["upload-offset"]) == (status, str(now))
    assert (await piece(bob, path, 5, b"6789012")).status_code == 422
    assert (await bob.client.request("PATCH", path, content=b"67890")).status_code == 400
    assert (await piece(bob, path, 5, b"67890")).status_code == 204
    assert await stored(path.rpartition("/")[2]) == b"1234567890"
    again = await piece(bob, path, 5, b"67890")
    assert (again.status_code, again.headers["upload-offset"], again.headers["upload-length"]) == (409, "10", "10")


async def test_of_two_pieces_at_once_one_is_taken(bob: Person, room: Room) -> None:
    content = os.urandom(3000)
    path = (await begin(bob, room.path, "a", 3000)).headers["location"]
    for offset in (0, 1000, 2000):
        answers = await asyncio.gather(*(piece(bob, path, offset, content[offset : offset + 1000]) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409]
    assert await stored(path.rpartition("/")[2]) == content


async def test_a_piece_that_is_too_large_is_refused_before_it_is_read(bob: Person, room: Room) -> None:
    path = (await begin(bob, room.path, "a", 2 * PIECE)).headers["location"]
    assert (await piece(bob, path, 0, bytes(PIECE + 1))).status_code == 413

    async def unsaid() -> Any:
        for _ in range(9):
            yield bytes(PIECE // 8)

    headers = {"Upload-Offset": "0"}
    assert (await bob.client.request("PATCH", path, content=unsaid(), headers=headers)).status_code == 413
    assert (await bob.client.head(path)).headers["upload-offset"] == "0"


async def test_only_its_author_reaches_a_file_on_its_way(
    alice: Person, bob: Person, charlie: Person, visitor: Person, room: Room, soup: Room
) -> None:
    path = (await begin(bob, room.path, "a", 10)).headers["location"]
    elsewhere = path.replace(room.path, soup.path)
    for one, address, status in ((alice, path, 404), (charlie, path, 404), (visitor, path, 401), (bob, elsewhere, 404)):
        for method in ("HEAD", "PATCH", "DELETE"):
            answer = await one.client.request(method, address, headers={"Upload-Offset": "0", "HX-Request": "true"})
            assert answer.status_code == status, (method, address)
    foreign = await bob.client.request(
        "PATCH", path, content=b"1", headers={"Sec-Fetch-Site": "cross-site", "Upload-Offset": "0"}
    )
    assert foreign.status_code == 403
    assert (await bob.client.head(path)).headers["upload-offset"] == "0"
    assert (await begin(charlie, "/rooms/no-such-room", "a", 10)).status_code == 404
    assert (await bob.get(path)).status_code == 405


async def test_who_is_kicked_sends_no_more_pieces(bob: Person, room: Room) -> None:
    path = (await begin(bob, room.path, "a", 10)).headers["location"]
    until = datetime.now(UTC) + timedelta(hours=1)
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(role="kicked", kicked_until=until)
    assert (await piece(bob, path, 0, b"12345")).status_code == 403
    assert (await begin(bob, room.path, "b", 10)).status_code == 403


async def test_a_file_is_taken_back(bob: Person, room: Room) -> None:
    path = (await begin(bob, room.path, "a", 10)).headers["location"]
    await piece(bob, path, 0, b"12345")
    code = await send(bob, room.path, "b", b"all of it")
    for address in (path, f"{room.path}/files/{code}"):
        assert (await bob.client.request("DELETE", address)).status_code == 204
        assert (await bob.client.request("DELETE", address)).status_code == 404
    assert (await Attachment.all().count(), under_way(), await file_store().size(code)) == (0, [], None)


async def test_one_that_goes_with_a_message_is_taken_back_with_the_message_alone(bob: Person, room: Room) -> None:
    code = await send(bob, room.path, "b", b"all of it")
    await say(bob, room.path, [code])
    assert (await bob.client.request("DELETE", f"{room.path}/files/{code}")).status_code == 404
    assert await uploads.discard_codes(who(bob).id, [code]) == 0
    assert await stored(code) == b"all of it"


# What it is.


class Sample(NamedTuple):
    content: bytes
    kind: str
    type: str


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def mp4(brand: bytes, *handlers: bytes) -> bytes:
    tracks = b"".join(box(b"trak", box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(12)))) for handler in handlers)
    return box(b"ftyp", brand + bytes(8)) + box(b"mdat", bytes(9000)) + box(b"moov", tracks)


ogg = b"OggS" + bytes(24)
SAMPLES = {
    "mp3 with tags": Sample(b"ID3\x04" + bytes(30), "sound", "audio/mpeg"),
    "mp3": Sample(b"\xff\xfb\x90\x00" + bytes(30), "sound", "audio/mpeg"),
    "opus": Sample(ogg + b"OpusHead" + bytes(20), "sound", "audio/ogg"),
    "film in ogg": Sample(ogg + b"\x80theora" + bytes(20), "file", "application/octet-stream"),
    "wav": Sample(b"RIFF\x24\x00\x00\x00WAVEfmt ", "sound", "audio/wav"),
    "avi": Sample(b"RIFF\x24\x00\x00\x00AVI LIST", "file", "application/octet-stream"),
    "m4a": Sample(mp4(b"M4A ", b"soun"), "sound", "audio/mp4"),
    "voice of a phone": Sample(mp4(b"iso5", b"soun"), "sound", "audio/mp4"),
    "mp4": Sample(mp4(b"isom", b"soun", b"vide"), "film", "video/mp4"),
    "mp4 that ends early": Sample(box(b"ftyp", b"mp42" + bytes(8)), "film", "video/mp4"),
    "mp4 of endless boxes": Sample(box(b"ftyp", b"mp42" + bytes(8)) + box(b"free", b"") * 5000, "film", "video/mp4"),
    "mp4 with a box beyond all ends": Sample(
        box(b"ftyp", b"mp42" + bytes(8)) + b"\0\0\0\x01free" + b"\xff" * 8, "film", "video/mp4"
    ),
    "quicktime": Sample(mp4(b"qt  ", b"vide"), "file", "application/octet-stream"),
    "heic": Sample(mp4(b"heic"), "file", "application/octet-stream"),
    "webm": Sample(b"\x1aE\xdf\xa3\x9fB\x82\x84webm" + bytes(200) + b"V_VP9", "film", "video/webm"),
    "voice of chromium": Sample(b"\x1aE\xdf\xa3\x9fB\x82\x84webm" + bytes(200) + b"A_OPUS", "sound", "audio/webm"),
    "matroska": Sample(b"\x1aE\xdf\xa3\x9fB\x82\x88matroska" + b"V_VP9", "file", "application/octet-stream"),
    "html": Sample(b"<!doctype html><script>alert(1)</script>", "file", "application/octet-stream"),
    "svg": Sample(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "file", "application/octet-stream"),
    "pdf": Sample(b"%PDF-1.7", "file", "application/octet-stream"),
    "one byte": Sample(b"\xff", "file", "application/octet-stream"),
    "jpeg": Sample(photo(), "picture", "image/webp"),
    "png": Sample(photo(kind="PNG"), "picture", "image/webp"),
    "gif": Sample(photo(kind="GIF"), "picture", "image/gif"),
    "webp": Sample(photo(kind="WEBP"), "picture", "image/webp"),
}


@pytest.mark.parametrize("what", SAMPLES)
def test_a_file_is_what_its_bytes_say(what: str, tmp_path: Any) -> None:
    sample = SAMPLES[what]
    (tmp_path / "a.html").write_bytes(sample.content)
    with open(tmp_path / "a.html", "rb") as file:
        assert inspect(file.fileno(), len(sample.content))[:2] == sample[1:]


async def test_a_picture_is_drawn_again_without_what_the_camera_noted(bob: Person, room: Room) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "A camera with a name"
    code = await send(bob, room.path, "IMG_1234.JPG", photo(60, 40, exif=exif))
    row = await Attachment.get(code=code)
    assert (row.kind, row.type, row.name, row.width, row.height) == ("picture", "image/webp", "IMG_1234.webp", 40, 60)
    whole, thumb = await stored(code), await stored(f"{code}-thumb.webp")
    assert (row.size, row.received, row.thumb_size) == (len(whole), len(whole), len(thumb))
    with Image.open(BytesIO(whole)) as image, Image.open(BytesIO(thumb)) as small:
        assert (image.format, image.size, small.size) == ("WEBP", (40, 60), (row.thumb_width, row.thumb_height))
    assert b"camera" not in whole + thumb
    assert under_way() == []


async def test_a_picture_that_may_move_stays_as_it_was_sent(bob: Person, room: Room) -> None:
    content = photo(60, 40, kind="GIF", save_all=True, append_images=[Image.new("RGB", (60, 40))])
    code = await send(bob, room.path, "cat.gif", content)
    row = await Attachment.get(code=code)
    assert (row.kind, row.type, row.name, row.width, row.height) == ("picture", "image/gif", "cat.gif", 60, 40)
    assert await stored(code) == content
    assert row.thumb_size == len(await stored(f"{code}-thumb.webp"))


async def test_a_file_that_is_taken_back_while_it_is_looked_at_is_no_fault_of_the_disk(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = (await begin(bob, room.path, "a.bin", 10)).headers["location"]
    loop = asyncio.get_running_loop()

    def looked_at(file: int, size: int) -> contents.Contents:
        answer = asyncio.run_coroutine_threadsafe(bob.client.request("DELETE", path), loop).result(30)
        assert answer.status_code == 204
        return inspect(file, size)

    monkeypatch.setattr(contents, "inspect", looked_at)
    assert (await piece(bob, path, 0, b"0123456789")).status_code == 404
    assert not faults().disk.is_on
    assert await file_store().size(path.rpartition("/")[2]) is None
    assert under_way() == []


async def test_a_broken_picture_is_refused_with_a_sentence_and_nothing_is_left(bob: Person, room: Room) -> None:
    content = photo(300, 300, kind="PNG")[:200]
    path = (await begin(bob, room.path, "a.png", len(content))).headers["location"]
    answer = await piece(bob, path, 0, content)
    assert (answer.status_code, "damaged" in words(answer)) == (422, True)
    assert (await bob.client.head(path)).status_code == 404
    assert (await Attachment.all().count(), under_way()) == (0, [])


# Names.

NAMES = {
    "notes.txt": "notes.txt",
    "../../etc/passwd": "passwd",
    "C:\\Users\\me\\photo.jpg": "photo.jpg",
    "a\u202egpj.exe": "agpj.exe",
    "a\u200fb\u200ec.txt": "abc.txt",
    'say "hi"\n\x00<b>.txt': 'say "hi" <b>.txt',
    "e\u0301.txt": "é.txt",
    ".bashrc": ".bashrc",
    "ж" * 300 + ".tar.gz": "ж" * 117 + ".gz",
    "東" * 300 + ".txt": "東" * 78 + ".txt",
}


@pytest.mark.parametrize("typed", NAMES)
def test_a_name_is_made_safe(typed: str) -> None:
    assert validate_name(typed) == NAMES[typed]
    assert len(validate_name(typed).encode()) <= 240


def test_a_drawn_picture_is_called_webp() -> None:
    assert [as_webp(name) for name in ("a.jpg", "a", "a.b.PNG", ".jpg")] == [
        "a.webp",
        "a.webp",
        "a.b.webp",
        ".jpg.webp",
    ]


async def test_a_file_without_a_name_or_of_a_size_that_can_not_be_is_refused(bob: Person, room: Room) -> None:
    for name, size in (
        ("", 5),
        ("..", 5),
        (". .", 5),
        ("\u202e", 5),
        ("a", 0),
        ("a", -1),
        ("a", quota.MAX_FILE_BYTES + 1),
        ("a", 10**30),
    ):
        answer = await begin(bob, room.path, name, size)
        assert (answer.status_code, bool(words(answer))) == (422, True), (name, size)
    assert (await begin(bob, room.path, "a", 5, description="x" * 301)).status_code == 422
    assert await Attachment.all().count() == 0


# Bounds.


async def test_all_files_of_one_person_have_a_bound(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MAX_BYTES", 1000)
    await attachment(who(bob), room, size=600, received=600)
    refused = await begin(bob, room.path, "a", 401)
    assert (refused.status_code, "400 B left" in words(refused)) == (422, True)
    assert (await begin(alice, room.path, "a", 401)).status_code == 201
    answers = await asyncio.gather(*(begin(bob, room.path, "a", 300) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422]


async def test_three_are_on_their_way_at_once_and_one_that_rests_makes_room(bob: Person, room: Room) -> None:
    paths = [(await begin(bob, room.path, "a", 10)).headers["location"] for _ in range(3)]
    refused = await begin(bob, room.path, "a", 10)
    assert (refused.status_code, "on their way already" in words(refused)) == (422, True)
    await piece(bob, paths[0], 0, b"0123456789")
    assert (await begin(bob, room.path, "a", 10)).status_code == 201
    await piece(bob, paths[1], 0, b"01234")
    old = time.time() - uploads.IDLE_SECONDS - 1
    os.utime(uploads.FOLDER / paths[1].rpartition("/")[2], (old, old))
    assert (await begin(bob, room.path, "a", 10)).status_code == 201
    assert [(await bob.client.head(path)).status_code for path in paths] == [200, 404, 200]
    assert (await begin(bob, room.path, "a", 10)).status_code == 422
    os.utime(uploads.FOLDER / paths[2].rpartition("/")[2], (old, old))  # of which no piece has come
    assert (await begin(bob, room.path, "a", 10)).status_code == 201


async def test_little_room_on_the_disk_refuses_files_and_not_words(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = (await begin(bob, room.path, "a", 10)).headers["location"]
    monkeypatch.setattr(data_folder, "has_space", lambda: False)
    for answer in (await begin(bob, room.path, "b", 10), await piece(bob, path, 0, b"12345")):
        assert (answer.status_code, "too little room" in words(answer)) == (503, True)
    assert faults().space.is_on
    assert (await bob.say(room, "words")).status_code == 303
    monkeypatch.setattr(data_folder, "has_space", lambda: True)
    assert (await piece(bob, path, 0, b"12345")).status_code == 204


async def test_a_disk_that_is_full_in_the_middle_loses_nothing_that_had_arrived(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = (await begin(bob, room.path, "a", 10)).headers["location"]
    await piece(bob, path, 0, b"12345")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert (await piece(bob, path, 5, b"67890")).status_code == 503
    assert (await bob.client.head(path)).headers["upload-offset"] == "5"
    assert (await piece(bob, path, 5, b"67890")).status_code == 204


# The first message of a chat.


async def test_a_first_message_with_a_picture_makes_the_chat(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    before = words(await bob.get("/lobby")), words(await alice.get("/lobby"))
    code = await send(alice, chat_of(bob), "cat.png", photo(kind="PNG"))
    assert (words(await bob.get("/lobby")), words(await alice.get("/lobby"))) == before
    answer = await say(alice, chat_of(bob), [code])
    assert answer.status_code == 303
    chat = await Room.get(kind="direct")
    assert answer.headers["location"].startswith(chat.path)
    assert chat.last_line == "📎 cat.webp"
    assert (await bob.get(chat.path)).status_code == 200


async def test_two_who_begin_a_file_at_once_have_one_chat(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    begun = await asyncio.gather(begin(alice, chat_of(bob), "a", 5), begin(bob, chat_of(alice), "b", 5))
    assert [answer.status_code for answer in begun] == [201, 201]
    assert await Room.filter(kind="direct").count() == 1
    assert await Membership.filter(room__kind="direct").count() == 0


async def test_an_invisible_chat_goes_with_its_last_file(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    paths = [(await begin(alice, chat_of(bob), name, 5)).headers["location"] for name in "ab"]
    assert paths[0].rpartition("/files/")[0] == paths[1].rpartition("/files/")[0]
    for path, left in zip(paths, (1, 0), strict=True):
        assert (await alice.client.request("DELETE", path)).status_code == 204
        assert await Room.filter(kind="direct").count() == left
    assert (await begin(alice, chat_of(bob), "c", 5)).status_code == 201


async def test_nobody_begins_a_file_to_who_must_be_asked_or_has_blocked_them(
    alice: Person, bob: Person, charlie: Person
) -> None:
    assert (await begin(charlie, chat_of(alice), "a", 5)).status_code == 404
    await befriend(alice, bob)
    await alice.post(f"/people/{who(bob).code}/block")
    assert (await begin(bob, chat_of(alice), "a", 5)).status_code == 404
    assert await Room.filter(kind="direct").count() == 0


# What is left.


async def test_what_was_never_sent_is_deleted_after_a_day(alice: Person, bob: Person, room: Room) -> None:
    await befriend(alice, bob)
    sent, left = await send(bob, room.path, "a", b"sent"), await send(bob, room.path, "b", b"left")
    assert (await say(bob, room.path, [sent])).status_code == 303
    half = (await begin(bob, room.path, "c", 10)).headers["location"]
    await piece(bob, half, 0, b"12345")
    await begin(alice, chat_of(bob), "d", 10)
    young = await send(bob, room.path, "e", b"young")
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    await Attachment.filter(code__not=young).update(created_at=yesterday)
    for path in uploads.FOLDER.iterdir():
        os.utime(path, (yesterday.timestamp(), yesterday.timestamp()))
    assert await delete_unsent() == 3
    assert {row.code for row in await Attachment.all()} == {sent, young}
    assert [await file_store().size(code) for code in (sent, left, young)] == [4, None, 5]
    assert (under_way(), await Room.filter(kind="direct").count()) == ([], 0)


async def test_the_sweep_deletes_what_belongs_to_nothing(bob: Person, room: Room) -> None:
    path = (await begin(bob, room.path, "c", 10)).headers["location"]
    await piece(bob, path, 0, b"12345")
    done = await send(bob, room.path, "e", b"whole")
    orphan = "A" * 22
    for code in (done, orphan, "B" * 22):
        (uploads.FOLDER / code).write_bytes(b"x")
    old = time.time() - 4000
    for code in (done, orphan, path.rpartition("/")[2]):
        os.utime(uploads.FOLDER / code, (old, old))
    await delete_unsent()
    assert under_way() == sorted(["B" * 22, path.rpartition("/")[2]])


# Forms with files.


class FormFile:
    """A file of a form."""

    def __init__(self, filename: str, content: bytes) -> None:
        self.filename, self.size, self._content = filename, len(content), BytesIO(content)

    async def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


async def test_a_file_of_a_form_is_stored_as_one_in_pieces(bob: Person, room: Room) -> None:
    seat = await by_key(who(bob), room.key)
    content = os.urandom(PIECE * 2 + 5)
    for nonce in ("n", "n"):
        file = await attach(seat, FormFile("notes.bin", content))
        assert await stored(file.code) == content
        assert (await say(bob, room.path, [file.code], nonce=nonce)).status_code == 303
    assert await Message.filter(room_id=room.id).count() == 1
    assert await uploads.discard_codes(who(bob).id, [file.code]) == 1
    assert await Attachment.all().count() == 1


async def test_a_form_with_less_than_it_says_leaves_nothing(bob: Person, room: Room) -> None:
    file = FormFile("notes.bin", b"12345")
    file.size = 6
    with pytest.raises(Invalid):
        await attach(await by_key(who(bob), room.key), file)
    assert (await Attachment.all().count(), under_way()) == (0, [])
