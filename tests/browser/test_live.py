"""What one person does arrives at everybody else, and at themselves by the same road."""

import sqlite3
import time
from contextlib import closing
from statistics import median
from typing import Any

import pytest

from tests.browser.conftest import Meet
from tests.browser.editing import edit_message, open_edit_page, press_and_close
from tests.browser.person import PASSWORD, SAMPLES, BrowserPerson
from tests.servers import App

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
DELIVERY_GUARD_MS = 5000
# Where the names of who is here stand beside the conversation.
WIDE: Any = {"viewport": {"width": 1280, "height": 700}}


def remove(person: BrowserPerson, words: str) -> None:
    press_and_close(open_edit_page(person, words), "Remove the message")


@BOTH
def test_a_newcomer_creates_a_room_that_another_finds_in_the_list(meet: Meet, script: bool) -> None:
    alice, bob = meet("alice", script), meet("bob", script)
    alice.context.clear_cookies()
    page, name = alice.page, f"Found in the list, {script}"
    page.goto("/")
    page.get_by_role("link", name="Create an account").first.click()
    page.fill("#username", "newcomer" + ("1" if script else "2"))
    page.fill("#password", PASSWORD)
    page.click("form.form button")
    page.wait_for_url("**/lobby", wait_until="commit")
    page.fill("#name", name)
    page.click("#new button")
    page.wait_for_url("**/rooms/*", wait_until="commit")
    alice.open(page.url)

    bob.page.goto("/lobby", wait_until="commit")
    bob.page.get_by_role("link", name=name).click()
    bob.page.wait_for_url("**/rooms/*", wait_until="commit")
    bob.open(bob.page.url)
    bob.page.locator("#join button").click()
    bob.page.locator("#join").wait_for(state="detached")
    bob.open(bob.page.url)
    alice.say("Hello?")
    bob.sees("Hello?")
    bob.say("Hello!")
    alice.reads("Hello?", "Hello!")


def test_what_is_posted_edited_and_removed_arrives_in_place_at_everyone(meet: Meet) -> None:
    alice, bob, nora, paul = everyone = meet("alice"), meet("bob"), meet("nora", PLAIN), meet("paul", PLAIN)
    room = alice.make_room("In place")

    def all_read(*expected: str) -> None:
        for person in everyone:
            person.reads(*expected)

    for person in everyone:
        person.open(room)
    for person, words in zip(everyone, ("one", "two", "three", "four"), strict=True):
        person.say(words)
        person.sees(words)
    all_read("one", "two", "three", "four")
    edit_message(alice, "one", "one, but better")
    all_read("one, but better", "two", "three", "four")
    edit_message(nora, "three", "three, but better")
    all_read("one, but better", "two", "three, but better", "four")
    remove(bob, "two")
    remove(paul, "four")
    all_read("one, but better", "Removed", "three, but better", "Removed")
    edit_message(nora, "three, but better", "three, at last")
    alice.say("five")
    all_read("one, but better", "Removed", "three, at last", "Removed", "five")
    for person in everyone:
        person.open(room)
    all_read("one, but better", "Removed", "three, at last", "Removed", "five")


def test_without_script_an_edit_of_a_message_above_the_document_stays_out_of_it(meet: Meet) -> None:
    alice, nora = meet("alice"), meet("nora", script=False)
    room = alice.make_room("Above the document")
    words = [f"message {number}" for number in range(1, 61)]
    for each in words:
        alice.send(f"{room}/messages", body=each)
    nora.open(room)
    nora.reads(*words[10:])
    for step, number in enumerate((1, 11, 1, 11, 60)):
        words[number - 1] = f"message {number}, edited in step {step}"
        alice.send(f"{room}/messages/{number}/edit", body=words[number - 1])
        words.append(f"after step {step}")  # it comes behind the edit, and so tells that it has come
        alice.send(f"{room}/messages", body=words[-1])
        nora.reads(*words[10:])
    for number in (1, 12):
        alice.send(f"{room}/messages/{number}/remove")
    words[11] = "Removed"
    alice.send(f"{room}/messages", body="the end")
    nora.reads(*words[10:], "the end")


@BOTH
def test_a_log_that_is_sent_again_replaces_the_one_on_the_page(meet: Meet, site: App, script: bool) -> None:
    """A leap of the versions, as retention makes it: an endless document is loaded again."""
    alice, nora = meet("alice"), meet("nora", script)
    room = alice.make_room(f"Sent again {script}")
    words = [f"message {number}" for number in range(1, 11)]
    for each in words:
        alice.send(f"{room}/messages", body=each)
    nora.open(room)
    nora.reads(*words)
    key = room.rpartition("/")[2]
    with closing(sqlite3.connect(site.folder / "data" / "parley.sqlite3", timeout=10)) as file, file:
        [number] = file.execute("SELECT id FROM room WHERE key = ?", [key]).fetchone()
        file.execute("DELETE FROM message WHERE room_id = ? AND number <= 5", [number])
        file.execute("UPDATE room SET version = version + 501 WHERE id = ?", [number])
    alice.send(f"{room}/messages", body="message 11")
    nora.reads(*words[5:], "message 11")


def test_a_message_is_there_at_once(meet: Meet, figure: list[str]) -> None:
    alice, bob, nora, paul = meet("alice"), meet("bob"), meet("nora", PLAIN), meet("paul", PLAIN)
    room = alice.make_room("At once")
    for person in (alice, bob, nora, paul):
        person.open(room)
    for one, other in ((alice, bob), (alice, nora), (paul, nora), (paul, bob)):
        took = [delivery(one, other, f"{one.name} to {other.name} {number}") for number in range(SAMPLES)]
        ways = " -> ".join("script" if person.script else "without" for person in (one, other))
        figure.append(f"delivery {ways}: median {median(took):.0f} ms of {SAMPLES}, slowest {max(took):.0f} ms")
        assert median(took) < DELIVERY_GUARD_MS


def delivery(one: BrowserPerson, other: BrowserPerson, words: str) -> float:
    """Milliseconds from the press to the sight, the test's own remote control included."""
    one.text.fill(words)
    begun = time.perf_counter()
    one.text.press("Enter") if one.script else one.composer.click(".composer__send")
    other.sees(words)
    took = (time.perf_counter() - begun) * 1000
    one.until(lambda: one.text.input_value() == "", "empty composer")
    return took


def test_a_room_shows_who_is_here_and_who_has_left(meet: Meet) -> None:
    alice, nora, bob = meet("Alice", **WIDE), meet("Nora", PLAIN, **WIDE), meet("Bob")
    room = alice.make_room("Who is there")

    def both_see(count: str, *names: str) -> None:
        for person in (alice, nora):
            people = person.log.locator("#people" if person.script else ".live-state:visible")
            person.until(lambda: people.inner_text().startswith(count), count)  # noqa: B023
            assert all(name in people.inner_text() for name in names)

    alice.open(room)
    nora.open(room)
    both_see("2 here", "Alice", "Nora")
    bob.open(room)
    both_see("3 here", "Alice", "Bob", "Nora")
    bob.page.goto("/lobby", wait_until="commit")
    both_see("2 here", "Alice", "Nora")


def test_topic_and_lock_arrive_in_the_header(meet: Meet) -> None:
    alice, bob, nora = meet("alice"), meet("bob"), meet("nora", PLAIN)
    room = alice.make_room("About to change")
    bob.open(room)
    nora.open(room)
    alice.send(f"{room}/settings", do="topic", topic="Soup of the day")
    about = bob.page.locator("#about")
    bob.until(lambda: "Soup of the day" in about.inner_text(), "topic")
    bob.text.fill("May I, asks bob")
    alice.send(f"{room}/settings", do="lock")
    bob.until(lambda: "(locked)" in about.inner_text(), "lock")
    # Script takes the field away; without it the page learns of the lock by what it sends.
    bob.until(lambda: "is locked" in bob.page.locator("#refusal").inner_text(), "refusal")
    assert not bob.page.locator("#text").count()
    nora.forgive("403 (Forbidden)")
    nora.say("May I, asks nora")
    nora.problem.wait_for()
    assert "is locked" in nora.problem.inner_text()
    assert nora.text.input_value() == "May I, asks nora"
    late = meet("carol")
    late.open(room)
    assert "is locked" in late.page.locator("#refusal").inner_text()
    alice.send(f"{room}/settings", do="unlock")
    bob.until(lambda: "(locked)" not in about.inner_text(), "unlock")
    late.say("Now I may")
    bob.sees("Now I may")
    assert not late.page.locator("#refusal").count()
    bob.until(lambda: bob.text.input_value() == "May I, asks bob", "draft")
    for person in (bob, nora):
        person.send_it()
        person.sees(f"May I, asks {person.name}")
        assert not person.problem.count()
