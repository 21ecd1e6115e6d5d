"""When a stream ends for a reason, the page says so, shows a way on, and does not try again."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error

from tests.browser.conftest import Meet
from tests.browser.reader import Reader

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
STREAMS = r"^GET .*/events\?"
LIVE = r"^GET .*/live$"


def sign_out_in_another_tab(owner: Reader, member: Reader, room: str) -> None:
    tab = member.context.new_page()
    tab.goto("/rooms")
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/", wait_until="commit")
    tab.close()


def end_session_from_another_browser(owner: Reader, member: Reader, room: str) -> None:
    owner.context.clear_cookies()
    owner.sign_in(member.username)
    owner.send("/settings/sessions/end-others")


def kick(owner: Reader, member: Reader, room: str) -> None:
    owner.send(f"{room}/settings", do="kick", who=member.code, minutes="10")


def delete(owner: Reader, member: Reader, room: str) -> None:
    name = owner.context.request.get(room).text().split("<title>")[1].split(" · ")[0]
    owner.send(f"{room}/settings", do="delete", name=name)


ENDINGS = pytest.mark.parametrize(
    ("end", "words", "way"),
    [
        (sign_out_in_another_tab, "You are signed out.", "Sign in"),
        (end_session_from_another_browser, "You are signed out.", "Sign in"),
        (kick, "sent you away", "Go to the lobby"),
        (delete, "has been deleted", "Go to the lobby"),
    ],
    ids=["signed out in another tab", "session ended from another browser", "kicked", "room deleted"],
)


def notice(reader: Reader) -> str:
    """What the page says in place of its stream."""
    try:
        return reader.log.locator(".notice").first.inner_text(timeout=100)
    except Error:
        return ""


def opened(meet: Meet, room: str, script: bool) -> Reader:
    member = meet("bob", script)
    if script:
        member.page.clock.install()
    member.send(f"{room}/join")
    return member.open(room)


@ENDINGS
def test_the_page_says_why_and_shows_a_way_on(
    meet: Meet, end: Callable[[Reader, Reader, str], None], words: str, way: str
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
        place = member.log.locator(".notice").bounding_box()
        assert place
        assert 0 <= place["y"] <= 700, "it is out of sight"
        pattern = STREAMS if script else LIVE
        asked = member.times_asked(pattern)
        if script:
            # A minute in which whatever might ask again would: timers, the network's return, a look at the tab.
            member.page.clock.run_for(60_000)
            member.page.evaluate("dispatchEvent(new Event('online'))")
            member.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        else:
            member.pause(4000)  # the frame around it would load it anew after three seconds
        assert member.times_asked(pattern) == asked
        assert words in member.log.locator(".notice").first.inner_text()
        member.log.locator(".notice").get_by_role("link", name=way).click()
        member.page.wait_for_url(re.compile("/login" if way == "Sign in" else "/lobby$"), wait_until="commit")


@BOTH
def test_the_seventh_page_of_a_session_pauses_the_oldest_until_it_is_used_again(meet: Meet, script: bool) -> None:
    alice = meet("alice", script)
    room = alice.make_room(f"Seven {script}")
    alice.open(room)
    # Browsers of their own with the same session: one browser has six connections to a host and no seventh.
    others = [meet("alice", script) for _ in range(6)]
    for other in others:
        other.share_session(alice)
        other.open(room)
    alice.until(lambda: "paused" in notice(alice), "pause")
    assert not any(notice(other) for other in others)
    alice.log.locator(".notice").get_by_role("link", name="Use this page").click()
    alice.page.wait_for_url(room, wait_until="commit")
    alice.until(lambda: alice.log.locator("#log").count(), "log")
    others[0].until(lambda: "paused" in notice(others[0]), "pause of the second")
    others[5].say("here we are")
    others[5].sees("here we are")
    alice.sees("here we are")
    assert not notice(alice)
