"""When a stream ends for a reason, the page says so, shows a way on, and does not try again."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
STREAMS = r"^GET .*/events\?"
LIVE = r"^GET .*/live$"


def sign_out_in_another_tab(owner: BrowserPerson, member: BrowserPerson, room: str) -> None:
    tab = member.context.new_page()
    tab.goto("/settings/profile")
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/", wait_until="commit")
    tab.close()


def end_session_from_another_browser(owner: BrowserPerson, member: BrowserPerson, room: str) -> None:
    owner.context.clear_cookies()
    owner.sign_in(member.username)
    owner.send("/settings/sessions/end-others")


def kick(owner: BrowserPerson, member: BrowserPerson, room: str) -> None:
    owner.send(f"{room}/settings", do="kick", who=member.code, minutes="10")


def delete(owner: BrowserPerson, member: BrowserPerson, room: str) -> None:
    name = owner.context.request.get(room).text().split("<title>")[1].split(" · ")[0]
    owner.send(f"{room}/settings", do="delete", name=name)


ENDINGS = pytest.mark.parametrize(
    ("end", "words", "way"),
    [
        (sign_out_in_another_tab, "You are signed out.", "Sign in"),
        (end_session_from_another_browser, "You are signed out.", "Sign in"),
        (kick, "banned from this room", "Go to the lobby"),
        (delete, "has been deleted", "Go to the lobby"),
    ],
    ids=["signed out in another tab", "session ended from another browser", "kicked", "room deleted"],
)


def notice(reader: BrowserPerson) -> str:
    """What the page says in place of its stream."""
    try:
        return reader.log.locator(".notice").first.inner_text(timeout=100)
    except Error:
        return ""


def opened(meet: Meet, room: str, script: bool) -> BrowserPerson:
    member = meet("bob", script)
    if script:
        member.page.clock.install()
    member.send(f"{room}/join")
    return member.open(room)


@ENDINGS
def test_the_page_says_why_and_shows_a_way_on(
    meet: Meet, end: Callable[[BrowserPerson, BrowserPerson, str], None], words: str, way: str
) -> None:
    for script in (SCRIPT, PLAIN):
        owner = meet("alice")
        room = owner.make_room(f"Ends {end.__name__} {script}")
        member = opened(meet, room, script)
        member.forgive("401", "403", "404")
        owner.send(f"{room}/messages", body="a screen and more\n\n" * 50, nonce="1")
        member.until(lambda: "screen" in "".join(member.messages()), "what was said")  # noqa: B023
        end(owner, member, room)
        member.until(lambda: words in notice(member), "reason")  # noqa: B023
        assert member.log.locator(".notice").get_by_role("link", name=way).is_visible()
        if script:
            # Where they may write no more there is nothing to write with; the others find their words again.
            assert member.page.locator("#composer").count() == (way == "Sign in")
        place = member.log.locator(".notice").bounding_box()
        assert place
        assert 0 <= place["y"] <= 700, "it is out of sight"
        pattern = STREAMS if script else LIVE
        asked = member.times_requested(pattern)
        if script:
            # A minute in which whatever might ask again would: timers, the network's return, a look at the tab.
            member.page.clock.run_for(60_000)
            member.page.evaluate("dispatchEvent(new Event('online'))")
            member.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        else:
            member.pause(4000)  # the frame around it would load it anew after three seconds
        assert member.times_requested(pattern) == asked
        assert words in member.log.locator(".notice").first.inner_text()
        member.log.locator(".notice").get_by_role("link", name=way).click()
        member.page.wait_for_url(re.compile("/login" if way == "Sign in" else "/lobby$"), wait_until="commit")


def test_the_sixth_page_of_a_session_pauses_the_oldest_until_it_is_used_again(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Six")
    pages = [alice.open(room).page]
    for _ in range(5):
        alice.page = alice.context.new_page()
        pages.append(alice.open(room).page)

    def paused(number: int) -> bool:
        alice.page = pages[number]
        return "paused" in notice(alice)

    alice.until(lambda: paused(0), "pause")
    assert not any(paused(number) for number in range(1, 6))
    # All the windows are of one browser: it has a connection left for whatever else is asked.
    alice.page = pages[0]
    alice.page.locator(".notice").get_by_role("link", name="Use this page").click()
    alice.until(lambda: not notice(alice) and alice.log.locator("#log").count(), "log")
    alice.until(lambda: paused(1), "pause of the second")
    alice.page = pages[5]
    alice.say("here we are")
    for page in (pages[0], *pages[2:]):
        alice.page = page
        alice.sees("here we are")


def test_without_script_and_http_2_the_sixth_page_says_what_it_waits_for(meet: Meet) -> None:
    """Each holds one of the six connections that the browser has for the site: the seventh would never load."""
    alice = meet("alice", PLAIN)
    room = alice.make_room("Six plain")
    pages = [alice.open(room).page]
    for _ in range(4):
        alice.page = alice.context.new_page()
        pages.append(alice.open(room).page)
    for _ in range(3):
        alice.page = alice.context.new_page()
        alice.page.goto(room, wait_until="commit")
        alice.until(lambda: "waits until you close" in notice(alice), "the reason")
        pages.append(alice.page)
    assert (
        alice.log.locator(".notice").get_by_role("link").get_attribute("href")
        == f"{room.removeprefix(alice.site.url)}?plain=1"
    )
    alice.page.goto("/lobby", wait_until="commit")
    alice.until(lambda: alice.frames("/live", without="frame="), "the list's frame")
    alice.until(lambda: "waits until you close" in notice(alice), "the reason")
    alice.log.locator(".notice").get_by_role("link").click()
    alice.page.locator(".entry", has_text="Six plain").click()
    alice.until(lambda: "waits until you close" in notice(alice), "the reason")
    alice.composer.locator("#text").fill("from the eighth")
    alice.send_it()
    alice.page = pages[0]
    alice.sees("from the eighth")
    alice.page = pages[-1]
    for number in (1, 5, 6):  # a live one, and the others that wait for it
        pages[number].close()
    alice.until(lambda: alice.log.locator("#log").count(), "its turn")
    alice.sees("from the eighth")
