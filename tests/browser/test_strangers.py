"""Two people who don't know each other, each at a browser: with script, and without."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Meet
from tests.browser.reader import Reader
from tests.servers import App

Come = Callable[..., Reader]


@pytest.fixture
def come(browser: Browser, site: App) -> Iterator[Come]:
    """Brings visitors, each at a browser of their own."""
    people: list[Reader] = []

    def somebody(name: str, script: bool = True, **options: object) -> Reader:
        people.append(Reader(browser, site, name, script, **options))
        return people[-1]

    yield somebody
    for person in people:
        person.context.close()
    for person in people:
        assert person.unforgiven == [], person.name


def find(person: Reader, interests: str = "") -> None:
    person.page.goto("/strangers")
    person.page.fill("#interests", interests)
    person.page.check("[name=rules]")
    with person.page.expect_navigation(wait_until="commit"):
        person.page.click("text=Find someone")


def is_talking(person: Reader) -> None:
    person.page.wait_for_url("**/strangers/chat/*", wait_until="commit")
    if not person.script:
        person.until(lambda: person.log.locator("#log").count(), "the log in its frame")
        person.until(lambda: person.frames("/composer"), "a composer")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_two_strangers_find_each_other_talk_and_leave(come: Come, script: bool) -> None:
    ann, ben = come("Ann", script), come("Ben", script)
    find(ann, "jazz chess")
    assert "Nobody else waits" in ann.page.inner_text("#wait")
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
    assert time.monotonic() - gone_at < 8
    ann.page.get_by_text("Stranger has left").wait_for()
    assert 12 < time.monotonic() - gone_at < 26
    assert ann.page.locator("#composer").count() == 0


def test_people_with_accounts_who_both_want_it_become_friends(meet: Meet) -> None:
    ann, ben = meet("Ann"), meet("Ben")
    find(ann)
    find(ben)
    is_talking(ann)
    is_talking(ben)
    ann.say("we should talk more")
    ben.sees("we should talk more")
    for person in (ann, ben):
        person.page.click("text=More")
        person.page.click("text=Keep in touch")
    for person in (ben, ann):
        person.page.wait_for_url("**/rooms/*")
        person.sees("we should talk more")
    assert "Ann" in ben.page.inner_text("#about")


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
