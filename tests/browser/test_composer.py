"""Writing a message: what is sent, what is kept, and what a person is told when it can't be sent."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Meet
from tests.browser.network import Held
from tests.servers import App

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])


POSTS = r"^POST .*/messages$"
TOO_LONG = "long " * 800 + "!"


@pytest.fixture(scope="module")
def strict_site() -> Iterator[App]:
    """Where two posts a minute are enough."""
    with App({"RATE_POST": "2/minute"}) as app:
        yield app


def test_enter_sends_and_shift_enter_breaks_the_line(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Keys"))
    alice.text.press_sequentially("one")
    alice.text.press("Shift+Enter")
    alice.text.press_sequentially("two")
    alice.text.press("Enter")
    alice.sees("one\ntwo")
    assert alice.text.input_value() == ""
    assert alice.page.evaluate("document.activeElement.id") == "text"


def test_sending_ends_typing(meet: Meet) -> None:
    """Typing is said at most every three seconds: what waited for its turn must not come after the message."""
    alice = meet("alice")
    alice.page.clock.install()
    alice.open(alice.make_room("Quick"))
    alice.text.press_sequentially("two or more keys")
    alice.page.clock.run_for(100)
    alice.text.press("Enter")
    alice.sees("two or more keys")
    alice.page.clock.run_for(4000)
    alice.pause(200)  # nothing tells that nothing more is asked
    assert alice.times_requested(r"/typing$") == 1
    alice.text.press_sequentially("and on")
    alice.until(lambda: alice.times_requested(r"/typing$") == 2, "typing again")


def test_who_looks_at_another_page_finds_what_they_were_writing(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Draft")
    alice.open(room)
    alice.say("sent")
    alice.sees("sent")
    for draft in ("", "half a thought"):
        alice.text.fill(draft)
        alice.page.goto(f"{room}/settings")
        alice.page.go_back()
        alice.until(lambda: alice.text.input_value() == draft, "draft")  # noqa: B023
        alice.pause(200)  # nothing tells that nothing more is filled in
        assert alice.text.input_value() == draft


def test_a_whole_book_is_given_back_with_the_reason(meet: Meet) -> None:
    """It is refused unread: what is said then is not in the form's own words."""
    alice = meet("alice")
    alice.forgive("413")
    alice.open(alice.make_room("Book"))
    book = "z" * 300_000
    alice.text.fill(book)
    alice.send_it()
    alice.problem.filter(has_text="too large").wait_for()
    assert alice.text.input_value() == book
    alice.say("a page")
    alice.sees("a page")
    assert alice.problem.count() == 0


def test_nothing_is_sent_when_nothing_was_written_and_nothing_twice(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Nothing"))
    for blank in ("", "   ", "\n\n"):
        alice.say(blank)
    alice.text.fill("once")
    alice.text.press("Enter")
    alice.text.press("Enter")
    alice.sees("once")
    alice.say("the end")
    alice.reads("once", "the end")
    assert alice.times_requested(POSTS) == 2


def test_three_that_are_typed_fast_arrive_in_order(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Fast"))
    alice.page.route("**/messages", held := Held())
    for words in ("first", "second", "third"):
        alice.text.press_sequentially(words)
        alice.text.press("Enter")
    alice.until(lambda: held.waiting, "post under way")
    held.let_go()
    alice.reads("first", "second", "third")
    assert alice.text.input_value() == ""


def test_what_is_typed_while_a_post_is_under_way_stays(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Meanwhile"))
    alice.page.route("**/messages", held := Held())
    alice.say("sent")
    alice.until(lambda: held.waiting, "post under way")
    alice.text.press_sequentially("the next one")
    held.let_go()
    alice.sees("sent")
    alice.until(lambda: alice.times_requested(POSTS) == 1, "one post")
    assert alice.text.input_value() == "the next one"
    alice.send_it()
    alice.reads("sent", "the next one")


def test_what_was_refused_comes_back_before_what_was_typed_meanwhile(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("422")
    alice.open(alice.make_room("Refused"))
    alice.page.route("**/messages", held := Held())
    alice.say(TOO_LONG)
    alice.until(lambda: held.waiting, "post under way")
    alice.text.press_sequentially("third")
    held.let_go()
    alice.until(lambda: alice.text.input_value() == f"{TOO_LONG}\nthird", "draft")
    assert "4,0" in alice.problem.inner_text()
    alice.text.fill("third")
    alice.send_it()
    alice.reads("third")
    assert not alice.problem.count()


def test_a_new_failure_says_its_own_reason_and_typing_takes_the_old_one_away(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("422", "403")
    alice.open(alice.make_room("Reasons"))
    alice.say(TOO_LONG)
    alice.problem.filter(has_text="4,001 characters").wait_for()
    alice.page.route("**/messages", lambda route: route.fulfill(status=403, body="not by the site"), times=1)
    alice.page.evaluate("document.getElementById('text').value = 'short'")  # as a program does it, without a key
    alice.send_it()
    alice.problem.filter(has_text="could not be sent").wait_for()
    assert alice.problem.count() == 1
    alice.text.press("End")
    assert alice.problem.count() == 1
    alice.text.press("x")
    alice.until(lambda: alice.problem.count() == 0, "end of the sentence")


def test_a_reason_stays_while_what_was_typed_after_it_gets_through(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("422")
    alice.open(alice.make_room("Two at once"))
    alice.page.route("**/messages", held := Held())
    for words in (TOO_LONG, "heard"):
        alice.say(words)
    alice.until(lambda: held.waiting, "post under way")
    held.let_go()
    alice.sees("heard")
    alice.problem.filter(has_text="4,001 characters").wait_for()
    assert alice.text.input_value() == TOO_LONG


@BOTH
def test_the_same_words_may_be_said_again(meet: Meet, script: bool) -> None:
    alice = meet("alice", script)
    alice.open(room := alice.make_room(f"Again {script}"))
    alice.say("ok")
    alice.reads("ok")
    alice.say("ok")
    alice.reads("ok", "ok")
    alice.open(room)
    alice.say("ok")
    alice.reads("ok", "ok", "ok")


@BOTH
def test_a_message_that_is_too_long_stays_in_the_composer_until_it_is_short_enough(meet: Meet, script: bool) -> None:
    alice = meet("alice", script)
    alice.forgive("422")
    alice.open(alice.make_room(f"Too long {script}"))
    alice.say(TOO_LONG)
    alice.until(lambda: alice.problem.count() and "4,001 characters" in alice.problem.inner_text(), "reason")
    assert alice.text.input_value() == TOO_LONG
    alice.say(TOO_LONG[5:])
    alice.sees(TOO_LONG[5:].strip())
    alice.until(lambda: alice.text.input_value() == "", "empty composer")
    assert not alice.problem.count()


def test_a_throttled_post_without_script_leaves_the_draft_and_says_to_wait(meet: Meet, strict_site: App) -> None:
    alice = meet("alice", PLAIN, site=strict_site)
    alice.forgive("429")
    alice.open(alice.make_room("Too often"))
    for words in ("one", "two", "three"):
        alice.say(words)
    alice.until(lambda: alice.problem.count() and "Too many attempts" in alice.problem.inner_text(), "reason")
    alice.until(lambda: alice.text.input_value() == "three", "draft")
    alice.reads("one", "two")


@BOTH
def test_a_post_after_signing_out_leaves_the_draft_and_the_reason(meet: Meet, script: bool) -> None:
    alice = meet("alice", script)
    alice.forgive("401")
    alice.open(alice.make_room(f"Signed out {script}"))
    alice.send("/logout")
    alice.text.fill("not lost")
    alice.text.press("Enter") if script else alice.composer.click(".composer__send")
    said = alice.composer.locator("#composer .problem" if script else "body")
    alice.until(lambda: "signed out" in said.inner_text().lower(), "reason")
    kept = alice.text if script else alice.composer.locator("textarea")
    alice.until(lambda: kept.input_value() == "not lost", "draft")
    box, around = kept.bounding_box(), alice.page.locator("#composer" if script else ".composer-frame").bounding_box()
    assert box
    assert around
    assert box["y"] < around["y"] + around["height"]


def test_without_script_the_composer_is_empty_and_focused_again_after_sending(meet: Meet) -> None:
    nora = meet("nora", PLAIN)
    nora.open(nora.make_room("Frame"))
    nora.text.focus()
    nora.page.keyboard.type("typed by hand")
    nora.page.keyboard.press("Tab")
    with nora.page.expect_response("**/composer"):
        nora.page.keyboard.press("Enter")
    nora.sees("typed by hand")
    nora.until(lambda: nora.text.count() and nora.text.input_value() == "", "empty composer")
    nora.until(lambda: nora.composer.evaluate("document.activeElement.id") == "text", "focus")
    assert nora.page.evaluate("document.activeElement.className") == "composer-frame"
    nora.page.keyboard.type("straight on")
    assert nora.text.input_value() == "straight on"


def test_words_outlast_slow_mode_and_a_room_that_is_closed_meanwhile(meet: Meet) -> None:
    alice, bob, carol = meet("alice"), meet("bob"), meet("carol", PLAIN)
    room = alice.make_room("Rules")
    for one in (bob, carol):
        one.forgive("429", "403")
        one.open(room)
    alice.send(f"{room}/settings", do="slow", slow_seconds="3600")
    bob.page.locator("#about", has_text="Slow mode: one hour").wait_for()
    for one in (bob, carol):
        one.say(f"{one.name} once")
        one.sees(f"{one.name} once")
        one.say(f"{one.name} again")
        one.until(lambda one=one: one.problem.count() and "You can write again in" in one.problem.inner_text(), "why")
        one.until(lambda one=one: one.text.input_value() == f"{one.name} again", "the words")
    assert not bob.page.locator("#pending > li").count()
    alice.send(f"{room}/settings", do="posting", who_posts="moderators")
    bob.page.locator("#refusal", has_text="Only moderators write here.").wait_for()
    assert not bob.page.locator("#composer").count()
    # The frame does not change by itself: it says so when it is sent, and has the words still.
    carol.send_it()
    carol.until(lambda: "Only moderators write here." in carol.problem.inner_text(), "why")
    carol.until(lambda: carol.text.input_value() == "carol again", "the words")
    alice.send(f"{room}/settings", do="slow", slow_seconds="0")
    alice.send(f"{room}/settings", do="posting", who_posts="members")
    bob.until(lambda: bob.text.count() and bob.text.input_value() == "bob again", "the draft")
    for one in (bob, carol):
        one.send_it()
        one.sees(f"{one.name} again")
    bob.reads("bob once", "carol once", "bob again", "carol again")
    assert bob.times_requested(r"^POST .*/messages$") == 3
