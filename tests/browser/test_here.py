"""Who is here: faces and how many in the header of a room, and their names beside it where the window is wide."""

from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
WIDE: Any = {"viewport": {"width": 1280, "height": 800}}
NARROW: Any = {"viewport": {"width": 1199, "height": 800}}


def here(reader: BrowserPerson) -> Locator:
    """The newest word on who is here; without script every one of them stays in the frame, and the last is visible."""
    return reader.log.locator("#people" if reader.script else ".live-state.people:visible")


def names(reader: BrowserPerson) -> list[str]:
    written = "names => names.filter(name => name.getBoundingClientRect().width > 1).map(name => name.innerText)"
    found: list[str] = here(reader).locator(".people__name bdi").evaluate_all(written)
    return found


def faces(reader: BrowserPerson) -> list[str]:
    initials = "faces => faces.filter(face => face.getClientRects().length).map(face => face.dataset.initials)"
    found: list[str] = here(reader).locator(".people__name").evaluate_all(initials)
    return found


@BOTH
def test_a_wide_window_names_who_is_here_beside_the_conversation(meet: Meet, script: bool) -> None:
    ann, bea = meet("Ann", script, **WIDE), meet("Bea")
    # Without script who is here is listed in the frame of the log.
    shown, alone, both = (names, ["Ann"], ["Ann", "Bea"]) if script else (faces, ["A"], ["A", "B"])
    room = ann.send("/rooms", name=f"Wide {script}", topic="Much of it").url
    ann.open(room)
    ann.until(lambda: shown(ann) == alone, "alone")
    bea.open(room)
    ann.until(lambda: shown(ann) == both, "both")
    ann.until(lambda: here(ann).inner_text().startswith("2 here"), "how many")
    details = ann.page.locator(".details")
    assert details.locator("h2").inner_text() == f"Wide {script}"
    assert "Much of it" in details.inner_text()

    # Beside it, and below what the room is; nothing of the conversation is behind it.
    card, field = details.bounding_box(), ann.text.bounding_box()
    assert card
    assert field
    assert card["x"] >= field["x"] + field["width"]
    row = here(ann).locator(".people__name").last.bounding_box()
    if script:
        assert row
        assert row["x"] >= card["x"]
        assert row["y"] >= card["y"] + card["height"]
    bea.page.goto("/lobby", wait_until="commit")
    ann.until(lambda: shown(ann) == alone, "alone again")


@BOTH
def test_a_narrower_window_shows_faces_and_how_many_alone(meet: Meet, script: bool) -> None:
    people = [meet(name) for name in ("Bea", "Cleo", "Dina", "Else")]
    ann = meet("Ann", script, **NARROW)
    room = ann.make_room(f"Narrow {script}")
    ann.open(room)
    for person in people:
        person.open(room)
    ann.until(lambda: here(ann).locator(".people__count").inner_text() == "5 here", "all of them")
    assert faces(ann) == ["A", "B", "C", "D"]
    assert not names(ann)
    assert not ann.page.locator(".details").is_visible()
    if script:
        # In a wide window the rest of the members would begin right below these five, not where eight would end.
        read = "room => getComputedStyle(room).getPropertyValue('--here')"
        ann.page.set_viewport_size(WIDE["viewport"])
        ann.until(lambda: ann.page.locator(".room").evaluate(read) == "5", "a line for each")
        ann.page.set_viewport_size(NARROW["viewport"])
    # A press on the faces too leads to everybody.
    here(ann).locator(".people__name").first.click(force=True)
    ann.page.wait_for_url("**/people", wait_until="commit")
    ann.page.get_by_role("link", name="Else", exact=True).wait_for()


def test_a_press_on_a_name_beside_the_conversation_opens_the_card(meet: Meet) -> None:
    ann, bea = meet("Ann", **WIDE), meet("Bea")
    room = ann.make_room("Names")
    ann.open(room)
    bea.open(room)
    here(ann).get_by_text("Bea", exact=True).click()
    ann.page.get_by_role("dialog").get_by_role("heading", name="Bea").wait_for()


def test_the_face_of_a_blocked_person_is_not_shown(meet: Meet) -> None:
    ann, bea = meet("Ann"), meet("Bea")
    room = ann.make_room("Blocked")
    ann.send(f"/people/{bea.code}/block")
    ann.open(room)
    bea.open(room)
    ann.until(lambda: "2 here" in here(ann).inner_text(), "both")
    assert faces(ann) == ["A"]


def test_the_link_to_a_room_is_copied_beside_it(meet: Meet) -> None:
    ann = meet("Ann", permissions=["clipboard-read", "clipboard-write"], **WIDE)
    room = ann.make_room("Copied")
    ann.open(room)
    ann.page.locator(".details").get_by_role("link", name="Copy link").click()
    ann.page.locator(".toast", has_text="The link is copied.").wait_for()
    assert ann.page.evaluate("navigator.clipboard.readText()") == room
    assert ann.page.url == room


def test_without_script_the_link_is_copied_by_hand(meet: Meet) -> None:
    ann = meet("Ann", PLAIN, **WIDE)
    room = ann.make_room("By hand")
    ann.open(room)
    ann.page.locator(".details").get_by_role("link", name="Copy link").click()
    ann.page.wait_for_url("**/settings#invite", wait_until="commit")
    assert ann.page.locator("#invite").input_value() == room
