"""Without script the browser sends, and what could not be sent is in the field again when one goes back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.browser.conftest import Meet
from tests.browser.network import Network
from tests.browser.person import BrowserPerson
from tests.servers import App

NETWORK_TROUBLE = ("Failed to load resource", "ERR_")


@pytest.fixture
def network(own_site: App) -> Iterator[Network]:
    with Network(own_site) as network:
        yield network


def two_in_a_room(meet: Meet, network: Network) -> tuple[BrowserPerson, BrowserPerson]:
    """Somebody whose line can be cut, and somebody whose can't, both without script."""
    alice = meet("alice", script=False, base_url=network.url, site=network.site)
    bob = meet("bob", script=False, site=network.site)
    room = bob.make_room("Without script")
    alice.make_room("Without script")
    alice.forgive(*NETWORK_TROUBLE)
    bob.forgive(*NETWORK_TROUBLE)
    alice.open(room.replace(network.site.url, network.url))
    bob.open(room)
    alice.say("before")
    bob.reads("before")
    return alice, bob


def stored(site: App) -> list[str]:
    with closing(sqlite3.connect(next(site.folder.rglob("parley.sqlite3")))) as database:
        return [body for (body,) in database.execute("SELECT body FROM message ORDER BY number")]


def press_send(person: BrowserPerson) -> None:
    """Send what gets no answer: the frame shows the browser's own page then."""
    person.composer.click(".composer__send", no_wait_after=True)


def comes_to_nothing(person: BrowserPerson) -> None:
    person.until(lambda: person.composer.url.startswith("chrome-error:"), "the browser's own page")


def go_back(person: BrowserPerson) -> None:
    # Playwright's own waits for the page, of which only a frame goes back.
    person.page.evaluate("history.back()")
    person.until(lambda: person.composer.locator("#text").count(), "the composer")


@pytest.mark.parametrize("seconds", [0, pytest.param(20, marks=pytest.mark.slow)])
def test_words_that_a_cut_line_did_not_carry_are_there_again_on_going_back(
    meet: Meet, network: Network, seconds: int
) -> None:
    alice, bob = two_in_a_room(meet, network)
    network.cut()
    alice.text.fill("one")
    press_send(alice)
    comes_to_nothing(alice)
    bob.say("meanwhile")
    alice.pause(seconds * 1000)
    network.restore()
    go_back(alice)
    alice.until(lambda: alice.text.input_value() == "one", "the words")
    alice.send_it()
    bob.reads("before", "meanwhile", "one")
    alice.reads("before", "meanwhile", "one")
    assert alice.text.input_value() == ""
    assert stored(network.site) == ["before", "meanwhile", "one"]


def test_words_that_were_stored_before_the_server_was_killed_are_there_once(meet: Meet, network: Network) -> None:
    alice, bob = two_in_a_room(meet, network)
    network.hold(b"/messages HTTP")
    alice.text.fill("stored, and not known to be")
    press_send(alice)
    alice.until(lambda: network.held, "the answer")
    assert stored(network.site) == ["before", "stored, and not known to be"]
    network.site.kill()
    network.cut()
    comes_to_nothing(alice)
    network.site.start()
    network.restore()
    go_back(alice)
    alice.until(lambda: alice.text.input_value() == "stored, and not known to be", "the words")
    alice.send_it()
    for person in (alice, bob):
        person.reads("before", "stored, and not known to be")
    assert stored(network.site) == ["before", "stored, and not known to be"]


def test_a_page_without_frames_has_the_words_again_on_going_back(meet: Meet, network: Network) -> None:
    alice, bob = two_in_a_room(meet, network)
    page = alice.page
    page.goto(page.url.split("?")[0].split("#")[0] + "?plain=1")
    network.cut()
    page.fill("#text", "one")
    page.click(".composer__send", no_wait_after=True)
    alice.until(lambda: page.url.startswith("chrome-error:"), "the browser's own page")
    network.restore()
    page.go_back()
    assert page.input_value("#text") == "one"
    page.click(".composer__send")
    bob.reads("before", "one")
    alice.until(lambda: page.locator("#log", has_text="one").count(), "the message")
    assert page.input_value("#text") == ""
    assert stored(network.site) == ["before", "one"]
