"""What is being written stays in its tab, for the same person in the same room, until it is sent."""

import re

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

KEPT = "() => sessionStorage.drafts || ''"
SECRET = "between you and me"


def drafts(reader: BrowserPerson) -> list[str]:
    """What the list at the side shows as not sent yet."""
    return [re.sub(r"\s+", " ", text) for text in reader.page.locator(".entry__draft").all_inner_texts()]


def go(reader: BrowserPerson, name: str) -> None:
    """To another room, as people go there."""
    with reader.page.expect_response("**/events?*"):
        reader.page.locator("#entries .entry", has_text=name).click()


def sign_out(reader: BrowserPerson) -> None:
    reader.page.locator(".tabs").get_by_role("link", name="You", exact=True).click()
    reader.page.get_by_role("button", name="Sign out").click()
    reader.page.wait_for_url("**/")


def strangers(meet: Meet) -> tuple[BrowserPerson, str]:
    """Somebody in the page of a chat with a stranger, and its address."""
    alice, bob = meet("alice"), meet("bob")
    for one in (alice, bob):
        chat = one.send("/strangers/find", language="de", rules="1").url
    alice.open(chat)
    return alice, chat


def test_a_draft_is_there_again_and_shown_in_the_list_meanwhile(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    tea, soup = alice.make_room("Tea"), alice.make_room("Soup")
    ben.send(f"{soup}/join")
    alice.open(tea)
    alice.text.press_sequentially("half a")
    alice.text.press("Shift+Enter")
    alice.text.press_sequentially("<b>thought")
    assert drafts(alice) == []
    go(alice, "Soup")
    assert alice.text.input_value() == ""
    assert drafts(alice) == ["Draft half a <b>thought"]
    # What happens in the list takes nothing away, also not from the room itself.
    for room in (tea, soup):
        ben.send(f"{room}/messages", body="news", nonce=room)
        alice.page.locator("#entries .entry:has(.entry__line)", has_text="Tea").wait_for()
    alice.sees("news")
    assert drafts(alice) == ["Draft half a <b>thought"]
    go(alice, "Tea")
    assert alice.text.input_value() == "half a\n<b>thought"
    assert drafts(alice) == []


def test_a_draft_that_was_sent_or_emptied_is_deleted(meet: Meet) -> None:
    alice = meet("alice")
    tea, soup = alice.make_room("Green tea"), alice.make_room("Hot soup")
    for end in ("send", "empty"):
        alice.open(tea)
        alice.text.fill("on second thoughts")
        alice.open(soup)
        assert drafts(alice) == ["Draft on second thoughts"]
        alice.open(tea)
        if end == "send":
            alice.send_it()
            alice.sees("on second thoughts")
        else:
            alice.text.fill("")
        alice.open(soup)
        assert drafts(alice) == []
        alice.open(tea)
        assert alice.text.input_value() == ""


def test_words_that_came_back_are_a_draft_again(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("403")
    tea, soup = alice.make_room("Black tea"), alice.make_room("Cold soup")
    alice.open(tea)
    alice.page.route("**/messages", lambda route: route.fulfill(status=403))
    alice.say("not through")
    alice.problem.wait_for()
    alice.open(soup)
    assert drafts(alice) == ["Draft not through"]


def test_words_that_come_back_after_the_room_was_left_are_a_draft_of_it(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("403", "ERR_FAILED")
    tea, soup = alice.make_room("White tea"), alice.make_room("Thick soup")
    alice.open(tea)
    alice.page.route("**/messages", lambda route: route.abort(), times=1)
    alice.say("nobody hears it")
    alice.page.locator(".pending__again").wait_for()
    alice.page.route("**/messages", lambda route: route.fulfill(status=403))
    alice.open(soup)
    alice.until(lambda: drafts(alice) == ["Draft nobody hears it"], "the draft")
    assert alice.text.input_value() == ""


def test_each_tab_has_its_own_and_each_room(meet: Meet) -> None:
    alice = meet("alice")
    tea, soup = alice.make_room("Own tea"), alice.make_room("Own soup")
    alice.open(tea)
    alice.text.fill("of the first tab")
    first, alice.page = alice.page, alice.context.new_page()
    alice.open(tea)
    assert alice.text.input_value() == ""
    alice.text.fill("of the second")
    alice.page = first
    alice.open(soup)
    assert drafts(alice) == ["Draft of the first tab"]


def test_a_chat_that_has_not_begun_has_a_draft_which_goes_with_the_first_message(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    chat = f"/chat/{ben.code}"
    alice.page.goto(chat)
    alice.text.fill("Dear Ben")
    alice.page.goto("/lobby")
    alice.page.goto(chat)
    assert alice.text.input_value() == "Dear Ben"
    alice.page.click(".composer__send")
    alice.page.wait_for_url("**/rooms/~*")
    alice.sees("Dear Ben")
    assert alice.text.input_value() == ""
    assert "Dear Ben" not in alice.page.evaluate(KEPT)
    alice.page.goto("/lobby")
    assert drafts(alice) == []


def test_a_draft_is_found_in_the_chat_that_the_other_has_begun_meanwhile(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    for one, other in ((alice, ben), (ben, alice)):
        one.send(f"/friends/{other.code}/ask")
    chat = f"/chat/{ben.code}"
    alice.page.goto(chat)
    alice.text.fill("Dear Ben")
    ben.send(f"/chat/{alice.code}/messages", body="Dear Alice", nonce="1")
    alice.page.goto(chat)
    alice.page.wait_for_url("**/rooms/~*")
    assert alice.text.input_value() == "Dear Ben"
    alice.page.goto("/lobby")
    assert drafts(alice) == ["Draft Dear Ben"]


def test_what_left_with_a_form_comes_back_when_the_server_is_not_there(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    alice.forgive("ERR_FAILED")
    alice.page.goto(f"/chat/{ben.code}")
    alice.page.route("**/messages", lambda route: route.abort())
    alice.text.fill("Dear Ben")
    alice.page.click(".composer__send", no_wait_after=True)
    alice.until(lambda: alice.page.url.startswith("chrome-error:"), "the browser's own page")
    alice.page.goto(f"/chat/{ben.code}")
    assert alice.text.input_value() == "Dear Ben"


def test_signing_out_takes_all_drafts_away_in_every_tab_that_learns_of_it(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("401")
    room = alice.make_room("Secrets")
    alice.open(room)
    alice.text.fill(SECRET)
    first, alice.page = alice.page, alice.context.new_page()
    alice.open(room)
    alice.text.fill(SECRET)
    assert SECRET in alice.page.evaluate(KEPT)
    sign_out(alice)
    assert SECRET not in alice.page.evaluate(KEPT)
    alice.page = first
    alice.until(lambda: SECRET not in alice.page.evaluate(KEPT), "end of the draft in the other tab")
    assert alice.text.input_value() == ""
    alice.sign_in(alice.username)
    alice.open(room)
    assert alice.text.input_value() == ""


def test_a_session_that_ended_elsewhere_takes_the_drafts_along(meet: Meet) -> None:
    alice, phone = meet("alice"), meet("phone")
    alice.forgive("401")
    room = alice.make_room("Left open")
    alice.open(room)
    alice.text.fill(SECRET)
    phone.context.clear_cookies()
    phone.sign_in(alice.username)
    phone.send("/settings/sessions/end-others")
    alice.until(lambda: SECRET not in alice.page.evaluate(KEPT), "end of the draft")
    assert alice.text.input_value() == ""


@pytest.mark.parametrize("learns", [True, False], ids=["after signing out", "with a new cookie"])
def test_the_next_person_at_the_tab_finds_nothing(meet: Meet, learns: bool) -> None:
    alice, ben = meet("alice"), meet("ben")
    room = alice.make_room(f"Shared {learns}")
    alice.open(room)
    alice.text.fill(SECRET)
    if learns:
        sign_out(alice)
    else:
        alice.page.goto("about:blank")
        alice.context.clear_cookies()
    alice.sign_in(ben.username)
    alice.send(f"{room}/join")
    alice.open(room)
    assert alice.text.input_value() == ""
    alice.page.goto("/lobby")
    assert drafts(alice) == []
    assert SECRET not in alice.page.evaluate(KEPT)
    alice.page.go_back()
    alice.page.go_back()
    assert alice.page.locator("#text").count() == 0 or alice.text.input_value() == ""


def test_a_page_that_the_browser_had_put_aside_is_not_shown_to_the_next_person(meet: Meet) -> None:
    """Playwright's Chromium puts no page aside: it is told to the page as a browser would."""
    alice = meet("alice")
    alice.open(alice.make_room("Put aside"))
    alice.text.fill(SECRET)
    show = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    alice.page.evaluate(show)
    assert alice.text.input_value() == SECRET
    theirs = '{"session":"0","/rooms/tea":"theirs"}'
    with alice.page.expect_navigation():
        alice.page.evaluate(f"sessionStorage.drafts = '{theirs}'; {show}")


def test_a_draft_in_a_chat_with_a_stranger_outlasts_a_look_elsewhere_and_not_the_chat(meet: Meet) -> None:
    alice, chat = strangers(meet)
    alice.text.fill(SECRET)
    alice.page.goto("/lobby")
    alice.open(chat)
    assert alice.text.input_value() == SECRET
    alice.page.get_by_role("button", name="Leave").click()
    alice.page.wait_for_url("**/strangers")
    assert SECRET not in alice.page.evaluate(KEPT)


def test_when_the_stranger_leaves_the_draft_is_forgotten(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    for one in (alice, bob):
        chat = one.send("/strangers/find", language="de", rules="1").url
    alice.open(chat)
    alice.text.fill(SECRET)
    assert SECRET in alice.page.evaluate(KEPT)
    bob.send("/strangers/leave")
    alice.page.locator(".chat-presence__over").wait_for()
    alice.until(lambda: SECRET not in alice.page.evaluate(KEPT), "end of the draft")


def test_where_the_browser_stores_nothing_one_can_write_all_the_same(meet: Meet) -> None:
    alice = meet("alice")
    forbidden = "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('forbidden'); } })"
    alice.page.add_init_script(forbidden)
    alice.open(alice.make_room("Nothing stored"))
    alice.say("said")
    alice.sees("said")
    assert alice.text.input_value() == ""
