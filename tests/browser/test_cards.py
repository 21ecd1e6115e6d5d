"""The card of a person: in place where there is script, and a page of its own where there is none."""

import pytest

from tests.browser.conftest import Meet

SCRIPT, PLAIN = True, False


def test_a_press_on_a_face_opens_the_card_in_place_and_escape_gives_the_focus_back(meet: Meet) -> None:
    ada, ben = meet("Ada"), meet("Ben")
    ada.page.goto("/people")
    face = ada.page.locator(f".row__face[href='/people/{ben.code}']")
    face.click()
    card = ada.page.get_by_role("dialog")
    card.get_by_role("heading", name="Ben").wait_for()
    assert ada.page.url.endswith("/people")
    card.get_by_role("button", name="Ask to be friends").click()
    card.get_by_text("There is no answer yet.").wait_for()
    ada.page.keyboard.press("Escape")
    card.wait_for(state="detached")
    assert face.evaluate("face => face == document.activeElement")
    ben.page.goto("/friends")
    ben.page.locator("#requests-received", has_text="Ada").wait_for()


def test_a_name_is_pressed_by_keyboard_too(meet: Meet) -> None:
    ada, ben = meet("Ada"), meet("Ben")
    ada.page.goto("/people")
    ada.page.locator(f".row__face[href='/people/{ben.code}']").focus()
    ada.page.keyboard.press("Enter")
    card = ada.page.get_by_role("dialog")
    card.get_by_role("link", name="Write a message").click()
    ada.page.wait_for_url(f"**/chat/{ben.code}")


@pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
def test_the_page_of_a_person_is_there_for_everybody(meet: Meet, script: bool) -> None:
    ada, ben = meet("Ada", script), meet("Ben")
    ada.page.goto("/people")
    if script:
        ada.page.goto(f"/people/{ben.code}")
    else:
        ada.page.locator(f".row__face[href='/people/{ben.code}']").click()
    ada.page.get_by_role("heading", name="Ben").wait_for()
    with ada.page.expect_navigation():
        ada.page.get_by_role("button", name="Ask to be friends").click()
    ada.page.get_by_text("There is no answer yet.").wait_for()
