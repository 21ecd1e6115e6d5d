"""Whose time zone the times, days and "Today" of a page are of: the viewer's where it is known, else the site's."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

import httpx2
import pytest

from tests.conftest import Person
from tests.message_pages import fill
from tests.page import Page, words
from tests.people import who
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.core import clock
from webapp.live import Frame, Reader, hub
from webapp.live.stream import Stream
from webapp.messages import changes, days, posting

# UTC+14, UTC-11, and one whose days are 23 and 25 hours long twice a year.
KIRITIMATI, PAGO_PAGO, BERLIN = "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"
At = Callable[[str], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Sets the clock by which messages are written, and by which it is today."""

    class Clock(datetime):
        stands = datetime.now(UTC)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return cls.stands.astimezone(tz)

    def set_clock(text: str) -> None:
        Clock.stands = datetime.fromisoformat(text).replace(tzinfo=UTC)

    monkeypatch.setattr(posting, "datetime", Clock)
    monkeypatch.setattr(clock, "datetime", Clock)
    return set_clock


async def lives_in(person: Person, zone: str) -> None:
    await person.post("/settings/appearance", {"time_zone": zone})


async def said_at(at: At, person: Person, room: Room, *times: str) -> None:
    for time in times:
        at(time)
        await person.say(room, time)


def days_of(page: httpx2.Response | str) -> list[str]:
    return Page(page).texts(".more__day, .message__day")


def clocks(page: httpx2.Response | str) -> list[str]:
    return Page(page).texts("time.clock")


async def frame(room: Room, cursor: int | None, locale: str) -> Frame:
    found = await changes.log(room.id, {cursor})
    assert found
    return found[1][cursor].in_language(locale)


async def test_each_reader_has_the_times_and_days_of_their_own_zone(
    alice: Person, bob: Person, charlie: Person, room: Room, at: At
) -> None:
    await said_at(at, alice, room, "2024-03-09 09:58", "2024-03-09 10:02", "2024-03-09 23:58", "2024-03-10 00:02")
    at("2024-05-01 12:00")
    await lives_in(bob, KIRITIMATI)
    await lives_in(charlie, PAGO_PAGO)
    east, west, here = [await person.get(room.path) for person in (bob, charlie, alice)]
    assert days_of(east) == ["Saturday, 9 March 2024", "Sunday, 10 March 2024"]
    assert clocks(east) == ["23:58", "00:02", "13:58", "14:02"]
    assert days_of(west) == ["Friday, 8 March 2024", "Saturday, 9 March 2024"]
    assert clocks(west) == ["22:58", "23:02", "12:58", "13:02"]
    assert days_of(here) == ["Saturday, 9 March 2024", "Sunday, 10 March 2024"]
    assert clocks(here) == ["09:58", "10:02", "23:58", "00:02"]
    assert "Times are those of Pacific/Kiritimati." in words(east)
    assert "Times are those of UTC." in words(here)
    # Below a day the messages of an author begin again, and nowhere else.
    continued = [len(Page(page).all(".message--continues")) for page in (east, here)]
    assert continued == [0, 1]


async def test_the_first_of_a_page_of_earlier_messages_has_its_day_above_the_log(
    alice: Person, bob: Person, room: Room, at: At
) -> None:
    at("2024-03-09 11:00")
    await fill(room, alice, 60)
    at("2024-05-01 12:00")
    await lives_in(bob, KIRITIMATI)
    for query in ("", "?before=61", "?around=30"):
        assert days_of(await bob.get(room.path + query)) == ["Sunday, 10 March 2024"], query


async def test_today_and_yesterday_are_named_where_the_reader_is(
    alice: Person, bob: Person, room: Room, at: At
) -> None:
    await said_at(at, alice, room, "2024-03-08 12:00", "2024-03-09 09:58", "2024-03-09 10:02")
    await lives_in(bob, KIRITIMATI)
    assert days_of(await bob.get(room.path)) == ["Yesterday", "Today"]
    assert days_of(await alice.get(room.path)) == ["Yesterday", "Today"]
    await lives_in(bob, PAGO_PAGO)
    assert days_of(await bob.get(room.path)) == ["Today"]
    at("2024-03-10 00:01")
    assert days_of(await alice.get(room.path)) == ["Friday, 8 March 2024", "Yesterday"]
    at("2024-03-12 00:01")
    assert days_of(await alice.get(room.path)) == ["Friday, 8 March 2024", "Saturday, 9 March 2024"]


@pytest.mark.parametrize(
    ("day", "first"), [("2024-03-30", 1), ("2024-03-31", 3), ("2024-04-01", 5), ("2024-10-27", 6), ("2024-10-28", 8)]
)
async def test_a_chosen_day_begins_at_the_viewer_s_midnight_also_when_the_clocks_change(
    alice: Person, bob: Person, room: Room, at: At, day: str, first: int
) -> None:
    """The 31st of March has 23 hours in Berlin, from 23:00 UTC on, and the 27th of October 25, from 22:00 on."""
    await said_at(
        at, alice, room,
        "2024-03-30 12:00", "2024-03-30 22:59", "2024-03-30 23:00", "2024-03-31 21:59", "2024-03-31 22:00",
        "2024-10-26 22:00", "2024-10-27 22:59", "2024-10-27 23:00",
    )  # fmt: skip
    where, place = f"{room.path}?date={day}", f"#message-{room.id}-{first}"
    await lives_in(bob, BERLIN)
    assert (await bob.get(where)).headers["Location"].endswith(place)
    # Who has chosen none says it with the form, by script.
    assert (await alice.get(f"{where}&zone={BERLIN}")).headers["Location"].endswith(place)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "x" * 4000, "Europe/Berlin\0", "localtime"])
async def test_what_is_no_zone_is_that_of_the_site(alice: Person, room: Room, at: At, zone: str) -> None:
    await said_at(at, alice, room, "2024-03-09 09:58")
    await lives_in(alice, zone)
    assert (await User.get(id=who(alice).id)).time_zone == ""
    page = await alice.get(room.path)
    assert clocks(page) == ["09:58"]
    assert "Times are those of UTC." in words(page)
    answer = await alice.client.get(room.path, params={"date": "2024-03-09", "zone": zone})
    assert answer.headers["Location"].endswith(f"#message-{room.id}-1")


async def test_the_zone_is_chosen_by_city_and_stands_in_the_form(alice: Person) -> None:
    await lives_in(alice, "America/Argentina/Buenos_Aires")
    page = Page(await alice.get("/settings/appearance"))
    chosen = page.one("#time_zone option[selected]")
    assert chosen.attributes["value"] == "America/Argentina/Buenos_Aires"
    assert chosen.text() == "Argentina/Buenos Aires"
    # A name that browsers may say and nobody chooses stays chosen.
    await lives_in(alice, "Etc/GMT+5")
    assert Page(await alice.get("/settings/appearance")).texts("#time_zone option[selected]") == ["Etc/GMT+5"]


# Endless documents: nothing that was sent can be changed.


@pytest.fixture
async def _in_kiritimati(room: Room) -> AsyncIterator[None]:
    """A document of the room is open there."""
    reader = Reader([f"room:{room.id}"], None, "html", frozenset(), {}, language=f"en {KIRITIMATI}")
    hub().join(reader)
    yield
    hub().leave(reader)


@pytest.mark.usefixtures("_in_kiritimati")
async def test_an_endless_document_has_the_times_and_days_of_its_reader(alice: Person, room: Room, at: At) -> None:
    await said_at(at, alice, room, "2024-03-09 09:58", "2024-03-09 10:02", "2024-03-09 10:03")
    east = f"en {KIRITIMATI}"
    assert days_of((await frame(room, 0, east)).html.decode()) == ["Saturday, 9 March 2024", "Sunday, 10 March 2024"]
    # A reading that has only what came since asks for the message before.
    assert days_of((await frame(room, 1, east)).html.decode()) == ["Sunday, 10 March 2024"]
    assert days_of((await frame(room, 2, east)).html.decode()) == []
    assert clocks((await frame(room, 1, east)).html.decode()) == ["00:02", "00:03"]
    assert days_of((await frame(room, 1, "en")).html.decode()) == []
    await alice.post(f"{room.path}/messages/2/edit", {"body": "better", "version": "2"})
    assert days_of((await frame(room, 3, east)).html.decode()) == ["Sunday, 10 March 2024"]


async def test_an_endless_document_begins_with_a_day(alice: Person, room: Room, at: At) -> None:
    at("2024-03-09 11:00")
    await fill(room, alice, 60)
    for locale in ("en", f"en {KIRITIMATI}"):
        assert len(days_of((await frame(room, None, locale)).html.decode())) == 1


async def test_at_midnight_where_the_reader_is_today_becomes_yesterday(room: Room, at: At) -> None:
    at("2024-03-09 09:59")
    before = (await days.days([room.id]))[room.id]
    east = before.in_language(f"en {KIRITIMATI}").html.decode()
    assert '[datetime="2024-03-09"]::before{content:"Today"' in east
    assert '[datetime="2024-03-08"]::before{content:"Yesterday"' in east
    again = (await days.days([room.id]))[room.id]
    assert again.equals(before)
    at("2024-03-09 10:00")
    after = (await days.days([room.id]))[room.id]
    assert not after.equals(before)
    assert '[datetime="2024-03-10"]::before{content:"Today"' in after.in_language(f"en {KIRITIMATI}").html.decode()
    assert '[datetime="2024-03-09"]::before{content:"Heute"' in after.in_language("de").html.decode()


async def test_pages_with_script_share_the_bytes_of_their_stream_wherever_they_are(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, str]] = []
    begin = Stream.__init__

    def remember(self: Stream, reader: Reader, *args: Any, **kwargs: Any) -> None:
        found.append((reader.framing, reader.language))
        begin(self, reader, *args, **kwargs)

    monkeypatch.setattr(Stream, "__init__", remember)
    await lives_in(alice, KIRITIMATI)
    for way in ("events", "live"):
        await alice.client.head(f"{room.path}/{way}")
    assert found == [("sse", "en"), ("html", f"en {KIRITIMATI}")]
