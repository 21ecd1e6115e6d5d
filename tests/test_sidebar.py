"""The sidebar of every open page: what is shown to whom, what each change sends to it, and what nobody else learns."""

import asyncio
import gc
import html
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tortoise.backends.sqlite.client import SqliteClient

from tests import engine
from tests.conftest import Person, account, person
from tests.engine import READS, by_hand, nobody_is_left, nothing_is_due, told, told_at_last  # noqa: F401  by_hand is a fixture
from tests.people import befriend, chat_of, make_room, post_as, who, write
from tests.query_recorder import record_queries
from tests.readers import reader as open_reader
from tests.window import ENTRY, STREAM, Shown, Window, opened, shown
from webapp.accounts.models import User
from webapp.chats import first_message
from webapp.conversations import access, members
from webapp.conversations.kinds import DIRECT
from webapp.conversations.models import Membership, Room
from webapp.db import sql
from webapp.live import Reader, frames, hub
from webapp.live.stream import Stream
from webapp.presence import broadcasts as presence
from webapp.presence.models import Visit
from webapp.presence.tracker import tracker
from webapp.relationships import queries as relationships
from webapp.relationships.models import Friendship
from webapp.sidebar import queries as sidebars

NUMBERS = ["1x", "-1", "", "1.5", "٣", "9" * 16, "9" * 5000, "null", "\0"]


async def queries(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """From now on, what is asked of the database by raw SQL."""
    asked: list[str] = []

    def counted(fetch: Callable[..., Awaitable[Sequence[sql.Row]]]) -> Callable[..., Awaitable[Sequence[sql.Row]]]:
        async def count(query: str, *values: object) -> Sequence[sql.Row]:
            asked.append(query)
            return await fetch(query, *values)

        return count

    for name in ("fetch_inline", "fetch_all", "execute"):
        monkeypatch.setattr(sql, name, counted(getattr(sql, name)))
    return asked


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
async def test_they_are_only_read(alice: Person, path: str) -> None:
    assert (await alice.post(path)).status_code == 405


async def test_reading_is_only_said_by_posting(alice: Person, room: Room) -> None:
    assert (await alice.get(f"{room.path}/read")).status_code == 405


async def read_number(one: Person, room: Room) -> int:
    return (await Membership.get(user_id=who(one).id, room_id=room.id)).read_number


async def test_what_was_on_the_screen_is_read_and_nobody_elses(alice: Person, bob: Person, room: Room) -> None:
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
async def test_what_is_no_number_of_a_message_reads_nothing(
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


async def test_who_was_sent_away_or_is_signed_out_says_nothing(
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


@pytest.fixture
async def soup(alice: Person, bob: Person) -> Room:
    """Another room that both are in, with the later message."""
    soup = await make_room(who(alice), "Soup")
    await members.join(await access.by_key(who(bob), soup.key))
    await alice.say(await Room.get(name="Tea & Cake"), "in tea")
    await alice.say(soup, "in soup")
    return soup


async def test_a_page_that_is_as_it_should_be_is_sent_nothing(bob: Person, soup: Room) -> None:
    window = await Window.open(bob)
    assert window.text == ""
    assert window.sidebar == [Shown("Soup", "in soup", "1"), Shown("Tea & Cake", "in tea", "1")]


async def test_a_page_that_is_older_gets_the_whole_list(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    page = STREAM.search((await bob.get("/lobby")).text)
    assert page
    await alice.say(room, "meanwhile")
    window = await Window.open(bob, seen=html.unescape(page[1]))
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
async def test_more_rooms_than_one_pass_takes_are_told_in_their_turn(
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


async def test_muting_and_marking_unread_show_in_place(bob: Person, room: Room, soup: Room) -> None:
    window = await Window.open(bob)
    settings = f"{room.path}/settings"
    for do, unread in (("mute", ""), ("unmute", "1")):
        await bob.post(settings, {"do": do})
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
    assert window.sidebar == [Shown("Tea & Cake", "Removed")]
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
        [entry] = await sidebars.list_entries(who(bob).id)
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


async def test_who_is_sent_away_loses_the_room_and_hears_no_more_of_it(
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


async def test_a_message_between_the_kick_and_the_news_of_it_is_not_told(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = await Window.open(bob)
    await members.kick(room.id, await members.by_code(room.id, who(bob).code), 10)  # and nobody tells
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


async def test_a_request_that_is_ignored_goes_and_the_other_is_told_nothing(
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


async def test_a_request_of_somebody_who_gets_blocked_goes(alice: Person, bob: Person, soup: Room) -> None:
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


async def test_a_declined_friendship_is_told_to_one_side_alone(alice: Person, bob: Person, soup: Room) -> None:
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


async def test_two_windows_of_one_person_are_told_the_same(alice: Person, bob: Person, room: Room, soup: Room) -> None:
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
    assert [shown(entry[0]).name for entry in ENTRY.finditer(first)] == ["Soup", "Tea & Cake"]
    await alice.say(room, "</li></ol><script>")
    await told()
    second = reader.outbox.pending.decode()
    assert f"#entry-{room.id}[data-sent]{{order:" in second
    assert "--shown:none" in second
    assert "<script>" not in second
    assert second.count("</li>") == 1


# Friends who come and go.


async def comes(one: Person) -> None:
    await Visit.apply_changes(tracker().process, [(who(one).id, 0)], [])
    presence.changed([who(one).id])
    await told()


async def goes(one: Person) -> None:
    await Visit.apply_changes(tracker().process, [], [(who(one).id, 0)])
    presence.changed([who(one).id])
    await told()


def dot(window: Window, one: Person) -> bool | None:
    window.look()
    found = re.findall(rf'id="dot-entry-{who(one).code}" class="([^"]*)"', window.text)
    return "online-dot--on" in found[-1] if found else None


async def test_a_friend_who_comes_and_goes_shows(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, bob)
    hers, strangers = await Window.open(alice), await Window.open(charlie)
    await comes(bob)
    assert dot(hers, bob) is True
    await goes(bob)
    assert dot(hers, bob) is False
    assert strangers.look() == []
    assert strangers.text == ""


async def test_news_that_comes_while_people_are_read_is_not_lost(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await befriend(alice, bob)
    window = await Window.open(alice)
    dots = getattr(*READS["dots"])

    async def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(*READS["dots"], dots)
        await Visit.apply_changes(tracker().process, [], [(who(bob).id, 0)])
        presence.changed([who(bob).id])
        return await dots(*arguments)

    monkeypatch.setattr(*READS["dots"], meanwhile)
    await comes(bob)
    assert dot(window, bob) is False


async def test_a_friend_who_hides_is_gone_and_one_who_is_no_friend_any_more_says_nothing(
    alice: Person, bob: Person
) -> None:
    await befriend(alice, bob)
    await comes(bob)
    window = await Window.open(alice)
    await User.filter(id=who(bob).id).update(shows_presence=False)
    await presence.visibility_changed(who(bob).id)
    await told()
    assert dot(window, bob) is False
    assert "Last seen" not in window.text
    await User.filter(id=who(bob).id).update(shows_presence=True)
    await alice.post(f"/friends/{who(bob).code}/remove")
    await told()
    window.look()
    await comes(bob)
    assert dot(window, bob) is None
    assert not engine.followers_of_person(who(bob).id)


async def test_the_heartbeat_finds_who_came_and_what_was_said_without_a_word(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    await befriend(alice, bob)
    window = await Window.open(alice)
    await Visit.apply_changes(tracker().process, [(who(bob).id, 0)], [])
    await post_as(who(bob), room, "nobody rings", "nonce")
    await engine.heartbeat()
    await told()
    assert dot(window, bob) is True
    assert window.sidebar[0] == Shown("Tea & Cake", "nobody rings", "1")
    await engine.heartbeat()
    await told()
    assert window.look() == []
    assert window.text == ""


async def test_after_the_link_broke_everything_is_told_anew(alice: Person, bob: Person, soup: Room) -> None:
    window = await Window.open(bob)
    await befriend(alice, bob)  # told elsewhere, while this process was deaf
    hub().bridge.on_link(False)
    hub().bridge.on_link(True)
    await engine.heartbeat()
    await told()
    assert window.look() == ["#entries"]
    assert window.contacts == 1
    assert engine.followers_of_person(who(alice).id) == {who(bob).id}


async def test_who_was_online_long_ago_is_not_remembered_so(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await comes(bob)
    window = await Window.open(alice)
    window.close()
    await goes(bob)
    page = STREAM.search((await alice.get("/lobby")).text)
    assert page
    again = await Window.open(alice)
    assert again.text == ""


# When something goes wrong.


@pytest.mark.parametrize(
    ("name", "is_here"),
    [
        ("list", True),
        ("rooms", True),
        ("people", True),
        ("entries", False),
        ("rooms", False),
        ("people", False),
        ("dots", False),
    ],
)
async def test_what_could_not_be_read_is_read_again(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch, name: str, is_here: bool
) -> None:
    await befriend(alice, bob)
    page = STREAM.search((await alice.get("/lobby")).text)
    assert page
    await bob.say(room, "since then")
    window = Window(alice, {}, html.unescape(page[1]), None, "sse")
    read, failed = getattr(*READS[name]), []

    async def fails(*arguments: Any) -> Any:
        if not failed:
            failed.append(name)
            raise OSError("the database is away")
        return await read(*arguments)

    if not is_here:
        await told_at_last()
    monkeypatch.setattr(*READS[name], fails)
    await bob.say(soup, "and more")
    await Visit.apply_changes(tracker().process, [(who(bob).id, 0)], [])
    presence.changed([who(bob).id])
    await engine.heartbeat()
    await told_at_last()
    assert failed
    window.look()
    # The list is loaded anew, or has his dot alone changed.
    assert window.contacts or "online-dot--on" in window.text
    assert window.sidebar[:2] == [Shown("Soup", "and more", "1"), Shown("Tea & Cake", "since then", "1")]
    assert nothing_is_due()


async def test_the_task_itself_goes_on_after_a_failure(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.run_by_itself(monkeypatch)
    await asyncio.sleep(0)
    reader = engine.page(who(bob).id, bob.session.id, "")
    read, failed = getattr(*READS["list"]), []

    async def fails(users: Any) -> Any:
        if not failed:
            failed.append(users)
            raise OSError("the database is away")
        return await read(users)

    monkeypatch.setattr(*READS["list"], fails)
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            assert b"Tea &amp; Cake" in chunk
            break
    assert failed


async def test_a_message_that_is_rung_while_a_page_is_welcomed_is_not_lost(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was committed after the entries were read, and nobody else here is in the room."""
    asking = relationships.request_counts

    async def meanwhile(users: Any) -> Any:
        monkeypatch.undo()
        await alice.say(room, "just now")
        return await asking(users)

    page = STREAM.search((await bob.get("/lobby")).text)
    assert page
    window = Window(bob, {}, html.unescape(page[1]), None, "sse")
    monkeypatch.setattr(relationships, "request_counts", meanwhile)
    await engine.one_pass()
    engine.paceless(monkeypatch)
    await told()
    assert window.sidebar[0] == Shown("Tea & Cake", "just now", "1")


@pytest.mark.parametrize("name", ["list", "entries", "dots"])
async def test_a_reader_may_leave_while_it_is_told(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await befriend(alice, bob)
    windows = [await Window.open(one) for one in (alice, bob)]
    read = getattr(*READS[name])

    async def meanwhile(*arguments: Any) -> Any:
        for window in windows:
            if window.reader in hub().readers():
                window.close()
        return await read(*arguments)

    monkeypatch.setattr(*READS[name], meanwhile)
    engine.refresh_requests(who(bob).id)
    await told()
    await alice.say(room, "anybody there?")
    engine.refresh_people({who(alice).id, who(bob).id})
    await told()
    for window in windows:
        if window.reader in hub().readers():
            window.close()
    await told()
    assert nobody_is_left()


async def test_nothing_is_left_of_people_who_have_gone(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await befriend(alice, bob)
    windows = [await Window.open(one, room=place) for one in (alice, bob) for place in (None, room, soup)]
    await comes(bob)
    await alice.say(room, "hello")
    await told()
    for window in windows:
        window.close()
    await alice.say(room, "hello again")
    presence.changed([who(alice).id])
    await engine.heartbeat()
    await told()
    assert nobody_is_left()
    assert nothing_is_due()
    readers = {id(window.reader) for window in windows}
    windows.clear()
    del window
    async with asyncio.timeout(5):
        while are_held(readers):
            await asyncio.sleep(0.01)  # a check of who came in may be under way


def are_held(readers: set[int]) -> bool:
    """Whether something in memory still refers to a reader, of which these are the identities."""
    gc.collect()
    return any(type(one) is Reader and id(one) in readers for one in gc.get_objects())


async def test_somebody_who_changes_their_mind_a_hundred_times_is_one_thing_to_look_at(
    alice: Person, bob: Person, soup: Room
) -> None:
    window = await Window.open(bob)
    for _ in range(100):
        engine.refresh_requests(who(bob).id)
    await told()
    assert window.look() == ["#entries"]
    assert not window.reader.outbox.is_closed


@pytest.mark.parametrize("act", ["friends/{}/cancel", "friends/{}/remove", "people/{}/block", "people/{}/unblock"])
async def test_who_was_nothing_to_somebody_does_not_feel_what_they_do(
    alice: Person, bob: Person, soup: Room, act: str
) -> None:
    window = await Window.open(bob)
    assert (await alice.post(f"/{act.format(who(bob).code)}")).status_code == 303
    await told()
    assert window.look() == []


async def test_strangers_who_keep_in_touch_find_each_other_in_their_other_windows(alice: Person, bob: Person) -> None:
    wishes = {"rules": "1", "interests": "", "language": "en"}
    windows = [await Window.open(one) for one in (alice, bob)]
    for one in (alice, bob):
        assert (await one.post("/strangers/find", wishes)).status_code == 303
    await alice.get("/strangers")
    for one in (alice, bob):
        await one.post("/strangers/keep")
    chat = await Room.get(kind=DIRECT.stored)
    await told()
    for window in windows:
        window.look()
        assert chat.id in window.entries
        assert window.contacts


# What it costs.


async def test_many_rooms_and_many_friends_are_listed_in_a_few_queries(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await account(f"person-{number}") for number in range(200)]
    now, me = datetime.now(UTC), who(alice).id
    await Friendship.bulk_create(
        [Friendship(low_id=me, high_id=one.id, asked_by=me, asked_at=now, accepted_at=now) for one in people]
    )
    chats = people[:100]
    for one in chats:
        await first_message.post_first(who(alice), one, "Hello", "")
    for number in range(100):
        await make_room(who(alice), f"Room {number}")
    paths = ("/sidebar", "/lobby", "/sidebar", "/lobby")
    asked = {path: len(await record_queries(alice.get(path))) for path in paths}
    assert await Membership.filter(user_id=me).count() == 200
    assert 0 < asked["/sidebar"] <= 4
    assert 0 < asked["/lobby"] <= 6


async def crowd(room: Room, count: int) -> list[Reader]:
    """So many people in the room, each with an open page."""
    people = [await account(f"person-{number}") for number in range(count)]
    await Membership.bulk_create([Membership(room_id=room.id, user_id=user.id) for user in people])
    readers = [engine.page(user.id, user.id, "") for user in people]
    await told()
    for reader in readers:
        reader.outbox.take()
    return readers


@pytest.mark.parametrize("count", [10, 1000])
async def test_a_message_costs_no_query_per_viewer(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    readers = await crowd(room, count)
    asked = await queries(monkeypatch)
    hub().publish_version(f"room:{room.id}", (await post_as(who(alice), room, "for everybody", "nonce")).version)
    asked.clear()
    await told()
    # A heartbeat may come in between, and asks something else.
    of_places = [query for query in asked if "AS membership_id" in query]
    assert len(of_places) == max(1, count // sidebars.BATCH_SIZE)
    assert all(b"for everybody" in reader.outbox.pending for reader in readers)


async def test_as_many_as_come_at_once_are_welcomed_in_turns(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*engine.bound("joining"), 7)
    readers = await crowd(room, 20)
    assert engine.followers_of_room(room.id) == 20
    await alice.say(room, "for everybody")
    await told()
    assert all(b"for everybody" in reader.outbox.pending for reader in readers)


async def test_more_people_than_one_query_takes_are_asked_about_in_slices(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebars, "BATCH_SIZE", 7)
    readers = await crowd(room, 20)
    await alice.say(room, "for everybody")
    await told()
    assert all(b"for everybody" in reader.outbox.pending for reader in readers)


async def test_a_chat_made_by_its_first_message_comes_to_both(alice: Person, bob: Person, room: Room) -> None:
    await befriend(alice, bob)
    window, hers = await Window.open(bob), await Window.open(alice)
    assert (await alice.get(chat_of(bob))).status_code == 200
    await told()
    assert (window.look(), hers.look()) == ([], [])
    await write(alice, bob, "Hello Bob")
    await told()
    assert window.sidebar[0] == Shown("Alice", "Hello Bob", "1")
    assert hers.sidebar[0] == Shown("Bob", "You: Hello Bob")


async def test_what_comes_to_an_open_page_is_delivered(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob, "Hello Bob")
    chat = await Room.get(kind="direct")
    membership = await Membership.get(room_id=chat.id, user_id=who(bob).id)
    assert membership.delivered_number == 0
    await Window.open(bob)
    await alice.say(chat, "Are you there?")
    await told()
    await membership.refresh_from_db()
    assert membership.delivered_number == 2


async def test_somebody_else_may_be_in_a_room_with_no_page_open(app: object, alice: Person, room: Room) -> None:
    dora = await person(app, "dora")
    await dora.say(room, "hello")
    await told()
    assert nobody_is_left()
