"""Two people talk in private: the request, the answer, what each sees of the other, and a block in the middle."""

import time
from statistics import median

import pytest

from tests.browser.conftest import Meet
from tests.browser.network import streams
from tests.browser.person import READ_LOG, SAMPLES, BrowserPerson
from tests.servers import App

BOTH = pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
RECEIPT_GUARD_MS = 8000


def begin(one: BrowserPerson, other: BrowserPerson, words: str) -> str:
    """Write to somebody for the first time, from the page with nothing on it; the address of the chat."""
    one.page.goto(f"/chat/{other.code}")
    one.page.fill("#text", words)
    one.page.click(".composer__send")
    one.page.wait_for_url("**/rooms/~*", wait_until="commit")
    return one.page.url.partition("#")[0]


def accept(one: BrowserPerson, other: BrowserPerson) -> str:
    """Find the request in the sidebar, read it, and answer; the address of the chat."""
    one.page.goto("/lobby", wait_until="commit")
    one.sidebar.locator(".entry--request:visible", has_text=other.name).click()
    one.page.get_by_role("button", name="Accept").click()
    one.page.wait_for_url("**#composer", wait_until="commit")
    return one.page.url.partition("#")[0]


def together(meet: Meet, script: bool) -> tuple[BrowserPerson, BrowserPerson, str]:
    alice, bob = meet("alice", script), meet("bob", script)
    path = begin(alice, bob, "Hello Bob")
    assert accept(bob, alice) == path
    return alice.open(path), bob.open(path), path


@BOTH
def test_a_request_is_answered_and_both_talk(meet: Meet, script: bool) -> None:
    alice, bob, _ = together(meet, script)
    bob.say("Hello Alice")
    alice.reads("Hello Bob", "Hello Alice")
    alice.say("How are you?")
    bob.reads("Hello Bob", "Hello Alice", "How are you?")


@BOTH
def test_each_reads_the_receipt_of_their_own_newest_message(meet: Meet, site: App, script: bool) -> None:
    alice, bob, path = together(meet, script)
    seen = alice.log.locator(".receipt:visible")
    alice.until(lambda: seen.all_inner_texts() == ["Seen"], "word that it was seen")
    both = streams(site)
    bob.page.goto("about:blank")
    alice.until(lambda: streams(site) <= both // 2, "the end of Bob's streams")
    alice.say("Are you still there?")
    alice.until(lambda: seen.all_inner_texts() == ["Sent"], "word that it was sent")
    bob.page.goto("/lobby", wait_until="commit")
    alice.until(lambda: seen.all_inner_texts() == ["Delivered"], "word that it has come")
    bob.open(path)
    alice.until(lambda: seen.all_inner_texts() == ["Seen"], "word that it was seen")
    assert not bob.log.locator(".receipt:visible").all_inner_texts()


def test_a_receipt_is_shown_as_soon_as_the_other_has_seen_it(meet: Meet, figure: list[str]) -> None:
    alice, bob, _ = together(meet, True)
    took = []
    for number in range(SAMPLES):
        alice.pause(1200)
        alice.text.fill(f"message {number}")
        alice.send_it()
        start = time.monotonic()
        bob.sees(f"message {number}")
        alice.page.locator(f"#receipt[data-number='{number + 2}']:visible", has_text="Seen").wait_for()
        took.append((time.monotonic() - start) * 1000)
    figure.append(f"from Enter to “Seen” at the author: median {median(took):.0f} ms, worst {max(took):.0f} ms")
    assert median(took) < RECEIPT_GUARD_MS


@BOTH
def test_a_block_ends_what_is_open_at_once_and_leaves_what_was_said(meet: Meet, script: bool) -> None:
    alice, bob, path = together(meet, script)
    bob.send(f"/people/{alice.code}/block")
    alice.log.locator(".notice, #stream.notice", has_text="You can't write to this person.").first.wait_for()
    for one in (alice, bob):
        one.page.goto(path)
        assert "You can't write to this person." in one.page.locator(".notice").first.inner_text()
        assert not one.page.locator("#composer").count()
        assert one.page.evaluate(READ_LOG) == ["Hello Bob"]
    assert alice.context.request.get(f"/chat/{bob.code}").status == 404


def test_who_waits_for_an_answer_may_write_on_as_soon_as_it_comes(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    path = begin(alice, bob, "one")
    for words in ("two", "three"):
        alice.send(f"{path}/messages", body=words, nonce=words)
    alice.open(path)
    assert "Wait until they answer." in alice.page.locator("#refusal").inner_text()
    bob.page.goto(path)
    bob.page.get_by_role("button", name="Accept").click()
    alice.page.locator("#composer").wait_for()
    assert not alice.page.locator("#refusal").count()
    alice.say("four")
    alice.reads("one", "two", "three", "four")
