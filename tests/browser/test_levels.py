"""The level of a room: chosen over the page, and what it makes of messages as they come."""

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

SCRIPT, PLAIN = True, False


def counted(one: BrowserPerson) -> list[str]:
    """Return the badges of their list, without the words for those who listen."""
    return [text.split()[0] for text in one.sidebar.locator("#entries .unread").all_inner_texts()]


def test_a_level_is_chosen_over_the_page_in_two_presses_and_calls_are_counted_live(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    garden = alice.make_room("Garden of levels")
    ben.send(f"{garden}/join")
    ben.open(garden)
    pages = ben.times_requested(f"{garden}$")
    # The first press of the page, on what is drawn on the button: it waits for its script.
    ben.page.locator("a[data-card] .icon").click()
    card = ben.page.get_by_role("dialog", name="Garden of levels")
    card.get_by_role("radio", name="Everything", checked=True).wait_for()
    ben.page.keyboard.press("Escape")
    card.wait_for(state="detached")
    ben.text.fill("half a")
    ben.page.get_by_role("link", name="About this room").click()
    with ben.page.expect_response(lambda answer: answer.request.method == "POST"):
        card.get_by_role("radio", name="Mentions").check()
    card.get_by_text("Saved.").wait_for()
    ben.page.locator("#entries").get_by_text("mentions only").wait_for(state="attached")
    ben.page.keyboard.press("Escape")
    card.wait_for(state="detached")
    assert ben.text.input_value() == "half a"
    assert ben.times_requested(f"{garden}$") == pages
    with ben.page.expect_response("**/events?*"):
        ben.page.goto("/people")
    alice.send(f"{garden}/messages", body="plain words", nonce="1")
    # The draft stands over it.
    ben.page.locator("#entries").get_by_text("plain words").wait_for(state="attached")
    assert (counted(ben), ben.page.title()[:6]) == ([], "People")
    for number in (1, 2):
        alice.send(f"{garden}/messages", body=f"@{ben.username} come", nonce=f"call {number}")
        ben.until(lambda: counted(ben) == [f"@{number}"], "the call")  # noqa: B023
        ben.until(lambda: ben.page.title().startswith(f"(@{number}) People"), "the title")  # noqa: B023
        assert ben.page.locator("#call-count").inner_text() == str(number)
        assert ben.page.locator("#unread-count").text_content() == ""
    ben.open(garden)
    ben.until(lambda: ben.page.title().startswith("Garden"), "read, as it is seen")
    assert counted(ben) == []
    ben.page.goto(f"{garden}/settings")
    ben.page.get_by_role("radio", name="Nothing").check()
    ben.page.locator("#level").get_by_text("Saved.").wait_for()
    ben.page.locator("#entries").get_by_text("muted").wait_for(state="attached")


@pytest.mark.parametrize("level", ["Mentions", "Nothing"])
def test_without_script_the_page_of_settings_has_the_choice_and_the_list_follows(meet: Meet, level: str) -> None:
    alice, ben = meet("alice"), meet("ben", PLAIN)
    garden = alice.make_room("Garden of levels")
    ben.send(f"{garden}/join")
    ben.page.goto(f"{garden}/settings")
    ben.page.get_by_role("radio", name=level).check()
    ben.page.get_by_role("button", name="Save").first.click()
    ben.page.get_by_text("Saved.").wait_for()
    assert ben.page.get_by_role("radio", name=level).is_checked()
    ben.page.goto("/lobby", wait_until="commit")
    ben.until(lambda: ben.sidebar.locator("#entries").get_by_text("Garden of levels").count(), "the list")
    alice.send(f"{garden}/messages", body=f"@{ben.username} come", nonce="1")
    ben.until(lambda: ben.sidebar.locator("#entries .entry:visible").get_by_text("come").count(), "the message")
    shown = ["@1"] if level == "Mentions" else []
    badges = ben.sidebar.locator("#entries .unread:visible")
    ben.until(lambda: [text.split()[0] for text in badges.all_inner_texts()] == shown, "the count")
