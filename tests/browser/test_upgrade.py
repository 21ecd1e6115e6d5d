"""Pages that are open while Parley is upgraded: an older one learns it, says it, and loads itself anew when it can."""

import re

import pytest
from playwright.sync_api import Route

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from webapp.http import render

SCRIPT, PLAIN = True, False
NOTE = "Parley has been updated."


# What pages of 0.1 have in place of what pages have now; gone with the names of 0.1 that templates still give.
NAMES_OF_0_1 = [
    (r'<div id="ties"><(\w+) id="contacts" class="(lobby__contacts )?', r'<div><\1 id="ties" class="'),
    ('contacts from:#stream" hx-select="#contacts"', 'ties from:#stream" hx-select="#ties"'),
    ('id="request-count" class="request-count waiting"', 'id="waiting" class="waiting"'),
    ('class="online-dot dot', 'class="dot'),
    ("online-dot--on dot--online", "dot--online"),
    ('class="last-seen seen', 'class="seen'),
    ("last-seen--online seen--online", "seen--online"),
    ("</main>", "<details open></details></main>"),  # somebody is at something, so that the page stays
]


def open_older(reader: BrowserPerson, address: str, names: list[tuple[str, str]] = []) -> None:  # noqa: B006
    """Open the page as a server of another version has made it; loaded again, it is that of this server."""

    def older(route: Route) -> None:
        answer = route.fetch()
        text = answer.text().replace(f"page={render.PAGE_VERSION}", "page=00000000")
        for name, before in names:
            text = re.sub(name, before, text)
        route.fulfill(response=answer, body=text)

    reader.page.route(address, older, times=1)
    reader.page.goto(address, wait_until="commit")


def is_older(reader: BrowserPerson) -> bool:
    return "page=00000000" in reader.page.content()


def test_a_page_of_an_older_version_says_so_and_reloads_once_nothing_is_being_written(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    room = alice.make_room("Upgrade")
    alice.page.clock.install()
    # It would load itself again before a slow machine has typed anything.
    held: list[Route] = []
    alice.page.route("**/events?*", lambda route: held.append(route), times=1)
    open_older(alice, room)
    alice.text.press_sequentially("half a thought")
    alice.until(lambda: held, "stream")
    held[0].continue_()
    alice.page.locator("#outdated", has_text=NOTE).wait_for()
    for _ in range(3):  # it would have looked
        alice.page.clock.run_for(3100)
    assert is_older(alice)
    # Meanwhile it works as before.
    ben.send(f"{room}/messages", body="news", nonce="1")
    alice.sees("news")
    alice.send_it()
    alice.sees("half a thought")
    alice.page.clock.run_for(3100)
    assert is_older(alice), "the field has the focus still"
    alice.text.blur()
    alice.page.clock.run_for(3100)
    alice.until(lambda: not is_older(alice), "today's page")
    alice.reads("news", "half a thought")
    assert not alice.page.locator("#outdated").count()


def test_a_page_that_is_read_further_up_is_left_alone(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Further up")
    for number in range(40):
        alice.send(f"{room}/messages", body=f"message {number}", nonce=str(number))
    alice.page.clock.install()
    alice.open(room)
    alice.text.fill("a draft, which keeps the page until it is scrolled")
    open_older(alice, room)
    alice.page.locator("#outdated").wait_for()
    alice.page.evaluate("document.querySelector('.scroller').scrollTop = -500")
    alice.text.fill("")
    alice.text.blur()
    alice.page.clock.run_for(7000)
    assert is_older(alice)
    alice.page.evaluate("document.querySelector('.scroller').scrollTop = 0")
    alice.page.clock.run_for(3100)
    alice.until(lambda: not is_older(alice), "today's page")


def test_two_versions_that_answer_in_turns_do_not_load_a_page_for_ever(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("In turns")
    open_older(alice, room)
    alice.until(lambda: not is_older(alice), "today's page")
    open_older(alice, room)
    alice.page.locator("#outdated", has_text=NOTE).wait_for()
    alice.pause(1000)  # nothing tells that nothing more is asked
    assert is_older(alice)
    alice.page.locator("#outdated").get_by_role("link").click()
    alice.until(lambda: not is_older(alice), "today's page")


def test_a_lobby_and_a_chat_with_a_stranger_learn_it_too(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    for one in (alice, bob):
        chat = one.send("/strangers/find", language="de", rules="1").url
    for address in (f"{alice.site.url}/lobby", chat):
        alice.page = alice.context.new_page()
        open_older(alice, address)
        alice.until(lambda: not is_older(alice), f"today's {address}")


@pytest.mark.parametrize("path", ["/lobby", "/friends"])
def test_a_page_of_0_1_follows_requests_and_friends_as_before(meet: Meet, path: str) -> None:
    alice, ben, cara = meet("alice"), meet("ben"), meet("cara")
    alice.send(f"/friends/{ben.code}/ask")
    ben.send(f"/friends/{alice.code}/accept")
    with alice.page.expect_response("**/events?*"):
        open_older(alice, f"{alice.site.url}{path}", NAMES_OF_0_1)
    assert not alice.page.locator("#contacts, .online-dot, #request-count").count()
    for number, friend in enumerate((cara, meet("dora")), 1):  # the second one finds what the first one left behind
        friend.send(f"/friends/{alice.code}/ask")
        alice.page.locator("#ties #requests-received .row", has_text=friend.name).wait_for()
        alice.page.locator(".waiting .unread", has_text=str(number)).wait_for()
    dot = alice.page.locator(f"#dot-friend-{ben.code}")
    with ben.page.expect_response("**/events?*"):
        ben.page.goto("/lobby")
    alice.page.locator(f"#dot-friend-{ben.code}.dot.dot--online").wait_for()
    ben.page.goto("about:blank")
    dot.and_(alice.page.locator(".dot:not(.dot--online)")).wait_for(state="attached")
    assert is_older(alice)


def test_without_script_the_endless_document_shows_the_way_to_the_page_of_today(meet: Meet) -> None:
    alice = meet("alice", PLAIN)
    room = alice.make_room("Plain upgrade")
    for number in range(30):
        alice.send(f"{room}/messages", body=f"above {number}", nonce=str(number))
    open_older(alice, room)
    link = alice.log.locator(".plain", has_text=NOTE).get_by_role("link")
    link.wait_for()
    box = link.bounding_box()
    assert box
    assert box["y"] >= 0, "far above what is seen"
    alice.say("still works")
    alice.sees("still works")
    link.click(no_wait_after=True)
    alice.until(lambda: not is_older(alice) and alice.log.locator("#log").count(), "today's page")
    alice.sees("still works")
    assert not alice.log.locator(".plain", has_text=NOTE).count()
