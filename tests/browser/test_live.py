"""What one person does arrives at everybody else, and at themselves by the same road."""

import time
from statistics import median

import pytest

from tests.browser.conftest import Meet
from tests.browser.reader import PASSWORD, Reader

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
PAIRS = pytest.mark.parametrize(
    ("hers", "his"),
    [(SCRIPT, SCRIPT), (PLAIN, PLAIN), (SCRIPT, PLAIN), (PLAIN, SCRIPT)],
    ids=["script-script", "plain-plain", "script-plain", "plain-script"],
)
DELIVERIES = 20
DELIVERY_GUARD_MS = 1000


def change(person: Reader, address: str, words: str, new: str) -> None:
    """Edit a message by the form that its link leads to, in a tab beside the room."""
    tab = _edit_page(person, address, words)
    tab.fill("#text", new)
    tab.get_by_role("button", name="Save").click()
    tab.wait_for_url("**/rooms/*", wait_until="commit")
    tab.close()


def remove(person: Reader, address: str, words: str) -> None:
    tab = _edit_page(person, address, words)
    tab.get_by_role("button", name="Remove the message").click()
    tab.wait_for_url("**/rooms/*", wait_until="commit")
    tab.close()


def _edit_page(person: Reader, address: str, words: str):  # type: ignore[no-untyped-def]
    message = person.log.locator(".message", has=person.body(words))
    tab = person.context.new_page()
    tab.goto(message.locator(".message__edit").get_attribute("href") or "")
    return tab


@BOTH
def test_somebody_registers_makes_a_room_and_is_found_in_the_list_by_another(meet: Meet, script: bool) -> None:
    alice, bob = meet("alice", script), meet("bob", script)
    alice.context.clear_cookies()
    page = alice.page
    page.goto("/")
    page.get_by_role("link", name="Create an account").first.click()
    page.fill("#username", "newcomer" + ("1" if script else "2"))
    page.fill("#password", PASSWORD)
    page.click("form.form button")
    page.wait_for_url("**/lobby")
    page.fill("#name", f"Found in the list, {script}")
    page.click("#new button")
    page.wait_for_url("**/rooms/*", wait_until="commit")
    alice.open(page.url)

    bob.page.goto("/lobby")
    bob.page.get_by_role("link", name=f"Found in the list, {script}").click()
    bob.page.wait_for_url("**/rooms/*", wait_until="commit")
    bob.open(bob.page.url)
    bob.page.locator("#join button").click()
    bob.page.locator("#join").wait_for(state="detached")
    bob.open(bob.page.url)
    alice.say("Hello?")
    bob.sees("Hello?")
    bob.say("Hello!")
    alice.reads("Hello?", "Hello!")


@PAIRS
def test_what_is_posted_edited_and_removed_arrives_in_place_at_both(meet: Meet, hers: bool, his: bool) -> None:
    alice, bob = meet("alice", hers), meet("bob", his)
    room = alice.make_room(f"In place {hers} {his}")
    alice.open(room), bob.open(room)
    alice.say("one")
    bob.sees("one")
    bob.say("two")
    alice.sees("two")
    alice.say("three")
    for person in (alice, bob):
        person.reads("one", "two", "three")

    change(alice, room, "one", "one, but better")
    for person in (alice, bob):
        person.reads("one, but better", "two", "three")
    remove(bob, room, "two")
    for person in (alice, bob):
        person.reads("one, but better", "Removed", "three")
    change(alice, room, "one, but better", "one, at last")
    alice.say("four")
    for person in (alice, bob):
        person.reads("one, at last", "Removed", "three", "four")
        person.page.reload(wait_until="commit")
        person.reads("one, at last", "Removed", "three", "four")


@PAIRS
def test_a_message_is_there_at_once(meet: Meet, hers: bool, his: bool, figure: list[str]) -> None:
    alice, bob = meet("alice", hers), meet("bob", his)
    room = alice.make_room(f"At once {hers} {his}")
    alice.open(room), bob.open(room)
    took = []
    for number in range(DELIVERIES):
        alice.text.fill(f"message {number}")
        begun = time.perf_counter()
        alice.text.press("Enter") if hers else alice.composer.click(".composer__send")
        bob.sees(f"message {number}")
        took.append((time.perf_counter() - begun) * 1000)
        alice.sees(f"message {number}")
        alice.until(lambda: alice.text.input_value() == "", "empty composer")
    ways = {SCRIPT: "script", PLAIN: "without"}
    figure.append(
        f"delivery {ways[hers]} -> {ways[his]}: median {median(took):.0f} ms of {DELIVERIES}, slowest {max(took):.0f} ms"
    )
    assert median(took) < DELIVERY_GUARD_MS


@BOTH
def test_a_room_tells_who_is_there_and_who_has_left(meet: Meet, script: bool) -> None:
    alice, bob = meet("Alice", script), meet("Bob")
    room = alice.make_room(f"Who is there, {script}")
    alice.open(room)
    people = alice.page.locator("#people") if script else alice.log.locator(".now:visible")
    alice.until(lambda: people.inner_text().startswith("1 here: Alice"), "Alice alone")
    bob.open(room)
    alice.until(lambda: people.inner_text().startswith("2 here: Alice"), "both")
    assert "Bob" in people.inner_text()
    bob.page.goto("/lobby")
    alice.until(lambda: people.inner_text().startswith("1 here: Alice"), "Alice alone again")


def test_topic_and_lock_arrive_in_the_header(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("About to change")
    bob.open(room)
    alice.send(f"{room}/settings", do="topic", topic="Soup of the day")
    about = bob.page.locator("#about")
    bob.until(lambda: "Soup of the day" in about.inner_text(), "topic")
    alice.send(f"{room}/settings", do="lock")
    bob.until(lambda: "(locked)" in about.inner_text(), "lock")
    bob.forgive("403 (Forbidden)")
    bob.say("May I?")
    bob.problem.wait_for()
    assert "locked" in bob.problem.inner_text()
    assert bob.text.input_value() == "May I?"
    alice.send(f"{room}/settings", do="unlock")
    bob.until(lambda: "(locked)" not in about.inner_text(), "unlock")
    bob.send_it()
    bob.sees("May I?")
