"""A message on its way: it stands on the screen at once, and arrives once and in order, whatever happens meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Locator, Page, Route

from tests.browser.conftest import Meet
from tests.browser.network import Held, Network
from tests.browser.person import BrowserPerson
from tests.servers import App

POSTS = r"^POST .*/messages$"
TROUBLE = ("Failed to fetch", "Failed to load resource", "network error", "SSE reconnect failed", "AbortError")
ACTS = "**/static/acts.*.js"
NO_STORAGE = "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('forbidden'); } })"
FIVE = ("one", "two", "three", "four", "five")
TOO_LONG = "long " * 800 + "!"
# Whether the stream waits before it tries again (see stream.js, which ends that wait).
IS_WAITING = "() => !!document.querySelector('#stream')._htmx.sse?.delayCanceller"
# What a page of the same tab finds there.
KEPT = "() => JSON.parse(sessionStorage.outbox || '{}').posts?.length ? sessionStorage.outbox : ''"


@pytest.fixture
def network(site: App) -> Iterator[Network]:
    with Network(site) as network:
        yield network


@pytest.fixture
def own_network(own_site: App) -> Iterator[Network]:
    with Network(own_site) as network:
        yield network


def pending(person: BrowserPerson) -> list[str]:
    """What stands below the log, not yet answered."""
    return list(person.page.locator("#pending .message__body:visible").all_inner_texts())


def unsent(person: BrowserPerson) -> Locator:
    return person.page.locator(".pending__again:visible")


def through(network: Network, address: str) -> str:
    return address.replace(network.site.url, network.url)


def two_in_a_room(meet: Meet, network: Network, name: str) -> tuple[BrowserPerson, BrowserPerson]:
    """Somebody whose line can be cut, and somebody whose can't, in the same room."""
    alice, bob = meet("alice", base_url=network.url, site=network.site), meet("bob", site=network.site)
    room = alice.make_room(name)
    alice.forgive(*TROUBLE)
    alice.open(through(network, room))
    bob.open(through(network, room).replace(network.url, network.site.url))
    load_the_acts(alice)
    return alice, bob


def load_the_acts(person: BrowserPerson) -> None:
    """Whoever has pressed a key has what a press needs."""
    with person.page.expect_response(ACTS):
        person.text.press("Shift")


def hold_the_acts(person: BrowserPerson) -> list[Route]:
    """Hold back what a press needs."""
    held: list[Route] = []
    person.page.route(ACTS, lambda route: held.append(route))
    return held


def hold_posts(page: Page) -> Held:
    page.route("**/messages", held := Held())
    return held


def test_a_sent_message_stands_at_once_and_becomes_the_real_one_in_silence(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("At once"))
    held = hold_posts(alice.page)
    alice.say("here\nI am")
    alice.until(lambda: pending(alice) == ["here\nI am"], "the message on its way")
    assert alice.messages() == []
    assert alice.text.input_value() == ""
    # A screen reader hears of it when it is real.
    assert alice.page.locator("[role=log] #pending, [aria-live] #pending").count() == 0
    alice.until(lambda: held.waiting, "the post")
    held.let_go()
    alice.reads("here\nI am")
    alice.until(lambda: not pending(alice), "the end of its way")


def test_the_stream_may_bring_it_before_the_answer_does(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Late answer"))
    answers: list[tuple[Route, object]] = []
    alice.page.route("**/messages", lambda route: answers.append((route, route.fetch())))
    alice.say("first by the stream")
    alice.reads("first by the stream")
    alice.until(lambda: not pending(alice), "one copy")
    [(route, answer)] = answers
    route.fulfill(response=answer)  # type: ignore[arg-type]
    alice.page.unroute("**/messages")
    alice.say("next")
    alice.reads("first by the stream", "next")
    alice.until(lambda: not alice.page.evaluate(KEPT), "an empty outbox")


def test_an_answer_that_is_late_takes_no_reaction_away(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    alice.forgive(*TROUBLE)
    room = alice.make_room("Late with reactions")
    alice.open(room)
    answers: list[tuple[Route, object]] = []
    tries: list[Route] = []

    def answer(route: Route) -> None:
        """Lose the answer to the first try; the second is one of a message with a reaction, and is held back."""
        tries.append(route)
        if len(tries) == 1:
            route.fetch()
            route.abort()
        else:
            bob.send(f"{room}/messages/1/reactions", kind="👍", on="1")
            answers.append((route, route.fetch()))

    alice.page.route("**/messages", answer)
    alice.say("first")
    chips = alice.page.locator("#log .reaction")
    alice.until(lambda: answers, "the answer to the second try")
    bob.send(f"{room}/messages/1/reactions", kind="🎉", on="1")
    alice.until(lambda: chips.all_inner_texts() == ["👍 1", "🎉 1"], "both by the stream")
    [(late, held)] = answers
    late.fulfill(response=held)  # type: ignore[arg-type]
    alice.until(lambda: not alice.page.evaluate(KEPT), "an empty outbox")
    assert chips.all_inner_texts() == ["👍 1", "🎉 1"]
    alice.reads("first")


def test_the_answer_may_come_before_the_stream_brings_it_and_what_was_said_before_it(
    meet: Meet, network: Network
) -> None:
    alice, bob = two_in_a_room(meet, network, "Late stream")
    alice.say("nobody before me")
    bob.sees("nobody before me")
    alice.reads("nobody before me")
    network.hold(b"/events?")
    bob.say("before")
    bob.sees("before")
    alice.say("mine")
    alice.reads("nobody before me", "mine")
    bob.say("after")
    bob.reads("nobody before me", "before", "mine", "after")
    number = bob.number_of("before")
    bob.send(f"{bob.page.url}/messages/{number}/remove")
    alice.until(lambda: network.held, "something held back")
    network.let_go()
    alice.reads("nobody before me", "Removed", "mine", "after")
    assert pending(alice) == []


@pytest.mark.parametrize("seconds", [0, pytest.param(20, marks=pytest.mark.slow)])
def test_five_that_were_written_while_the_line_was_cut_arrive_by_themselves(
    meet: Meet, network: Network, seconds: int
) -> None:
    alice, bob = two_in_a_room(meet, network, f"Cut {seconds}")
    network.cut()
    for words in FIVE:
        alice.say(words)
    alice.until(lambda: pending(alice) == list(FIVE), "all of them, waiting")
    unsent(alice).first.wait_for()
    alice.pause(seconds * 1000)
    assert pending(alice) == list(FIVE)
    network.restore()
    bob.reads(*FIVE)
    alice.reads(*FIVE)
    alice.until(lambda: not pending(alice), "nothing waiting")


def test_a_server_that_is_killed_before_it_answers_has_it_once(meet: Meet, own_site: App, own_network: Network) -> None:
    alice, bob = two_in_a_room(meet, own_network, "Killed")
    bob.forgive(*TROUBLE)
    own_network.hold(b"/messages HTTP")
    for words in ("stored", "queued"):
        alice.say(words)
    alice.until(lambda: own_network.held, "the answer to the first")
    assert stored(own_site) == ["stored"]
    own_site.kill()
    own_network.cut()
    unsent(alice).first.wait_for()
    own_site.start()
    own_network.restore()
    for person in (alice, bob):
        person.reads("stored", "queued")
    alice.until(lambda: not pending(alice), "nothing waiting")
    assert stored(own_site) == ["stored", "queued"]


def stored(site: App) -> list[str]:
    with closing(sqlite3.connect(next(site.folder.rglob("parley.sqlite3")))) as database:
        return [body for (body,) in database.execute("SELECT body FROM message ORDER BY number")]


def test_a_message_that_is_too_long_comes_back_and_the_next_are_sent(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("422")
    alice.open(alice.make_room("Too long"))
    held = hold_posts(alice.page)
    for words in ("before", TOO_LONG, "after"):
        alice.say(words)
    held.let_go()
    alice.reads("before", "after")
    alice.problem.wait_for()
    assert alice.text.input_value() == TOO_LONG
    assert "4,001 characters" in alice.problem.inner_text()
    assert pending(alice) == []


def test_a_post_after_signing_out_gives_all_waiting_words_back(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("401")
    alice.open(alice.make_room("All back"))
    held = hold_posts(alice.page)
    for words in FIVE[:3]:
        alice.say(words)
    alice.until(lambda: held.waiting, "the post")
    alice.send("/logout")
    alice.page.locator("#stream[data-reason=signed_out]").wait_for(state="attached")
    held.let_go()
    alice.until(lambda: alice.text.input_value() == "one\ntwo\nthree", "the words")
    assert "signed out" in alice.problem.inner_text().lower()
    assert pending(alice) == []
    assert alice.page.evaluate(KEPT) == ""


def test_queued_messages_outlast_a_reload(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive(*TROUBLE)
    alice.open(room := alice.make_room("Loaded again"))
    held = hold_posts(alice.page)
    for words in FIVE[:3]:
        alice.say(words)
    alice.until(lambda: held.waiting, "the post")
    alice.open(room)
    alice.until(lambda: pending(alice) == ["one", "two", "three"], "all of them, waiting")
    held.let_go()
    alice.reads("one", "two", "three")
    alice.until(lambda: not alice.page.evaluate(KEPT), "an empty outbox")


def test_two_tabs_with_the_same_outbox_send_everything_once(meet: Meet) -> None:
    """As after "duplicate tab"."""
    alice = meet("alice")
    alice.forgive(*TROUBLE)
    alice.open(room := alice.make_room("Two tabs"))
    held = hold_posts(alice.page)
    for words in FIVE[:2]:
        alice.say(words)
    alice.until(lambda: held.waiting, "the post")
    first, alice.page = alice.page, alice.context.new_page()
    alice.page.goto("/lobby")
    alice.page.evaluate("kept => sessionStorage.outbox = kept", first.evaluate(KEPT))
    alice.open(room)
    alice.reads("one", "two")
    held.let_go()
    second, alice.page = alice.page, first
    for page in (first, second):
        alice.page = page
        alice.reads("one", "two")
        alice.until(lambda: not pending(alice), "nothing waiting")


def test_the_next_person_in_a_tab_does_not_send_what_the_last_one_wrote(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    alice.forgive(*TROUBLE)
    alice.open(room := alice.make_room("Not mine"))
    hold_posts(alice.page)
    alice.say("by alice")
    alice.until(lambda: "by alice" in alice.page.evaluate(KEPT), "what waits")
    # Another signs in, in the same tab.
    alice.context.clear_cookies()
    alice.share_session(ben)
    alice.page.unroute("**/messages")
    alice.open(room)
    alice.say("by ben")
    alice.reads("by ben")
    assert "by alice" not in alice.page.evaluate(KEPT)


def test_a_page_does_not_send_in_the_name_of_who_signed_in_in_another_tab(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    alice.forgive("401")
    alice.open(alice.make_room("Another tab"))
    alice.context.clear_cookies()
    alice.share_session(ben)
    alice.say("by alice")
    alice.until(lambda: alice.text.input_value() == "by alice", "the words")
    assert "signed out" in alice.problem.inner_text().lower()
    assert pending(alice) == []


def test_signing_out_empties_the_outbox(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive(*TROUBLE)
    alice.open(alice.make_room("Emptied"))
    hold_posts(alice.page)
    alice.say("between us")
    alice.until(lambda: alice.page.evaluate(KEPT), "what waits")
    alice.page.locator(".tabs").get_by_role("link", name="You", exact=True).click()
    # What sends it has come with the page.
    alice.page.locator("link[href*='in-place']").wait_for(state="attached")
    alice.page.get_by_role("button", name="Sign out").click()
    alice.page.wait_for_url("**/")
    assert alice.page.evaluate(KEPT) == ""


def test_a_throttled_post_waits_as_long_as_the_server_says(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("429")
    alice.page.clock.install()
    alice.open(alice.make_room("Too often"))
    refusal = {"status": 429, "headers": {"Retry-After": "40"}, "body": '<p class="problem">Too many attempts</p>'}
    alice.page.route("**/messages", lambda route: route.fulfill(**refusal), times=1)
    for words in FIVE[:2]:
        alice.say(words)
    alice.problem.filter(has_text="Too many attempts").wait_for()
    assert pending(alice) == ["one", "two"]
    alice.page.clock.run_for(35_000)
    alice.page.evaluate("dispatchEvent(new Event('online'))")
    alice.pause(200)  # nothing tells that nothing is asked
    assert alice.times_requested(POSTS) == 1
    alice.page.clock.run_for(6_000)
    alice.reads("one", "two")
    assert not alice.problem.count()


def test_after_ten_minutes_only_a_press_sends(meet: Meet, network: Network) -> None:
    alice, bob = two_in_a_room(meet, network, "Ten minutes")
    alice.page.clock.install()
    network.cut()
    alice.say("old")
    unsent(alice).wait_for()
    alice.page.clock.run_for(601_000)
    posts = alice.times_requested(POSTS)
    network.restore()
    alice.page.evaluate("dispatchEvent(new Event('online'))")
    bob.say("here")
    alice.reads("here")
    assert alice.times_requested(POSTS) == posts
    assert pending(alice) == ["old"]
    unsent(alice).click()
    alice.reads("here", "old")
    bob.reads("here", "old")


def test_a_post_that_gets_through_brings_a_broken_stream_back_at_once(meet: Meet, network: Network) -> None:
    alice, bob = two_in_a_room(meet, network, "Back at once")
    alice.page.clock.install()
    network.cut()
    alice.page.locator("#status", has_text="Reconnecting").wait_for()
    # From here on nothing happens by itself.
    alice.page.clock.pause_at(alice.page.evaluate("Date.now()") + 1)
    # A try that had begun by then would get through by itself.
    alice.until(lambda: alice.page.evaluate(IS_WAITING), "the wait for the next try")
    network.restore()
    bob.say("missed")
    with alice.page.expect_response("**/events?*"):
        alice.say("a try")
    alice.page.clock.resume()
    alice.reads("missed", "a try")


def test_a_network_that_wants_a_sign_in_first_is_no_answer(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Hotel"))
    alice.page.route("**/messages", lambda route: route.fulfill(status=200, body="<p>Accept our terms</p>"), times=1)
    alice.say("still mine")
    alice.reads("still mine")
    assert alice.times_requested(POSTS) == 2


def test_where_the_script_for_it_can_not_be_loaded_the_form_is_posted(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("net::ERR_FAILED")
    alice.open(alice.make_room("The plain way"))
    alice.page.route(ACTS, lambda route: route.abort())
    alice.text.fill("by the form")
    with alice.page.expect_navigation():
        alice.text.press("Enter")
    alice.reads("by the form")
    assert alice.text.input_value() == ""


def test_where_it_can_not_be_loaded_what_was_written_meanwhile_is_a_draft(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    alice.forgive("net::ERR_FAILED")
    held = hold_the_acts(alice)
    alice.open(alice.make_room("The plain way, late"))
    for words in ("first", "second"):
        alice.say(words)
    alice.text.press_sequentially("half a")
    assert pending(alice) == ["first", "second"]
    alice.until(lambda: held, "the request")
    alice.page.route(ACTS, lambda route: route.abort())
    with alice.page.expect_navigation():
        held.pop().abort()
    alice.reads("first")
    alice.until(lambda: alice.text.input_value() == "second\nhalf a", "the draft")
    assert pending(alice) == []
    assert stored(own_site) == ["first"]


@pytest.mark.parametrize("storage", [True, False], ids=["", "nothing is stored"])
def test_what_is_sent_before_the_outbox_has_loaded_is_what_stood_in_the_field(
    meet: Meet, own_site: App, storage: bool
) -> None:
    alice, bob = meet("alice", site=own_site), meet("bob", site=own_site)
    if not storage:
        alice.page.add_init_script(NO_STORAGE)
    held = hold_the_acts(alice)
    alice.open(room := alice.make_room("Early"))
    bob.open(room)
    alice.text.press_sequentially("first")
    alice.text.press("Enter")
    alice.text.press_sequentially("second\nhalf a")
    alice.until(lambda: held, "the request")
    assert alice.text.input_value() == "half a"
    assert pending(alice) == ["first", "second"]
    assert stored(own_site) == []
    held.pop().continue_()
    for person in (alice, bob):
        person.reads("first", "second")
    alice.until(lambda: not pending(alice), "nothing waiting")
    assert alice.text.input_value() == "half a"
    assert alice.times_requested(POSTS) == 2
    assert stored(own_site) == ["first", "second"]


def test_what_waits_for_the_outbox_outlasts_a_reload(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    held = hold_the_acts(alice)
    alice.open(room := alice.make_room("Early and gone"))
    for words in FIVE[:2]:
        alice.say(words)
    alice.text.press_sequentially("half a")
    alice.until(lambda: held, "the request")
    alice.page.route(ACTS, lambda route: route.continue_())
    alice.open(room)
    alice.reads("one", "two")
    alice.until(lambda: not alice.page.evaluate(KEPT), "an empty outbox")
    assert alice.text.input_value() == "half a"
    assert stored(own_site) == ["one", "two"]


def test_what_is_sent_while_nothing_could_be_loaded_yet_waits_and_the_page_says_why(
    meet: Meet, own_site: App, own_network: Network
) -> None:
    """The line is cut before the first key: what sends is still to come too."""
    alice = meet("alice", base_url=own_network.url, site=own_site)
    alice.forgive(*TROUBLE, "ERR_CONNECTION_REFUSED")
    alice.open(through(own_network, alice.make_room("Cut before the first key")))
    own_network.cut()
    alice.page.locator("#status", has_text="Reconnecting").wait_for()
    with alice.page.expect_event("requestfailed", lambda request: "/static/acts" in request.url):
        alice.say("first")
    alice.say("second")
    alice.text.press_sequentially("half a")
    assert pending(alice) == ["first", "second"]
    assert alice.page.locator("#status").inner_text() == "Reconnecting…"
    own_network.restore()
    alice.reads("first", "second")
    alice.until(lambda: not pending(alice), "nothing waiting")
    assert alice.text.input_value() == "half a"
    assert stored(own_site) == ["first", "second"]


def test_the_button_leaves_the_focus_where_one_writes(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Focus"))
    alice.text.fill("by the button")
    alice.page.locator(".composer__send").click()
    alice.reads("by the button")
    assert alice.page.evaluate("document.activeElement.id") == "text"


def test_strangers_see_theirs_at_once_too(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    for one in (alice, bob):
        chat = one.send("/strangers/find", language="de", rules="1").url
    alice.open(chat)
    bob.open(bob.context.request.get("/strangers").url)
    held = hold_posts(alice.page)
    alice.say("hello stranger")
    alice.until(lambda: pending(alice) == ["hello stranger"], "the message on its way")
    alice.until(lambda: held.waiting, "the post")
    held.let_go()
    for one in (alice, bob):
        one.reads("hello stranger")
