"""Real people with Chromium, against the real application in a process of its own."""

from collections.abc import Iterator
from itertools import count
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.servers import App, chromium

pytest.register_assert_rewrite("tests.browser.person")

from tests.browser.person import QUIET, TIMEOUT_SECONDS, BrowserPerson  # noqa: E402

# As for all else that a page is waited for: five seconds are too few on a busy machine.
expect.set_options(timeout=TIMEOUT_SECONDS * 1000)

_numbers = count(1)
_figures: list[str] = []


class Meet(Protocol):
    def __call__(self, name: str, script: bool = True, site: App | None = None, **options: object) -> BrowserPerson: ...


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")  # it holds the event loop, which the tests of other files need
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def site() -> Iterator[App]:
    """The application on SQLite, nobody throttled: one for the tests of a file."""
    with App({"RATE_LIMITS": "off"}) as app:
        yield app


@pytest.fixture
def own_site() -> Iterator[App]:
    """An application that only this test uses, to kill at will."""
    with App({"RATE_LIMITS": "off"}) as app:
        yield app


@pytest.fixture
def meet(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Meet]:
    """
    Introduces people: each is new, registered, at a browser of their own, on the file's site unless told otherwise.

    At the end nobody's console may have complained, and no application may have written a traceback.
    """
    people: list[BrowserPerson] = []
    logs: dict[App, int] = {}

    def someone(name: str, script: bool = True, site: App | None = None, **options: object) -> BrowserPerson:
        site = site or request.getfixturevalue("site")
        logs.setdefault(site, len(_log(site)))
        people.append(BrowserPerson(browser, site, name, script, **options))
        site.guests.callback(people[-1].context.close)
        return people[-1].register(f"{name}{next(_numbers)}")

    yield someone
    for person in people:
        person.context.close()
    for person in people:
        assert person.unforgiven == [], person.name
    for app, before in logs.items():
        assert "Traceback" not in (said := _log(app)[before:]), said


def _log(site: App) -> str:
    return site.log.read_text(errors="replace") if site.log.exists() else ""


@pytest.fixture
def figure() -> list[str]:
    """Lines for the report at the end of the run: what was measured."""
    return _figures


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _figures:
        terminalreporter.section("measured in the browser")
        for line in _figures:
            terminalreporter.write_line(line)
