"""Chromium where something is missing: the script, the styles, the cookies, the stream. No page is a dead end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, Route

from tests.browser.conftest import Meet
from tests.browser.person import PASSWORD, QUIET, BrowserPerson
from tests.clients.conftest import Writer
from tests.clients.proxy import Buffering
from tests.servers import App, chromium

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
# The page's clock is put forward: a test need not wait for what a person waits for.
SIGN_MS, LATE_MS = 10_500, 16_000


def refuse(route: Route) -> None:
    route.abort()


def test_a_page_whose_script_does_not_load_says_so_and_still_sends(meet: Meet, irene: Writer) -> None:
    room = irene.make_room("Half a page")
    irene.say(room, "Are you there?")
    bob = meet("bob")
    bob.forgive("net::ERR_FAILED")
    bob.page.route("**/*.js", refuse)
    bob.page.goto(room)
    bob.reads("Are you there?")
    status = bob.page.locator("#status")
    assert status.bounding_box()["height"] == 0  # type: ignore[index]
    bob.page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    assert status.bounding_box()["height"] > 0  # type: ignore[index]
    assert "new messages do not come by themselves" in status.inner_text()
    bob.text.fill("Yes, but only half")
    bob.page.click(".composer__send")
    bob.reads("Are you there?", "Yes, but only half")
    irene.say(room, "Which half?")
    bob.page.reload()
    bob.reads("Are you there?", "Yes, but only half", "Which half?")
    bob.page.unroute("**/*.js")
    bob.open(room)
    assert (status.inner_text(), status.get_attribute("class")) == ("", "status")


@BOTH
def test_without_styles_everything_can_be_read_and_done(meet: Meet, irene: Writer, script: bool) -> None:
    room = irene.make_room(f"Unstyled {script}")
    bob = meet("bob", script)
    bob.forgive("net::ERR_FAILED")
    bob.page.route("**/*.css*", refuse)
    bob.page.goto("/lobby", wait_until="commit")
    bob.page.get_by_role("link", name=f"Unstyled {script}").first.click()
    bob.page.wait_for_url("**/rooms/*", wait_until="commit")
    bob.open(bob.page.url)
    irene.say(room, "No colours here")
    bob.sees("No colours here")
    bob.say("None here either")
    bob.reads("No colours here", "None here either")
    icons = bob.page.locator("svg:visible").all()
    assert all((icon.bounding_box() or {"width": 0})["width"] <= 40 for icon in icons)


@pytest.fixture
def wary(playwright: Playwright, site: App, tmp_path: Path) -> Iterator[BrowserPerson]:
    """Somebody whose Chromium keeps no cookies, by its own settings."""
    (tmp_path / "Default").mkdir()
    refusing = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default/Preferences").write_text(json.dumps(refusing))
    context = playwright.chromium.launch_persistent_context(tmp_path, executable_path=chromium(), args=QUIET)
    wary = BrowserPerson.__new__(BrowserPerson)
    wary.site, wary.name, wary.context, wary.page = site, "wary", context, context.pages[0]
    yield wary
    context.close()


def test_a_browser_without_cookies_gets_the_reason_wherever_one_is_needed(wary: BrowserPerson) -> None:
    page = wary.page
    told = page.get_by_text("Your browser keeps no cookies for this site.")
    page.goto(f"{wary.site.url}/login")
    assert not told.count(), "nobody can know yet"
    for way in ("Create an account", "Sign in", "Talk to a stranger"):
        page.goto(wary.site.url)
        page.get_by_role("link", name=way).first.click()
        told.wait_for()
    page.check("[name=rules]")
    page.get_by_role("button", name="Find someone").click()
    told.wait_for()
    page.goto(f"{wary.site.url}/register")
    page.fill("#username", "wary")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    page.wait_for_url("**/login?*")
    told.wait_for()


def test_a_browser_with_cookies_reads_nothing_of_them(meet: Meet, site: App) -> None:
    bob = meet("bob")
    bob.context.clear_cookies()
    for way in ("Create an account", "Sign in", "Talk to a stranger"):
        bob.page.goto("/")
        bob.page.get_by_role("link", name=way).first.click()
        bob.page.locator("form.form").first.wait_for()
        assert "cookies" not in bob.page.inner_text("main")


@pytest.mark.parametrize("head_first", [True, False], ids=["the body", "all of an answer"])
def test_where_a_proxy_holds_streams_back_messages_come_all_the_same_and_the_page_says_so(
    meet: Meet, site: App, irene: Writer, head_first: bool
) -> None:
    room = irene.make_room(f"Held {head_first}")
    with Buffering(site, head_first) as proxy:
        bob = meet("bob", base_url=proxy.url)
        bob.page.clock.install()
        bob.page.goto(room)
        irene.say(room, "Can you read this?")
        bob.page.clock.fast_forward(SIGN_MS)
        bob.sees("Can you read this?")
        bob.until(lambda: "delays messages" in bob.page.inner_text("#status"), "word of it")
        bob.say("Yes, a little late")
        bob.sees("Yes, a little late")
        irene.say(room, "Good")
        bob.reads("Can you read this?", "Yes, a little late", "Good")


def test_a_page_that_was_refused_its_stream_comes_back_by_itself(meet: Meet) -> None:
    with App({"RATE_LIMITS": "off", "MAX_STREAMS": "1"}) as full:
        alice, bob = meet("alice", site=full), meet("bob", site=full)
        room = alice.make_room("Full")
        alice.open(room)
        bob.forgive("503 (Service Unavailable)")
        bob.page.clock.install()
        with bob.page.expect_response("**/events?*") as refused:
            bob.page.goto(room)
        assert refused.value.status == 503
        assert int(refused.value.headers["retry-after"]) > 0
        bob.until(lambda: bob.page.inner_text("#status") == "Reconnecting…", "mark")
        alice.page.goto("about:blank")

        def is_let_in() -> bool:
            # An answer is awaited before time goes on: a page gives up a question that takes it a minute.
            with bob.page.expect_response("**/events?*") as answer:
                bob.page.clock.fast_forward(LATE_MS)
            return answer.value.status == 200

        bob.until(is_let_in, "stream")
        bob.until(lambda: not bob.page.inner_text("#status"), "end of the mark")
        bob.say("In at last")
        bob.sees("In at last")
