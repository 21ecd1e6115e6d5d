"""The emoji beside the composer: for who has a mouse and a keyboard without any."""

import json
import re

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from webapp.conversations import faces
from webapp.core import text
from webapp.core.i18n import LANGUAGES
from webapp.http import assets

LIST = r"/static/emoji\.[0-9a-f]{10}\.json$"
BUNDLE = r"/static/emoji\.[0-9a-f]{10}\.js$"


def begin(person: BrowserPerson, words: str) -> str:
    """Open a room of their own and type, which brings the button."""
    room = person.make_room(f"Emoji of {person.username}")
    person.open(room)
    person.text.press_sequentially(words)
    button(person).wait_for()
    return room


def button(person: BrowserPerson) -> Locator:
    return person.page.locator(".composer__emoji")


def picker(person: BrowserPerson) -> Locator:
    return person.page.locator(".emoji")


def search(person: BrowserPerson) -> Locator:
    return picker(person).locator("input")


def shown(person: BrowserPerson) -> list[str]:
    return picker(person).locator(".emoji__list button:visible").all_inner_texts()


def open_picker(person: BrowserPerson) -> None:
    button(person).click()
    picker(person).wait_for()
    assert search(person).evaluate("field => field == document.activeElement")


def focused(person: BrowserPerson) -> str:
    """The name of what has the focus."""
    return str(person.page.evaluate("document.activeElement.title || document.activeElement.id"))


def test_every_emoji_stands_once_is_one_and_has_a_name_in_each_language() -> None:
    known = json.loads((assets.STATIC / "emoji.json").read_text())
    assert known["languages"] == list(LANGUAGES)
    signs = [sign for group in known["groups"] for sign, *_ in group["emoji"]]
    assert len(signs) == len(set(signs)) > 150
    for sign in signs:
        assert len(text.clusters(sign)) == 1, sign
        assert faces.is_emoji(sign), sign
    named = [known["search"], known["nothing"], *(group["names"] for group in known["groups"])]
    named += [names for group in known["groups"] for _, *names in group["emoji"]]
    assert all(len(names) == len(LANGUAGES) and all(names) for names in named)


def test_an_emoji_is_put_at_the_caret_by_key_and_sent(meet: Meet) -> None:
    alice = meet("alice")
    begin(alice, "good night")
    for _ in "night":
        alice.text.press("ArrowLeft")
    open_picker(alice)
    assert alice.times_requested(LIST) == 1
    alice.page.keyboard.type("moon")
    assert shown(alice) == ["🌙"]
    alice.page.keyboard.press("Enter")
    assert picker(alice).count() == 0
    assert focused(alice) == "text"
    assert alice.text.input_value() == "good 🌙night"
    alice.page.keyboard.type(" ")
    alice.page.keyboard.press("Enter")
    alice.reads("good 🌙 night")
    open_picker(alice)
    assert alice.times_requested(LIST) == 1


def test_arrows_lead_through_the_list(meet: Meet) -> None:
    alice = meet("alice")
    begin(alice, "x")
    open_picker(alice)
    keys = alice.page.keyboard
    keys.press("ArrowDown")
    assert focused(alice) == "grinning, happy"
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("ArrowLeft")
    assert focused(alice) == "smiling, happy"
    top = "document.activeElement.getBoundingClientRect().top"
    left = "document.activeElement.getBoundingClientRect().left"
    first, beside = alice.page.evaluate(top), alice.page.evaluate(left)
    keys.press("ArrowDown")
    assert alice.page.evaluate(top) > first
    assert alice.page.evaluate(left) == beside
    keys.press("ArrowUp")
    assert focused(alice) == "smiling, happy"
    keys.press("Tab")
    assert focused(alice) == "Send"
    assert picker(alice).count() == 0
    open_picker(alice)
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    assert search(alice).evaluate("field => field == document.activeElement")
    keys.press("Tab")
    keys.press("Enter")
    assert alice.text.input_value() == "x😀"


def test_arrows_go_the_other_way_where_the_page_does(meet: Meet) -> None:
    alice = meet("alice")
    begin(alice, "x")
    alice.page.evaluate("document.documentElement.dir = 'rtl'")
    open_picker(alice)
    alice.page.keyboard.press("ArrowDown")
    alice.page.keyboard.press("ArrowLeft")
    assert focused(alice) == "smiling, happy"


@pytest.mark.parametrize("way", ["Escape", "button", "beside"])
def test_the_picker_closes_and_leaves_what_was_written(meet: Meet, way: str) -> None:
    alice = meet("alice")
    room = begin(alice, "half a thought")
    open_picker(alice)
    assert button(alice).get_attribute("aria-expanded") == "true"
    if way == "Escape":
        alice.page.keyboard.press("Escape")
        assert focused(alice) == "text"
    elif way == "button":
        button(alice).click()
    else:
        alice.page.mouse.click(500, 200)
    assert picker(alice).count() == 0
    assert button(alice).get_attribute("aria-expanded") == "false"
    assert alice.text.input_value() == "half a thought"
    assert alice.messages() == []
    open_picker(alice)
    picker(alice).get_by_title("tulip").click()
    alice.page.goto(f"{room}/settings")
    alice.page.goto(room)
    assert alice.text.input_value() == "half a thought🌷"


def test_enter_sends_no_message_where_no_emoji_has_such_a_name(meet: Meet) -> None:
    alice = meet("alice")
    begin(alice, "x")
    open_picker(alice)
    alice.page.keyboard.type("zzz")
    picker(alice).get_by_text("There is none of that name.").wait_for()
    alice.page.keyboard.press("Enter")
    assert picker(alice).is_visible()
    assert alice.messages() == []


def test_they_are_found_by_their_german_names(meet: Meet) -> None:
    anna = meet("anna")
    anna.send("/settings/profile", display_name="anna", language="de")
    begin(anna, "x")
    open_picker(anna)
    assert search(anna).get_attribute("placeholder") == "Emoji suchen"
    anna.page.keyboard.type("igel")
    assert shown(anna)[-1] == "🦔"
    anna.page.keyboard.press("Escape")
    open_picker(anna)
    anna.page.keyboard.type("hedge")
    assert shown(anna) == ["🦔"]


def test_another_room_that_is_opened_in_place_has_them_too(meet: Meet) -> None:
    alice = meet("alice")
    alice.make_room("Other")
    begin(alice, "x")
    open_picker(alice)
    alice.page.locator("#entries a.entry", has_text="Other").click()
    alice.page.locator("#room-name", has_text="Other").wait_for()
    button(alice).wait_for()
    assert picker(alice).count() == 0
    open_picker(alice)
    alice.page.keyboard.press("Escape")
    assert button(alice).count() == 1


@pytest.mark.parametrize("missing", [BUNDLE, LIST], ids=["script", "list"])
def test_what_can_not_be_loaded_is_said_and_asked_for_again(meet: Meet, missing: str) -> None:
    alice = meet("alice")
    alice.forgive("ERR_FAILED")
    begin(alice, "x")
    alice.page.route(re.compile(missing), lambda route: route.abort())
    button(alice).click()
    alice.page.locator(".toast", has_text="did not work").wait_for()
    alice.page.unroute(re.compile(missing))
    open_picker(alice)


def test_nothing_of_it_is_loaded_before_its_button_is_pressed_and_all_of_it_once(meet: Meet) -> None:
    alice = meet("alice")
    begin(alice, "x")
    assert not alice.times_requested("/static/emoji")
    for _ in range(2):
        open_picker(alice)
        alice.page.keyboard.press("Escape")
    assert alice.times_requested(BUNDLE) == alice.times_requested(LIST) == 1


def test_a_touch_screen_has_a_keyboard_of_its_own(meet: Meet) -> None:
    alice = meet("alice", has_touch=True, is_mobile=True)
    alice.open(alice.make_room("Touch"))
    alice.text.tap()
    button(alice).wait_for(state="attached")
    assert not button(alice).is_visible()
