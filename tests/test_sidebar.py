"""The sidebar of every open page: what is shown to whom, what each change sends to it, and what nobody else learns."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from typing import Any

import httpx2
import pytest
from tortoise.backends.sqlite.client import SqliteClient

from tests import engine
from tests.conftest import Person
from tests.engine import READS, by_hand, nobody_is_left, nothing_is_due, told, told_at_last  # noqa: F401  by_hand is a fixture
from tests.page import Page
from tests.page import words as words_of
from tests.people import befriend, make_room, who, write
from tests.query_cost import cost
from tests.query_recorder import record_queries
from tests.readers import reader as open_reader
from tests.room_acts import put_out
from tests.window import Shown, Window, digest_in, entries_in, opened, shown
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations.models import Membership, Room
from webapp.db import sql
from webapp.live import frames, hub
from webapp.live.states import Pace
from webapp.live.stream import Stream
from webapp.moderation.models import Report
from webapp.sidebar import layout
from webapp.sidebar import queries as sidebars
from webapp.sidebar.entries import EntryFrames
from webapp.sidebar.rows import EntryRow


def side_words(page: httpx2.Response) -> str:
    """What a person reads in the list at the side."""
    return words_of(Page(page).one("#entries"))


Change = Callable[[Person, Person, Room, Room], Awaitable[None]]
NUMBERS = ["1x", "-1", "", "1.5", "٣", "9" * 16, "9" * 5000, "null", "\0"]


# The addresses.


async def test_the_stream_of_a_page_without_a_room_opens(alice: Person) -> None:
    status, headers, body = await opened(alice, "/events")
    assert (status, body) == (200, frames.SSE_OPENING.decode())
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store, no-transform"
    assert nobody_is_left()


async def test_the_sidebar_as_an_endless_document_opens(alice: Person, room: Room) -> None:
    status, headers, body = await opened(alice, "/live")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert '<ol id="entries"' in body
    assert nobody_is_left()


async def test_the_frame_around_the_endless_document_says_nothing_of_anybody(alice: Person, visitor: Person) -> None:
    hers, his = await alice.get("/live?frame=a"), await visitor.get("/live?frame=a")
    assert hers.status_code == his.status_code == 200
    assert hers.text == his.text


async def test_the_sidebar_is_a_page_of_its_own(alice: Person, room: Room, charlie: Person) -> None:
    assert "Tea &amp; Cake" in (await alice.get(f"/sidebar?here={room.key}")).text
    hers = await charlie.get(f"/sidebar?here={room.key}")
    assert hers.status_code == 200
    assert "Tea &amp; Cake" not in hers.text


@pytest.mark.parametrize("path", ["/events", "/live", "/sidebar"])
async def test_who_is_signed_out_is_sent_to_sign_in(visitor: Person, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code in (303, 401)
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/login")
    assert (await visitor.get(path, HX_Request="true")).status_code == 401


@pytest.mark.parametrize("path", ["/events", "/live", "/sidebar"])
async def test_the_addresses_of_the_sidebar_accept_only_get(alice: Person, path: str) -> None:
    assert (await alice.post(path)).status_code == 405


async def test_get_on_the_read_address_is_not_allowed(alice: Person, room: Room) -> None:
    assert (await alice.get(f"{room.path}/read")).status_code == 405


async def read_number(one: Person, room: Room) -> int:
    return (await Membership.get(user_id=who(one).id, room_id=room.id)).read_number


async def test_reading_a_message_marks_it_read_for_the_reader_alone(alice: Person, bob: Person, room: Room) -> None:
    for words in ("one", "two", "three"):
        await alice.say(room, words)
    answer = await bob.read(room, 2)
    assert (answer.status_code, answer.text) == (204, "")
    assert await read_number(bob, room) == 2
    assert await read_number(alice, room) == 3
    await bob.read(room, 1)
    assert await read_number(bob, room) == 2, "it never goes backwards"
    await asyncio.gather(bob.read(room, 3), bob.read(room, 1), bob.read(room, 3))
    assert await read_number(bob, room) == 3


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_read_mark_without_a_number_changes_nothing(
    alice: Person, bob: Person, room: Room, number: str
) -> None:
    await alice.say(room, "one")
    answer = await bob.post(f"{room.path}/read", {"number": number})
    assert answer.status_code in (204, 400, 422)
    assert await read_number(bob, room) == 0


async def test_a_number_that_is_still_to_come_reads_what_is_there(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "one")
    assert (await bob.read(room, 10**14)).status_code == 204
    await alice.say(room, "two")
    assert await read_number(bob, room) == 1


async def test_a_visitor_of_a_public_room_has_nothing_to_read(charlie: Person, alice: Person, room: Room) -> None:
    await alice.say(room, "one")
    assert (await charlie.read(room)).status_code == 204
    assert not await Membership.exists(user_id=who(charlie).id)


async def test_an_outsider_cannot_say_that_a_chat_is_read(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    assert (await charlie.read(chat)).status_code == 404
    assert (await charlie.post("/rooms/~nothing/read", {"number": "1"})).status_code == 404
    assert await read_number(bob, chat) == 0


async def test_a_request_that_is_not_answered_is_not_read(alice: Person, bob: Person) -> None:
    await write(alice, bob, "Who are you?")
    chat = await Room.get(kind="direct")
    assert (await bob.read(chat)).status_code == 204
    assert await read_number(bob, chat) == 0


async def test_read_marks_of_kicked_or_signed_out_people_are_refused(
    alice: Person, bob: Person, visitor: Person, room: Room
) -> None:
    await alice.say(room, "one")
    answer = await visitor.read(room)
    assert answer.status_code == 303
    assert (await visitor.post(f"{room.path}/read", {"number": "1"}, HX_Request="true")).status_code == 401
    await alice.post(f"{room.path}/settings", {"do": "kick", "who": who(bob).code, "minutes": "10"})
    assert (await bob.read(room)).status_code == 403
    assert await read_number(bob, room) == 0


# What an open page is sent.


async def test_a_page_that_is_as_it_should_be_is_sent_nothing(bob: Person, soup: Room) -> None:
    window = await Window.open(bob)
    assert window.text == ""
    assert window.sidebar == [Shown("Soup", "in soup", "1"), Shown("Tea & Cake", "in tea", "1")]


async def test_a_page_that_is_older_gets_the_whole_list(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    page = await bob.get("/lobby")
    await alice.say(room, "meanwhile")
    window = await Window.open(bob, seen=digest_in(page))
    assert window.frames == ["#entries"]
    assert window.sidebar[0] == Shown("Tea & Cake", "meanwhile", "2")


async def test_a_message_elsewhere_counts_and_moves_to_the_top(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    window = await Window.open(bob)
    await alice.say(room, "second <b>in</b> tea")
    await told()
    assert window.sidebar == [Shown("Tea & Cake", "second <b>in</b> tea", "2"), Shown("Soup", "in soup", "1")]
    assert window.frames == [f"#entry-{room.id}", "#entries"]
    assert "<b>in" not in window.text


async def say_at_noon(author: Person, room: Room, words: str) -> None:
    """Say it in the same minute as all else that is said so."""
    await author.say(room, words)
    await Room.filter(id=room.id).update(last_at=datetime.combine(datetime.now(UTC), time(12), UTC))
    await told()


def line_of(room: Room) -> str:
    return f"#entry-{room.id} .entry__line:not(.entry__draft)"


async def test_a_room_on_top_is_sent_its_line_and_its_count(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    window, document = await Window.open(bob), await Window.open(bob, framing="html")
    await say_at_noon(alice, room, "second")
    assert window.look() == [f"#entry-{room.id}", "#entries"]
    whole, _sent = len(window.text), document.look()
    await say_at_noon(alice, room, "<third>")
    assert window.look() == [line_of(room), f"#entry-{room.id} .unread:not([data-calls])"]
    assert len(window.text) < whole / 2
    assert window.sidebar == [Shown("Tea & Cake", "<third>", "3"), Shown("Soup", "in soup", "1")]
    assert 'title="Tea &amp; Cake"' in document.reader.outbox.pending.decode()
    # What was swapped in makes the same of it as a page that is served now.
    [served] = [entry for number, entry in entries_in((await bob.get("/lobby")).text).items() if number == room.id]
    assert squeezed(window.entries[room.id]) == squeezed(served)


def squeezed(html: str) -> str:
    return re.sub(r"\s*(<|>)\s*", r"\1", html)


async def test_the_page_of_the_room_is_sent_its_line_alone(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    window = await Window.open(bob, room=room)
    await say_at_noon(alice, room, "second")
    await say_at_noon(bob, room, "third")
    window.look()
    await say_at_noon(alice, room, "fourth")
    assert window.look() == [line_of(room)]
    assert window.sidebar[0] == Shown("Tea & Cake", "fourth")


async def another_room(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await say_at_noon(alice, soup, "another room")


async def another_page(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await Window.open(bob, "/rooms")


async def another_name(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await alice.post(f"{room.path}/settings", {"do": "rename", "name": "Coffee"})
    await told()


async def another_minute(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await alice.say(room, "another minute")
    await Room.filter(id=room.id).update(last_at=datetime.combine(datetime.now(UTC), time(11), UTC))
    await told()


async def a_mention(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await say_at_noon(alice, room, f"@{who(bob).username}")


async def all_read(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await bob.post(f"{room.path}/read", {"number": "2"}, HX_Request="true")
    await told()


async def a_broken_link(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    hub().restart(f"user:{who(bob).id}")
    await told()


@pytest.mark.parametrize("change", [another_name, another_minute, a_mention, all_read])
async def test_a_room_on_top_is_sent_whole_with(
    change: Change, alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    window = await Window.open(bob)
    await say_at_noon(alice, room, "second")
    window.look()
    await change(alice, bob, room, soup)
    assert f"#entry-{room.id}" in window.look()
    [served] = [entry for number, entry in entries_in((await bob.get("/lobby")).text).items() if number == room.id]
    assert squeezed(window.entries[room.id]) == squeezed(served)


@pytest.mark.parametrize("change", [another_room, another_page, all_read, a_broken_link])
async def test_a_room_on_top_is_sent_whole_again_after(
    change: Change, alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    window = await Window.open(bob)
    await say_at_noon(alice, room, "second")
    assert window.look() == [f"#entry-{room.id}", "#entries"]
    await change(alice, bob, room, soup)
    window.look()
    await say_at_noon(alice, room, "third")
    assert window.look() == [f"#entry-{room.id}", "#entries"]
    assert window.sidebar == [Shown("Tea & Cake", "third", window.sidebar[0].unread), window.sidebar[1]]


@pytest.mark.parametrize("last", ["room", "soup"])
async def test_of_two_rooms_that_move_together_the_later_comes_to_the_top(
    alice: Person, bob: Person, room: Room, soup: Room, last: str
) -> None:
    window = await Window.open(bob)
    later, earlier = (room, soup) if last == "room" else (soup, room)
    await alice.say(earlier, "first")
    await alice.say(later, "then")
    await told()
    assert [(one.name, one.line) for one in window.sidebar] == [(later.name, "then"), (earlier.name, "first")]


@pytest.mark.parametrize("most", ["rooms", "entries"])
async def test_more_rooms_than_one_pass_takes_are_sent_in_turn(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    """Also when the first of them is never quiet."""
    monkeypatch.setattr(*engine.bound(most), 1)
    window = await Window.open(bob)
    await alice.say(room, "a cup")
    await alice.say(soup, "a ladle")
    for said in ("a cup", "a ladle"):
        await engine.one_pass()
        window.look()
        assert [words for words in ("a cup", "a ladle") if words in window.text] == [said]
        engine.let_rooms_be_due()
        await alice.say(room, "another cup")


async def test_a_busy_room_is_sent_each_second_and_a_quiet_one_at_once(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    engine.refresher().pace = Pace(0.0, 60.0, min_seconds=60.0)  # not within this test
    window = await Window.open(bob)
    await alice.say(room, "a cup")
    await engine.one_pass()
    assert window.sidebar[0] == Shown("Tea & Cake", "a cup", "2")
    await alice.say(room, "another cup")
    await alice.say(soup, "a ladle")
    await alice.say(room, "a third cup")
    await engine.one_pass()
    assert window.sidebar == [Shown("Soup", "a ladle", "2"), Shown("Tea & Cake", "a cup", "2")]
    engine.let_rooms_be_due()
    await engine.one_pass()
    assert window.sidebar == [Shown("Tea & Cake", "a third cup", "4"), Shown("Soup", "a ladle", "2")]


@pytest.mark.sqlite
async def test_on_sqlite_what_sidebars_ask_waits_for_no_thread(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it would wait for those who write, and they for it."""
    window = await Window.open(bob)
    await alice.say(room, "a cup")
    engine.refresh_item(who(bob).id, soup.id)
    asked: list[str] = []
    execute = SqliteClient.execute_query

    async def noted(client: Any, query: str, values: Any = None) -> Any:
        asked.append(query)
        return await execute(client, query, values)

    monkeypatch.setattr(SqliteClient, "execute_query", noted)
    await told()
    window.look()
    assert "a cup" in window.text
    assert asked == []


async def test_ones_own_message_counts_nothing(bob: Person, room: Room, soup: Room) -> None:
    window = await Window.open(bob)
    await bob.say(room, "mine")
    await told()
    assert window.sidebar[0] == Shown("Tea & Cake", "You: mine")


async def test_an_edit_of_the_last_line_stays_in_its_place(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    window = await Window.open(bob)
    await alice.post(f"{room.path}/messages/1/edit", {"body": "changed"})
    await told()
    assert window.sidebar == [Shown("Soup", "in soup", "1"), Shown("Tea & Cake", "changed", "1")]
    assert window.frames == [f"#entry-{room.id}"]
    await alice.post(f"{room.path}/messages/1/remove")
    await told()
    assert [one.name for one in window.sidebar] == ["Soup", "Tea & Cake"]
    assert "changed" not in window.text


async def test_a_level_and_marking_unread_show_in_place(bob: Person, room: Room, soup: Room) -> None:
    window = await Window.open(bob)
    settings = f"{room.path}/settings"
    for level, unread in (("mentions", ""), ("all", "1"), ("nothing", ""), ("all", "1")):
        await bob.post(settings, {"do": "level", "level": level})
        await told()
        assert window.sidebar == [Shown("Soup", "in soup", "1"), Shown("Tea & Cake", "in tea", unread)]
    await bob.read(room)
    await told()
    assert window.sidebar[1].unread == ""
    await bob.post(settings, {"do": "unread", "number": "1"})
    await told()
    assert window.sidebar[1].unread == "1"


async def test_removed_messages_do_not_count_as_unread_on_open_pages(alice: Person, bob: Person, room: Room) -> None:
    window = await Window.open(bob)
    for words in ("one", "two", "three"):
        await alice.say(room, words)
    await told()
    for number, unread in ((2, "2"), (3, "1"), (1, "")):
        await alice.post(f"{room.path}/messages/{number}/remove")
        await told()
        assert window.sidebar[0].unread == unread
        assert (await Window.open(bob)).text == ""  # a page that is served shows the same
    await alice.say(room, "four")
    await told()
    assert window.sidebar == [Shown("Tea & Cake", "four", "1")]


async def test_a_message_removed_after_it_was_read_takes_nothing_from_the_badge(
    alice: Person, bob: Person, room: Room
) -> None:
    window = await Window.open(bob)
    await alice.say(room, "one")
    await bob.read(room)
    await alice.say(room, "two")
    await alice.post(f"{room.path}/messages/1/remove")
    await told()
    assert window.sidebar == [Shown("Tea & Cake", "two", "1")]
    await bob.read(room)
    await alice.post(f"{room.path}/messages/2/remove")
    await told()
    assert window.sidebar == [Shown("Tea & Cake", "Message removed")]
    await bob.post(f"{room.path}/settings", {"do": "unread", "number": "1"})
    await alice.say(room, "three")
    await told()
    assert window.sidebar == [Shown("Tea & Cake", "three", "1")]


async def test_a_badge_is_right_wherever_the_viewer_has_stopped_reading(alice: Person, bob: Person, room: Room) -> None:
    for number in range(1, 8):
        await alice.say(room, f"{number}")
    for number in range(1, 7):
        await alice.post(f"{room.path}/messages/{number}/remove")

    async def unread(read: int) -> int:
        await Membership.filter(user_id=who(bob).id).update(read_number=read)
        [entry], *_ = await sidebars.list_entries(who(bob).id)
        return entry.unread

    for read in range(8):
        assert await unread(read) == (read < 7)
    await alice.say(room, "last")
    assert [await unread(read) for read in (0, 6, 7, 8)] == [2, 2, 1, 0]
    # From here on the badge says "99+", and nothing is counted.
    await Room.filter(id=room.id).update(last_number=105)
    assert [await unread(read) for read in (0, 5, 6)] == [99, 99, 99]
    await Room.filter(id=room.id).update(last_number=106)
    assert [await unread(read) for read in (0, 5, 6)] == [100, 100, 100]


async def test_of_rooms_that_the_page_does_not_show_little_is_read(bob: Person) -> None:
    async def join(count: int) -> None:
        first = await Room.all().count()
        names = [f"r{first + n}" for n in range(count)]
        await Room.bulk_create([Room(key=name, name=name, folded=name, last_number=9) for name in names])
        joined = await Room.filter(key__in=names)
        await Membership.bulk_create([Membership(room=room, user_id=who(bob).id, read_number=8) for room in joined])
        if not settings.ON_SQLITE:
            await sql.connection().execute_script("ANALYZE membership; ANALYZE room")

    async def read() -> tuple[int, int]:
        listing = await sidebars.list_entries(who(bob).id)
        latest = await Room.all().order_by("-last_at", "-id").limit(51)
        assert [entry.room_id for entry in listing.entries] == [room.id for room in latest]
        by_user = await sidebars.list_entries_by_user([who(bob).id])
        assert by_user[who(bob).id] == listing.entries[:50]
        [query] = await record_queries(sidebars.list_entries(who(bob).id))
        return listing.unread().rooms, await cost(query)

    await join(100)
    few = await read()
    await join(400)
    many = await read()
    assert (few[0], many[0]) == (100, 500)
    # PostgreSQL passes some 12 rows on for each of the 400 that are more, SQLite takes some 100 instructions.
    assert many[1] - few[1] < (60 if settings.ON_SQLITE else 400 * 15)


async def test_the_title_counts_what_is_unread_beyond_the_first_page_too(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob has something unread in both rooms; a page of his list holds one of them."""
    monkeypatch.setattr(sidebars, "PAGE_SIZE", 1)
    monkeypatch.setattr(layout, "PAGE_SIZE", 1)
    for path in ("/lobby", "/lobby?page=2", "/rooms"):
        page = Page(await bob.get(path))
        assert page.one("title").text().startswith("(2) "), path
        assert page.one("#unread-count").text() == "2"
        assert page.one("#unread-count").attributes["data-more"] == "1"
        assert len(page.all("#entries .entry--unread")) == 1
    await Membership.filter(user_id=who(bob).id, room_id=room.id).update(muted=True)
    assert Page(await bob.get("/rooms")).one("title").text().startswith("(1) ")
    assert not Page(await alice.get("/rooms")).one("#unread-count").text()


async def test_a_hidden_tab_gets_the_count_of_what_is_unread_and_delivers_nothing(
    alice: Person, bob: Person, visitor: Person, room: Room, soup: Room
) -> None:
    await befriend(alice, bob)
    await write(alice, bob)
    assert (await bob.get("/sidebar/unread")).text.strip() == "3"
    assert (await alice.get("/sidebar/unread")).text.strip() == "0"
    assert (await visitor.get("/sidebar/unread", HX_Request="true")).status_code == 401
    chat = await Room.get(kind="direct")
    assert (await Membership.get(room_id=chat.id, user_id=who(bob).id)).delivered_number == 0


async def test_a_change_that_no_line_shows_is_sent_to_no_sidebar(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    window, document = await Window.open(bob), await Window.open(bob, framing="html")
    await alice.say(room, "two")
    await told()
    assert window.look() == [f"#entry-{room.id}", "#entries"]
    assert "two" in document.reader.outbox.pending.decode()
    document.look()
    await alice.post(f"{room.path}/messages/1/edit", {"body": "an older message"})
    await told()
    engine.refresh_item(who(bob).id, soup.id)
    await told()
    for one in (window, document):
        one.look()
        assert one.text == ""


async def test_windows_that_show_different_lines_come_to_show_the_same(alice: Person, bob: Person, room: Room) -> None:
    """The second is served between two changes, of which the later takes the earlier back."""
    await alice.say(room, "one")
    first = await Window.open(bob)
    await bob.read(room)
    engine.lose_items()  # nobody has told the first one yet
    second = await Window.open(bob)
    assert (first.sidebar[0].unread, second.sidebar[0].unread) == ("1", "")
    await bob.post(f"{room.path}/settings", {"do": "unread", "number": "1"})
    await told()
    assert (first.sidebar[0].unread, second.sidebar[0].unread) == ("1", "1")


async def test_a_room_comes_when_one_joins_it_and_goes_when_one_leaves(alice: Person, bob: Person, soup: Room) -> None:
    await make_room(who(alice), "Bread")
    bread = await Room.get(name="Bread")
    window = await Window.open(bob)
    for path, is_in in (("join", True), ("leave", False), ("join", True)):
        await bob.post(f"{bread.path}/{path}")
        await told()
        assert ("Bread" in [one.name for one in window.sidebar]) is is_in
    await alice.say(bread, "still told")
    await told()
    assert window.sidebar[0] == Shown("Bread", "still told", "1")


async def test_writing_joins_and_shows(bob: Person, charlie: Person, room: Room, soup: Room) -> None:
    window = await Window.open(charlie)
    assert window.sidebar == []
    await charlie.say(room, "here I am")
    await told()
    assert window.sidebar == [Shown("Tea & Cake", "You: here I am")]


async def test_a_kicked_member_loses_the_sidebar_entry_and_its_updates(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    window = await Window.open(bob)
    await alice.post(f"{room.path}/settings", {"do": "kick", "who": who(bob).code, "minutes": "10"})
    await told()
    assert [one.name for one in window.sidebar] == ["Soup"]
    await alice.say(room, "he is gone")
    await told()
    window.look()
    assert window.text == ""
    assert not engine.follows_room(who(bob).id, room.id)


async def test_a_message_between_the_kick_and_its_news_is_not_sent(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = await Window.open(bob)
    await put_out(room, bob)  # and nobody tells
    await alice.say(room, "not for him")
    await told()
    assert [one.name for one in window.sidebar] == ["Soup"]
    assert "not for him" not in window.text


async def test_a_deleted_room_goes_from_every_sidebar(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    windows = [await Window.open(alice), await Window.open(bob)]
    await alice.post(f"{soup.path}/settings", {"do": "delete", "name": "Soup"})
    await told()
    assert [[one.name for one in window.sidebar] for window in windows] == [["Tea & Cake"]] * 2


async def test_a_request_comes_and_is_answered(alice: Person, bob: Person, soup: Room) -> None:
    window, hers = await Window.open(bob), await Window.open(alice)
    await write(alice, bob, "A secret")
    await told()
    assert window.sidebar[0] == Shown("Alice", "wants to write to you")
    assert "A secret" not in window.text
    chat = await Room.get(kind="direct")
    hers.look()
    await bob.post(f"{chat.path}/join")
    await told()
    assert window.sidebar[0] == Shown("Alice", "A secret", "1")


async def test_an_ignored_request_leaves_the_sidebar_and_the_sender_learns_nothing(
    alice: Person, bob: Person, soup: Room
) -> None:
    await write(alice, bob, "A secret")
    chat = await Room.get(kind="direct")
    window, hers = await Window.open(bob), await Window.open(alice)
    await bob.post(f"{chat.path}/leave")
    await told()
    assert [one.name for one in window.sidebar] == ["Soup", "Tea & Cake"]
    assert hers.look() == []
    assert hers.text == ""


async def test_a_request_leaves_the_sidebar_when_its_sender_is_blocked(alice: Person, bob: Person, soup: Room) -> None:
    await write(alice, bob, "A secret")
    window = await Window.open(bob)
    await bob.post(f"{who(alice).path}/block")
    await told()
    # Alice wrote the last lines of the rooms too: they are hidden now.
    assert window.sidebar == [Shown("Soup", "", "1"), Shown("Tea & Cake", "", "1")]
    await bob.post(f"{who(alice).path}/unblock")
    await told()
    assert window.sidebar[0] == Shown("Alice", "wants to write to you")
    assert Shown("Soup", "in soup", "1") in window.sidebar


async def test_a_declined_friendship_is_sent_to_the_decliner_alone(alice: Person, bob: Person, soup: Room) -> None:
    hers = await Window.open(alice)
    await alice.post(f"/friends/{who(bob).code}/ask")
    await told()
    hers.look()
    window = await Window.open(bob)
    await bob.post(f"/friends/{who(alice).code}/decline")
    await told()
    window.look()
    assert window.contacts == 1
    assert 'id="request-count"' in window.text
    assert hers.look() == []
    assert hers.text == ""


async def test_two_windows_of_one_person_are_sent_the_same(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    lobby, elsewhere, there = (
        await Window.open(bob),
        await Window.open(bob, "/rooms"),
        await Window.open(bob, room=room),
    )
    await alice.say(soup, "for all")
    await told()
    for window in (lobby, elsewhere, there):
        assert window.sidebar[0] == Shown("Soup", "for all", "2")
    await bob.read(soup)
    await told()
    for window in (lobby, elsewhere, there):
        assert window.sidebar[0] == Shown("Soup", "for all")


async def test_a_room_that_is_open_has_nothing_unread_until_its_page_is_left(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    lobby, there = await Window.open(bob), await Window.open(bob, room=room)
    await alice.say(room, "above the fold")
    await told()
    assert lobby.sidebar[0] == Shown("Tea & Cake", "above the fold")
    there.close()
    await told()
    assert lobby.sidebar[0] == Shown("Tea & Cake", "above the fold", "2")
    assert lobby.frames == [f"#entry-{room.id}"]


async def test_a_stream_that_ends_lets_the_other_pages_count_again(alice: Person, bob: Person, room: Room) -> None:
    lobby = await Window.open(bob)
    reader = open_reader(room.id, room.version, "sse", room.path, session=bob.session.id, user=who(bob).id)
    chunks = Stream(engine.with_sidebar(reader, "-"), b": ok\n\n", "text/event-stream").chunks()
    assert await anext(chunks) == b": ok\n\n"
    waiting = asyncio.ensure_future(anext(chunks))
    await alice.say(room, "not on the screen")
    await waiting
    await told()
    assert lobby.sidebar[0].unread == ""
    await chunks.aclose()
    await told()
    assert lobby.sidebar[0] == Shown("Tea & Cake", "not on the screen", "1")


async def test_the_second_page_of_the_list_stays_the_second(alice: Person, bob: Person) -> None:
    for number in range(65):
        await make_room(who(bob), f"Room {number}")
    first, second = await Window.open(bob), await Window.open(bob, "/lobby?page=2")
    assert (first.text, second.text) == ("", "")
    assert (len(first.entries), len(second.entries)) == (50, 16)
    await alice.post(f"/friends/{who(bob).code}/ask")
    await told()
    second.look()
    first.look()
    assert (first.contacts, second.contacts) == (1, 1)
    assert 'id="request-count"' in second.text
    assert (len(first.entries), len(second.entries)) == (50, 16)
    oldest = await Room.get(name="Room 0")
    await bob.say(oldest, "up it goes")
    await told()
    assert first.sidebar[0] == second.sidebar[0] == Shown("Room 0", "You: up it goes")


async def test_a_page_from_before_there_was_a_live_sidebar_is_sent_changes_alone(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    window = await Window.open(bob, seen=sidebars.OLDER_PAGE)
    assert window.frames == []
    await alice.say(room, "news")
    await told()
    assert window.look() == [f"#entry-{room.id}", "#entries"]


async def test_the_endless_document_begins_with_everything_and_hides_what_is_old(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    reader = engine.page(who(bob).id, bob.session.id, "", "html")
    await told()
    first = reader.outbox.take().decode()
    assert [shown(entry).name for entry in entries_in(first).values()] == ["Soup", "Tea & Cake"]
    await alice.say(room, "</li></ol><script>")
    await told()
    second = reader.outbox.pending.decode()
    assert f"#entry-{room.id}[data-sent]{{order:" in second
    assert "--shown:none" in second
    assert "<script>" not in second
    assert second.count("</li>") == 1


async def test_an_entry_is_made_for_endless_documents_only_where_one_is_open(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = EntryFrames.document_entry

    def noted(self: EntryFrames, entry: EntryRow) -> str:
        made.append(str(entry.line))
        return make(self, entry)

    window = await Window.open(bob)
    monkeypatch.setattr(EntryFrames, "document_entry", noted)
    await alice.say(room, "a cup")
    await told()
    assert window.sidebar[0].line == "a cup"
    assert made == []
    document = await Window.open(bob, framing="html")
    del made[:]
    await alice.say(room, "another cup")
    await told()
    assert made == ["another cup"]
    assert "another cup" in document.reader.outbox.take().decode()
    assert window.sidebar[0].line == "another cup"


async def test_a_line_in_a_room_says_who_wrote_it_and_what_level_it_has(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "soup is ready")
    assert "Bob : soup is ready" in side_words(await alice.get("/lobby"))
    assert "You: soup is ready" in side_words(await bob.get("/lobby"))
    for level, mark in (("mentions", "mentions only"), ("nothing", "muted")):
        await alice.post(f"{room.path}/settings", {"do": "level", "level": level})
        assert f"Bob : soup is ready {mark}" in side_words(await alice.get("/lobby"))


async def test_a_removed_line_is_nobodys(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "soup is ready")
    await bob.post(f"{room.path}/messages/1/remove")
    shown_to_alice = side_words(await alice.get("/lobby"))
    assert "Message removed" in shown_to_alice
    assert "Bob" not in shown_to_alice


async def test_the_title_and_the_bar_count_rooms_with_something_unread(alice: Person, bob: Person, room: Room) -> None:
    soup = await make_room(who(alice), "Soup")
    await bob.post(f"{soup.path}/join")
    for place in (room, room, soup):
        await alice.say(place, "anybody there?")
    assert "<title>(2) Chats · " in (await bob.get("/lobby")).text
    assert Page(await bob.get("/rooms")).texts("#unread-count") == ["2"]
    assert "<title>(1) Soup · " in (await bob.get(soup.path)).text
    assert "<title>Chats · " in (await alice.get("/lobby")).text


async def test_only_administrators_see_the_count_of_open_reports(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "buy my watches")
    await User.filter(id=who(alice).id).update(is_admin=True)
    window = await Window.open(alice)
    assert 'id="report-count"' in (await alice.get("/lobby")).text
    assert 'id="report-count"' not in (await bob.get("/lobby")).text
    report = {"about": f"message:{room.key}:1", "reason": "spam", "text": ""}
    assert (await alice.post("/report", report)).status_code == 303
    await told()
    window.look()
    for page in (window.text, await alice.get("/rooms")):
        assert [count.text(deep=False).strip() for count in Page(page).all("#report-count .unread")] == ["1"]
    found = await Report.get()
    assert (await alice.post(f"/moderation/reports/{found.id}", {"do": "dismiss", "note": ""})).status_code == 303
    await told()
    window.look()
    assert 'id="report-count"></span>' in window.text
