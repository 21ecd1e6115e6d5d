"""Whoever has chosen German reads it in what comes live, beside somebody who reads English."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from webapp.core.i18n import LANGUAGES

# With what the viewer's own stylesheet adds to theirs.
NAMES = """names => names.map(
    name => name.textContent + getComputedStyle(name, "::after").content.replace(/none|"/g, "")
)"""


def here(who: BrowserPerson) -> str:
    return who.page.locator("#people").inner_text()


def test_live_updates_come_in_each_readers_language(meet: Meet) -> None:
    anna, ben = meet("Anna", timezone_id="Asia/Tokyo"), meet("Ben")
    anna.page.goto("/settings/profile")
    anna.page.get_by_label("Language of these pages").select_option("de")
    anna.page.get_by_role("button", name="Save").click()
    anna.page.locator(".done", has_text="Gespeichert").wait_for()
    assert anna.page.locator("html").get_attribute("lang") == "de"

    room = ben.make_room("Garten")
    ben.open(room)
    anna.open(room)
    anna.say("Guten Morgen")
    for reader, count, others in ((anna, "2 hier", "Anna (du) · Ben"), (ben, "2 here", "Anna · Ben (you)")):
        reader.sees("Guten Morgen")
        reader.until(lambda reader=reader, count=count: here(reader).startswith(count), count)  # type: ignore[misc]
        assert "".join(reader.page.locator("#people .people__name").evaluate_all(NAMES)).removeprefix(" · ") == others
    assert anna.page.locator(".message__day").inner_text() == "Heute"
    assert anna.page.get_by_placeholder("Nachricht").is_visible()
    clock = anna.page.locator("time.clock").last
    said = datetime.fromisoformat(clock.get_attribute("datetime") or "").astimezone(ZoneInfo("Asia/Tokyo"))
    assert clock.inner_text() == f"{said:%H:%M}"
    clock.hover()
    whole = f"{LANGUAGES['de'].day(said.date(), 'full')}, {said:%H:%M}"
    anna.until(lambda: clock.get_attribute("title") == whole, "the title of the time")

    ben.text.press_sequentially("Moin")
    anna.page.locator("#typing", has_text="Ben schreibt").wait_for()
    ben.send_it()
    anna.sees("Moin")
    assert ben.page.locator(".message__day").first.inner_text() == "Today"
