"""A room is opened in place of another: one act, and everything around it stays as it was."""

import re

import pytest

from tests.browser.conftest import Meet
from tests.browser.network import streams
from tests.browser.person import BrowserPerson
from tests.servers import App

MARK = "window.isSame = true"


def rooms(person: BrowserPerson, *names: str, messages: int = 3) -> list[str]:
    """Rooms of this person's alone, with something said in each, and their addresses."""
    made = [person.make_room(f"{name} {person.username}") for name in names]
    for name, room in zip(names, made, strict=True):
        for number in range(1, messages + 1):
            person.send(f"{room}/messages", body=f"{name} {number}", nonce=str(number))
    return made


def press(person: BrowserPerson, name: str) -> None:
    person.page.locator("#entries a.entry", has_text=f"{name} alice").click()


def shows(person: BrowserPerson, name: str, address: str) -> None:
    """Wait until everything on the page is about this room, and it is live."""
    person.until(lambda: person.page.locator("#room-name").inner_text().startswith(f"{name} "), f"the room {name}")
    person.sees(f"{name} 1")
    assert person.page.url == address
    person.until(lambda: re.fullmatch(rf"(\(\d+\) )?{name} \w+ · Parley", person.page.title()), "the title")
    assert person.page.locator("#entries [aria-current]").get_attribute("href") == address.removeprefix(person.site.url)
    assert person.page.locator("#skip-newest").get_attribute("href") in [
        f"#{one}" for one in person.page.locator("#log > .message").evaluate_all("all => all.map(one => one.id)")
    ]


def same(person: BrowserPerson) -> bool:
    return bool(person.page.evaluate("!!window.isSame"))


def test_a_room_opened_in_place_is_live(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    tea, soup = rooms(alice, "Tea", "Soup")
    alice.open(tea)
    alice.page.evaluate(MARK)
    with alice.page.expect_response("**/events?*"):
        press(alice, "Soup")
    shows(alice, "Soup", soup)
    alice.until(lambda: alice.page.evaluate("document.activeElement.id") == "text", "the focus")
    bob.send(f"{soup}/messages", body="hello in soup", nonce="b")
    alice.sees("hello in soup")
    alice.say("hello to you")
    alice.reads("Soup 1", "Soup 2", "Soup 3", "hello in soup", "hello to you")
    assert alice.page.locator("#status").inner_text() == ""
    assert same(alice)


def test_back_forward_and_reload_show_the_room_of_their_address(meet: Meet) -> None:
    alice = meet("alice")
    tea, soup, cake = rooms(alice, "Tea", "Soup", "Cake")
    alice.open(tea)
    alice.page.evaluate(MARK)
    for name, address in (("Soup", soup), ("Cake", cake)):
        press(alice, name)
        shows(alice, name, address)
    alice.page.go_back()
    shows(alice, "Soup", soup)
    alice.page.go_back()
    shows(alice, "Tea", tea)
    alice.page.go_forward()
    shows(alice, "Soup", soup)
    assert same(alice)
    # After it was loaded again the script that opens in place is not there yet: the way back is a page.
    alice.page.reload()
    shows(alice, "Soup", soup)
    alice.page.go_back()
    shows(alice, "Tea", tea)
    alice.page.go_back()
    assert alice.page.url == "about:blank"


def test_each_room_has_its_own_draft_and_scroll_position(meet: Meet) -> None:
    alice = meet("alice")
    tea, soup = rooms(alice, "Tea", "Soup", messages=40)
    alice.open(tea)
    alice.text.fill("half a sentence")
    alice.page.locator(".scroller").evaluate("scroller => scroller.scrollTop = -600")
    press(alice, "Soup")
    shows(alice, "Soup", soup)
    assert alice.text.input_value() == ""
    alice.text.fill("another half")
    alice.page.go_back()
    shows(alice, "Tea", tea)
    alice.until(lambda: alice.text.input_value() == "half a sentence", "its draft")
    alice.until(lambda: alice.page.locator(".scroller").evaluate("scroller => scroller.scrollTop") == -600, "the place")
    press(alice, "Soup")
    shows(alice, "Soup", soup)
    alice.until(lambda: alice.text.input_value() == "another half", "its draft")


def test_the_list_stays_where_it_was_scrolled_to(meet: Meet) -> None:
    alice = meet("alice", viewport={"width": 1000, "height": 400})
    made = rooms(alice, *(f"Room {letter}" for letter in "ABCDEFGHIJ"), messages=1)
    alice.open(made[0])
    entries = alice.page.locator("#entries")
    entries.evaluate("list => list.scrollTop = 150")
    around = entries.bounding_box()
    boxes = [entry.bounding_box() for entry in alice.page.locator("#entries .entry").all()]
    assert around
    # One that is seen whole: of another the rest would be brought into view.
    inside = [box for box in boxes if box and around["y"] <= box["y"] <= around["y"] + around["height"] - box["height"]]
    alice.page.mouse.click(inside[0]["x"] + 50, inside[0]["y"] + 20)
    alice.until(lambda: alice.page.url != made[0], "another room")
    alice.until(lambda: alice.page.locator("#room-name").inner_text() != f"Room A {alice.username}", "its pane")
    assert entries.evaluate("list => list.scrollTop") == 150


def test_reading_is_reported_for_each_room_by_itself(meet: Meet) -> None:
    """Also where the numbers of the next room are smaller."""
    alice, bob = meet("alice"), meet("bob")
    tea, soup = rooms(alice, "Tea", "Soup", messages=2)
    for number in range(3, 20):
        alice.send(f"{tea}/messages", body=f"Tea {number}", nonce=str(number))
    for room in (soup, tea):
        bob.send(f"{room}/join")
    bob.open(tea)
    with bob.page.expect_response("**/read"):
        alice.send(f"{tea}/messages", body="Tea 20", nonce="20")
    alice.send(f"{soup}/messages", body="Soup 3", nonce="3")
    with bob.page.expect_request(f"{soup}/read"):
        press(bob, "Soup")
    bob.page.goto("/lobby")
    bob.until(lambda: bob.page.locator("#entries .entry").count() == 2, "the list")
    assert bob.page.locator("#entries .unread").count() == 0


def test_six_presses_at_once_open_the_last_with_one_stream(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    made = rooms(alice, *(f"Room {letter}" for letter in "ABCDEFG"), messages=1)
    alice.open(made[0])
    alice.page.evaluate(MARK)
    for letter in "BCDEFG":
        press(alice, f"Room {letter}")
    shows(alice, "Room G", made[-1])
    assert same(alice)
    assert alice.page.locator("iframe").count() == 0
    alice.until(lambda: streams(own_site) == 1, "one stream")


def test_fifty_openings_leave_nothing_behind(meet: Meet, own_site: App) -> None:
    alice = meet("alice", site=own_site)
    made = rooms(alice, "Room A", "Room B", messages=5)
    alice.open(made[0])
    alice.page.evaluate(MARK)
    wire = alice.context.new_cdp_session(alice.page)

    def counted(name: str) -> int:
        wire.send("HeapProfiler.collectGarbage")
        return int(wire.send("Memory.getDOMCounters")[name])

    def go(count: int) -> None:
        for number in range(count):
            letter = "BA"[number % 2]
            press(alice, f"Room {letter}")
            alice.sees(f"Room {letter} 1")

    go(10)
    before = {name: counted(name) for name in ("nodes", "jsEventListeners")}
    go(40)
    after = {name: counted(name) for name in before}
    assert same(alice)
    assert {name: count for name, count in after.items() if count > before[name] * 1.1 + 20} == {}, (before, after)
    alice.until(lambda: streams(own_site) == 1, "one stream")


@pytest.mark.parametrize("key", ["Control", "Shift"])
def test_a_press_that_asks_for_another_window_is_the_browsers(meet: Meet, key: str) -> None:
    alice = meet("alice")
    tea, soup = rooms(alice, "Tea", "Soup", messages=1)
    alice.open(tea)
    alice.page.keyboard.down(key)
    with alice.context.expect_page() as opened:
        press(alice, "Soup")
    alice.page.keyboard.up(key)
    opened.value.wait_for_url(soup)
    assert alice.page.url == tea


def test_what_can_not_be_opened_in_place_is_a_page(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("404")
    tea, soup = rooms(alice, "Tea", "Soup", messages=1)
    alice.open(tea)
    alice.page.evaluate(MARK)
    # The room is there no more, but this page has not been told.
    alice.page.locator(f"#entries a[href='{soup.removeprefix(alice.site.url)}']").evaluate(
        "link => link.setAttribute('href', '/rooms/nowhere')"
    )
    press(alice, "Soup")
    alice.page.wait_for_url("**/rooms/nowhere")
    assert not same(alice)
    alice.open(tea)
    alice.page.evaluate(MARK)
    alice.context.clear_cookies()
    press(alice, "Soup")
    alice.page.wait_for_url("**/login?*")
    assert not same(alice)


def test_after_an_upgrade_the_whole_page_is_loaded(meet: Meet) -> None:
    alice = meet("alice")
    tea, soup = rooms(alice, "Tea", "Soup", messages=1)
    alice.open(tea)
    alice.page.evaluate(MARK)
    alice.page.evaluate("document.querySelector('script[data-acts]').setAttribute('src', '/static/app.0000000000.js')")
    press(alice, "Soup")
    alice.until(lambda: not same(alice), "another page")
    shows(alice, "Soup", soup)
