"""Another room is opened in place while messages are on their way: each arrives once, in order, in its own room."""

import sqlite3
from contextlib import closing

from playwright.sync_api import Route

from tests.browser.conftest import Meet
from tests.browser.network import Held
from tests.browser.person import BrowserPerson
from tests.servers import App

MARK = "window.isSame = true"
ACTS = "**/static/acts.*.js"


def two_rooms(person: BrowserPerson) -> tuple[str, str]:
    """Two rooms of theirs, the first of which is open."""
    tea, soup = person.make_room("Tea"), person.make_room("Soup")
    person.open(tea)
    person.page.evaluate(MARK)
    return tea, soup


def press(person: BrowserPerson, name: str) -> None:
    person.page.locator("#entries a.entry", has_text=name).click()
    person.until(lambda: person.page.locator("#room-name").inner_text() == name, f"the room {name}")


def pending(person: BrowserPerson) -> list[str]:
    return list(person.page.locator("#pending .message__body:visible").all_inner_texts())


def stored(site: App) -> list[tuple[str, str]]:
    """Every message with its room, as they came."""
    rows = "SELECT room.name, body FROM message JOIN room ON room.id = message.room_id ORDER BY message.id"
    with closing(sqlite3.connect(next(site.folder.rglob("parley.sqlite3")))) as database:
        return list(database.execute(rows))


def test_what_is_on_its_way_goes_to_the_room_it_was_written_in(meet: Meet, own_site: App) -> None:
    alice, bob = meet("alice", site=own_site), meet("bob", site=own_site)
    tea, _ = two_rooms(alice)
    bob.open(tea)
    alice.page.route("**/messages", held := Held())
    for words in ("one", "two"):
        alice.say(words)
    alice.until(lambda: held.waiting, "the post")
    press(alice, "Soup")
    assert pending(alice) == []
    alice.say("three")
    alice.text.fill("half a")
    assert pending(alice) == ["three"]
    press(alice, "Tea")
    assert pending(alice) == ["one", "two"]
    assert alice.text.input_value() == ""
    press(alice, "Soup")
    assert pending(alice) == ["three"]
    held.let_go()
    alice.reads("three")
    bob.reads("one", "two")
    alice.until(lambda: not pending(alice), "nothing waiting")
    assert alice.text.input_value() == "half a"
    press(alice, "Tea")
    alice.reads("one", "two")
    assert pending(alice) == []
    assert alice.page.evaluate("window.isSame")
    assert stored(own_site) == [("Tea", "one"), ("Tea", "two"), ("Soup", "three")]


def test_an_answer_that_comes_after_the_room_was_left_is_shown_there_alone(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    two_rooms(alice)
    answers: list[tuple[Route, object]] = []
    alice.page.route("**/messages", lambda route: answers.append((route, route.fetch())))
    alice.say("stored, and not known to be")
    alice.until(lambda: answers, "the answer")
    press(alice, "Soup")
    [(route, answer)] = answers
    route.fulfill(response=answer)  # type: ignore[arg-type]
    alice.page.unroute("**/messages")
    alice.say("of soup")
    alice.reads("of soup")
    press(alice, "Tea")
    alice.reads("stored, and not known to be")
    assert pending(alice) == []
    assert stored(own_site) == [("Tea", "stored, and not known to be"), ("Soup", "of soup")]


def test_what_is_refused_after_the_room_was_left_is_a_draft_of_that_room(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    alice.forgive("403")
    two_rooms(alice)
    alice.page.route("**/messages", held := Held())
    for words in ("one", "two"):
        alice.say(words)
    alice.until(lambda: held.waiting, "the post")
    press(alice, "Soup")
    alice.text.fill("of soup")
    held.waiting.pop().fulfill(status=403)
    draft = alice.page.locator("#entries .entry", has_text="Tea").locator(".entry__draft")
    draft.wait_for()
    assert draft.inner_text().split() == ["Draft", "one", "two"]
    assert alice.text.input_value() == "of soup"
    press(alice, "Tea")
    assert alice.text.input_value() == "one\ntwo"
    assert stored(own_site) == []


def test_a_room_pressed_before_the_script_has_come_opens_after_what_was_sent(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    held: list[Route] = []
    alice.page.route(ACTS, lambda route: held.append(route))
    two_rooms(alice)
    alice.say("early")
    alice.page.locator("#entries a.entry", has_text="Soup").click()
    alice.until(lambda: held, "the request")
    held.pop().continue_()
    alice.until(lambda: alice.page.locator("#room-name").inner_text() == "Soup", "the room")
    assert alice.page.evaluate("window.isSame")
    alice.until(lambda: stored(own_site) == [("Tea", "early")], "the message")
    assert alice.messages() == pending(alice) == []
