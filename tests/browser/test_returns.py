"""The server goes and comes back, the network too, and so does the reader: nothing is lost, nothing comes twice."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Playwright

from tests.browser.conftest import Meet
from tests.browser.editing import edit_message
from tests.browser.network import Network
from tests.browser.person import QUIET, BrowserPerson
from tests.browser.writer import Writer
from tests.servers import App, chromium

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
AWAY_SECONDS = 3
NETWORK_TROUBLE = ("Failed to fetch", "Failed to load resource", "network error", "SSE reconnect failed", "AbortError")


@pytest.fixture
def network(site: App) -> Iterator[Network]:
    with Network(site) as network:
        yield network


@pytest.mark.parametrize("leave", [App.kill, App.terminate], ids=["killed", "asked to leave"])
def test_after_a_restart_pages_come_back_with_every_message_once_and_the_draft(
    meet: Meet, own_site: App, leave: Callable[[App], None]
) -> None:
    alice, nora, poster = (meet(name, name != "nora", site=own_site) for name in ("alice", "nora", "paul"))
    room = alice.make_room("Restart")
    for person in (alice, nora):
        person.forgive(*NETWORK_TROUBLE)
        person.open(room)
        person.text.fill(f"a draft of {person.name}")
    with Writer(poster, room, 200, lambda number: f"message {number}") as writer:
        alice.until(lambda: writer.sent >= 80, "80 messages")
        leave(own_site)
        alice.pause(AWAY_SECONDS * 1000)
        own_site.start()
    alice.reads(*writer.all_words)
    nora.until(lambda: nora.messages()[-1:] == ["message 200"], "the last message")
    seen = nora.messages()
    assert len(seen) >= 50
    assert seen == writer.all_words[-len(seen) :]
    for person in (alice, nora):
        assert person.text.input_value() == f"a draft of {person.name}"
        person.say(f"{person.name} is back")
        alice.sees(f"{person.name} is back")
        nora.sees(f"{person.name} is back")
    assert alice.page.inner_text("#status") == ""


@BOTH
def test_an_edit_made_while_a_page_was_away_stands_in_its_place_when_it_returns(
    meet: Meet, network: Network, script: bool
) -> None:
    alice, bob = meet("alice"), meet("bob", script, base_url=network.url)
    room = alice.make_room(f"Away {script}")
    alice.open(room)
    for words in ("one", "two", "three"):
        alice.say(words)
        alice.sees(words)
    bob.forgive(*NETWORK_TROUBLE)
    bob.open(room.replace(alice.site.url, network.url))
    bob.reads("one", "two", "three")
    network.cut()
    if script:
        bob.until(lambda: bob.page.inner_text("#status") == "Reconnecting…", "mark")
    edit_message(alice, "two", "two, but better")
    alice.say("four")
    alice.sees("four")
    network.restore()
    bob.reads("one", "two, but better", "three", "four")
    if script:
        bob.until(lambda: bob.page.inner_text("#status") == "", "end of the mark")


def test_a_page_that_missed_too_much_gets_the_last_page(meet: Meet, network: Network) -> None:
    alice, bob, poster = meet("alice"), meet("bob", base_url=network.url), meet("paul")
    room = alice.make_room("Long away")
    alice.open(room)
    alice.say("before")
    bob.forgive(*NETWORK_TROUBLE)
    bob.open(room.replace(alice.site.url, network.url))
    bob.reads("before")
    network.cut()
    with Writer(poster, room, 520) as writer:
        pass
    network.restore()
    bob.reads(*writer.all_words[-50:])
    # What lies between is not lost: the way to the earlier messages begins at the new log.
    bob.press_earlier()
    bob.reads(*writer.all_words[-100:])


def test_a_page_that_is_offline_says_so(meet: Meet, network: Network) -> None:
    alice, bob = meet("alice"), meet("bob", base_url=network.url)
    room = alice.make_room("Offline")
    alice.open(room)
    bob.forgive(*NETWORK_TROUBLE)
    bob.open(room.replace(alice.site.url, network.url))
    # The browser's own "offline" leaves open streams alive.
    # So the network goes first: what still came through an open stream would prove the browser wrong.
    network.cut()
    bob.context.set_offline(True)
    bob.until(lambda: bob.page.inner_text("#status") == "You are offline", "mark")
    bob.say("can you hear me?")
    assert bob.page.locator("#pending").inner_text() == "can you hear me?"
    alice.say("meanwhile")
    network.restore()
    bob.context.set_offline(False)
    bob.sees("meanwhile")
    bob.until(lambda: bob.page.inner_text("#status") == "", "end of the mark")
    bob.reads("meanwhile", "can you hear me?")


@BOTH
def test_the_back_button_shows_everything_once(meet: Meet, script: bool) -> None:
    alice, bob = meet("alice"), meet("bob", script)
    go_away_and_back(alice, bob, f"Back {script}")


def test_a_page_from_the_back_forward_cache_shows_everything_once(
    browser: Browser, site: App, meet: Meet, playwright: Playwright
) -> None:
    alice = meet("alice")
    launched = playwright.chromium.launch(
        executable_path=chromium(), args=QUIET, ignore_default_args=["--disable-back-forward-cache"]
    )
    bob = BrowserPerson(launched, site, "bob").register("keeper")
    bob.context.add_init_script("addEventListener('pageshow', event => window.wasKept = event.persisted)")
    go_away_and_back(alice, bob, "Kept whole")
    print("kept whole:", bob.page.evaluate("wasKept"))
    assert bob.unforgiven == []
    launched.close()


def go_away_and_back(alice: BrowserPerson, bob: BrowserPerson, name: str) -> None:
    room = alice.make_room(name)
    alice.open(room)
    bob.open(room)
    for words in ("one", "two"):
        alice.say(words)
        bob.sees(words)
    bob.say("three")
    bob.sees("three")
    bob.page.goto("/lobby", wait_until="commit")
    edit_message(alice, "one", "one, but better")
    alice.say("four")
    alice.sees("four")
    bob.page.go_back(wait_until="commit")
    bob.reads("one, but better", "two", "three", "four")
    # The page that came back still holds the nonce of what was said before.
    again = "three" if bob.script else "once more"
    bob.say(again)
    bob.reads("one, but better", "two", "three", "four", again)
    alice.say("five")
    bob.reads("one, but better", "two", "three", "four", again, "five")
