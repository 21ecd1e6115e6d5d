"""Calling people by their names: what those who are called see, what the author hears, and names that are completed."""

import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
COLOUR = "mention => getComputedStyle(mention).backgroundColor"
CLEAR = "rgba(0, 0, 0, 0)"


def mention(person: BrowserPerson, name: str) -> Locator:
    return person.log.locator(".message__body:visible .mention", has_text=f"@{name}")


@BOTH
def test_a_name_stands_out_for_who_is_called_and_the_author_hears_of_who_is_not_here(meet: Meet, script: bool) -> None:
    alice, bob, dora = meet("alice", script), meet("bob", script), meet("dora", script)
    room = alice.make_room("Names" if script else "Plain names")
    bob.make_room("Names" if script else "Plain names")
    for person in (alice, bob):
        person.open(room)
    alice.say(f"tea, @{bob.username}? Or @{dora.username}")
    for person in (alice, bob):
        expect(mention(person, bob.username)).to_have_attribute("href", f"/people/{bob.code}")
    assert mention(bob, bob.username).evaluate(COLOUR) != CLEAR
    assert mention(bob, dora.username).evaluate(COLOUR) == mention(alice, bob.username).evaluate(COLOUR) == CLEAR
    word = f"@{dora.username} is not in this room and does not hear of it."
    expect(alice.composer.locator("#sending .done")).to_have_text(word)
    alice.say("so be it")
    alice.sees("so be it")
    expect(alice.composer.locator("#sending .done")).to_have_count(0)
    mention(alice, dora.username).click()
    expect(alice.page.get_by_role("heading", name="dora").first).to_be_visible()


@BOTH
def test_everyone_in_a_large_room_is_called_when_that_is_meant(meet: Meet, script: bool) -> None:
    alice, bob = meet("alice", script), meet("bob", script)
    room = alice.make_room("Large" if script else "Large and plain")
    with closing(sqlite3.connect(next(alice.site.folder.rglob("parley.sqlite3")), timeout=10)) as database, database:
        database.execute("UPDATE room SET member_count = 60 WHERE key = ?", (room.rpartition("/")[2],))
    for person in (alice, bob):
        person.open(room)
    alice.forgive("422")
    question = "This calls all 60 people in the room."
    if script:
        asked: list[str] = []

        def decline(dialog: object) -> None:
            asked.append(dialog.message)  # type: ignore[attr-defined]
            dialog.dismiss()  # type: ignore[attr-defined]

        alice.page.once("dialog", decline)
        alice.say("@everyone, tea")
        expect(alice.text).to_have_value("@everyone, tea")
        expect(alice.problem).to_have_text(question)
        assert asked == [question]
        alice.page.once("dialog", lambda dialog: dialog.accept())
        alice.text.press("Enter")
    else:
        alice.say("@everyone, tea")
        expect(alice.problem).to_contain_text(question)
        expect(alice.text).to_have_value("@everyone, tea")
        alice.composer.locator("button[name=everyone]").click()
    expect(mention(bob, "everyone")).to_be_visible()
    assert mention(bob, "everyone").evaluate(COLOUR) != CLEAR
    bob.sees("@everyone, tea")


def test_a_name_is_completed_by_keys_and_by_a_press(meet: Meet) -> None:
    alice, bob, bert = meet("alice"), meet("bob"), meet("bert")
    room = alice.make_room("Completed")
    for person in (bob, bert):
        person.make_room("Completed")
    alice.open(room)
    names = alice.page.locator("#called [data-name]")
    chosen = alice.page.locator("#called [aria-selected=true]")
    alice.text.press_sequentially("dear @bo")
    expect(names).to_have_text([f"bob @{bob.username}"])
    expect(alice.text).to_have_attribute("aria-activedescendant", "called-1")
    expect(alice.text).to_have_role("combobox")
    expect(alice.page.get_by_role("status").filter(has_text="1 found")).to_be_attached()
    alice.text.press("Enter")
    expect(alice.text).to_have_value(f"dear @{bob.username} ")
    expect(names).to_have_count(0)
    expect(alice.text).to_have_role("textbox")
    assert alice.messages() == []

    alice.text.press_sequentially("and @be")
    expect(names).to_have_text([f"bert @{bert.username}"])
    alice.text.press("Escape")
    expect(names).to_have_count(0)
    expect(alice.text).to_have_value(f"dear @{bob.username} and @be")
    alice.text.press_sequentially("r")
    names.click()
    expect(alice.text).to_have_value(f"dear @{bob.username} and @{bert.username} ")
    assert alice.page.evaluate("document.activeElement.id") == "text"
    alice.text.press("Enter")
    for person in (bob, bert):
        expect(mention(alice, person.username)).to_be_visible()

    bob.open(room)
    alice.text.press_sequentially("@")
    expect(names.filter(has_text=bob.username)).to_be_visible()
    alice.text.press("ArrowUp")
    expect(chosen).to_have_text("Everyone @everyone")
    alice.text.press("ArrowDown")
    expect(names.first).to_have_attribute("aria-selected", "true")
    alice.text.press("ArrowUp")
    alice.text.press("Tab")
    expect(alice.text).to_have_value("@everyone ")
    assert alice.page.evaluate("document.activeElement.id") == "text"
    alice.text.press_sequentially("me@bo")
    alice.pause(400)  # nothing tells that nothing is asked
    expect(names).to_have_count(0)
