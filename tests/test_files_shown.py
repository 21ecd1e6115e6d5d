"""Files as people see them: in messages wherever those stand, in what quotes them, and in what comes by a stream."""

import re
from datetime import UTC, datetime

import pytest

from tests.conftest import Person
from tests.files import attach, without_words
from tests.message_pages import fill
from tests.page import Page, words
from tests.people import now, post_as, who
from tests.query_recorder import record_queries
from webapp.conversations.models import Membership, Room
from webapp.files.models import FILE, FILM, PICTURE, SOUND, Attachment
from webapp.files.queries import MAX_HEIGHT, MAX_WIDTH, MIN_SIDE, FileRow
from webapp.messages import changes, rendering
from webapp.messages.models import Message, Pin, Saved
from webapp.relationships.models import Block

pytestmark = pytest.mark.anyio

TEXT_BROWSER = {"User_Agent": "w3m/0.5.3"}


@pytest.fixture
async def picture(alice: Person, bob: Person, room: Room) -> Attachment:
    """The only message: a picture without words."""
    await alice.say(room, "words")
    await without_words(room, 1)
    return await attach(room, 1, description="A garden at night")


async def streamed(room: Room, framing: str) -> str:
    """What an open page that has nothing yet is sent."""
    _version, payloads = await changes.log(room.id, [0])  # type: ignore[misc]
    frame = payloads[0].in_language("en")
    return str((frame.sse if framing == "sse" else frame.html).decode())


# In a room.


async def test_a_picture_knows_its_size_and_what_it_shows(bob: Person, room: Room, picture: Attachment) -> None:
    page = Page(await bob.get(room.path))
    link = page.one("#log .files > a.file")
    assert link.attributes["href"] == f"{room.path}/files/{picture.code}/IMG_0815.jpg"
    image = page.one("a.file > img").attributes
    assert image["src"] == f"{room.path}/files/{picture.code}-thumb.webp"
    assert (image["width"], image["height"]) == ("352", "264")
    assert image["alt"] == "A garden at night"
    assert (image["loading"], image["decoding"]) == ("lazy", "async")
    # A message without words has its time all the same.
    assert page.one(".message__body > .message__meta time")


async def test_what_can_be_played_is_played_and_fetched_and_all_else_only_fetched(alice: Person, room: Room) -> None:
    await alice.say(room, "listen")
    for kind in (SOUND, FILM, FILE):
        await attach(room, 1, kind)
    page = Page(await alice.get(room.path))
    for player in ("audio", "video"):
        assert page.one(f".files > {player}").attributes["preload"] == "none"
    assert page.one(".files > video").attributes.keys() >= {"width", "height", "controls"}
    links = page.all(".files > a.file")
    assert [words(link) for link in links] == [
        "what I heard.ogg OGG · 52 kB", "garden.mp4 MP4 · 12.4 MB", "ladder rota.pdf PDF · 240 kB",
    ]  # fmt: skip
    assert all("download" in link.attributes for link in links)
    assert str(links[0].attributes["href"]).endswith("/what%20I%20heard.ogg")
    assert page.texts(".message__body > p")[0].startswith("listen")


async def test_files_stand_in_their_order_and_several_pictures_share_the_place(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    codes = [(await attach(room, 1)).code for _ in range(3)]
    page = Page(await alice.get(room.path))
    assert [re.findall(r"\d{22}", str(link.attributes["href"]))[0] for link in page.all("a.file")] == codes
    assert page.one(".files").attributes["class"] == "files files--grid files--three"
    assert len(page.all(".files > link")) == 1


async def test_a_name_is_letters_wherever_it_stands(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    name = """"><b>'&?#%2f..\u05d0.png"""
    await attach(room, 1, name=name)
    await attach(room, 1, FILE, name=name)
    page = Page(await alice.get(room.path))
    assert page.one("a.file > img").attributes["alt"] == name
    assert page.one("a.file > b").text() == name
    for link in page.all("a.file"):
        assert re.fullmatch(rf"{room.path}/files/\d{{22}}/[\w%.-]+", str(link.attributes["href"]))


async def test_a_message_without_files_is_as_it_was_and_asks_nothing_more(alice: Person, room: Room) -> None:
    await alice.say(room, "only words")
    page = await alice.get(room.path)
    assert "files" not in Page(page).one(".message").html  # type: ignore[operator]
    assert "/files." not in page.text
    assert not [query for query, _ in await record_queries(alice.get(f"{room.path}?before=9")) if "attachment" in query]


async def test_files_of_a_page_are_one_query_more(alice: Person, room: Room) -> None:
    await fill(room, alice, 3)
    path = f"{room.path}?before=3"
    few = len(await record_queries(alice.get(path)))
    for number in (1, 2):
        for _ in range(5):
            await attach(room, number)
    rendering.clear(who(alice).code)
    rendering.caches().messages.clear()
    assert len(Page(await alice.get(path)).all("a.file")) == 10
    assert len(await record_queries(alice.get(path))) == few + 1


async def test_a_removed_message_has_no_file(alice: Person, room: Room, picture: Attachment) -> None:
    await alice.post(f"{room.path}/messages/1/remove")
    page = await alice.get(room.path)
    assert picture.code not in page.text
    assert "IMG_0815" not in page.text
    assert picture.code not in await streamed(await now(room), "sse")


async def test_files_of_who_is_blocked_are_not_on_the_page(bob: Person, room: Room, picture: Attachment) -> None:
    assert picture.author_id
    await Block.create(blocker_id=who(bob).id, blocked_id=picture.author_id, created_at=datetime.now(UTC))
    await bob.post(f"/people/{(await Message.get(room_id=room.id)).author_id}/block")
    await type(who(bob)).filter(id=who(bob).id).update(blocks_version=1)
    assert picture.code not in (await bob.get(room.path)).text
    assert picture.code in (await bob.get(f"{room.path}?around=1")).text


@pytest.mark.parametrize("framing", ["sse", "html"])
async def test_a_stream_brings_files_with_their_styles(room: Room, picture: Attachment, framing: str) -> None:
    told = Page(await streamed(await now(room), framing))
    assert picture.code in str(told.one("a.file > img").attributes["src"])
    assert "files." in str(told.one(".files > link").attributes["href"])


async def test_a_page_with_files_has_their_styles_before_anything_is_painted(
    alice: Person, room: Room, picture: Attachment
) -> None:
    head = (await alice.get(room.path)).text.partition("<body")[0]
    assert "/files." in head
    frame = (await alice.get(f"{room.path}/messages/1/edit")).text
    assert "/files." in frame


async def test_a_text_browser_gets_name_size_and_a_link(bob: Person, room: Room, picture: Attachment) -> None:
    await attach(room, 1, SOUND)
    page = Page(await bob.get(room.path, **TEXT_BROWSER))
    assert page.all(".files img") == page.all(".files audio") == page.all(".files link") == []
    assert [words(line) for line in page.all(".files > p")] == [
        "IMG_0815.jpg (JPG · 214 kB) A garden at night", "what I heard.ogg (OGG · 52 kB)",
    ]  # fmt: skip
    assert len(page.all(".files a.file")) == 2


# Elsewhere.


async def test_whatever_lists_messages_shows_their_files(
    alice: Person, bob: Person, room: Room, picture: Attachment
) -> None:
    message = await Message.get(room_id=room.id)
    await Saved.create(user_id=who(bob).id, message_id=message.id, saved_at=datetime.now(UTC))
    await Pin.create(room_id=room.id, message_id=message.id, number=1, pinned_at=datetime.now(UTC))
    await Room.filter(id=room.id).update(pin_count=1)
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(read_number=0)
    pages = ("/saved", f"{room.path}/pins", f"{room.path}/messages/1/more", f"{room.path}/messages/1/edit")
    for path in (*pages, "/inbox/catch-up"):
        page = Page(await bob.get(path))
        assert page.one("main a.file > img").attributes["alt"] == "A garden at night", path
        assert page.all("link[href*='/files.']"), path
    assert Page(await alice.get(f"{room.path}/messages/1/edit")).one("main a.file > img")
    assert words(Page(await bob.get(room.path)).one("#pins")).endswith("Alice Picture")


async def test_what_answers_a_file_quotes_its_kind_or_its_name(
    alice: Person, bob: Person, room: Room, picture: Attachment
) -> None:
    await post_as(who(alice), room, "words")
    await attach(room, 2, FILE)
    await post_as(who(bob), room, "yes", reply_to=1)
    await post_as(who(bob), room, "no", reply_to=2)
    await without_words(room, 2)
    await post_as(who(bob), room, "why", reply_to=2)
    quotes = [words(quote) for quote in Page(await bob.get(room.path)).all(".said")]
    assert quotes == ["Alice Picture", "Alice ladder rota.pdf", "Alice ladder rota.pdf"]
    assert words(Page(await bob.get(f"{room.path}?reply=1")).one("#composer .said")) == "Alice Picture"
    assert words(Page(await bob.get(room.path, Accept_Language="de")).all(".said")[0]) == "Alice Bild"
    replies = Page(await alice.get("/inbox")).texts(".hit__text")
    assert replies == ["why", "no", "yes"]


async def test_what_one_is_called_by_a_file_says_so(alice: Person, bob: Person, room: Room) -> None:
    """A reaction to a message without words."""
    await alice.say(room, "words")
    await without_words(room, 1)
    await attach(room, 1)
    await bob.post(f"{room.path}/messages/1/reactions", {"kind": "👍", "on": "1"})
    assert Page(await alice.get("/inbox")).texts(".hit__text") == ["Picture"]


# Who saves data.


async def test_who_saves_data_gets_a_link_in_place_of_a_picture(bob: Person, room: Room, picture: Attachment) -> None:
    await attach(room, 1, SOUND)
    page = Page(await bob.get(room.path, Save_Data="on"))
    assert page.all(".files img") == []
    link = page.one(".files a.picture")
    assert link.attributes["href"] == f"{room.path}/files/{picture.code}/IMG_0815.jpg"
    assert link.attributes["data-size"] == "352 264"
    assert words(link) == "A garden at night Show, 38 kB Show, 214 kB"
    assert words(link.css_first(".without-script")) == "Show, 214 kB"
    # Nothing of it comes before it is pressed.
    assert page.one(".files audio").attributes["preload"] == "none"
    told = Page(await streamed(await now(room), "sse")).one("a.picture")
    assert (told.attributes["data-show"], told.attributes["data-whole"]) == ("Show, 38 kB", "Show, 214 kB")


# What is known of a file.


def row(**fields: object) -> FileRow:
    values = {"room_path": "/rooms/a", "code": "c", "kind": PICTURE, "type": "", "name": "a.png", "description": ""}
    sizes = dict.fromkeys(("size", "width", "height", "thumb_width", "thumb_height", "thumb_size"), 0)
    return FileRow(**values | sizes | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [
        (480, 360, (352, 264)),
        (270, 480, (180, 320)),
        (60, 60, (60, 60)),
        (480, 10, (MAX_WIDTH, MIN_SIDE)),
        (10, 480, (MIN_SIDE, MAX_HEIGHT)),
        (1, 1, (MIN_SIDE, MIN_SIDE)),
    ],
)
def test_a_picture_is_shown_as_large_as_there_is_room(width: int, height: int, shown: tuple[int, int]) -> None:
    assert row(thumb_width=width, thumb_height=height).shown_size == shown


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.pdf", "PDF"), ("README", ""), (".profile", ""), ("a.tar.gz", "GZ"), ("a.", ""), ("a.é", ""), ("a.abcdef", "")],
)
def test_a_file_is_called_by_what_its_name_ends_with(name: str, extension: str) -> None:
    assert row(name=name).extension == extension
