"""Reading what is unread: as one page, and marking as read what a page has shown, and nothing that came after."""

import re

import pytest

from tests.conftest import Person
from tests.inbox_pages import call, inbox, join, lines, react
from tests.page import Page, words
from tests.people import befriend, make_room, who, write
from webapp.accounts.models import User
from webapp.conversations.levels import MENTIONS, NOTHING
from webapp.conversations.models import Membership, Room
from webapp.inbox import catch_up as pages
from webapp.messages.mentions import EVERYONE
from webapp.messages.models import Message
from webapp.relationships.models import Block

pytestmark = pytest.mark.anyio


async def catch_up(person: Person) -> Page:
    answer = await person.get("/inbox/catch-up")
    assert answer.status_code == 200
    return Page(answer)


def said(page: Page) -> dict[str, list[str]]:
    """Return the messages of the page, by the heading above them."""
    return {words(part.css("h2")[0]): [words(body) for body in part.css("article div")] for part in page.all("section")}


def until(page: Page, room: Room | None = None) -> dict[str, str]:
    """Return the fields of the button that marks the page as read, or what it shows of a room."""
    for form in page.all("form[action='/inbox/read']"):
        fields = {field.attributes["name"]: field.attributes["value"] or "" for field in form.css("input")}
        if fields.get("room") == (room.key if room else None):
            return {str(name): value for name, value in fields.items()}
    raise AssertionError("no such button")


async def read_numbers(person: Person) -> dict[int, int]:
    rows = Membership.filter(user_id=who(person).id)
    return {row.room_id: row.read_number for row in await rows}


async def test_what_is_unread_stands_room_by_room_and_oldest_first(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    await befriend(alice, bob)
    await alice.say(room, "more **tea**")
    await write(alice, bob, "and you?")
    page = await catch_up(bob)
    assert said(page) == {"Alice": ["and you?"], "Tea & Cake": ["in tea", "more tea"], "Soup": ["in soup"]}
    assert page.all("article strong")
    assert page.all("#sidebar") == []
    assert [link.attributes["href"] for link in page.all("h2 a")][1:] == [room.path, soup.path]


async def test_there_is_a_sentence_where_all_is_read(charlie: Person) -> None:
    page = await catch_up(charlie)
    assert page.texts("main .empty") == ["You have read everything."]
    assert page.all("main form") == []


async def test_all_read_reads_what_the_page_has_shown_and_not_what_came_after(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    await bob.say(room, "cake")
    await react(alice, room, 2)
    await call(bob, room, alice, "hello @bob")
    shown = until(await inbox(bob))
    await alice.say(room, "after")
    await react(alice, room, 2, "🎉")
    answer = await bob.post("/inbox/read", shown)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/inbox?done=read")
    assert await read_numbers(bob) == {room.id: 3, soup.id: 1}
    page = await inbox(bob, "?done=read")
    assert page.texts(".done") == ["All of that is read."]
    # What came after the page, is new; the mention and the first reaction are not.
    assert len(page.all(".hit--new")) == 1
    assert "🎉" in words(page.one(".hit--new"))
    assert said(await catch_up(bob)) == {"Tea & Cake": ["after"]}


async def test_pressing_it_twice_or_late_never_makes_anything_unread_again(
    alice: Person, bob: Person, room: Room
) -> None:
    await alice.say(room, "one")
    shown = until(await catch_up(bob))
    await alice.say(room, "two")
    await bob.read(room, 2)
    for _ in range(2):
        assert (await bob.post("/inbox/read", shown)).status_code == 303
    assert await read_numbers(bob) == {room.id: 2}


async def test_one_room_of_the_page_is_read_by_itself(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    fields = until(await catch_up(bob), soup)
    answer = await bob.post("/inbox/read", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/inbox/catch-up")
    assert await read_numbers(bob) == {room.id: 0, soup.id: 1}


@pytest.mark.parametrize("shown", ["", "x", "1", "1-", "-1", "1-x", "r", "0-1", "1-0", "r1.2", f"1-{'9' * 40}"])
async def test_a_form_that_no_page_has_made_reads_nothing(alice: Person, bob: Person, room: Room, shown: str) -> None:
    await alice.say(room, "hello")
    assert (await bob.post("/inbox/read", {"until": shown})).status_code == 422
    assert await read_numbers(bob) == {room.id: 0}


async def test_nobody_reads_in_rooms_that_are_not_theirs_nor_what_is_not_said_yet(
    alice: Person, bob: Person, charlie: Person, visitor: Person, room: Room
) -> None:
    await alice.say(room, "hello")
    assert (await bob.post("/inbox/read", {"until": f"{room.id}-2"})).status_code == 303
    assert await read_numbers(bob) == {room.id: 0}
    assert (await charlie.post("/inbox/read", {"until": f"{room.id}-1"})).status_code == 303
    assert (await bob.post("/inbox/read", {"room": "nowhere", "until": f"{room.id}-1"})).status_code == 404
    assert (await bob.post("/inbox/read", {"room": room.key, "until": f"{room.id + 1}-1"})).status_code == 422
    assert (await visitor.post("/inbox/read", {"until": f"{room.id}-1"})).status_code == 303
    assert (await bob.post("/inbox/read", {"until": f"{room.id}-1"}, Sec_Fetch_Site="cross-site")).status_code == 403
    assert await read_numbers(bob) == {room.id: 0}
    assert await Membership.filter(user_id=who(charlie).id).count() == 0


async def test_of_a_room_with_mentions_only_those_are_read(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await Membership.filter(user_id=who(bob).id, room_id=soup.id).update(level=NOTHING, muted=True)
    await Membership.filter(user_id=who(bob).id, room_id=room.id).update(level=MENTIONS, muted=True)
    await call(bob, room, alice, "you @bob")
    await alice.say(room, "not you")
    await call(None, room, alice, "@everyone", EVERYONE)
    page = await catch_up(bob)
    assert said(page) == {"Tea & Cake": ["you @bob", "@everyone"]}
    await bob.post("/inbox/read", until(page))
    assert await read_numbers(bob) == {room.id: 4, soup.id: 0}
    assert said(await catch_up(bob)) == {}


async def test_removed_words_and_those_of_blocked_people_are_not_shown_and_are_read_all_the_same(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await join(charlie, room)
    await alice.say(room, "gone soon")
    await charlie.say(room, "blocked soon")
    await alice.say(room, "stays")
    assert len(said(await catch_up(bob))["Tea & Cake"]) == 3
    await (await Message.get(room_id=room.id, number=1)).remove()
    await Block.add(who(bob), who(charlie))
    page = await catch_up(bob)
    assert said(page) == {"Tea & Cake": ["stays"]}
    await bob.post("/inbox/read", until(page))
    assert await read_numbers(bob) == {room.id: 3}


async def test_the_page_ends_and_says_so_and_has_the_rest_once_that_is_read(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_LINES", 6)
    monkeypatch.setattr(pages, "MIN_SHARE", 1)
    third = await make_room(who(alice), "Third")
    await join(bob, third)
    for number in range(10):
        await alice.say(room, f"tea {number}")
        await alice.say(third, f"third {number}")
    page = await catch_up(bob)
    # The one of the small room, and as many of both large ones as fit.
    assert {heading: len(found) for heading, found in said(page).items()} == {"Third": 2, "Tea & Cake": 3, "Soup": 1}
    assert "The page ends at" in words(page.one("main .soft"))
    assert "8 more messages" in words(page.one("main"))
    seen = list[str]()
    for _ in range(9):
        page = await catch_up(bob)
        if not page.all("main form"):
            break
        seen += [text for found in said(page).values() for text in found]
        await bob.post("/inbox/read", until(page))
    assert len(seen) == len(set(seen)) == 22


async def test_of_more_calls_than_fit_none_is_lost(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_LINES", 5)
    await Membership.filter(user_id=who(bob).id).update(level=MENTIONS, muted=True)
    for number in range(4):
        await call(bob, room, alice, f"tea {number}")
        await call(bob, soup, alice, f"soup {number}")
    seen = list[str]()
    for _ in range(4):
        page = await catch_up(bob)
        seen += [text for found in said(page).values() for text in found]
        if not page.all("main form"):
            break
        await bob.post("/inbox/read", until(page))
    assert sorted(seen) == sorted([f"{name} {number}" for name in ("tea", "soup") for number in range(4)])


async def test_a_message_request_is_not_read_by_that(alice: Person, charlie: Person) -> None:
    await write(charlie, alice, "May I?")
    page = await inbox(alice)
    assert await lines(alice) == ["Charlie wants to write to you May I?"]
    assert page.all("main form") == []
    assert said(await catch_up(alice)) == {}


async def test_on_paper_nothing_is_pressed(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "hello")
    answer = await bob.get("/inbox/catch-up")
    sheet = re.search(r'href="(/static/catch-up[^"]+)"', answer.text)
    assert sheet
    style = (await bob.get(sheet[1])).text
    paper = style.partition("@media print")[2]
    assert "form" in paper
    assert len(paper) <= 400
    assert await User.filter(id=who(bob).id, reactions_read=0).exists()


async def test_a_text_browser_reads_the_page_and_marks_it_as_read_by_its_form_alone(
    alice: Person, bob: Person, room: Room
) -> None:
    await alice.say(room, "hello")
    del bob.client.headers["Sec-Fetch-Site"]
    bob.client.headers["User-Agent"] = "w3m/0.5.3"
    page = await catch_up(bob)
    assert said(page) == {"Tea & Cake": ["hello"]}
    assert page.all("script:not([src]), iframe") == []
    fields = until(page)
    assert (await bob.post("/inbox/read", fields | {"token": ""})).status_code == 403
    assert await read_numbers(bob) == {room.id: 0}
    assert (await bob.post("/inbox/read", fields)).status_code == 303
    assert await read_numbers(bob) == {room.id: 1}
