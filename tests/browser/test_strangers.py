"""Two people who don't know each other, each at a browser: with script, and without."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from tests.servers import App

Come = Callable[..., BrowserPerson]
# A second, on a machine that has nothing else to do.
TOLD_GUARD_SECONDS = 15


@pytest.fixture
def come(browser: Browser, site: App) -> Iterator[Come]:
    """Brings visitors, each at a browser of their own."""
    people: list[BrowserPerson] = []

    def somebody(name: str, script: bool = True, **options: object) -> BrowserPerson:
        people.append(BrowserPerson(browser, site, name, script, **options))
        return people[-1]

    yield somebody
    for person in people:
        person.context.close()
    for person in people:
        assert person.unforgiven == [], person.name


def find(person: BrowserPerson, interests: str = "") -> None:
    person.page.goto("/strangers")
    person.page.fill("#interests", interests)
    person.page.check("[name=rules]")
    with person.page.expect_navigation(wait_until="commit"):
        person.page.click("text=Find someone")


def is_talking(person: BrowserPerson) -> None:
    # Before the script has come, Enter is a new line.
    person.page.wait_for_url("**/strangers/chat/*", wait_until="domcontentloaded" if person.script else "commit")
    if not person.script:
        person.until(lambda: person.log.locator("#log").count(), "the log in its frame")
        person.until(lambda: person.frames("/composer"), "a composer")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_two_strangers_find_each_other_talk_and_leave(come: Come, script: bool) -> None:
    ann, ben = come("Ann", script), come("Ben", script)
    find(ann, "jazz chess")
    assert "Nobody else is waiting" in ann.page.inner_text("#wait")
    find(ben, "chess")
    is_talking(ben)
    is_talking(ann)  # without a press
    assert "You both like chess" in ann.page.inner_text("#about")
    ann.say("hello you")
    ben.sees("hello you")
    ben.say("hello to you")
    ann.sees("hello to you")
    ann.page.click("text=Leave")
    over = ben.page if script else ben.log
    over.get_by_text("Stranger has left").first.wait_for()
    assert "I am 18 or older" in ann.page.inner_text("main")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_next_asks_once_and_finds_another(come: Come, script: bool) -> None:
    ann, ben, cleo = come("Ann", script), come("Ben", script), come("Cleo", script)
    find(ann)
    find(ben)
    is_talking(ben)
    is_talking(ann)
    find(cleo)
    ann.page.click("text=Next")
    ann.page.wait_for_url("**/strangers/next", wait_until="commit")
    ann.page.click("text=Find someone else")
    is_talking(ann)
    is_talking(cleo)
    cleo.say("so it is you now")
    ann.sees("so it is you now")


def test_typing_and_what_was_seen_are_said(come: Come) -> None:
    ann, ben = come("Ann"), come("Ben")
    find(ann)
    find(ben)
    is_talking(ann)
    is_talking(ben)
    ann.text.type("I am wri")
    ben.page.locator("#typing >> text=is typing").wait_for()
    ann.say("I have written")
    ben.sees("I have written")
    ann.page.locator("#receipt >> text=Seen").wait_for()


def test_a_connection_that_breaks_is_reconnecting_and_then_has_left(come: Come) -> None:
    ann, ben = come("Ann"), come("Ben")
    find(ann)
    find(ben)
    is_talking(ann)
    is_talking(ben)
    ann.say("are you there")
    ben.sees("are you there")
    ann.page.locator("#receipt >> text=Seen").wait_for()
    gone_at = time.monotonic()
    ben.page.close()
    ann.page.get_by_text("Stranger is reconnecting").wait_for()
    ann.page.get_by_text("Stranger has left").wait_for()
    assert 12 < time.monotonic() - gone_at < 45
    assert ann.page.locator("#composer").count() == 0


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_people_with_accounts_who_both_want_it_become_friends(meet: Meet, script: bool) -> None:
    ann, ben = meet("Ann", script), meet("Ben", script)
    find(ann)
    find(ben)
    is_talking(ann)
    is_talking(ben)
    ann.say("we should talk more")
    ben.sees("we should talk more")
    ann.page.click("text=Keep in touch")
    ann.page.get_by_text("Waiting for the same from them").wait_for()
    assert ann.page.get_by_text("Keep in touch").count() == 0
    assert "Waiting for the same" not in everything(ben)
    ben.page.click("text=Keep in touch")
    ben.page.wait_for_url("**/rooms/*", wait_until="commit")
    ben.sees("we should talk more")
    assert "Ann" in ben.page.inner_text("#about")
    if script:  # the page that pressed first goes on by itself
        ann.page.wait_for_url("**/rooms/*", wait_until="commit")
        ann.sees("we should talk more")
    ann.page.goto("/lobby", wait_until="commit")
    ann.page.locator("#friends .row__name", has_text="Ben").wait_for()


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("language", ["en", "de"])
def test_on_a_phone_the_header_of_a_chat_has_two_lines(meet: Meet, width: int, language: str) -> None:
    ann, ben = (meet(name, locale=language, viewport={"width": width, "height": 700}) for name in ("Ann", "Ben"))
    for person in (ann, ben):
        chat = person.send("/strangers/find", language="de", rules="1", interests="chess jazz cooking").url
    for _ in ("before", "after"):
        ann.page.goto(chat)
        parts = [part.bounding_box() for part in ann.page.locator(LINES).all()]
        middles = {round((part["y"] + part["height"] / 2) / 24) for part in parts if part}
        assert len(middles) <= 2, parts
        assert all(part and part["x"] >= 0 and part["x"] + part["width"] <= width for part in parts), parts
        header = ann.page.locator(".room__header").bounding_box()
        assert header
        assert header["height"] <= 120
        if ann.page.locator(KEEP).count():
            ann.page.locator(KEEP).click()
    assert ann.page.locator(".steps__state").count() == 1


KEEP = "[action='/strangers/keep'] button"
LINES = ".room__header :is(h1, .about__topic, .steps__state, button:visible, summary)"
HIDE = "Object.defineProperty(document, 'hidden', {get: () => true})"


def test_who_looks_at_another_tab_is_found_and_stays(come: Come) -> None:
    ann, ben = come("Ann"), come("Ben")
    ann.context.add_init_script(HIDE)
    find(ann)
    find(ben)
    is_talking(ben)
    is_talking(ann)
    ben.say("are you still there")
    ann.sees("are you still there")
    ann.pause(12_000)
    assert ben.page.inner_text("#company") == ""


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_an_administrator_reads_a_report_and_bans_the_stranger(come: Come, meet: Meet, site: App, script: bool) -> None:
    ann, ben, ada = come("Ann", script), come("Ben", script), meet("Ada")
    with closing(sqlite3.connect(site.folder / "data/parley.sqlite3")) as database, database:
        assert database.execute("UPDATE user SET is_admin = 1 WHERE code = ?", [ada.code]).rowcount == 1
    find(ann)
    find(ben)
    is_talking(ann)
    is_talking(ben)
    ben.say(f"very rude words, {script}")
    ann.sees(f"very rude words, {script}")
    ann.page.click("summary >> text=More")
    ann.page.click("text=Report")
    ann.page.locator("[name=reason]").first.check()
    ann.page.click("text=Send the report")
    ann.page.get_by_text("Thank you").first.wait_for()

    ada.page.goto("/moderation")
    ada.page.locator(".case").last.click()
    assert f"very rude words, {script}" in ada.page.inner_text(".transcript")
    ada.page.fill("#told", "Be kind.")
    ada.page.get_by_role("button", name="Ban", exact=True).click()
    kept_out_at = time.monotonic()
    ben.forgive("403 (Forbidden)")
    ben.until(lambda: "has ended your access" in everything(ben), "word that they are kept out")
    assert time.monotonic() - kept_out_at < TOLD_GUARD_SECONDS
    ben.page.goto("/strangers")
    assert "Be kind." in ben.page.inner_text("main")
    ada.page.goto("/moderation/log")
    assert "Ada" in ada.page.inner_text("main")


def everything(person: BrowserPerson) -> str:
    """What the page says, in all of its frames."""
    return " ".join(frame.inner_text("body") for frame in person.page.frames)
