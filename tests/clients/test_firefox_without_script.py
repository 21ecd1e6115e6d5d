"""Firefox with JavaScript off: the log in a frame is live, the composer in another, and both outlive the server."""

import itertools
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.browser.person import SAMPLES
from tests.clients.conftest import Writer, edits_and_removes, ends_with, register, said
from tests.firefox import Firefox
from tests.servers import App, firefox

LOG = ("iframe.live", "iframe")
COMPOSER = ("iframe.composer-frame",)

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def browser(site: App) -> Iterator[Firefox]:
    with Firefox(firefox(), javascript=False) as browser:
        register(browser, site, "fox")
        yield browser


@pytest.fixture
def room(site: App, browser: Firefox, irene: Writer) -> str:
    """A room of Irene's that the browser has open and that is live."""
    path = irene.make_room(f"Room {next(NUMBERS)}")
    irene.say(path, "Who is there?")
    enter(browser, site, path)
    return path


def enter(browser: Firefox, site: App, path: str) -> None:
    browser.open(site.url + path)
    sees(browser, "Who is there?")


def log(browser: Firefox) -> list[str]:
    """The words of the messages, from top to bottom."""
    browser.frame(*LOG)
    return said(browser)


def sees(browser: Firefox, *words: str) -> None:
    """Wait until these are the last messages that show."""
    browser.frame(*LOG)
    ends_with(browser, *words)


def post(browser: Firefox, words: str) -> None:
    browser.frame(*COMPOSER)
    browser.type("#text", words)
    browser.click(".composer__send")


def test_a_message_arrives_as_it_is_posted(browser: Firefox, irene: Writer, room: str) -> None:
    browser.frame(*LOG)
    seconds = []
    for number in range(SAMPLES):
        begin = time.monotonic()
        irene.say(room, f"Number {number}")
        browser.text(f".message[id$='-{number + 2}'] .message__body")
        seconds.append(time.monotonic() - begin)
    median, slowest = statistics.median(seconds), max(seconds)
    print(f"\nFirefox without script: posted to seen, median {median * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms")
    assert slowest < 20
    assert log(browser) == ["Who is there?", *(f"Number {number}" for number in range(SAMPLES))]


def test_what_is_posted_from_its_frame_shows_and_the_field_is_ready_for_the_next(
    browser: Firefox, irene: Writer, room: str
) -> None:
    post(browser, "It is me: Grüße 日本語")
    sees(browser, "Who is there?", "It is me: Grüße 日本語")
    browser.frame(*COMPOSER)
    browser.until(lambda: browser.value("#text") == "")
    browser.until(lambda: browser.has_focus("#text"))
    assert "It is me: Grüße 日本語" in irene.get(room)


def test_an_edit_and_a_removal_change_the_message_where_it_stands(browser: Firefox, irene: Writer, room: str) -> None:
    edits_and_removes(irene, room, lambda *words: sees(browser, *words))


def test_an_edit_of_a_message_above_the_document_stays_out_of_it(site: App, browser: Firefox, irene: Writer) -> None:
    path = irene.make_room(f"Room {next(NUMBERS)}")
    words = [f"Number {number}" for number in range(1, 53)]
    for each in words:
        irene.say(path, each)
    browser.open(site.url + path)
    sees(browser, *words[2:])
    assert log(browser) == words[2:]
    for step, number in enumerate((1, 3, 1, 3)):
        words[number - 1] = f"Number {number}, step {step}"
        irene.edit(path, number, words[number - 1])
        words.append(f"After step {step}")
        irene.say(path, words[-1])
        sees(browser, words[-1])
        assert log(browser) == words[2:]


@pytest.mark.parametrize("seconds", [4, 15])
def test_the_page_comes_back_by_itself_after_the_server_was_away(
    site: App, browser: Firefox, irene: Writer, room: str, seconds: int
) -> None:
    irene.say(room, "Before")
    browser.frame(*COMPOSER)
    browser.type("#text", "A draft")
    site.kill()
    time.sleep(seconds)
    site.start()
    begin = time.monotonic()
    irene.say(room, "After")
    sees(browser, "Who is there?", "Before", "After")
    print(f"\nFirefox without script: whole again {time.monotonic() - begin:.1f} s after {seconds} s of absence")
    browser.frame(*COMPOSER)
    assert browser.value("#text") == "A draft"
    browser.click(".composer__send")
    sees(browser, "Who is there?", "Before", "After", "A draft")


def test_plain_pages_are_the_way_out(site: App, browser: Firefox, irene: Writer, room: str) -> None:
    browser.open(f"{site.url}{room}?plain=1")
    browser.until(lambda: browser.text(".plain").startswith("This page does not refresh"))
    assert not browser.has("iframe")
    browser.type("#text", "From the plain page")
    browser.click(".composer__send")
    browser.until(lambda: said(browser) == ["Who is there?", "From the plain page"])
    irene.say(room, "I can read that")
    browser.click(".plain a")
    browser.until(lambda: said(browser)[-1:] == ["I can read that"])
    browser.open(site.url + room)
    assert browser.text(".plain").startswith("This page does not refresh"), "it is remembered"
    browser.click(".plain a:last-child")
    sees(browser, "Who is there?", "From the plain page", "I can read that")
