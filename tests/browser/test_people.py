"""What two people are to each other, at their browsers: becoming friends without script, and blocking in a room."""

import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Meet
from tests.browser.person import READ_LOG, BrowserPerson
from tests.servers import App

SCRIPT, PLAIN = True, False
HIDDEN = "Messages of somebody you blocked"


def press(who: BrowserPerson, whom: BrowserPerson, *buttons: str) -> None:
    """Press buttons on somebody's profile, one after another."""
    who.page.goto(f"/people/{whom.code}")
    for button in buttons:
        with who.page.expect_navigation():
            who.page.get_by_role("button", name=button, exact=True).click()


@pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
def test_two_people_find_each_other_and_become_friends(meet: Meet, script: bool) -> None:
    ada, ben = meet("Ada", script), meet("Ben", script)
    ada.page.goto("/friends")
    ada.page.locator("#q").fill(ben.code.lower().replace("-", ""))
    with ada.page.expect_navigation():
        ada.page.locator("#main").get_by_role("button", name="Find").click()
    ada.page.get_by_role("link", name="Ben", exact=True).click()
    ada.page.get_by_role("button", name="Ask to be friends").click()
    ada.page.get_by_text("There is no answer yet.").wait_for()

    ben.page.goto("/friends")
    ben.page.locator("#requests-received").get_by_role("button", name="Accept").click()
    ben.page.locator("#friends .row__name", has_text="Ada").wait_for()
    assert not ben.page.locator("#requests-received").count()
    ada.page.goto(f"/people/{ben.code}")
    ada.page.get_by_text("You are friends.").wait_for()
    assert ada.page.get_by_role("link", name="Write a message").is_visible()


def latest(who: BrowserPerson) -> Locator:
    return who.log.locator(".message").last


@pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
def test_a_live_message_of_a_blocked_person_is_hidden_until_its_link_is_followed(meet: Meet, script: bool) -> None:
    ada, ben, eva = meet("Ada", script, viewport={"width": 1280, "height": 700}), meet("Ben"), meet("Eva", script)
    room = ada.make_room(f"Quiet {script}")
    press(ada, ben, "Block")
    ada.open(room)
    eva.open(room)
    ben.send(f"{room}/messages", body="Listen to me!", nonce="one")
    eva.sees("Listen to me!")
    ada.until(lambda: latest(ada).get_attribute("data-author") == ben.code, "a message of Ben's")
    assert not latest(ada).locator(".message__body").is_visible()
    assert not latest(ada).locator(".message__author").is_visible()
    note = latest(ada).evaluate("message => getComputedStyle(message, '::after').content")
    assert HIDDEN in note

    latest(ada).hover()
    latest(ada).locator(".tray a").first.hover()
    if script:
        latest(ada).locator(".tray a[href^='?link=']").click()
    else:
        latest(ada).locator(".tray a[href^='?all=']").click()
        ada.page.get_by_role("link", name="Back to the room").click()
    ada.page.wait_for_url(re.compile(r"around=1#message-\d+-1$"))
    assert ada.page.evaluate(READ_LOG) == ["Listen to me!"]
    assert ada.page.locator(".message__body").is_visible()

    ada.open(room)
    if script:
        assert HIDDEN in ada.page.locator(".message__body").inner_text()
    people = ada.log.locator(".people:visible").last
    ada.until(lambda: "Eva" in people.inner_text(), "who is here")
    assert "Ben" not in people.inner_text()


def test_marks_and_lines_are_where_they_belong_on_a_phone_too(meet: Meet, site: App) -> None:
    phone = {"viewport": {"width": 390, "height": 780}}
    ada, eva = meet("Ada"), meet("Eva", SCRIPT, None, **phone, locale="de-DE")
    with closing(sqlite3.connect(site.folder / "data/parley.sqlite3")) as database, database:
        numbers = dict(database.execute("SELECT code, id FROM user").fetchall())
        database.execute("UPDATE user SET is_admin = 1 WHERE code = ?", [ada.code])
        block = (
            "INSERT INTO veiled_block (blocker_id, blocked_id, created_at) VALUES (?, ?, '2026-09-02 10:00:00+00:00')"
        )
        database.execute(block, [numbers[eva.code], numbers[ada.code]])

    eva.page.goto(f"/people/{ada.code}")
    mark = eva.page.locator(".profile .badge").bounding_box()
    assert mark
    assert abs(mark["x"] + mark["width"] / 2 - 195) < 5
    eva.page.goto("/friends")
    line = eva.page.locator(".row__words").inner_text()
    assert line == "Jemand Fremdes, blockiert am Mittwoch, 2. September 2026"
    box = eva.page.locator(".row__words").bounding_box()
    assert box
    assert box["height"] < 60, "one narrow word below the other"
