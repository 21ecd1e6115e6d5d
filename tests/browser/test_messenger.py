"""The lobby and the sidebar as a messenger has them: what others do shows without a look for it."""

import time
from collections.abc import Callable
from statistics import median

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import SAMPLES, BrowserPerson

# Each step is to be seen at the other within 300 ms on a quiet machine; here a bound that a busy one keeps.
STEP_GUARD_MS = 8000


def in_lobby(one: BrowserPerson) -> BrowserPerson:
    """In the lobby, with its stream open."""
    with one.page.expect_response("**/events?*"):
        one.page.goto("/lobby")
    return one


def entries(one: BrowserPerson) -> list[str]:
    return one.page.locator("#entries > li:visible .entry__name").all_inner_texts()


def unread(one: BrowserPerson, name: str) -> str:
    found = one.page.locator("#entries .entry", has_text=name).locator(".unread")
    # Asked once: between two questions it may go.
    return "".join(text.split("\n")[0].split(" ")[0] for text in found.all_inner_texts())


class Watch:
    """How long each step took to be seen at the other."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}

    def step(self, name: str, act: Callable[[], object], sees: Callable[[], object]) -> None:
        act()
        start = time.monotonic()
        sees()
        self.took.setdefault(name, []).append((time.monotonic() - start) * 1000)


def friends(one: BrowserPerson, other: BrowserPerson) -> None:
    one.send(f"/friends/{other.code}/ask")
    other.send(f"/friends/{one.code}/accept")


def test_from_a_request_to_a_message_that_was_seen_each_step_shows_at_once(meet: Meet, figure: list[str]) -> None:
    watch = Watch()
    for _ in range(SAMPLES):
        alice, bob = in_lobby(meet("alice")), in_lobby(meet("bob"))
        become_friends(watch, alice, bob)
        path = begin_to_talk(watch, alice, bob)
        go_on(watch, alice, bob, path)
        alice.context.close()
        bob.context.close()
    for name, took in watch.took.items():
        figure.append(f"{name}, seen at the other: median {median(took):.0f} ms, worst {max(took):.0f} ms")
        assert median(took) < STEP_GUARD_MS, name


def become_friends(watch: Watch, alice: BrowserPerson, bob: BrowserPerson) -> None:
    with alice.page.expect_response("**/events?*"):
        alice.page.goto(f"/people/{bob.code}")
    watch.step(
        "ask",
        lambda: alice.page.get_by_role("button", name="Ask to be friends").click(),
        lambda: bob.page.locator("#contacts #requests-received .row").wait_for(),
    )
    assert bob.page.locator("#request-count .unread").inner_text().startswith("1")
    alice.page.get_by_text("You have asked to be friends.").wait_for()
    watch.step(
        "accept",
        lambda: bob.page.get_by_role("button", name="Accept").click(),
        lambda: alice.page.locator("#contacts", has_text="You are friends.").wait_for(),
    )
    alice.page.locator(f"#seen-{bob.code}", has_text="Online").wait_for()


def begin_to_talk(watch: Watch, alice: BrowserPerson, bob: BrowserPerson) -> str:
    in_lobby(bob)
    alice.page.get_by_role("link", name="Write a message").click()
    alice.page.fill("#text", "Hello Bob")
    watch.step(
        "chat",
        lambda: alice.page.click(".composer__send"),
        lambda: bob.page.locator("#entries .entry", has_text="Hello Bob").wait_for(),
    )
    alice.page.wait_for_url("**/rooms/~*")
    assert unread(bob, "alice") == "1"
    return alice.page.url.partition("#")[0]


def go_on(watch: Watch, alice: BrowserPerson, bob: BrowserPerson, path: str) -> None:
    def says(one: BrowserPerson, number: int, words: str) -> Callable[[], object]:
        return lambda: one.page.locator(f"#receipt[data-number='{number}']:visible", has_text=words).wait_for()

    alice.open(path)
    alice.text.fill("Are you there?")
    watch.step("delivered", alice.send_it, says(alice, 2, "Delivered"))
    bob.until(lambda: unread(bob, "alice") == "2", "two unread messages")
    watch.step("seen", lambda: bob.open(path), says(alice, 2, "Seen"))
    typing = alice.page.locator("#typing", has_text="bob is typing")
    watch.step("typing", lambda: bob.text.type("Y"), lambda: typing.wait_for())
    bob.text.fill("Yes")
    watch.step("answer", bob.send_it, lambda: alice.sees("Yes"))
    watch.step("answer seen", lambda: None, says(bob, 3, "Seen"))


def test_rooms_that_are_not_open_count_what_is_new_and_go_up(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    tea, soup = alice.make_room("Tea"), alice.make_room("Soup")
    for room in (tea, soup):
        bob.send(f"{room}/join")
    alice.send(f"{tea}/messages", body="first in tea", nonce="1")
    alice.send(f"{soup}/messages", body="first in soup", nonce="2")
    in_lobby(bob)
    assert entries(bob) == ["Soup", "Tea"]
    alice.send(f"{tea}/messages", body="second in tea", nonce="3")
    bob.until(lambda: entries(bob) == ["Tea", "Soup"], "the room on top")
    assert bob.page.locator("#entries .entry__line").all_inner_texts() == [
        "alice: second in tea",
        "alice: first in soup",
    ]
    assert (unread(bob, "Tea"), unread(bob, "Soup")) == ("2", "1")
    # A second window reads it: the first one shows that.
    window = meet("bob2")
    window.context.clear_cookies()
    window.share_session(bob)
    window.open(tea)
    bob.until(lambda: unread(bob, "Tea") == "", "nothing unread in the room that is read elsewhere")
    assert unread(bob, "Soup") == "1"
    alice.send(f"{soup}/messages", body="second in soup", nonce="4")
    window.until(lambda: unread(window, "Soup") == "2", "two unread in the room that is not open")
    assert window.page.locator('#entries [aria-current="page"] .entry__name').inner_text() == "Tea"
    bob.send(f"{soup}/settings", do="level", level="mentions")
    window.until(lambda: unread(window, "Soup") == "", "no count of the room that counts mentions alone")
    bob.send(f"{soup}/leave")
    window.until(lambda: entries(window) == ["Tea"], "only one room")
    new = alice.make_room("Salad")
    bob.send(f"{new}/join")
    window.until(lambda: "Salad" in entries(window), "the room that was joined elsewhere")


@pytest.mark.parametrize("place", ["/lobby", "/friends", "profile", "chat"])
def test_a_friend_who_comes_and_goes_has_a_dot_that_does_too(meet: Meet, place: str) -> None:
    alice, bob = meet("alice"), meet("bob")
    friends(alice, bob)
    alice.page.goto(f"/chat/{bob.code}")
    alice.page.fill("#text", "Hello")
    alice.page.click(".composer__send")
    alice.page.wait_for_url("**/rooms/~*")
    chat = alice.page.url.partition("#")[0]
    with alice.page.expect_response("**/events?*"):
        alice.page.goto({"profile": f"/people/{bob.code}", "chat": chat}.get(place, place))
    sign = f"#dot-friend-{bob.code}" if place in ("/lobby", "/friends") else f"#seen-{bob.code}.last-seen--online"
    alice.page.locator(sign).wait_for(state="hidden")
    in_lobby(bob)
    alice.page.locator(sign).wait_for(state="visible")
    alice.page.locator(f"#dot-entry-{bob.code}").wait_for(state="visible")
    bob.page.goto("about:blank")
    alice.page.locator(sign).wait_for(state="hidden")
    alice.page.locator(f"#dot-entry-{bob.code}").wait_for(state="hidden")
    if place in ("profile", "chat"):
        assert alice.page.locator(f"#seen-{bob.code}").inner_text() == "Last seen today"


def test_without_script_the_lobby_is_live_too(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob", script=False)
    tea, soup = alice.make_room("Tea"), alice.make_room("Soup")
    for room in (tea, soup):
        bob.send(f"{room}/join")
    alice.send(f"{tea}/messages", body="first in tea", nonce="1")
    alice.send(f"{soup}/messages", body="first in soup", nonce="2")
    bob.page.goto("/lobby", wait_until="commit")

    def listed() -> list[list[str]]:
        frame = bob.sidebar
        return frame.evaluate(
            """() => [...document.querySelectorAll("#entries > li")].filter(li => li.getClientRects().length)
            .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)
            .map(li => [".entry__name", ".entry__line", ".unread"].map(part => li.querySelector(part)))
            .map(parts => parts.map(part => part ? part.innerText.split("\\n")[0].split(" not")[0] : ""))"""
        )

    bob.until(
        lambda: listed() == [["Soup", "alice: first in soup", "1"], ["Tea", "alice: first in tea", "1"]], "two rooms"
    )
    bob.pause(1100)  # the order is by the second
    alice.send(f"{tea}/messages", body="second in tea", nonce="3")
    bob.until(
        lambda: listed() == [["Tea", "alice: second in tea", "2"], ["Soup", "alice: first in soup", "1"]], "on top"
    )
    bob.send(f"{soup}/leave")
    bob.until(lambda: [one[0] for one in listed()] == ["Tea"], "one room")


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_everything_goes_without_a_mouse_of_its_own(meet: Meet, script: bool) -> None:
    """From looking for somebody to an answer, by the pages alone."""
    alice, bob = meet("alice", script), meet("bob", script)
    alice.page.goto("/lobby", wait_until="commit")
    frame = alice.sidebar
    frame.fill("#find", bob.code)
    frame.press("#find", "Enter")
    alice.page.locator(".row__name", has_text="bob").click()
    alice.page.get_by_role("button", name="Ask to be friends").click()
    alice.page.get_by_text("You have asked to be friends.").wait_for()
    bob.page.goto("/lobby", wait_until="commit")
    bob.page.get_by_role("button", name="Accept").click()
    bob.page.locator("#friends .row__name", has_text="alice").wait_for()
    alice.page.goto("/friends")
    alice.page.get_by_role("link", name="Write").click()
    alice.page.fill("#text", "Hello Bob")
    alice.page.click(".composer__send")
    alice.page.wait_for_url("**/rooms/~*", wait_until="commit")
    bob.page.goto("/lobby", wait_until="commit")
    place = bob.sidebar
    place.locator(".entry:visible", has_text="Hello Bob").click()
    bob.sees("Hello Bob")


def test_an_address_among_words_from_right_to_left_reads_as_it_is_written(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Majlis"))
    alice.say("انظر https://example.org/")
    sides = """a => [0, a.textContent.length - 1].map(at => {
        const letter = new Range();
        letter.setStart(a.firstChild, at);
        letter.setEnd(a.firstChild, at + 1);
        return letter.getBoundingClientRect().left;
    })"""
    address = alice.log.locator(".message__body a")

    def is_in_order() -> bool:
        # The answer of the post and the stream both bring the message: one that was just replaced stands nowhere.
        first, last = address.evaluate(sides)
        return bool(first < last)

    alice.until(is_in_order, "the last slash behind the address")
