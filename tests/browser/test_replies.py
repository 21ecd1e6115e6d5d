"""Answering a message: where it stands and by a page, seen by others, and led back to what is answered."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

PLAIN = False
DRAFT = "half a sentence"


def quote(person: BrowserPerson, number: int) -> Locator:
    return person.log.locator(f"#log > [id$='-{number}']:visible .message__body > .said")


def press_reply(person: BrowserPerson, number: int) -> None:
    item = person.log.locator(f"#log > [id$='-{number}']:visible")
    item.hover()
    item.locator(".tray a[href^='?reply=']").click()


def answered(person: BrowserPerson) -> Locator:
    return person.composer.locator("#answered")


def test_an_answer_is_written_beside_the_draft_and_quotes_live(meet: Meet) -> None:
    alice, bob, eva = meet("alice"), meet("bob"), meet("eva", PLAIN)
    room = alice.make_room("Answers")
    alice.send(f"{room}/messages", body="Which door?", nonce="1")
    alice.send(f"{room}/messages", body="something else", nonce="2")
    for person in (alice, bob, eva):
        person.open(room)
    bob.text.fill(DRAFT)
    bob.page.evaluate("window.isSame = true")
    press_reply(bob, 1)
    expect(answered(bob).locator(".said")).to_have_text("alice Which door?")
    assert bob.text.input_value() == DRAFT
    assert bob.page.evaluate("document.activeElement.id") == "text"
    bob.text.press("Escape")
    expect(answered(bob)).to_be_empty()
    press_reply(bob, 1)
    answered(bob).locator(".round").click()
    expect(answered(bob)).to_be_empty()
    press_reply(bob, 1)
    expect(answered(bob).locator(".said")).to_be_visible()
    bob.text.press("Enter")
    for person in (alice, bob, eva):
        expect(quote(person, 3)).to_have_text("alice Which door?")
        expect(person.log.locator("#log > [id$='-3'] .message__body").last).to_contain_text(DRAFT)
    expect(answered(bob)).to_be_empty()
    expect(bob.page.locator("#pending > *")).to_have_count(0)

    alice.send(f"{room}/messages/1/edit", body="Which window?")
    for person in (alice, bob, eva):
        expect(quote(person, 3).last).to_have_text("alice Which window?")
    alice.send(f"{room}/messages/1/remove")
    for person in (alice, bob, eva):
        expect(quote(person, 3).last).to_have_text("Message removed")
    assert bob.page.evaluate("window.isSame")


def test_a_quote_leads_to_its_original_in_the_page_or_around_it(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Long ago")
    for number in range(1, 61):
        alice.send(f"{room}/messages", body=f"line {number}", nonce=str(number))
    alice.send(f"{room}/messages", body="to the first", nonce="61", reply_to="1")
    alice.send(f"{room}/messages", body="to one in the page", nonce="62", reply_to="20")
    alice.open(room)
    alice.page.keyboard.press("Shift")
    quote(alice, 61).click()
    expect(alice.page).to_have_url(re.compile(r"around=1#message-\d+-1$"))
    expect(alice.page.locator("#log > :target")).to_be_in_viewport()
    alice.open(room)
    # What a press needs comes with the first one.
    with alice.page.expect_response("**/acts*.js"):
        alice.page.keyboard.press("Shift")
    alice.page.evaluate("window.isSame = true")
    quote(alice, 62).click()
    expect(alice.page).to_have_url(re.compile(r"[a-z]#message-\d+-20$"))
    expect(alice.page.locator("#log > :target")).to_be_in_viewport()
    assert alice.page.evaluate("window.isSame")


@pytest.mark.parametrize("plain", ["", "?plain=1"], ids=["frames", "plain"])
def test_without_script_an_answer_is_a_link_and_a_form(meet: Meet, plain: str) -> None:
    alice, bob = meet("alice"), meet("bob", PLAIN)
    room = alice.make_room(f"By links {plain}")
    alice.send(f"{room}/messages", body="Which door?", nonce="1")
    alice.open(room)
    if plain:
        bob.page.goto(room + plain)
        bob.page.locator(".message").hover()
        bob.page.locator(".tray a[href='?reply=1']").click()
    else:
        bob.open(room)
        press_reply(bob, 1)
    expect(bob.page.locator("#answered .said")).to_have_text("alice Which door?")
    bob.page.locator("#text").fill("The red one")
    bob.page.locator(".composer__send").click()
    expect(quote(alice, 2)).to_have_text("alice Which door?")
    bob.page.wait_for_url("**#composer", wait_until="commit")
    if not plain:
        bob.until(lambda: quote(bob, 2).count(), "the answer in the endless document")
        quote(bob, 2).click()
        bob.page.wait_for_url(re.compile(r"around=1#message-\d+-1$"))
    else:
        expect(bob.page.locator(".message__body > .said")).to_have_text("alice Which door?")


def test_the_key_r_on_a_message_answers_it(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("By key")
    alice.send(f"{room}/messages", body="one", nonce="1")
    alice.send(f"{room}/messages", body="two", nonce="2")
    alice.open(room)
    alice.page.locator("#log summary").first.focus()
    alice.page.keyboard.press("r")
    expect(answered(alice).locator(".said")).to_have_text("alice one")
    alice.page.keyboard.type("to one")
    alice.page.keyboard.press("Enter")
    expect(quote(alice, 3)).to_have_text("alice one")


def drag(person: BrowserPerson, item: Locator, *ways: tuple[int, int]) -> None:
    """Put a finger on the message, move it by these ways one after the other, and lift it."""
    box, wire = item.bounding_box(), person.context.new_cdp_session(person.page)
    assert box
    x, y = box["x"] + 30, box["y"] + box["height"] / 2
    for kind, ahead in (("touchStart", (0, 0)), *(("touchMove", way) for way in ways)):
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + ahead[0], "y": y + ahead[1]}]})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_message_that_is_pulled_aside_on_a_touch_screen_is_answered(meet: Meet) -> None:
    alice = meet("alice", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    room = alice.make_room("By finger")
    alice.send(f"{room}/messages", body="one", nonce="1")
    alice.send(f"{room}/messages", body="two", nonce="2")
    alice.open(room)
    # What a press needs comes with the first one, and then fills the tray of the message beneath.
    message = alice.page.locator("#log > .message").first
    message.hover()
    alice.page.keyboard.press("Shift")
    expect(message.locator(".tray a[href='?edit=1']")).to_be_attached()
    item = message.locator(".message__body")
    drag(alice, item, (20, 0), (40, 2))
    drag(alice, item, (20, 40), (60, 120))
    drag(alice, item, (-20, 0), (-25, 0))
    assert answered(alice).inner_text() == ""
    drag(alice, item, (20, 0), (50, 2), (90, 3))
    expect(answered(alice).locator(".said")).to_have_text("alice one")
    assert alice.page.locator(".message--pulled").count() == 0


def test_a_reply_begun_is_there_again_when_its_room_is(meet: Meet) -> None:
    alice = meet("alice")
    tea, soup = alice.make_room("Tea again"), alice.make_room("Soup again")
    alice.send(f"{tea}/messages", body="Which door?", nonce="1")
    alice.open(tea)
    press_reply(alice, 1)
    expect(answered(alice).locator(".said")).to_have_text("alice Which door?")
    alice.text.fill(DRAFT)
    alice.page.evaluate("window.isSame = true")
    for name, shown in (("Soup again", 0), ("Tea again", 1)):
        alice.page.locator("#entries a.entry", has_text=name).click()
        expect(alice.page.locator("#room-name")).to_have_text(name)
        expect(answered(alice).locator(".said")).to_have_count(shown)
    assert alice.page.evaluate("window.isSame")
    alice.open(soup)
    expect(answered(alice)).to_be_empty()
    alice.open(tea)
    expect(answered(alice).locator(".said")).to_have_text("alice Which door?")
    assert alice.text.input_value() == DRAFT
    alice.text.press("Enter")
    expect(quote(alice, 2)).to_have_text("alice Which door?")
    # It was sent, and what is written next answers nothing, also on a page that is loaded again.
    alice.open(soup)
    alice.open(tea)
    alice.text.fill("news")
    alice.page.keyboard.press("Shift")
    alice.text.press("Enter")
    expect(alice.page.locator("#log > [id$='-3']")).to_contain_text("news")
    expect(quote(alice, 3)).to_have_count(0)


def test_words_that_are_refused_come_back_with_what_they_answer(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("422")
    room = alice.make_room("Too long")
    alice.send(f"{room}/messages", body="Which door?", nonce="1")
    alice.open(room)
    press_reply(alice, 1)
    expect(answered(alice).locator(".said")).to_be_visible()
    alice.text.fill("x" * 4001)
    alice.text.press("Enter")
    expect(alice.page.locator("#sending .problem")).to_contain_text("4,001 characters")
    expect(answered(alice).locator(".said")).to_have_text("alice Which door?")
    alice.text.fill("The red one")
    alice.text.press("Enter")
    expect(quote(alice, 2)).to_have_text("alice Which door?")
    expect(answered(alice)).to_be_empty()


def test_what_answers_is_sent_as_an_answer_where_the_script_for_presses_cannot_be_loaded(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("ERR_FAILED")
    room = alice.make_room("Without a bundle")
    alice.send(f"{room}/messages", body="Which door?", nonce="1")
    alice.page.route("**/static/acts.*.js", lambda route: route.abort())
    alice.open(f"{room}?reply=1")
    alice.text.fill("The red one")
    alice.text.press("Enter")
    expect(quote(alice, 2)).to_have_text("alice Which door?")
