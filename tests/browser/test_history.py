"""Reading back: what is being read never moves under the eyes."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import Error, expect

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from tests.browser.writer import Writer
from tests.servers import App

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
# What is in view may move by the fraction of a pixel that rounding makes.
STILL_PX = 2.0


def long_room(meet: Meet, name: str, count: int) -> tuple[str, list[str]]:
    poster = meet("paul")
    room = poster.make_room(name)
    with Writer(poster, room, count, lambda number: f"message {number}") as writer:
        return room, writer.all_words


def height(person: BrowserPerson, words: str) -> float:
    """Where the message stands in the window."""
    box = person.body(words).bounding_box()
    assert box
    return box["y"]


def is_in_view(person: BrowserPerson, words: str) -> bool:
    box = person.body(words).bounding_box()
    scroller = person.log.locator(".scroller:visible").bounding_box()
    if not box or not scroller:
        raise Error("one of the two is just being replaced")
    return scroller["y"] <= box["y"] and box["y"] + box["height"] <= scroller["y"] + scroller["height"] + 1


def scroll_up(person: BrowserPerson, pixels: int = 900) -> None:
    before = height(person, person.messages()[0])
    person.log.locator(".scroller:visible").hover()
    person.page.mouse.wheel(0, -pixels)
    person.until(lambda: height(person, person.messages()[0]) > before + pixels / 2, "scrolled log")


# Scrolls to the link to the earlier messages and presses it; where the message stood then.
PRESS_AT_TOP = """message => {
    const link = document.querySelector("#earlier a");
    link.scrollIntoView();
    link.click();
    return message.getBoundingClientRect().y;
}"""


def test_earlier_messages_come_above_without_moving_what_is_read(meet: Meet) -> None:
    room, said = long_room(meet, "History", 120)
    bob = meet("bob").open(room)
    bob.reads(*said[-50:])
    link = bob.page.get_by_role("link", name="Earlier messages")
    first = said[-50]
    # In one breath: two screens before the link is reached they may come by themselves.
    before = bob.body(first).evaluate(PRESS_AT_TOP)
    bob.reads(*said[-100:])
    assert height(bob, first) == pytest.approx(before, abs=STILL_PX)
    # On the way to the link the rest comes by itself.
    bob.page.evaluate("document.querySelector('.scroller').scrollTop = -1e6")
    bob.reads(*said)
    assert bob.page.get_by_text("This is where it begins.").count() == 1
    assert not link.count()
    bob.say("still live")
    bob.reads(*said, "still live")


def test_without_script_the_way_back_is_a_page_before_each_page(meet: Meet) -> None:
    room, said = long_room(meet, "Plain history", 120)
    nora = meet("nora", PLAIN).open(room)
    nora.reads(*said[-50:])
    nora.log.get_by_role("link", name="earlier messages").click()
    nora.page.wait_for_url("**/?plain=1".replace("/?", "?"))
    for page in (said[-50:], said[-100:-50], said[:-100]):
        expect(nora.page.locator("#log .message__body")).to_have_text(
            [re.compile(rf"^{re.escape(words)}\s+\d\d:\d\d$") for words in page]
        )
        if page[0] != said[0]:
            nora.page.get_by_role("link", name="Earlier messages").click()


NUMBERS = "() => [...document.querySelectorAll('#log .message')].map(message => +message.id.split('-')[2])"


def test_a_page_that_grows_long_lets_old_messages_go_and_brings_them_back(meet: Meet) -> None:
    site = App({"RATE_LIMITS": "off"}, is_new=True)
    fill = (sys.executable, "-m", "webapp", "demo", "--users", "5", "--rooms", "1", "--messages", "700")
    subprocess.run(fill, cwd=site.folder, env=site.env, check=True, capture_output=True)
    with site:
        bob, alice = meet("bob", site=site), meet("alice", site=site)
        bob.page.goto("/rooms")
        bob.open(site.url + str(bob.page.locator(".rooms__entry").first.get_attribute("href")))

        def numbers() -> list[int]:
            return list(bob.page.evaluate(NUMBERS))

        newest = numbers()[-1]
        for count in range(100, 451, 50):
            bob.page.locator("#log").hover()
            bob.page.mouse.wheel(0, -100_000)
            bob.until(lambda: len(numbers()) == count, f"{count} messages")  # noqa: B023
        bob.page.evaluate("document.querySelector('.scroller').scrollTop = -2000")
        alice.send(f"{bob.page.url}/messages", body="Read on", nonce="1")  # who writes is led to the end
        bob.until(lambda: numbers()[-1] == newest + 1, "message")
        assert len(numbers()) == 451, "somebody reads further up"
        bob.say("Down again")
        bob.until(lambda: numbers()[-1] == newest + 2, "message")
        kept = numbers()
        assert 250 <= len(kept) <= 301
        assert kept == list(range(kept[0], newest + 3))
        link = bob.page.locator("#earlier a")
        assert (link.get_attribute("href") or "").endswith(f"?before={kept[0]}")
        link.scroll_into_view_if_needed()
        bob.until(lambda: len(numbers()) >= len(kept) + 50, "earlier messages")
        shown = numbers()
        assert shown == list(range(shown[0], newest + 3))


@BOTH
def test_a_permalink_shows_the_message_among_its_neighbours_and_marks_it(meet: Meet, script: bool) -> None:
    room, said = long_room(meet, f"Permalink {script}", 120)
    bob = meet("bob", script)
    bob.page.goto(f"{room}/messages/30", wait_until="commit")
    body = bob.page.locator("#log .message__body:visible", has_text="message 30")
    body.wait_for()
    assert len(said[4:54]) == bob.page.locator("#log .message").count()
    assert bob.page.locator("#log .message:target").inner_text().count("message 30") == 1
    box, around = body.bounding_box(), bob.page.locator(".scroller").bounding_box()
    assert box
    assert around
    assert around["y"] <= box["y"] <= around["y"] + around["height"]
    marked, other = (
        bob.page.locator(f"#log .message__body:has-text('message {number}')").first.evaluate(
            "body => getComputedStyle(body).outlineStyle + getComputedStyle(body.parentNode).backgroundColor"
        )
        for number in (30, 31)
    )
    assert marked != other


@BOTH
def test_the_log_begins_at_the_newest_message_and_stays_there(meet: Meet, script: bool) -> None:
    room, said = long_room(meet, f"Newest {script}", 60)
    bob = meet("bob", script).open(room)
    bob.reads(*said[-50:])
    assert is_in_view(bob, said[-1])
    for number in range(5):
        bob.say(f"more {number}")
        bob.sees(f"more {number}")
        bob.until(lambda: is_in_view(bob, f"more {number}"), "message in view")  # noqa: B023


@BOTH
def test_who_has_scrolled_up_reads_on_while_messages_arrive(meet: Meet, script: bool) -> None:
    room, said = long_room(meet, f"Scrolled up {script}", 60)
    alice, bob = meet("alice").open(room), meet("bob", script).open(room)
    bob.reads(*said[-50:])
    scroll_up(bob)
    words = next(words for words in bob.messages() if height(bob, words) > 150)
    before = height(bob, words)
    for number in range(5):
        alice.say(f"more {number}")
        bob.sees(f"more {number}")
    assert height(bob, words) == pytest.approx(before, abs=STILL_PX)
    assert not is_in_view(bob, "more 4")
