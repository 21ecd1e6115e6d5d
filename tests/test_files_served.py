"""Files by their addresses: who gets them, what a browser may do with them, in parts, again, and when one is lost."""

import logging
from urllib.parse import unquote

import httpx2
import pytest

from tests.conftest import Person
from tests.files import attach
from tests.people import chat_of_two, make_room, who
from tests.room_acts import kick
from webapp.conversations.models import Room
from webapp.files.models import FILE, FILM, PICTURE, SOUND, Attachment
from webapp.http.ranges import Part, requested_part
from webapp.media.files import file_store
from webapp.messages.models import Message

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 1000
THUMB = b"a thumbnail"


async def stored(room: Room, kind: str = PICTURE, content: bytes = CONTENT, **fields: object) -> Attachment:
    """A file of the first message, and its bytes in the store."""
    made = await attach(room, 1, kind, **fields)
    await file_store().put_bytes(made.code, content)
    if kind == PICTURE:
        await file_store().put_bytes(f"{made.code}-thumb.webp", THUMB)
    return made


def paths_of(room: Room, file: Attachment) -> tuple[str, str]:
    return f"{room.path}/files/{file.code}/{file.name}", f"{room.path}/files/{file.code}-thumb.webp"


async def statuses(one: Person, room: Room, file: Attachment) -> set[int]:
    """What the whole file and its thumbnail answer, to a look and to the question for it alone."""
    paths = paths_of(room, file)
    answers = [await one.get(path) for path in paths] + [await one.client.head(path) for path in paths]
    assert all(answer.status_code == 200 or CONTENT not in answer.content for answer in answers)
    return {answer.status_code for answer in answers}


# Who gets them.


async def test_who_may_read_the_room_may_have_its_files_and_nobody_else_who_is_signed_out(
    alice: Person, bob: Person, charlie: Person, visitor: Person, room: Room
) -> None:
    await alice.say(room, "look")
    picture = await stored(room)
    for one in (alice, bob, charlie):  # the room is public
        assert await statuses(one, room, picture) == {200}
    assert await statuses(visitor, room, picture) == {404}


async def test_a_file_of_a_chat_is_for_the_two(
    alice: Person, bob: Person, charlie: Person, admin: Person, visitor: Person
) -> None:
    chat = await chat_of_two(alice, bob)
    picture = await stored(chat)
    for one in (alice, bob):
        assert await statuses(one, chat, picture) == {200}
    for one in (charlie, admin, visitor):
        assert (await one.get(chat.path)).status_code != 200
        assert await statuses(one, chat, picture) == {404}


async def test_who_was_kicked_or_whose_room_is_deleted_gets_no_file(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await alice.say(room, "look")
    picture = await stored(room)
    await kick(alice, room, bob)
    assert (await bob.get(room.path)).status_code == 403
    assert await statuses(bob, room, picture) == {404}
    assert await statuses(charlie, room, picture) == {200}
    await Room.filter(id=room.id).update(closed_at=picture.created_at)
    for one in (alice, charlie):
        assert await statuses(one, room, picture) == {404}


async def test_the_code_of_another_room_finds_nothing(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    picture = await stored(room)
    other = await make_room(who(alice), "Another")
    assert await statuses(alice, other, picture) == {404}
    assert await statuses(alice, room, picture) == {200}


async def test_a_file_that_is_not_sent_yet_and_one_that_was_removed_are_not_there(
    alice: Person, bob: Person, room: Room
) -> None:
    await alice.say(room, "look")
    picture = await stored(room)
    await Attachment.filter(id=picture.id).update(message_id=None, place=None)
    for one in (alice, bob):
        assert await statuses(one, room, picture) == {404}
    await Attachment.filter(id=picture.id).update(message_id=(await Message.get(room_id=room.id)).id, place=0)
    assert await statuses(bob, room, picture) == {200}
    await alice.post(f"{room.path}/messages/1/remove")
    for one in (alice, bob):
        assert await statuses(one, room, picture) == {404}


@pytest.mark.parametrize("code", ["a", "../../secret", "%2e%2e%2fsecret", "0" * 22, "0" * 500, "%00", "é" * 22])
async def test_what_is_no_code_finds_nothing(alice: Person, room: Room, code: str) -> None:
    for path in (f"{room.path}/files/{code}/a.png", f"{room.path}/files/{code}-thumb.webp"):
        assert (await alice.get(path)).status_code == 404


async def test_nothing_is_posted_to_a_file(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    whole, thumb = paths_of(room, await stored(room))
    for path in (whole, thumb):
        assert (await alice.post(path)).status_code == 405


# What a browser may do with them.


async def test_no_file_may_do_anything(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    for path in paths_of(room, await stored(room)):
        headers = (await alice.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Vary"] == "Cookie"


@pytest.mark.parametrize(
    ("kind", "type", "name", "served", "is_shown"),
    [
        (PICTURE, "image/webp", "a.webp", "image/webp", True),
        (PICTURE, "image/gif", "a.gif", "image/gif", False),
        (SOUND, "audio/ogg", "a.ogg", "audio/ogg", True),
        (SOUND, "audio/mpeg", "a.mp3", "audio/mpeg", True),
        (FILM, "video/mp4", "a.mp4", "video/mp4", True),
        (FILM, "video/x-msvideo", "a.avi", "application/octet-stream", False),
        (FILE, "image/svg+xml", "a.svg", "application/octet-stream", False),
        (FILE, "text/html", "a.html", "application/octet-stream", False),
        (FILE, "application/xml", "a.xml", "application/octet-stream", False),
        (FILE, "application/pdf", "a.pdf", "application/octet-stream", False),
        (FILE, "image/webp", "a.webp", "application/octet-stream", False),
        (FILE, "", "a.exe", "application/octet-stream", False),
    ],
)
async def test_only_what_is_ours_or_only_played_is_shown_and_all_else_is_saved(
    alice: Person, room: Room, kind: str, type: str, name: str, served: str, is_shown: bool
) -> None:
    await alice.say(room, "look")
    answer = await alice.get(paths_of(room, await stored(room, kind, type=type, name=name))[0])
    assert answer.content == CONTENT
    assert answer.headers["Content-Type"] == served
    assert answer.headers["Content-Disposition"].startswith("inline" if is_shown else "attachment")


@pytest.mark.parametrize(
    "name",
    ["a \"b\" 'c'.txt", "a\nb\r\nX: 1.txt", "\u202etxt.exe", "й" * 120, "a;b=c.txt", "100%.txt", "\\..\\a", "שלום.pdf"],
)
async def test_a_name_arrives_as_it_is_and_says_nothing_else(alice: Person, room: Room, name: str) -> None:
    """Whatever a table may hold: what is sent has no such names."""
    await alice.say(room, "look")
    file = await stored(room, FILE, name=name)
    path = f"{room.path}/files/{file.code}/a"
    disposition = (await alice.get(path)).headers["Content-Disposition"]
    start, _, encoded = disposition.partition("filename*=UTF-8''")
    assert start == "attachment; "
    assert encoded.isascii()
    assert not set(encoded) & set(" \"';,\r\n\\")
    assert unquote(encoded) == name


async def test_a_picture_that_was_encoded_again_is_saved_by_the_name_of_its_format(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    answer = await alice.get(paths_of(room, await stored(room, name="IMG_1.jpg"))[0])
    assert answer.headers["Content-Disposition"] == "inline; filename*=UTF-8''IMG_1.webp"


# Again, and in parts.


async def test_what_a_browser_has_is_not_sent_again_and_not_even_read(
    alice: Person, bob: Person, visitor: Person, room: Room
) -> None:
    await alice.say(room, "look")
    picture = await stored(room)
    for path, caching in zip(
        paths_of(room, picture), ("private, no-cache", "private, max-age=86400, immutable"), strict=True
    ):
        answer = await bob.get(path)
        assert answer.headers["Cache-Control"] == caching
        tag = answer.headers["ETag"]
        assert (await visitor.get(path, If_None_Match=tag)).status_code == 404
        again = await bob.get(path, If_None_Match=f'"other", {tag}')
        assert (again.status_code, again.content) == (304, b"")
        assert (await bob.get(path, If_None_Match='"other"')).status_code == 200
    assert (await bob.get(paths_of(room, picture)[0])).headers["ETag"] == f'"{picture.code}"'
    await file_store().drop([picture.code])
    assert (await bob.get(paths_of(room, picture)[0], If_None_Match=f'"{picture.code}"')).status_code == 304


async def test_a_player_gets_the_part_that_it_asks_for(alice: Person, room: Room) -> None:
    await alice.say(room, "listen")
    sound = await stored(room, SOUND)
    path, size = paths_of(room, sound)[0], len(CONTENT)

    async def part(header: str, **headers: str) -> httpx2.Response:
        return await alice.get(path, Range=header, **headers)

    for header, start, end in (
        ("bytes=0-", 0, size), ("bytes=100-199", 100, 200), (f"bytes={size - 5}-{size + 900}", size - 5, size),
        ("bytes=-70000", size - 70_000, size), (f"bytes=-{size * 9}", 0, size), ("bytes=65530-131080", 65_530, 131_081),
    ):  # fmt: skip
        answer = await part(header)
        assert answer.status_code == 206, header
        assert answer.content == CONTENT[start:end]
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["Content-Length"] == str(end - start)
    for header in (f"bytes={size}-", "bytes=-0", f"bytes={10**17}-"):
        answer = await part(header)
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer.headers["Content-Range"] == f"bytes */{size}"
    for header in ("bytes=5-2", "bytes=-", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "bytes=" + "9" * 500 + "-"):
        answer = await part(header)
        assert (answer.status_code, answer.content) == (200, CONTENT), header
    # What was got before is of another file: all of it comes.
    assert (await part("bytes=1-2", If_Range='"other"')).status_code == 200
    assert (await part("bytes=1-2", If_Range=f'"{sound.code}"')).status_code == 206
    head = await alice.client.head(path)
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(size))
    assert head.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", Part(0, 1)),
        ("bytes=9-", Part(9, 10)),
        ("bytes=-1", Part(9, 10)),
        ("bytes=10-", Part(10, 10)),
        ("", None),
    ],
)
def test_a_part_lies_within_the_file(header: str, part: Part | None) -> None:
    assert requested_part(header, 10) == part


async def test_an_empty_file_is_sent_whole(alice: Person, room: Room) -> None:
    await alice.say(room, "nothing")
    path = paths_of(room, await stored(room, FILE, b""))[0]
    answer = await alice.get(path)
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "0")
    assert (await alice.get(path, Range="bytes=0-")).status_code == 416


async def test_a_file_that_the_store_has_lost_is_not_found_and_a_fault(
    alice: Person, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    await alice.say(room, "look")
    picture = await attach(room, 1)
    with caplog.at_level(logging.WARNING):
        assert await statuses(alice, room, picture) == {404}
    assert picture.code in caplog.text
    assert "Traceback" not in caplog.text
