"""What is done to a message is done where it stands: no page is left, and what is in the composer stays."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Meet
from tests.browser.editing import edit_message, open_edit_page, press_and_close
from tests.browser.person import BrowserPerson

DRAFT = "half a sentence"


def message(person: BrowserPerson, words: str) -> Locator:
    """The message by its address: its words may go while it is looked at."""
    person.sees(words)
    return person.page.locator(f"#{person.page.locator('.message', has=person.body(words)).get_attribute('id')}")


def press(person: BrowserPerson, item: Locator, act: str) -> None:
    """Press the act in the tray of the message, with a mouse over it."""
    item.hover()
    item.locator(".tray a").first.hover()
    item.locator(f".tray a[href^='?{act}=']").click()


def begin(person: BrowserPerson, room: str) -> None:
    """Open the room, with something in the composer that is to survive, and a sign on the page that would not."""
    person.open(room)
    person.text.fill(DRAFT)
    person.page.evaluate("window.isSame = true")


def stays(person: BrowserPerson) -> None:
    assert person.page.evaluate("window.isSame")
    assert person.text.input_value() == DRAFT


def field(item: Locator) -> Locator:
    return item.locator("textarea")


def said_aside(page: Page) -> Locator:
    return page.locator(".toast")


def test_a_message_is_edited_where_it_stands(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Editing")
    alice.send(f"{room}/messages", body="one", nonce="1")
    begin(alice, room)
    bob.open(room)
    item = message(alice, "one")
    press(alice, item, "edit")
    assert field(item).input_value() == "one"
    field(item).fill("changed my mind")
    field(item).press("Escape")
    alice.reads("one")
    press(alice, item, "edit")
    field(item).fill("one, but better")
    field(item).press("Shift+Enter")
    field(item).type("in two lines")
    field(item).press("Enter")
    for person in (alice, bob):
        person.reads("one, but better\nin two lines")
    stays(alice)


def test_the_key_up_in_an_empty_composer_edits_what_one_said_last(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Arrow")
    alice.open(room)
    for number, person in enumerate((alice, alice, bob)):
        person.send(f"{room}/messages", body=f"{person.name} {number}", nonce=str(number))
    alice.sees("bob 2")
    alice.text.fill("x")
    alice.text.press("ArrowUp")
    alice.text.fill("")
    # Also where a key comes twice before the form is there.
    alice.text.press("ArrowUp")
    alice.text.press("ArrowUp")
    item = alice.page.locator(f"#log > .message[data-author='{alice.code}']").last
    field(item).wait_for()
    assert field(item).input_value() == "alice 1"
    assert alice.page.locator(".act--edit").count() == 1
    alice.page.keyboard.press("End")
    alice.page.keyboard.type(" again")
    alice.page.keyboard.press("Enter")
    alice.reads("alice 0", "alice 1 again", "bob 2")
    assert alice.page.evaluate("document.activeElement.id") == "text"


def test_an_edit_survives_a_change_by_others(meet: Meet) -> None:
    """In another tab of the same person's: the form stays, with what is typed and the focus, and tells of both."""
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Two tabs")
    alice.send(f"{room}/messages", body="one", nonce="1")
    begin(alice, room)
    bob.open(room)
    item = message(alice, "one")
    tab = open_edit_page(alice, "one")
    press(alice, item, "edit")
    field(item).fill("from here")
    tab.fill("#text", "from there")
    press_and_close(tab, "Save")
    bob.reads("from there")
    alice.until(lambda: item.get_attribute("data-version") == "2", "the edit of the other tab")
    assert field(item).input_value() == "from here"
    assert alice.page.evaluate("document.activeElement.name") == "body"
    alice.page.keyboard.type(", and on")
    alice.forgive("409")
    field(item).press("Enter")
    item.get_by_text("This message was edited while you wrote.").wait_for()
    assert "from there" in item.locator(".quote").inner_text()
    assert field(item).input_value() == "from here, and on"
    field(item).press("Enter")
    for person in (alice, bob):
        person.reads("from here, and on")
    stays(alice)


def test_what_was_typed_into_a_message_that_is_removed_goes_to_the_composer(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Removed meanwhile")
    alice.send(f"{room}/messages", body="one", nonce="1")
    begin(alice, room)
    item = message(alice, "one")
    press(alice, item, "edit")
    field(item).fill("the better one")
    alice.send(f"{room}/messages/1/remove")
    alice.reads("Removed")
    alice.until(lambda: alice.text.input_value() == f"{DRAFT}\nthe better one", "the words")
    assert "Your words are in the field below" in said_aside(alice.page).inner_text()
    assert alice.page.locator(".act").count() == 0


def test_an_edit_that_can_not_be_saved_stays_open_with_the_reason(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("422", "ERR_FAILED", "404")
    room = alice.make_room("Refused")
    alice.send(f"{room}/messages", body="one", nonce="1")
    begin(alice, room)
    item = message(alice, "one")
    press(alice, item, "edit")
    field(item).fill("x" * 4001)
    field(item).press("Enter")
    item.get_by_text("That is 4,001 characters").wait_for()
    assert field(item).input_value() == "x" * 4001

    def cut(route: Route) -> None:
        route.abort()

    alice.page.route("**/edit", cut)
    field(item).fill("two")
    field(item).press("Enter")
    item.get_by_text("That did not work").wait_for()
    assert field(item).input_value() == "two"
    alice.page.unroute("**/edit")
    field(item).press("Enter")
    alice.reads("two")
    stays(alice)


def test_a_message_is_edited_also_where_no_stream_brings_it(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Still")
    for number in range(1, 61):
        alice.send(f"{room}/messages", body=f"line {number}", nonce=str(number))
    alice.page.goto(f"{room}?around=5")
    item = message(alice, "line 5")
    press(alice, item, "edit")
    field(item).fill("line five")
    item.get_by_role("button", name="Save").click()
    alice.sees("line five")
    assert "around=5" in alice.page.url


def test_a_message_is_removed_after_one_question(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Removing")
    alice.send(f"{room}/messages", body="one", nonce="1")
    begin(alice, room)
    bob.open(room)
    item = message(alice, "one")
    press(alice, item, "remove")
    item.get_by_text("Remove this message?").wait_for()
    item.get_by_role("link", name="Keep").click()
    assert item.locator(".act").count() == 0
    alice.reads("one")
    press(alice, item, "remove")
    item.get_by_role("button", name="Remove").click()
    for person in (alice, bob):
        person.reads("Removed")
    stays(alice)


def test_a_message_is_reported_in_a_dialog_over_the_room(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Reporting")
    alice.send(f"{room}/messages", body="You turnip", nonce="1")
    begin(bob, room)
    press(bob, message(bob, "You turnip"), "report")
    dialog = bob.page.get_by_role("dialog", name="Report this message")
    dialog.wait_for()
    bob.page.keyboard.press("Escape")
    assert dialog.count() == 0
    press(bob, message(bob, "You turnip"), "report")
    dialog.get_by_role("radio").first.check()
    dialog.get_by_role("button", name="Send the report").click()
    thanks = bob.page.get_by_role("dialog", name="Thank you")
    thanks.wait_for()
    thanks.get_by_role("button", name="Close").click()
    stays(bob)


def test_the_link_to_a_message_is_copied_and_that_is_said(meet: Meet) -> None:
    alice = meet("alice", permissions=["clipboard-read", "clipboard-write"])
    room = alice.make_room("Copying")
    alice.send(f"{room}/messages", body="one", nonce="1")
    begin(alice, room)
    press(alice, message(alice, "one"), "link")
    alice.until(lambda: said_aside(alice.page).inner_text() == "The link is copied.", "the word for it")
    assert alice.page.evaluate("navigator.clipboard.readText()") == f"{room}/messages/1"
    stays(alice)


def test_a_message_is_saved_and_pinned_and_a_room_is_marked_as_unread_from_it(meet: Meet) -> None:
    alice, bob, eva = meet("alice"), meet("bob"), meet("eva", script=False)
    room = alice.make_room("Unread")
    bob.make_room("Unread")
    for number in (1, 2, 3):
        alice.send(f"{room}/messages", body=f"line {number}", nonce=str(number))
    begin(bob, room)
    for button, done in (
        ("Save for later", "Saved. You find it under “You”."),
        ("Remove from saved", "Not saved any more."),
        ("Save for later", "Saved. You find it under “You”."),
    ):
        press(bob, message(bob, "line 2"), "more")
        message(bob, "line 2").get_by_role("button", name=button).click()
        bob.until(lambda done=done: said_aside(bob.page).inner_text() == done, done)
    message(bob, "line 1").locator("summary").focus()
    bob.page.keyboard.press("s")
    bob.until(lambda: bob.context.request.get("/saved").text().count('class="listed"') == 2, "both in the list")
    # Pinning is the owner's: with script and without it stands there for everybody at once.
    press(bob, message(bob, "line 3"), "more")
    message(bob, "line 3").get_by_role("button", name="Save for later").wait_for()
    assert not message(bob, "line 3").get_by_role("button", name="Pin for everybody").count()
    bob.page.keyboard.press("Escape")
    eva.open(room)
    begin(alice, room)
    for button, shown in (("Pin for everybody", 1), ("Unpin", 0), ("Pin for everybody", 1)):
        press(alice, message(alice, "line 1"), "more")
        message(alice, "line 1").get_by_role("button", name=button).click()
        for one in (bob, eva):
            pinned = one.log if one is eva else one.page
            line = pinned.locator(".pins__all").locator("visible=true")
            one.until(lambda line=line, shown=shown: line.count() == shown, f"{shown} pinned")
    assert bob.page.locator("#pins .said").inner_text() == "alice line 1"
    bob.page.locator("#pins .said").click()
    expect(bob.page.locator("#log > :target")).to_have_text(re.compile("line 1"))
    press(bob, message(bob, "line 2"), "more")
    message(bob, "line 2").get_by_role("button", name="Mark as unread from here").click()
    bob.until(lambda: said_aside(bob.page).inner_text() == "Marked as unread.", "the word for it")
    alice.send(f"{room}/messages", body="line 4", nonce="4")
    bob.sees("line 4")
    stays(bob)
    bob.page.goto("/lobby")
    bob.until(lambda: re.match("3", bob.page.locator("#entries .unread").inner_text()), "three that are unread")


def test_a_press_before_the_script_for_it_has_come_waits_for_it(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Early")
    alice.send(f"{room}/messages", body="one", nonce="1")
    held: list[Route] = []
    alice.page.route("**/static/acts.*.js", lambda route: held.append(route))
    alice.open(room)
    alice.page.evaluate("window.isSame = true")
    item = message(alice, "one")
    press(alice, item, "all")
    alice.until(lambda: held, "the request for it")
    held[0].continue_()
    item.locator(".tray a[href^='?edit=']").click()
    item.locator(".act--edit").wait_for()
    assert alice.page.evaluate("window.isSame")


def test_an_edit_elsewhere_is_shown_where_nobody_edits(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Elsewhere")
    alice.send(f"{room}/messages", body="one", nonce="1")
    alice.open(room)
    edit_message(alice, "one", "two")
    alice.reads("two")


def test_each_message_is_one_stop_for_the_keyboard_and_a_key_there_leads_to_who_wrote_it(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Stops")
    for number in (1, 2, 3):
        alice.send(f"{room}/messages", body=f"line {number}", nonce=str(number))
    bob.open(room)
    bob.sees("line 3")
    bob.text.press("Shift")
    bob.until(lambda: bob.page.locator("#log a.message__author[tabindex='-1']").count() == 3, "what a key brings")
    bob.page.locator(".scroller").focus()
    stops = []
    for _ in range(3):
        bob.page.keyboard.press("Tab")
        stops.append(
            bob.page.evaluate("document.activeElement.closest('.message')?.querySelector('.message__body').innerText")
        )
    assert [words.split()[1] for words in stops] == ["1", "2", "3"]
    bob.page.keyboard.press("p")
    bob.page.get_by_role("dialog", name="alice").wait_for()
    bob.page.keyboard.press("Escape")
    bob.page.keyboard.press("Tab")
    assert not bob.page.evaluate("!!document.activeElement.closest('#log .message')")


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "touch"])
def test_the_tray_of_a_message_that_is_longer_than_the_screen_is_where_one_reads(meet: Meet, touch: bool) -> None:
    size = {"width": 390, "height": 700} if touch else {"width": 1000, "height": 600}
    alice, bob = meet("alice"), meet("bob", viewport=size, has_touch=touch, is_mobile=touch)
    room = alice.make_room(f"Long {touch}")
    alice.send(f"{room}/messages", body="before", nonce="0")
    alice.send(f"{room}/messages", body="\n".join(f"line {number}" for number in range(100)), nonce="1")
    for number in range(3):
        alice.send(f"{room}/messages", body=f"after {number}", nonce=f"a{number}")
    bob.open(room)
    bob.sees("after 2")
    log = bob.page.locator(".scroller").bounding_box()
    assert log
    item = bob.page.locator("#log > .message").nth(1)
    # At its end, then in its middle.
    for up in (0, 900):
        bob.page.locator(".scroller").evaluate("(scroller, up) => scroller.scrollTop = -up", up)
        at = {"x": log["x"] + 100, "y": log["y"] + log["height"] / 2}
        if touch:
            bob.page.touchscreen.tap(**at)
        else:
            bob.page.mouse.move(**at)
        tray = item.locator(".tray > div")
        tray.locator("a").first.wait_for()
        box = tray.bounding_box()
        assert box
        assert log["y"] <= box["y"] <= log["y"] + log["height"] - box["height"], (up, box, log)
        if touch:
            item.locator("summary").evaluate("summary => summary.click()")
    # What is pressed there is of this message.
    if touch:
        bob.page.touchscreen.tap(**at)
    else:
        tray.locator("a").first.hover()
    tray.locator("a[href^='?report=']").click()
    bob.page.get_by_role("dialog", name="Report this message").wait_for()
