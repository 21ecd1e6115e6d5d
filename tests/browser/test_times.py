"""Times are the reader's own where script runs, and the site's, which the page names, where none does."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from webapp.core.i18n import LANGUAGES

SCRIPT, PLAIN = True, False
# UTC+14 and UTC-11: whenever the test runs, in one of them it is another day than at the site.
KIRITIMATI, PAGO_PAGO = "Pacific/Kiritimati", "Pacific/Pago_Pago"
MARCH = datetime(2024, 3, 9, 9, 0, tzinfo=UTC)


def said_at(writer: BrowserPerson, name: str, *times: datetime, before: int = 0) -> str:
    """A room with a message of each of these times, and so many others before them, all by one author."""
    room = writer.make_room(name)
    early = [times[0] - timedelta(minutes=before - number) for number in range(before)]
    for number in range(len(times) + before):
        writer.send(f"{room}/messages", body=f"message {number}", nonce=str(number))
    with sqlite3.connect(writer.site.folder / "data/parley.sqlite3") as database:
        key = room.rpartition("/")[2]
        # A version of its own, so that nothing that was rendered before is served from memory.
        [room_id, version] = database.execute("SELECT id, version + 1 FROM room WHERE key = ?", [key]).fetchone()
        database.execute("UPDATE room SET version = ? WHERE id = ?", [version, room_id])
        database.execute("UPDATE message SET version = ? WHERE room_id = ?", [version, room_id])
        last: datetime | None = None
        for number, at in enumerate([*early, *times], start=1):
            opens = last is None or at.date() != last.date()
            goes_on = last is not None and not opens and at - last < timedelta(minutes=5)
            database.execute(
                "UPDATE message SET created_at = ?, opens_day = ?, continues = ? WHERE room_id = ? AND number = ?",
                [str(at), opens, goes_on, room_id, number],
            )
            last = at
        database.execute("UPDATE room SET last_at = ? WHERE id = ?", [str(last), room_id])
    return room


def lines(reader: BrowserPerson) -> list[str]:
    """Days and words from top to bottom; the day above the log is one of them."""
    found = reader.page.locator(".more__day, .message__day, .message__body").all_inner_texts()
    return [re.sub(r"\s*\d\d:\d\d$", "", text.strip()) for text in found]


def full(zone: str, at: datetime, language: str = "en") -> str:
    return LANGUAGES[language].day(at.astimezone(ZoneInfo(zone)).date(), "full")


def test_a_day_begins_with_the_first_message_that_is_of_it_where_the_reader_is(meet: Meet) -> None:
    """09:58 and 10:02 UTC are two days in Kiritimati; 23:58 and 00:02 are one in Pago Pago."""
    writer = meet("writer")
    midnight = MARCH.replace(hour=23, minute=58)
    times = (
        MARCH,
        MARCH.replace(minute=58),
        MARCH.replace(hour=10, minute=2),
        midnight,
        midnight + timedelta(minutes=4),
    )
    room = said_at(writer, "Days", *times)
    east = meet("east", timezone_id=KIRITIMATI).open(room)
    west = meet("west", timezone_id=PAGO_PAGO, locale="de-DE").open(room)
    assert lines(east) == [
        "Saturday, 9 March 2024", "message 0", "message 1",
        "Sunday, 10 March 2024", "message 2", "message 3", "message 4",
    ]  # fmt: skip
    assert lines(west) == [
        "Freitag, 8. März 2024", "message 0", "message 1", "message 2",
        "Samstag, 9. März 2024", "message 3", "message 4",
    ]  # fmt: skip
    assert east.page.locator("time.clock").all_inner_texts() == ["23:00", "23:58", "00:02", "13:58", "14:02"]


def test_below_a_day_of_the_reader_s_own_stands_who_wrote(meet: Meet) -> None:
    """At the site the messages of an author go on there, without a name and a face."""
    writer = meet("writer")
    room = said_at(writer, "Go on", MARCH.replace(minute=58), MARCH.replace(hour=10, minute=2))
    reader = meet("east", timezone_id=KIRITIMATI).open(room)
    second = reader.page.locator(".message").nth(1)
    assert second.locator(".message__day").inner_text() == "Sunday, 10 March 2024"
    assert second.locator(".message__author").bounding_box()["height"] > 5  # type: ignore[index]
    third = meet("here", timezone_id="UTC").open(room).page.locator(".message").nth(1)
    assert not third.locator(".avatar").count()


def test_days_are_right_after_earlier_messages_have_come_above_them(meet: Meet) -> None:
    writer = meet("writer")
    room = said_at(writer, "Earlier", MARCH.replace(hour=11), *[MARCH.replace(hour=12)] * 49, before=80)
    reader = meet("east", timezone_id=KIRITIMATI).open(room)
    assert lines(reader)[0] == "Sunday, 10 March 2024"
    reader.press_earlier()
    reader.until(lambda: len(reader.messages()) == 100, "earlier messages")
    reader.press_earlier()
    reader.until(lambda: len(reader.messages()) == 130, "the earliest messages")
    said = lines(reader)
    assert [text for text in said if "March" in text] == ["Saturday, 9 March 2024", "Sunday, 10 March 2024"]
    # 09:40 to 09:59 UTC are of the day before.
    assert said.index("Sunday, 10 March 2024") == 1 + 20


@pytest.mark.parametrize("zone", [KIRITIMATI, PAGO_PAGO])
def test_what_comes_live_is_of_today_and_what_is_older_is_of_yesterday(meet: Meet, zone: str) -> None:
    now = datetime.now(UTC)
    here = now.astimezone(ZoneInfo(zone))
    yesterday = (here.replace(hour=12) - timedelta(days=1)).astimezone(UTC)
    writer = meet("writer")
    room = said_at(writer, f"Now {zone}", yesterday)
    reader = meet("reader", timezone_id=zone, locale="de-DE")
    reader.send(f"{room}/join")
    reader.open(room)
    assert lines(reader) == ["Gestern", "message 0"]
    assert reader.page.locator("#entries .entry__time").inner_text() == "Gestern"
    writer.send(f"{room}/messages", body="now", nonce="now")
    reader.sees("now")
    assert lines(reader) == ["Gestern", "message 0", "Heute", "now"]
    clock = reader.page.locator("#log time.clock").last.inner_text()
    reader.until(lambda: reader.page.locator("#entries .entry__time").inner_text() == clock, "the time in the list")


def test_at_midnight_today_becomes_yesterday(meet: Meet) -> None:
    reader = meet("reader", timezone_id=KIRITIMATI)
    reader.page.clock.install()
    reader.open(reader.make_room("Midnight"))
    reader.say("late")
    reader.sees("late")
    assert lines(reader) == ["Today", "late"]
    reader.page.clock.fast_forward(24 * 3600 * 1000)
    reader.until(lambda: lines(reader) == ["Yesterday", "late"], "yesterday")
    assert reader.page.locator("#entries .entry__time").inner_text() == "Yesterday"


def test_lists_and_settings_have_the_reader_s_own_times(meet: Meet) -> None:
    writer = meet("writer")
    room = said_at(writer, "Lists", datetime(2024, 3, 9, 12, 0, tzinfo=UTC))
    reader = meet("reader", timezone_id=KIRITIMATI)
    reader.send(f"{room}/join")
    reader.page.goto("/lobby")
    entry = reader.page.locator("#entries .entry__time").first
    assert entry.inner_text() == "10 Mar 2024"
    for path in ("/settings/sessions", f"{room}/settings"):
        reader.page.goto(path)
        time = reader.page.locator("time.moment").first
        at = datetime.fromisoformat(time.get_attribute("datetime") or "").astimezone(ZoneInfo(KIRITIMATI))
        assert time.inner_text() == LANGUAGES["en"].moment(at)


def test_without_script_times_and_days_are_those_of_the_zone_that_the_reader_has_chosen(meet: Meet) -> None:
    """In the page as in its live frame, where a style names today and yesterday."""
    now, zone = datetime.now(UTC), ZoneInfo(KIRITIMATI)
    times = now - timedelta(days=20), now - timedelta(days=1), now
    writer, reader = meet("writer"), meet("reader", PLAIN)
    room = said_at(writer, "Chosen", *times)
    reader.send("/settings/appearance", time_zone=KIRITIMATI)
    reader.open(room)
    assert reader.page.locator(".plain", has_text=f"Times are those of {KIRITIMATI}.").is_visible()
    clock = f"{now.astimezone(zone):%H:%M}"
    reader.until(lambda: reader.log.locator("time.clock").all_inner_texts() == [clock] * 3, "the times")
    named = "times => times.map(time => getComputedStyle(time, '::before').content)"
    days = reader.log.locator(".message__day time")
    reader.until(lambda: days.evaluate_all(named) == ["none", '"Yesterday"', '"Today"'], "the names of days")
    shown = "times => times.map(time => parseFloat(getComputedStyle(time).fontSize) > 0)"
    assert days.evaluate_all(shown) == [True, False, False]
    reader.page.goto(f"{room}?plain=1")
    first = full(KIRITIMATI, times[0])
    assert lines(reader) == [first, "message 0", "Yesterday", "message 1", "Today", "message 2"]


def test_with_script_a_chosen_day_begins_at_the_midnight_of_the_reader(meet: Meet) -> None:
    writer, day = meet("writer"), datetime.now(UTC).replace(hour=9, minute=58)
    room = said_at(writer, "Gone to", day, *[day + timedelta(minutes=4)] * 60)
    reader = meet("reader", timezone_id=KIRITIMATI).open(room)
    reader.page.locator(".jump summary").click()
    reader.page.locator("#date").fill(f"{day + timedelta(days=1):%Y-%m-%d}")
    reader.page.get_by_role("button", name="Go", exact=True).click()
    reader.page.wait_for_url(re.compile(r"#message-\d+-2$"))


@pytest.mark.parametrize("path", ["room", "?plain=1", "?before=2", "/settings", "/lobby", "/settings/sessions"])
def test_without_script_the_page_names_the_zone_of_its_times_once(meet: Meet, path: str) -> None:
    reader = meet("reader", PLAIN, timezone_id=KIRITIMATI)
    room = said_at(reader, f"Zone {path}", MARCH, MARCH)
    address = {"room": room, "/lobby": path, "/settings/sessions": path}.get(path, room + path)
    reader.page.goto(address, wait_until="commit")
    said = reader.page.locator(".plain", has_text="Times are those of UTC.")
    reader.until(lambda: said.count() == 1 and said.is_visible(), "the zone")
    scripted = meet("scripted", SCRIPT)
    scripted.page.goto(address)
    assert not scripted.page.locator(".plain", has_text="Times are those of UTC.").is_visible()
