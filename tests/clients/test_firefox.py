"""Firefox with JavaScript on: live by Server-Sent Events."""

import itertools
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.browser.person import SAMPLES
from tests.clients.conftest import Writer, edits_and_removes, ends_with, register
from tests.firefox import Firefox
from tests.servers import App, firefox

ENTER = "\ue007"  # WebDriver's names of keys
SHIFT = "\ue008"

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def browser(site: App) -> Iterator[Firefox]:
    with Firefox(firefox()) as browser:
        register(browser, site, "vixen")
        yield browser


@pytest.fixture
def room(site: App, browser: Firefox, irene: Writer) -> str:
    """A room of Irene's that the browser has open and that is live."""
    path = irene.make_room(f"Room {next(NUMBERS)}")
    irene.say(path, "Who is there?")
    browser.open(site.url + path)
    # Who is here changes with the stream: then it is open.
    browser.until(lambda: "Vixen" in browser.text("#people"))
    return path


def sees(browser: Firefox, *words: str) -> None:
    """Wait until these are the last messages that show."""
    ends_with(browser, *words)


def test_a_message_arrives_as_it_is_posted(browser: Firefox, irene: Writer, room: str) -> None:
    seconds = []
    for number in range(SAMPLES):
        begin = time.monotonic()
        irene.say(room, f"Number {number}")
        browser.text(f".message[id$='-{number + 2}'] .message__body")
        seconds.append(time.monotonic() - begin)
    median, slowest = statistics.median(seconds), max(seconds)
    print(f"\nFirefox with script: posted to seen, median {median * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms")
    assert slowest < 20
    sees(browser, "Who is there?", *(f"Number {number}" for number in range(SAMPLES)))
    assert not browser.has("iframe")


def test_enter_posts_and_shift_enter_breaks_the_line(browser: Firefox, irene: Writer, room: str) -> None:
    browser.type("#text", f"It is me:{SHIFT}{ENTER}{SHIFT}Grüße 日本語{ENTER}")
    sees(browser, "Who is there?", "It is me:\nGrüße 日本語")
    browser.until(lambda: browser.value("#text") == "")
    assert browser.has_focus("#text")
    browser.type("#text", f"  {ENTER}")
    assert browser.value("#text") == "  ", "blanks are not sent"
    assert "Grüße 日本語" in irene.get(room)


def test_an_edit_and_a_removal_change_the_message_where_it_stands(browser: Firefox, irene: Writer, room: str) -> None:
    edits_and_removes(irene, room, lambda *words: sees(browser, *words))


def test_a_draft_is_there_again_and_today_is_named(browser: Firefox, irene: Writer, room: str, site: App) -> None:
    browser.type("#text", "half a thought")
    browser.open(site.url + irene.make_room(f"Room {next(NUMBERS)}"))
    assert browser.value("#text") == ""
    browser.open(site.url + room)
    browser.until(lambda: browser.value("#text") == "half a thought")
    assert browser.text(".message__day") == "Today"
    browser.type("#text", ENTER)
    sees(browser, "Who is there?", "half a thought")
    browser.open(site.url + room)
    sees(browser, "Who is there?", "half a thought")
    assert browser.value("#text") == ""


def test_nothing_goes_wrong_unseen(browser: Firefox, irene: Writer, room: str) -> None:
    irene.say(room, "All well?")
    sees(browser, "All well?")
    # It warns of every SVG file that is used before all has come.
    assert [one for one in browser.complaints() if "Layout was forced" not in one] == []


def test_the_page_comes_back_by_itself_after_the_server_was_away(
    site: App, browser: Firefox, irene: Writer, room: str
) -> None:
    irene.say(room, "Before")
    browser.type("#text", "A draft")
    site.kill()
    time.sleep(4)
    site.start()
    begin = time.monotonic()
    irene.say(room, "After")
    sees(browser, "Who is there?", "Before", "After")
    print(f"\nFirefox with script: whole again {time.monotonic() - begin:.1f} s after 4 s of absence")
    browser.type("#text", ENTER)
    sees(browser, "Who is there?", "Before", "After", "A draft")
    assert browser.text("#status") == ""
