"""The log of a room: its pages in both directions, days and groups, and what the browser holds of it already."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest

from tests.conftest import Person, bodies
from tests.message_pages import fill, log, nonce_in, said
from tests.page import Page, words
from tests.people import who
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import RoomRow
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.messages.queries import PAGE_SIZE, first_since
from webapp.presence.tracker import tracker


async def room_row(room: Room) -> RoomRow:
    found = await room_by_id(room.id)
    assert found
    return found


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


async def test_the_addresses_in_a_tray_lead_to_what_is_done_about_the_message(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 2)
    message = f"{room.path}/messages/2"
    page = Page(await alice.get(room.path))
    links = [link.attributes["href"] for link in page.all(f"#message-{room.id}-2 .tray a")]
    assert links == ["?reply=2", "?react=2", "?all=2"]
    # The others script puts in the place of the last: where it can't do them, they lead on too.
    acts = [line.split()[0] for line in (page.one("#log").attributes["data-acts"] or "").splitlines()]
    assert acts == ["link", "edit", "remove", "report", "more"]
    # The first is the room with the composer that answers it (test_replies.py), all others lead on.
    links = [*links[1:], *(f"?{act}=2" for act in acts)]
    places = [(await alice.get(f"{room.path}{link}")).headers["Location"] for link in links]
    report = "/report?about=message%3Atea-cake%3A2"
    assert places == [
        f"{message}/reactions",
        f"{message}/edit",
        message,
        f"{message}/edit#edit",
        f"{message}/edit#remove",
        report,
        f"{message}/edit#more",
    ]
    for reader, place in ((alice, places[3]), (bob, places[5])):
        assert (await reader.get(place.partition("#")[0])).status_code == 200
    assert (await alice.get(f"{room.path}?edit=two")).status_code == 404
    # A browser that shows nothing but text has one link in their place.
    plain = Page(await alice.get(room.path, User_Agent="w3m/0.5"))
    assert not plain.all(".tray")
    assert [link.attributes["href"] for link in plain.all(".message__more")][1] == f"{message}/edit"


async def test_a_permalink_leads_to_the_message(alice: Person, charlie: Person, room: Room) -> None:
    await fill(room, alice, 120)
    for number, query in ((120, ""), (71, ""), (70, "?around=70"), (1, "?around=1")):
        answer = await charlie.get(f"{room.path}/messages/{number}")
        assert answer.status_code == 303
        way, _, mark = answer.headers["Location"].partition("#")
        assert (way, mark) == (f"{room.path}{query}", f"message-{room.id}-{number}")
        page = await charlie.get(way)
        assert f'id="{mark}"' in page.text
        assert f'href="?all={number}"' in page.text


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
        number: "day" if "message__day" in html else "same" if "message--continues" in html else "own"
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


async def test_messages_of_a_deleted_account_stay(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "my legacy")
    await User.filter(id=who(bob).id).delete()
    page = await alice.get(room.path)
    assert said(page) == {1: "my legacy"}
    assert "Deleted account" in words(log(page)[1])
    assert 'data-author=""' in log(page)[1]


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


async def test_the_frame_of_the_composer_is_fetched_each_time_as_its_nonce_is_used_once(
    bob: Person, room: Room
) -> None:
    first, second = [await bob.get(f"{room.path}/composer") for _ in range(2)]
    # Stored only for going back: a browser that may not ask whether it is still the same asks for it anew.
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert "ETag" not in first.headers
    assert "Last-Modified" not in first.headers
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
