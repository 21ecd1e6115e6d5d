"""Messages: posting them once, reading them all, changing one's own; and every way to send what can't be taken."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from tortoise.exceptions import OperationalError

from tests.conftest import Person, bodies, person
from tests.page import words
from tests.people import assert_gapless, make_room, post_as, who
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import RoomRow
from webapp.core.errors import NotFound
from webapp.db import sql, transaction
from webapp.messages import posting, rendering
from webapp.messages.models import MAX_LENGTH, Message, new_nonce
from webapp.messages.posting import Posted
from webapp.messages.queries import PAGE_SIZE, first_since, list_after
from webapp.presence.tracker import tracker

FORM = "application/x-www-form-urlencoded"


def log(page: httpx2.Response) -> dict[int, str]:
    """The messages on the page: number and HTML of each."""
    parts = re.split(r'<li id="message-\d+-(\d+)" class="message', page.text)[1:]
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))


def said(page: httpx2.Response) -> dict[int, str]:
    """The messages on the page: number and words of each."""
    found = {
        number: re.search(r'"message__body" dir="auto">(.*?)</div>', html, re.DOTALL)
        for number, html in log(page).items()
    }
    return {number: words(body[1]) for number, body in found.items() if body}


def draft(page: httpx2.Response) -> str | None:
    """What a person would find in the text field, or beside the problem."""
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)
    return unescape(found[1]) if found else None


def nonce_in(page: httpx2.Response) -> str:
    [nonce] = re.findall(r'name="nonce" value="([^"]*)"', page.text)
    return str(nonce)


async def now(room: Room) -> Room:
    """The room's row as it is."""
    return await Room.get(id=room.id)


async def room_row(room: Room) -> RoomRow:
    found = await room_by_id(room.id)
    assert found
    return found


async def message(room: Room, number: int = 1) -> Message:
    return await Message.get(room_id=room.id, number=number)


async def fill(room: Room, author: Person, count: int) -> None:
    """So many messages: "line 1", "line 2" ..."""
    for number in range(1, count + 1):
        await post_as(who(author), room, f"line {number}", new_nonce())


async def send(one: Person, room: Room, content: Any, kind: str = FORM, **headers: str) -> httpx2.Response:
    """A post with these very bytes as its body."""
    return await one.client.post(f"{room.path}/messages", content=content, headers={"Content-Type": kind, **headers})


async def raw(one: Person, room: Room, body: str, **headers: str) -> httpx2.Response:
    """A post from a browser that does not say where it comes from, but for these headers."""
    request = one.client.build_request("POST", f"{room.path}/messages", data={"body": body}, headers=headers)
    if "Sec-Fetch-Site" not in headers:
        del request.headers["Sec-Fetch-Site"]
    return await one.client.send(request)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the clock by which messages are written."""

    class Clock(datetime):
        stands = datetime.now(UTC)

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return cls.stands

    def set_clock(text: str) -> None:
        Clock.stands = datetime.fromisoformat(text).replace(tzinfo=UTC)

    monkeypatch.setattr(posting, "datetime", Clock)
    return set_clock


@pytest.fixture
async def gone(app: object) -> Person:
    """Somebody whose session has ended."""
    gone = await person(app, "gone")
    await gone.session.delete()
    return gone


# Posting.


async def test_a_message_is_seen_by_everybody(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    answer = await bob.say(room, "Who has *cake*?")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}#composer")
    assert answer.headers["Cache-Control"] == "no-store"
    for one in (alice, bob, charlie):
        page = await one.get(room.path)
        assert said(page) == {1: "Who has cake ?"}
        assert f'data-author="{who(bob).code}"' in log(page)[1]
        assert '<span class="message__author" dir="auto">Bob</span>' in log(page)[1]
        assert "<em>cake</em>" in log(page)[1]
    stored = await message(room)
    assert (stored.number, stored.version, stored.posted_version) == (1, 1, 1)
    assert (stored.body, stored.author_id) == ("Who has *cake*?", who(bob).id)
    assert stored.html == "<p>Who has <em>cake</em>?</p>"
    assert timedelta(0) <= datetime.now(UTC) - stored.created_at < timedelta(minutes=1)


async def test_with_htmx_the_answer_is_a_fresh_nonce_and_nothing_else(bob: Person, room: Room) -> None:
    nonce = nonce_in(await bob.get(room.path))
    answer = await bob.say(room, "hello", nonce, HX_Request="true")
    assert answer.status_code == 200
    assert answer.text.startswith('<div id="sending"')
    assert nonce_in(answer) not in ("", nonce)
    assert words(answer) == ""
    assert "<html" not in answer.text
    assert await bodies(room) == ["hello"]


async def test_from_the_framed_composer_one_comes_back_to_it(bob: Person, room: Room) -> None:
    framed = await bob.get(f"{room.path}/composer")
    assert '<input type="hidden" name="framed" value="1">' in framed.text
    fields = {"body": "hello", "nonce": nonce_in(framed), "framed": "1"}
    answer = await bob.post(f"{room.path}/messages", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}/composer#text")
    assert nonce_in(await bob.get(f"{room.path}/composer")) != fields["nonce"]
    assert await bodies(room) == ["hello"]


async def test_posting_joins(alice: Person, charlie: Person, room: Room) -> None:
    assert not await Membership.exists(room_id=room.id, user_id=who(charlie).id)
    await charlie.say(room, "hello")
    await charlie.say(room, "again")
    membership = await Membership.get(room_id=room.id, user_id=who(charlie).id)
    assert (membership.role, membership.read_number) == ("member", 2)
    assert "Charlie" in words(await alice.get(f"{room.path}/settings"))
    assert 'class="unread"' not in (await charlie.get("/lobby")).text
    await assert_gapless(room, 2)


async def test_what_one_says_is_read_by_oneself_and_unread_by_others(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "one")
    await alice.say(room, "two")
    assert '<span class="unread" title="Unread">2<' in (await bob.get("/lobby")).text
    assert 'class="unread"' not in (await alice.get("/lobby")).text
    await bob.get(room.path)
    assert '<span class="unread" title="Unread">2<' in (await bob.get("/lobby")).text
    await bob.read(room, 1)
    assert '<span class="unread" title="Unread">1<' in (await bob.get("/lobby")).text
    await bob.read(room)
    assert 'class="unread"' not in (await bob.get("/lobby")).text


@pytest.mark.parametrize("path", ["messages", "messages/1/remove"])
async def test_writing_takes_a_form(bob: Person, room: Room, path: str) -> None:
    await bob.say(room, "hello")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        wrong = await bob.client.request(method, f"{room.path}/{path}")
        assert (wrong.status_code, "can't be done here in this way" in words(wrong)) == (405, True)
    assert await bodies(room) == ["hello"]


# The nonce: what is sent twice is posted once.


@pytest.mark.parametrize("is_fragment", [False, True])
async def test_sending_the_same_form_twice_posts_once(bob: Person, room: Room, is_fragment: bool) -> None:
    headers = {"HX_Request": "true"} if is_fragment else {}
    nonce = new_nonce()
    first, second = [await bob.say(room, "hello", nonce, **headers) for _ in range(2)]
    assert first.status_code == second.status_code == (200 if is_fragment else 303)
    assert first.headers.get("Location") == second.headers.get("Location")
    assert await bodies(room) == ["hello"]
    await assert_gapless(room, 1)


async def test_sending_the_same_form_many_times_at_once_posts_once(bob: Person, charlie: Person, room: Room) -> None:
    for one in (bob, charlie):
        nonce = new_nonce()
        answers = await asyncio.gather(*(one.say(room, "hello", nonce) for _ in range(8)))
        assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {
            (303, f"{room.path}#composer")
        }
    await assert_gapless(room, 2)


async def test_a_repeated_post_says_where_the_first_one_is(bob: Person, room: Room) -> None:
    await bob.say(room, "something before")
    first = await post_as(who(bob), room, "hello", "nonce")
    await bob.say(room, "something after")
    assert first == Posted(2, 2, is_repeat=False)
    assert await post_as(who(bob), room, "hello \r\n", "nonce") == Posted(2, 2, is_repeat=True)


async def test_a_used_form_with_other_words_is_another_message(bob: Person, room: Room) -> None:
    nonce = new_nonce()
    for text in ("hello", "goodbye"):
        assert (await bob.say(room, text, nonce)).status_code == 303
    assert await bodies(room) == ["hello", "goodbye"]
    await assert_gapless(room, 2)


async def test_a_nonce_belongs_to_one_person_in_one_room(alice: Person, bob: Person, room: Room) -> None:
    other = await make_room(who(alice), "Another")
    for one, where in ((alice, room), (bob, room), (bob, other)):
        assert (await one.say(where, "hello", "the same")).status_code == 303
    assert await bodies(room) == ["hello", "hello"]
    assert await bodies(other) == ["hello"]


@pytest.mark.parametrize("nonce", ["", "\x00", "x" * 5000, "\ud83c\udf89" * 40, "'; DROP TABLE message; --"])
async def test_a_nonce_of_any_kind_posts(bob: Person, room: Room, nonce: str) -> None:
    nonce = nonce.encode("utf-16", "surrogatepass").decode("utf-16")
    for text in ("one", "two"):
        answer = await bob.post(f"{room.path}/messages", {"body": text, "nonce": nonce})
        assert answer.status_code == 303
    assert await bodies(room) == ["one", "two"]


# Many at once, and in the middle of something.


async def test_many_posts_at_once_are_numbered_without_gaps(app: object, alice: Person, room: Room) -> None:
    crowd = [await person(app, f"person{number}") for number in range(5)]
    answers = await asyncio.gather(*(one.say(room, f"{text}") for text in range(8) for one in crowd))
    assert {answer.status_code for answer in answers} == {303}
    await assert_gapless(room, 40)
    assert (await now(room)).member_count == 6
    page = await alice.get(room.path)
    assert list(said(page)) == list(range(1, 41))
    assert sorted(said(page).values()) == sorted(str(text) for text in range(8) for _ in crowd)
    times = list(await Message.filter(room_id=room.id).order_by("number").values_list("created_at", flat=True))
    assert times == sorted(times)


async def test_posts_edits_and_removals_at_once_take_versions_without_gaps(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 10)
    changes: list[Coroutine[Any, Any, httpx2.Response]] = []
    for number in range(1, 6):
        changes += [
            bob.say(room, "more"),
            bob.post(f"{room.path}/messages/{number}/edit", {"body": "changed"}),
            alice.post(f"{room.path}/messages/{number + 5}/remove"),
        ]
    assert {answer.status_code for answer in await asyncio.gather(*changes)} == {303}
    rows = await Message.filter(room_id=room.id).values_list("number", "version")
    assert sorted(number for number, _ in rows) == list(range(1, 16))
    assert sorted(version for _, version in rows) == list(range(11, 26))
    assert ((await now(room)).version, (await now(room)).last_number) == (25, 15)


@pytest.mark.parametrize("error", [OperationalError("disk full"), RuntimeError("a bug")])
async def test_a_post_that_fails_leaves_nothing_behind(
    bob: Person, charlie: Person, room: Room, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bob.say(room, "before")
    insert = posting.insert_rows

    async def fail(messages: list[Any]) -> None:
        await insert(messages)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert_rows", fail)
        for one in (bob, charlie):
            assert (await one.say(room, "lost")).status_code in (500, 503)
    assert await bodies(room) == ["before"]
    assert not await Membership.exists(room_id=room.id, user_id=who(charlie).id)
    await assert_gapless(room, 1)
    for one in (bob, charlie):
        assert (await one.say(room, "after")).status_code == 303
    await assert_gapless(room, 3)


def moments() -> list[int]:
    """After how many turns of the event loop something is cancelled: each of the first, then now and then."""
    found = [0]
    while found[-1] < 1500:
        found.append(found[-1] + 1 + found[-1] // 25)
    return found


async def cancel_at_every_moment(start: Callable[[int], Coroutine[Any, Any, object]]) -> int:
    """Begin it again and again, each time cancelled a moment later, until one is done before; how many those were."""
    for count, ticks in enumerate(moments(), 1):
        task = asyncio.create_task(start(ticks))
        for _ in range(ticks):
            await asyncio.sleep(0)
        is_done = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await transaction.drain()
        if is_done:
            return count
    raise AssertionError("it never ended")


async def test_a_post_that_is_cancelled_at_any_moment_harms_nobody(alice: Person, charlie: Person, room: Room) -> None:
    async def post(ticks: int) -> None:
        found = await access.by_key(who(charlie), room.key)
        await posting.post(found, f"perhaps {ticks}", new_nonce())

    attempts = await cancel_at_every_moment(post)
    assert attempts > 3
    assert (await alice.say(room, "and the next works")).status_code == 303
    found = await bodies(room)
    assert found[-2:] == [next(text for text in reversed(found) if "perhaps" in text), "and the next works"]
    assert len(set(found)) == len(found) <= attempts + 1
    await assert_gapless(room, len(found))


async def test_after_every_post_that_is_cancelled_the_next_one_works(alice: Person, bob: Person, room: Room) -> None:
    async def post(ticks: int) -> None:
        await post_as(who(bob), room, f"perhaps {ticks}", new_nonce())

    for ticks in range(12):
        task = asyncio.create_task(post(ticks))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            assert (await alice.say(room, f"sure {ticks}")).status_code == 303
    await transaction.drain()
    found = await bodies(room)
    assert [text for text in found if "sure" in text] == [f"sure {ticks}" for ticks in range(12)]
    await assert_gapless(room, len(found))


async def test_a_request_that_is_cancelled_at_any_moment_harms_nobody(
    alice: Person, charlie: Person, room: Room
) -> None:
    async def post(ticks: int) -> None:
        assert (await charlie.say(room, f"perhaps {ticks}")).status_code == 303

    assert await cancel_at_every_moment(post) > 3
    async with asyncio.timeout(10):
        assert (await alice.say(room, "and the next works")).status_code == 303
    found = await bodies(room)
    assert found[-1] == "and the next works"
    await assert_gapless(room, len(found))


async def test_an_edit_and_a_removal_that_are_cancelled_at_any_moment_are_whole_or_not_at_all(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)

    async def edit(ticks: int) -> None:
        await (await message(room)).edit(f"changed {ticks}")

    async def remove(ticks: int) -> None:
        await post_as(who(bob), room, f"to go {ticks}", new_nonce())
        await (await message(room, (await now(room)).last_number)).remove()

    await cancel_at_every_moment(edit)
    first = await message(room)
    assert first.html == f"<p>{first.body}</p>"
    assert first.version == (await now(room)).version
    await cancel_at_every_moment(remove)
    for row in await Message.filter(room_id=room.id):
        assert (row.body == "") == (row.html == "") == (row.removed_at is not None)
    found = await now(room)
    rows = await Message.filter(room_id=room.id).values_list("number", "version")
    assert sorted(number for number, _ in rows) == list(range(1, found.last_number + 1))
    assert max(version for _, version in rows) == found.version
    assert (await alice.say(room, "and the next works")).status_code == 303


# Reading the history.


async def test_a_room_is_painted_when_all_of_it_is_there(bob: Person, room: Room) -> None:
    """It is read from its end: with only the beginning painted, all of it would jump."""
    page = (await bob.get(room.path)).text
    assert '<link rel="expect" href="#all" blocking="render">' in page
    assert page.index('id="log"') < page.index('id="text"') < page.index('<span id="all" hidden></span>')


async def test_an_empty_room_says_so(alice: Person, room: Room) -> None:
    page = await alice.get(room.path)
    assert said(page) == {}
    assert "Nothing has been said here yet. Write the first message." in words(page)
    assert "This is where it begins." in words(page)
    await alice.say(room, "first")
    page = await alice.get(room.path)
    assert said(page) == {1: "first"}
    assert "Nothing has been said" not in words(page)


# What is asked for, and what is shown of 120 messages: the first and the last, before and around which there is more.
PAGES = [
    ("", 71, 120, 71, None),
    ("?before=121", 71, 120, 71, None),
    ("?before=500", 71, 120, 71, None),
    ("?before=71", 21, 70, 21, 95),
    ("?before=51", 1, 50, None, 75),
    ("?before=21", 1, 20, None, 45),
    ("?before=2", 1, 1, None, 26),
    ("?around=60", 35, 84, 35, 109),
    ("?around=10", 1, 50, None, 75),
    ("?around=1", 1, 50, None, 75),
    ("?around=95", 70, 119, 70, 144),
    ("?around=120", 71, 120, 71, None),
    ("?around=9999", 71, 120, 71, None),
]


async def test_the_pages_of_a_long_log(alice: Person, room: Room) -> None:
    await fill(room, alice, 120)
    for query, first, last, earlier, later in PAGES:
        page = await alice.get(f"{room.path}{query}")
        assert said(page) == {number: f"line {number}" for number in range(first, last + 1)}, query
        assert ("This is where it begins." in words(page)) == (earlier is None), query
        assert re.findall(r'<a href="[^"]*\?before=(\d+)"', page.text) == ([str(earlier)] if earlier else []), query
        assert re.findall(r'\?around=(\d+)">Later messages', page.text) == ([str(later)] if later else []), query
        assert (f'<a href="{room.path}">Newest messages</a>' in page.text) == (later is not None), query
        assert (f'hx-sse:connect="{room.path}/events' in page.text) == (query == ""), query


async def test_walking_through_the_log_in_both_directions_misses_nothing(alice: Person, room: Room) -> None:
    await fill(room, alice, 120)
    seen: set[int] = set()
    page = await alice.get(room.path)
    while found := re.search(r'<a href="([^"]*\?before=\d+)"', page.text):
        seen |= said(page).keys()
        page = await alice.get(found[1])
    seen |= said(page).keys()
    assert seen == set(range(1, 121))
    seen = set(said(page))
    while found := re.search(r'<a href="([^"]*)">Later messages', page.text):
        page = await alice.get(found[1])
        assert min(said(page)) <= max(seen) + 1
        seen |= said(page).keys()
    assert seen == set(range(1, 121))


async def test_before_the_first_message_there_is_the_way_back(alice: Person, room: Room) -> None:
    await fill(room, alice, 3)
    page = await alice.get(f"{room.path}?before=1")
    assert said(page) == {}
    assert "This is where it begins." in words(page)
    assert "Nothing has been said" not in words(page)
    assert f'<a href="{room.path}">Newest messages</a>' in page.text
    [later] = re.findall(r'<a href="([^"]*)">Later messages', page.text)
    assert list(said(await alice.get(later))) == [1, 2, 3]


async def test_a_page_has_fifty_messages_and_says_whether_there_are_more(alice: Person, room: Room) -> None:
    await fill(room, alice, PAGE_SIZE)
    page = await alice.get(room.path)
    assert list(said(page)) == list(range(1, PAGE_SIZE + 1))
    assert "This is where it begins." in words(page)
    await alice.say(room, "one more")
    page = await alice.get(room.path)
    assert list(said(page)) == list(range(2, PAGE_SIZE + 2))
    assert "Earlier messages" in words(page)


async def test_with_htmx_earlier_messages_come_alone(alice: Person, room: Room) -> None:
    await fill(room, alice, 60)
    fragment = await alice.get(f"{room.path}?before=11", HX_Request="true")
    assert list(said(fragment)) == list(range(1, 11))
    assert "<html" not in fragment.text
    assert '<hx-partial hx-target="#earlier" hx-swap="outerHTML">' in fragment.text
    assert "This is where it begins." in words(fragment)
    fragment = await alice.get(f"{room.path}?before=55", HX_Request="true")
    assert list(said(fragment)) == list(range(5, 55))
    assert f'hx-get="{room.path}?before=5"' in fragment.text


@pytest.mark.parametrize(
    "query",
    [
        f"{name}={value}"
        for name in ("before", "around")
        for value in (
            "abc",
            "-1",
            "0",
            "",
            "1.5",
            "99999999999999999999",
            "9" * 5000,
            "%C2%B2",
            "%D9%A3",
            "%00",
            "1%20",
        )
    ],
)
async def test_a_place_in_the_log_that_cannot_be_is_nowhere(alice: Person, room: Room, query: str) -> None:
    await fill(room, alice, 1)
    assert (await alice.get(f"{room.path}?{query.partition('=')[0]}=2")).status_code == 200
    for headers in ({}, {"HX_Request": "true"}):
        answer = await alice.get(f"{room.path}?{query}", **headers)
        assert answer.status_code == 404
        assert "There is no message with that number." in words(answer)


async def test_a_permalink_leads_to_the_message(alice: Person, charlie: Person, room: Room) -> None:
    await fill(room, alice, 120)
    for number, query in ((120, ""), (71, ""), (70, "?around=70"), (1, "?around=1")):
        answer = await charlie.get(f"{room.path}/messages/{number}")
        assert answer.status_code == 303
        way, _, mark = answer.headers["Location"].partition("#")
        assert (way, mark) == (f"{room.path}{query}", f"message-{room.id}-{number}")
        page = await charlie.get(way)
        assert f'id="{mark}"' in page.text
        assert f'href="{room.path}/messages/{number}"' in page.text


@pytest.mark.parametrize("number", ["0", "2", "99999999999999999999", "-1", "abc", "1.5"])
async def test_a_message_that_never_was_is_nowhere(alice: Person, room: Room, number: str) -> None:
    await fill(room, alice, 1)
    assert (await alice.get(f"{room.path}/messages/1")).status_code == 303
    assert (await alice.get(f"{room.path}/messages/1/edit")).status_code == 200
    assert (await alice.get(f"{room.path}/messages/{number}")).status_code == 404
    assert (await alice.get(f"{room.path}/messages/{number}/edit")).status_code == 404
    for way in ("edit", "remove"):
        answer = await alice.post(f"{room.path}/messages/{number}/{way}", {"body": "changed"})
        assert answer.status_code == 404
    assert await bodies(room) == ["line 1"]


async def test_the_log_is_for_people_who_are_signed_in(alice: Person, visitor: Person, room: Room) -> None:
    await alice.say(room, "hello")
    for path in ("", "?before=2", "/messages/1", "/messages/1/edit"):
        assert (await alice.get(f"{room.path}{path}")).status_code in (200, 303)
        answer = await visitor.get(f"{room.path}{path}")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/login?next=%2Frooms%2Ftea-cake")
        assert (await visitor.get(f"{room.path}{path}", HX_Request="true")).status_code == 401
    assert (await visitor.get(f"{room.path}/composer")).status_code == 401


# Days and grouping.


def groups(page: httpx2.Response) -> dict[int, str]:
    """For each message on the page: `day` when a day begins with it, `same` when it continues the one before."""
    return {
        number: "day" if "message__day" in html else "same" if html.startswith(" message--continues") else "own"
        for number, html in log(page).items()
    }


async def test_messages_of_one_author_minutes_apart_are_shown_together(
    alice: Person, bob: Person, room: Room, at: Callable[[str], None]
) -> None:
    for time, one in (
        ("2024-05-01 10:00:00", alice),
        ("2024-05-01 10:04:59", alice),
        ("2024-05-01 10:09:58", alice),
        ("2024-05-01 10:14:58", alice),  # five minutes after
        ("2024-05-01 10:15:00", bob),
        ("2024-05-01 10:15:01", alice),
        ("2024-05-01 10:15:02", alice),
    ):
        at(time)
        await one.say(room, time)
    page = await alice.get(room.path)
    assert list(groups(page).values()) == ["day", "same", "same", "own", "own", "own", "same"]
    assert 'class="avatar' in log(page)[1]
    assert 'class="avatar' not in log(page)[2]
    assert '<time class="clock" datetime="2024-05-01T10:14:58Z">10:14</time>' in log(page)[4]
    assert '<p class="message__day"><time datetime="2024-05-01">Wednesday, 1 May 2024</time></p>' in log(page)[1]


async def test_a_day_begins_at_the_midnight_of_the_site(
    alice: Person, room: Room, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SITE_TIMEZONE", ZoneInfo("Europe/Berlin"))
    for time in ("2024-04-30 21:59:58", "2024-04-30 21:59:59", "2024-04-30 22:00:00", "2024-04-30 22:00:01"):
        at(time)
        await alice.say(room, time)
    at("2024-05-03 00:00:00")
    await alice.say(room, "days later")
    page = await alice.get(room.path)
    assert list(groups(page).values()) == ["day", "same", "day", "same", "day"]
    assert 'datetime="2024-04-30">Tuesday, 30 April 2024<' in log(page)[1]
    assert 'datetime="2024-05-01">Wednesday, 1 May 2024<' in log(page)[3]
    assert ">23:59</time>" in log(page)[2]
    assert ">00:00</time>" in log(page)[3]
    assert 'datetime="2024-05-03">Friday, 3 May 2024<' in log(page)[5]


async def test_a_day_leads_to_its_first_message_or_the_next_one_after_it(
    alice: Person, room: Room, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SITE_TIMEZONE", ZoneInfo("Europe/Berlin"))
    for time in ("2024-04-30 21:59:59", "2024-04-30 22:00:00", "2024-05-01 09:00:00", "2024-05-04 00:00:00"):
        at(time)
        await fill(room, alice, 60)
    leads = {
        day: (await alice.get(f"{room.path}?date={day}")).headers["Location"].removeprefix(room.path)
        for day in ("1999-01-01", "2024-04-30", "2024-05-01", "2024-05-02", "2024-05-04", "2024-05-05")
    }
    assert leads == {
        "1999-01-01": f"?around=1#message-{room.id}-1",
        "2024-04-30": f"?around=1#message-{room.id}-1",
        "2024-05-01": f"?around=61#message-{room.id}-61",
        "2024-05-02": f"?around=181#message-{room.id}-181",
        "2024-05-04": f"?around=181#message-{room.id}-181",
        "2024-05-05": "",
    }
    page = await alice.get(room.path)
    assert 'type="date" name="date" required min="2' in page.text
    assert f'href="{room.path}/messages/1"' in page.text


@pytest.mark.parametrize("date", ["", "x", "2024-13-01", "20240501", "0001-01-01", "9999-12-31", "-2024-01-01"])
async def test_what_is_no_day_leads_nowhere(alice: Person, room: Room, date: str) -> None:
    await fill(room, alice, 1)
    assert said(await alice.get(f"{room.path}?date={date}")) == {1: "line 1"}


async def test_a_day_in_a_room_without_messages_is_the_room(alice: Person, room: Room) -> None:
    assert (await alice.get(f"{room.path}?date=2024-05-01")).headers["Location"] == room.path
    assert 'name="date"' not in (await alice.get(room.path)).text


async def test_the_first_message_of_a_moment_is_found_whatever_the_size_of_the_room(
    alice: Person, room: Room, at: Callable[[str], None]
) -> None:
    """Also where those before it were deleted."""
    begin = datetime(2024, 5, 1, tzinfo=UTC)
    for count in (1, 2, 49, 50, 51, 101):
        await Message.filter(room_id=room.id).delete()
        await Message.bulk_create(
            Message(
                room_id=room.id, number=number, posted_version=number, version=number, body="", html="",
                created_at=begin + timedelta(minutes=number),
            )
            for number in range(2, count + 1)
        )  # fmt: skip
        row = replace(await room_row(room), last_number=count)
        found = [await first_since(row, begin + timedelta(minutes=number)) for number in range(count + 2)]
        last = count if count > 1 else 0
        assert found == [min(2, last), min(2, last), *range(2, count + 1), 0][: count + 2]


async def test_what_follows_a_removed_message_stands_on_its_own(
    alice: Person, room: Room, at: Callable[[str], None]
) -> None:
    at("2024-05-01 10:00:00")
    await fill(room, alice, 2)
    await alice.post(f"{room.path}/messages/2/remove")
    await alice.say(room, "after it")
    await alice.say(room, "and on")
    assert list(groups(await alice.get(room.path)).values()) == ["day", "same", "own", "same"]


async def test_the_words_of_somebody_who_left_stay(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "my legacy")
    await User.filter(id=who(bob).id).delete()
    page = await alice.get(room.path)
    assert said(page) == {1: "my legacy"}
    assert "Deleted account" in words(log(page)[1])
    assert 'data-author=""' in log(page)[1]


# Editing.


async def test_an_edit_is_seen_by_others_under_the_same_number(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    form = await bob.get(f"{room.path}/messages/1/edit")
    assert draft(form) == "line 1"
    answer = await bob.post(f"{room.path}/messages/1/edit", {"body": "better *words* \r\n"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{room.path}/messages/1"
    page = await alice.get(room.path)
    assert said(page) == {1: "better words", 2: "line 2"}
    assert '<span class="message__edited">edited</span>' in log(page)[1]
    assert "message__edited" not in log(page)[2]
    changed = await message(room)
    assert (changed.number, changed.posted_version, changed.version) == (1, 1, 3)
    assert (changed.body, changed.html) == ("better *words*", "<p>better <em>words</em></p>")
    assert changed.edited_at
    assert ((await now(room)).version, (await now(room)).last_number) == (3, 2)


async def test_an_edit_to_the_same_words_changes_nothing(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    for same in ("line 1", "\r\nline 1 \r\n\r\n"):
        answer = await bob.post(f"{room.path}/messages/1/edit", {"body": same})
        assert answer.status_code == 303
    assert "message__edited" not in (await bob.get(room.path)).text
    assert (await message(room)).edited_at is None
    await assert_gapless(room, 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "Write something first."), ("\u200b", "Write something first."), ("x" * 4001, "That is 4,001 characters")],
)
async def test_an_edit_that_cannot_be_taken_keeps_what_was_typed(
    bob: Person, room: Room, text: str, problem: str
) -> None:
    await fill(room, bob, 1)
    refused = await bob.post(f"{room.path}/messages/1/edit", {"body": text})
    assert refused.status_code == 422
    assert problem in words(refused)
    assert draft(refused) == text
    assert said(await bob.get(room.path)) == {1: "line 1"}
    await assert_gapless(room, 1)
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "x" * 4000})).status_code == 303


async def test_only_the_author_changes_the_words(
    alice: Person, bob: Person, charlie: Person, admin: Person, visitor: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "mine"})).status_code == 303
    for one in (alice, admin, charlie):
        refused = await one.post(f"{room.path}/messages/1/edit", {"body": "put into his mouth"})
        assert refused.status_code == 404
        assert "not yours" in words(refused)
    page = await charlie.get(f"{room.path}/messages/1/edit")
    assert page.status_code == 200
    assert draft(page) is None
    assert "Remove" not in page.text
    assert f'href="/report?about=message%3A{room.key}%3A1"' in page.text
    signed_out = await visitor.post(f"{room.path}/messages/1/edit", {"body": "anonymous"})
    assert signed_out.headers["Location"].startswith("/login")
    foreign = await bob.post(f"{room.path}/messages/1/edit", {"body": "foreign"}, Sec_Fetch_Site="cross-site")
    assert foreign.status_code == 403
    assert await bodies(room) == ["mine"]
    assert (await now(room)).version == 2


async def test_a_message_is_edited_in_its_own_room_only(alice: Person, bob: Person, room: Room) -> None:
    other = await make_room(who(bob), "Another")
    await fill(room, bob, 2)
    assert (await bob.post(f"{room.path}/messages/2/edit", {"body": "here"})).status_code == 303
    for way in ("edit", "remove"):
        assert (await bob.post(f"{other.path}/messages/2/{way}", {"body": "there"})).status_code == 404
    assert await bodies(room) == ["line 1", "here"]


async def test_those_who_moderate_get_the_words_and_the_way_to_remove_them(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    await bob.say(room, "rude **words**")
    assert "Edit your message" in words(await bob.get(f"{room.path}/messages/1/edit"))
    for one in (alice, admin):
        page = await one.get(f"{room.path}/messages/1/edit")
        assert page.status_code == 200
        assert "Remove the message" in words(page)
        assert "<strong>words</strong>" in page.text
        assert draft(page) is None


async def test_two_edits_at_once_leave_one_of_them_whole(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    ways = [bob.post(f"{room.path}/messages/1/edit", {"body": f"*{text}*"}) for text in "abcd"]
    assert {answer.status_code for answer in await asyncio.gather(*ways)} == {303}
    changed = await message(room)
    assert changed.html == f"<p><em>{changed.body.strip('*')}</em></p>"
    assert changed.version == (await now(room)).version == 5


def version_in(page: httpx2.Response) -> str:
    [version] = re.findall(r'name="version" value="(\d+)"', page.text)
    return version


async def test_the_second_of_two_tabs_that_edit_a_message_sees_both_texts(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    first, second = version_in(await bob.get(path)), version_in(await bob.get(path))
    assert (await bob.post(path, {"body": "from the *first*", "version": first})).status_code == 303
    refused = await bob.post(path, {"body": "from the second", "version": second})
    assert refused.status_code == 409
    assert "This message was edited while you wrote." in words(refused)
    assert "What it says now: from the first" in words(refused)
    assert draft(refused) == "from the second"
    assert await bodies(room) == ["from the *first*"]
    assert (await now(room)).version == 2
    again = {"body": "from both", "version": version_in(refused)}
    assert (await bob.post(path, again)).status_code == 303
    assert await bodies(room) == ["from both"]
    assert (await bob.post(path, again)).status_code == 303  # the same once more
    await bob.post(f"{room.path}/messages/1/remove")
    assert (await bob.post(path, {"body": "too late", "version": first})).status_code == 404


async def test_an_edit_that_was_too_long_still_began_from_the_words_it_began_from(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    first = version_in(await bob.get(path))
    assert (await bob.post(path, {"body": "from the other tab", "version": first})).status_code == 303
    too_long = await bob.post(path, {"body": "x" * 5000, "version": first})
    assert too_long.status_code == 422
    assert (await bob.post(path, {"body": "shorter", "version": version_in(too_long)})).status_code == 409
    assert await bodies(room) == ["from the other tab"]


async def test_of_edits_at_once_that_began_from_the_same_words_one_is_stored(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    answers = await asyncio.gather(*(bob.post(path, {"body": text, "version": "1"}) for text in "abcd"))
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
    assert [draft(answer) for answer in answers if answer.status_code == 409] == [
        text for text in "abcd" if [text] != await bodies(room)
    ]


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 50, "\u0663"])
async def test_an_edit_that_names_no_version_is_stored(bob: Person, room: Room, version: str) -> None:
    """So do pages that were served before there was one."""
    await fill(room, bob, 1)
    answer = await bob.post(f"{room.path}/messages/1/edit", {"body": "changed", "version": version})
    assert answer.status_code == 303
    assert await bodies(room) == ["changed"]


async def test_what_is_read_after_a_number_has_the_address_of_its_message(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    found = await list_after(await now(room), 1, 10)
    assert [line.path for line in found] == [f"{room.path}/messages/2"]
    assert (await bob.get(found[0].path)).status_code == 303


# In place: what the script of a room asks for, and puts where the message stands.


async def test_script_is_given_the_forms_of_a_message_and_the_message_that_they_lead_to(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1"
    forms = await bob.get(f"{path}/edit", HX_Request="true")
    assert "<html" not in forms.text
    assert draft(forms) == "line 1"
    assert [f'action="{path}/edit"' in forms.text, f'action="{path}/remove"' in forms.text] == [True, True]
    assert 'id="text"' not in forms.text  # that is the composer's
    edited = await bob.post(f"{path}/edit", {"body": "better", "version": version_in(forms)}, HX_Request="true")
    assert edited.status_code == 200
    assert said(edited) == said(await alice.get(room.path)) == {1: "better"}
    assert "message__edited" in edited.text
    removed = await bob.post(f"{path}/remove", HX_Request="true")
    assert said(removed) == said(await alice.get(room.path)) == {1: "Removed"}


async def test_script_is_given_what_went_wrong_with_an_edit(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    version = version_in(await bob.get(path))
    too_long = await bob.post(path, {"body": "x" * 4001, "version": version}, HX_Request="true")
    assert too_long.status_code == 422
    assert draft(too_long) == "x" * 4001
    assert "That is 4,001 characters" in words(too_long)
    await bob.post(path, {"body": "from the other tab", "version": version})
    changed = await bob.post(path, {"body": "mine", "version": version}, HX_Request="true")
    assert changed.status_code == 409
    assert draft(changed) == "mine"
    assert "What it says now: from the other tab" in words(changed)
    await bob.post(f"{room.path}/messages/1/remove")
    gone = await bob.post(path, {"body": "mine", "version": version}, HX_Request="true")
    assert gone.status_code == 404
    assert "This message has been removed." in words(gone)
    for answer in (too_long, changed, gone):
        assert "<html" not in answer.text


async def test_a_message_is_marked_as_unread_from_its_page(alice: Person, bob: Person, room: Room) -> None:
    await alice.post(f"{room.path}/join")
    await fill(room, bob, 4)
    await alice.read(room)
    assert ">Mark as unread from here<" in (await alice.get(f"{room.path}/messages/3/edit")).text
    answer = await alice.post(f"{room.path}/settings", {"do": "unread", "number": "3"}, HX_Request="true")
    assert answer.status_code == 200
    assert words(answer) == "Marked as unread."
    assert (await Membership.get(room_id=room.id, user_id=who(alice).id)).read_number == 2


async def test_who_is_not_in_the_room_marks_nothing_as_unread(admin: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    page = await admin.get(f"{room.path}/messages/1/edit")
    assert page.status_code == 200
    assert "Mark as unread" not in page.text


# Removing.


@pytest.mark.parametrize("name", ["bob", "alice", "admin"])
async def test_the_author_the_owner_and_an_administrator_may_remove(
    name: str, alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    await bob.say(room, "a secret *word*")
    await bob.say(room, "harmless")
    one = {"bob": bob, "alice": alice, "admin": admin}[name]
    answer = await one.post(f"{room.path}/messages/1/remove")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}/messages/1")
    for reader in (alice, bob, charlie):
        page = await reader.get(room.path)
        assert said(page) == {1: "Removed", 2: "harmless"}
        assert "secret" not in page.text
        assert f'href="{room.path}/messages/1/edit"' not in page.text
    removed = await message(room)
    assert (removed.body, removed.html) == ("", "")
    assert removed.removed_at
    assert (removed.number, removed.posted_version, removed.version) == (1, 1, 3)
    for row in await sql.fetch_all("SELECT * FROM message WHERE number = 1"):
        assert not [value for value in row if "secret" in str(value)]


async def test_nobody_else_may_remove(alice: Person, bob: Person, charlie: Person, visitor: Person, room: Room) -> None:
    await fill(room, alice, 1)
    for one in (bob, charlie):
        refused = await one.post(f"{room.path}/messages/1/remove")
        assert refused.status_code == 404
        assert "not yours" in words(refused)
    assert (await visitor.post(f"{room.path}/messages/1/remove")).headers["Location"].startswith("/login")
    foreign = await alice.post(f"{room.path}/messages/1/remove", Sec_Fetch_Site="same-site")
    assert foreign.status_code == 403
    assert await bodies(room) == ["line 1"]
    await assert_gapless(room, 1)
    assert (await alice.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert await bodies(room) == [""]


async def test_removing_twice_is_as_good_as_once(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    await fill(room, bob, 1)
    answers = await asyncio.gather(*(one.post(f"{room.path}/messages/1/remove") for one in (bob, bob, alice, alice)))
    assert {answer.status_code for answer in answers} == {303}
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert (await charlie.post(f"{room.path}/messages/1/remove")).status_code == 404
    assert ((await message(room)).version, (await now(room)).version) == (2, 2)


async def test_a_removed_message_cannot_be_edited(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    for number in (1, 2):
        assert (await bob.get(f"{room.path}/messages/{number}/edit")).status_code == 200
    await bob.post(f"{room.path}/messages/1/remove")
    assert (await bob.get(f"{room.path}/messages/1/edit")).status_code == 404
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "back again"})).status_code == 404
    assert (await bob.post(f"{room.path}/messages/2/edit", {"body": "changed"})).status_code == 303
    assert await bodies(room) == ["", "changed"]


async def test_an_edit_that_comes_after_the_removal_brings_nothing_back(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    held = await message(room)
    await alice.post(f"{room.path}/messages/1/remove")
    with pytest.raises(NotFound):
        await held.edit("back again")
    assert await bodies(room) == [""]
    assert (await now(room)).version == 2


# What can't be taken.


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "\n\n \t\r\n",
            "\u200b",
            "\u200d\u200c",
            "\ufeff",
            "\u202e\u2066",
            "\x00\x01\x7f",
            "\u00ad",
            "\u00a0",
        ),
        *("\u2028", "\u3000", "\u0301", "\ufe0f", "\U000e0041", "\u3164"),
    ],
)
async def test_a_message_that_nobody_can_see_is_refused(bob: Person, room: Room, text: str) -> None:
    nonce = new_nonce()
    page = await bob.say(room, text, nonce)
    fragment = await bob.say(room, text, nonce, HX_Request="true")
    framed = await bob.post(f"{room.path}/messages", {"body": text, "nonce": nonce, "framed": "1"})
    for answer in (page, fragment, framed):
        assert answer.status_code == 422
        assert "Write something first." in words(answer)
        assert nonce_in(answer) == nonce
    assert await bodies(room) == []
    assert (await bob.say(room, f"{text}.", nonce)).status_code == 303
    await assert_gapless(room, 1)


async def test_what_is_too_long_is_refused_and_kept(bob: Person, room: Room) -> None:
    assert MAX_LENGTH == 4000
    for fits in ("x" * 4000, "🎉" * 4000, "\r\n" * 3 + "é" * 4000 + " " * 100, "y" * 1999 + "\r\n" + "y" * 2000):
        assert (await bob.say(room, fits)).status_code == 303, fits[:3]
    assert [len(body) for body in await bodies(room)] == [4000, 4000, 4000, 4000]
    long, nonce = "<b>" + "x" * 3998, new_nonce()
    page = await bob.say(room, long, nonce)
    framed = await bob.post(f"{room.path}/messages", {"body": long, "nonce": nonce, "framed": "1"})
    fragment = await bob.say(room, long, nonce, HX_Request="true")
    for answer in (page, framed, fragment):
        assert answer.status_code == 422
        assert "That is 4,001 characters; 4,000 fit in a message." in words(answer)
        assert nonce_in(answer) == nonce
    assert draft(page) == draft(framed) == long
    assert page.text.count("<html") == framed.text.count("<html") == 1
    assert said(page).keys() == {1, 2, 3, 4}
    assert 'id="log"' not in framed.text
    assert fragment.text.startswith('<div id="sending"')
    await assert_gapless(room, 4)
    assert (await bob.say(room, long[1:], nonce)).status_code == 303


async def test_characters_that_do_harm_are_left_out_and_the_rest_is_kept(bob: Person, room: Room) -> None:
    await bob.say(room, "a\x00b\x08c\x1b[31m\u202ed\u2066e\ufefff\x7f\u0085")
    await bob.say(room, "one\r\ntwo\rthree\n\n\n\n\n\nfour\ttab  ")
    await bob.say(room, "👩\u200d👩\u200d👧 🏳️\u200d🌈 می\u200cخواهم e\u0301")
    stored = await bodies(room)
    assert stored[0] == "abcdef"
    assert stored[1] == "one\ntwo\nthree\n\n\nfour\ttab"
    assert stored[2] == "👩\u200d👩\u200d👧 🏳️\u200d🌈 می\u200cخواهم é"
    assert said(await bob.get(room.path))[1] == "abcdef"


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b"body=%FF%FEhello&nonce=n", "\ufffd\ufffdhello"),
        (b"body=caf%C3%A9&nonce=%FF", "café"),
        (b"body=%ED%A0%80half", "\ufffd\ufffd\ufffdhalf"),
        (b"body=%F0%9F%8E%89&body=", ""),
        (b"body=first&nonce=a&nonce=b", "first"),
        (b"body=a%zzb", "a%zzb"),
        (b"&&&body=plus+and%26&&", "plus and&"),
    ],
)
async def test_bytes_that_are_no_text_become_text(bob: Person, room: Room, content: bytes, stored: str) -> None:
    answer = await send(bob, room, content)
    assert answer.status_code == (303 if stored else 422)
    assert await bodies(room) == ([stored] if stored else [])
    assert list(said(await bob.get(room.path)).values()) == ([stored] if stored else [])


async def test_script_is_shown_as_it_was_typed(alice: Person, bob: Person, room: Room) -> None:
    typed = "<script>alert(1)</script> <img src=x onerror=alert(2)> &lt; \"'"
    await bob.say(room, typed)
    page = await alice.get(room.path)
    assert said(page) == {1: typed}
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert await bodies(room) == [typed]
    assert draft(await bob.get(f"{room.path}/messages/1/edit")) == typed


async def test_a_draft_of_script_is_shown_as_it_was_typed(bob: Person, room: Room) -> None:
    typed = "</textarea><script>alert(1)</script>" + "x" * 4000
    page = await bob.say(room, typed, '"><script>alert(2)</script>')
    assert page.status_code == 422
    assert draft(page) == typed
    assert "<script>alert" not in page.text


async def test_a_body_of_megabytes_is_refused(bob: Person, room: Room) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"body="
        for _ in range(100):
            yield b"x" * 100_000

    assert (await send(bob, room, b"body=" + b"x" * 4000)).status_code == 303
    for content in (b"body=" + b"x" * 10_000_000, chunks()):
        refused = await send(bob, room, content)
        assert refused.status_code == 413
        assert "too large to send" in words(refused)
    assert len(await bodies(room)) == 1


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "nonsense", "application/xml"])
async def test_a_body_that_is_no_form_is_refused(bob: Person, room: Room, kind: str) -> None:
    assert (await send(bob, room, b"body=hello")).status_code == 303
    refused = await send(bob, room, b'{"body": "hello"}', kind)
    assert refused.status_code == 422
    assert "Write something first." in words(refused)
    assert await bodies(room) == ["hello"]


async def test_a_form_with_parts_is_taken_unless_it_is_broken_or_holds_a_file(bob: Person, room: Room) -> None:
    def parts(disposition: str, end: str = "--x--\r\n") -> bytes:
        return f'--x\r\nContent-Disposition: form-data; name="body"{disposition}\r\n\r\nhello\r\n{end}'.encode()

    kind = "multipart/form-data; boundary=x"
    assert (await send(bob, room, parts(""), kind)).status_code == 303
    for content in (parts('; filename="body.txt"'), b"garbage", b""):
        refused = await send(bob, room, content, kind)
        assert refused.status_code in (400, 422)
        assert words(refused)
    assert await bodies(room) == ["hello"]


async def test_a_form_with_very_many_fields_is_refused(bob: Person, room: Room) -> None:
    assert (await send(bob, room, b"a=1&body=hello")).status_code == 303
    refused = await send(bob, room, b"&".join(b"a=1" for _ in range(1000)) + b"&body=hello")
    assert refused.status_code == 400
    assert "The request could not be read." in words(refused)
    assert await bodies(room) == ["hello"]


async def test_a_post_from_another_site_is_refused_and_nothing_is_stored(
    alice: Person, bob: Person, room: Room
) -> None:
    assert (await raw(bob, room, "from here", Origin="http://localhost")).status_code == 303
    assert (await raw(bob, room, "from here too", Referer="http://localhost/rooms/tea-cake")).status_code == 303
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/localhost"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ):
        refused = await raw(bob, room, "from there", **headers)
        assert refused.status_code == 403, headers
        assert re.search(
            r"This came from another site|This form came from \S+, but reached this server", words(refused)
        )
    assert await bodies(room) == ["from here", "from here too"]


async def test_a_browser_that_tells_nothing_posts_with_the_token_of_its_page(bob: Person, room: Room) -> None:
    [token] = set(re.findall(r'name="token" value="([^"]+)"', (await bob.get(room.path)).text))
    request = bob.client.build_request("POST", f"{room.path}/messages", data={"body": "from w3m", "token": token})
    del request.headers["Sec-Fetch-Site"]
    assert (await bob.client.send(request)).status_code == 303
    request = bob.client.build_request("POST", f"{room.path}/messages", data={"body": "forged", "token": token[::-1]})
    del request.headers["Sec-Fetch-Site"]
    assert (await bob.client.send(request)).status_code == 403
    assert await bodies(room) == ["from w3m"]


# The draft is kept.


async def test_whoever_is_signed_out_meanwhile_keeps_the_draft(gone: Person, visitor: Person, room: Room) -> None:
    for one in (gone, visitor):
        page = await one.say(room, "a <long> thought")
        assert page.status_code == 401
        assert draft(page) == "a <long> thought"
        assert '<a class="button" href="/login">Sign in</a>' in page.text
        fragment = await one.say(room, "a <long> thought", "my nonce", HX_Request="true")
        assert fragment.status_code == 401
        assert fragment.text.startswith('<div id="sending"')
        assert nonce_in(fragment) == "my nonce"
        assert "You are signed out. Sign in and send it again." in words(fragment)
    assert await bodies(room) == []


async def test_a_room_that_is_not_there_gives_the_draft_back(bob: Person, room: Room) -> None:
    assert (await bob.say(room, "hello")).status_code == 303
    page = await bob.post("/rooms/nowhere/messages", {"body": "a <long> thought"})
    assert page.status_code == 404
    assert draft(page) == "a <long> thought"
    assert "There is no such room. It may have been deleted." in words(page)
    fragment = await bob.post("/rooms/nowhere/messages", {"body": "a <long> thought"}, HX_Request="true")
    assert fragment.status_code == 404
    assert fragment.text.startswith('<div id="sending"')


async def test_posting_to_a_room_that_was_left_a_moment_ago_joins_it_again(bob: Person, room: Room) -> None:
    await bob.say(room, "hello")
    await bob.post(f"{room.path}/leave")
    assert (await now(room)).member_count == 1
    assert (await bob.say(room, "one more thing")).status_code == 303
    await assert_gapless(room, 2)
    assert (await now(room)).member_count == 2


async def test_a_post_that_is_on_its_way_when_one_leaves_joins_again(bob: Person, room: Room) -> None:
    held = await access.by_key(who(bob), room.key)
    assert held.membership
    await bob.post(f"{room.path}/leave")
    await posting.post(held, "one more thing", new_nonce())
    assert (await Membership.get(room_id=room.id, user_id=who(bob).id)).read_number == 1
    await assert_gapless(room, 1)


async def test_posting_very_often_is_slowed_down_and_loses_nothing(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    texts = [f"line {number}" for number in range(100)]
    answers = await asyncio.gather(*(bob.say(room, text) for text in texts))
    stored = [text for text, answer in zip(texts, answers, strict=True) if answer.status_code == 303]
    refused = {text: answer for text, answer in zip(texts, answers, strict=True) if answer.status_code == 429}
    assert len(stored) + len(refused) == 100
    assert len(stored) >= 20
    assert refused
    assert sorted(await bodies(room)) == sorted(stored)
    await assert_gapless(room, len(stored))
    for text, answer in refused.items():
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
        assert draft(answer) == text
        assert "Too many attempts. Wait" in words(answer)
    assert (await alice.say(room, "others are not slowed down")).status_code == 303


@pytest.mark.parametrize("way", ["page", "framed", "fragment"])
async def test_what_is_sent_too_often_is_kept_with_its_nonce(
    bob: Person, room: Room, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    for number in range(20):
        assert (await bob.say(room, f"line {number}")).status_code == 303
    headers = {"HX_Request": "true"} if way == "fragment" else {}
    fields = {"body": "once more", "nonce": "my nonce", "framed": "1" if way == "framed" else ""}
    refused = await bob.post(f"{room.path}/messages", fields, **headers)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"].isdigit()
    assert nonce_in(refused) == "my nonce"
    assert draft(refused) == (None if way == "fragment" else "once more")
    assert "Too many attempts." in words(refused)


@pytest.mark.parametrize("error", [OperationalError("gone"), ConnectionRefusedError()], ids=["database", "network"])
async def test_while_the_database_is_away_the_draft_is_kept(
    bob: Person, room: Room, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    for target, name in ((transaction, "transact_here"), (access, "for_reading")):
        with monkeypatch.context() as away:
            away.setattr(target, name, fail)
            page = await bob.say(room, "a <long> thought", "my nonce")
            fields = {"body": "a <long> thought", "nonce": "my nonce", "framed": "1"}
            framed = await bob.post(f"{room.path}/messages", fields)
            fragment = await bob.say(room, "a <long> thought", "my nonce", HX_Request="true")
        for answer in (page, framed, fragment):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
            assert "Parley can't read or keep anything right now." in words(answer)
            assert nonce_in(answer) == "my nonce"
        assert fragment.text.startswith('<div id="sending"')
        for answer in (page, framed):  # from where it can be sent again
            assert draft(answer) == "a <long> thought"
            assert f'action="{room.path}/messages"' in answer.text
    assert await bodies(room) == []
    assert (await bob.say(room, "a <long> thought", "my nonce")).status_code == 303


async def test_while_nobody_can_be_recognised_the_draft_is_kept_too(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(sql, "fetch_inline", fail)
    page = await bob.say(room, "a <long> thought")
    assert page.status_code == 503
    assert draft(page) == "a <long> thought"
    fragment = await bob.say(room, "a <long> thought", "my nonce", HX_Request="true")
    assert fragment.status_code == 503
    assert nonce_in(fragment) == "my nonce"


# What the browser holds already.


async def settled(one: Person, path: str) -> httpx2.Response:
    """The page, once those who look at it are listed on it."""
    await one.get(path)
    await tracker().write_changes()
    return await one.get(path)


@pytest.mark.parametrize("path", ["", "?before=2", "/settings", "/messages/1/edit"])
async def test_a_page_that_has_not_changed_is_not_sent_again(bob: Person, room: Room, path: str) -> None:
    await bob.say(room, "hello")
    page = await settled(bob, f"{room.path}{path}")
    assert page.status_code == 200
    assert page.headers["Vary"] == "Cookie, HX-Request, Accept-Encoding, Accept-Language"
    assert page.headers["Cache-Control"] == "private, no-cache"
    again = await bob.get(f"{room.path}{path}", If_None_Match=page.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == page.headers["ETag"]
    assert again.headers["Vary"] == page.headers["Vary"]
    assert (await bob.get(f"{room.path}{path}", If_None_Match='W/"another"')).status_code == 200


async def test_the_frame_of_the_composer_is_never_kept_because_its_nonce_is_used_once(bob: Person, room: Room) -> None:
    first, second = [await bob.get(f"{room.path}/composer") for _ in range(2)]
    assert first.headers["Cache-Control"] == "no-store"
    assert "ETag" not in first.headers
    assert nonce_in(first) != nonce_in(second)


async def test_every_change_makes_the_page_a_new_one(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "hello")
    page = await settled(bob, room.path)
    changes: list[tuple[str, dict[str, str]]] = [
        ("messages", {"body": "a new message"}),
        ("messages/1/edit", {"body": "changed"}),
        ("messages/1/remove", {}),
        ("settings", {"do": "topic", "topic": "new"}),
        ("settings", {"do": "lock"}),
    ]
    for path, fields in changes:
        one = bob if path == "messages/1/edit" else alice
        assert (await bob.get(room.path, If_None_Match=page.headers["ETag"])).status_code == 304, path
        assert (await one.post(f"{room.path}/{path}", fields)).status_code == 303
        changed = await bob.get(room.path, If_None_Match=page.headers["ETag"])
        assert changed.status_code == 200, path
        assert changed.headers["ETag"] != page.headers["ETag"]
        page = await settled(bob, room.path)  # without the line above what was new


async def test_a_fragment_is_never_taken_for_the_page(alice: Person, room: Room) -> None:
    await fill(room, alice, 3)
    path = f"{room.path}?before=3"
    page = await settled(alice, path)
    fragment = await alice.get(path, HX_Request="true", If_None_Match=page.headers["ETag"])
    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert fragment.headers.get("ETag") != page.headers["ETag"]
    assert "HX-Request" in fragment.headers["Vary"]
    assert (await alice.get(path, If_None_Match=page.headers["ETag"])).status_code == 304


async def test_what_one_person_holds_is_of_no_use_to_another(alice: Person, bob: Person, room: Room) -> None:
    await alice.get(room.path)
    page = await settled(bob, room.path)
    assert (await bob.get(room.path, If_None_Match=page.headers["ETag"])).status_code == 304
    assert (await alice.get(room.path, If_None_Match=page.headers["ETag"])).status_code == 200


async def test_a_page_that_was_held_already_counts_as_read(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "hello")
    mine = Membership.filter(room_id=room.id, user_id=who(bob).id)
    plain = f"{room.path}?plain=1"
    page = await bob.get(plain)
    await mine.update(read_number=0)
    page = await bob.get(plain)
    await mine.update(read_number=0)
    assert (await bob.get(plain, If_None_Match=page.headers["ETag"])).status_code == 304
    assert (await mine.get()).read_number == 1


async def test_a_refusal_is_never_held(bob: Person, room: Room) -> None:
    assert "ETag" in (await bob.get(room.path)).headers
    for answer in (await bob.say(room, ""), await bob.get(f"{room.path}?before=0")):
        assert answer.status_code in (404, 422)
        assert "ETag" not in answer.headers


@pytest.mark.parametrize(("agent", "frames"), [("Mozilla/5.0 (X11) Firefox/153", True), ("w3m/0.5.3", False)])
async def test_a_text_browser_is_served_the_page_without_frames_and_led_to_the_newest(
    bob: Person, room: Room, agent: str, frames: bool
) -> None:
    for number in range(6):
        last = await bob.say(room, str(number), User_Agent=agent)
    page = await bob.get(room.path, User_Agent=agent)
    assert ("<iframe" in page.text) == frames
    assert last.headers["location"] == room.path + ("#composer" if frames else f"?at=6#message-{room.id}-3")
    chosen = await bob.get(f"{room.path}?plain=0", User_Agent=agent)
    assert "<iframe" in chosen.text
    assert "<iframe" in (await bob.get(room.path, User_Agent=agent)).text


# Who speaks for the site.


async def test_an_administrator_bears_a_mark_wherever_they_are_named(
    admin: Person, alice: Person, bob: Person, room: Room
) -> None:
    assert admin.user
    assert bob.user
    await admin.say(room, "Welcome")
    await bob.say(room, "Thanks")
    mark = re.compile(r'(\w+) <span class="message__role">Administrator</span>')
    assert mark.findall((await alice.get(room.path)).text) == ["Ada"]
    members = (await alice.get(f"{room.path}/settings")).text
    assert members.count('<span class="member__role">Administrator</span>') == 1
    assert ">Administrator<" in (await alice.get(admin.user.path)).text
    assert ">Administrator<" not in (await alice.get(bob.user.path)).text
    # What was rendered before follows.
    await User.filter(id=bob.user.id).update(is_admin=True)
    rendering.clear(bob.user.code)
    assert mark.findall((await alice.get(room.path)).text) == ["Ada", "Bob"]
    await User.filter(id=bob.user.id).update(is_admin=False)
    rendering.clear(bob.user.code)
    assert mark.findall((await alice.get(room.path)).text) == ["Ada"]
