"""From a room to its people and to one of them: in place where there is script, by pages where there is none."""

from io import BytesIO

import pytest
import segno
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Meet
from tests.browser.person import PASSWORD

SCRIPT, PLAIN = True, False


def listed(page: Page) -> list[str]:
    return page.locator("#found .row__name").all_text_contents()


@pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
def test_a_person_of_the_room_is_found_from_the_count_in_its_header(meet: Meet, script: bool) -> None:
    ada, ben, eva = meet("Ada", script, viewport={"width": 390, "height": 844}), meet("Ben"), meet("Eva")
    room = ada.make_room(f"Garden {script}")
    for other in (ben, eva):
        other.send(f"{room}/join")
    ada.open(room)

    def press_count() -> bool:
        # What it leads to takes its frame away, at times before the press is known to be done.
        if ada.page.url.endswith(room):
            # It is another line whenever people came or went; one that is hidden by then can't be pressed.
            ada.log.locator(".people__count:visible").last.click(timeout=1000)
        return True

    ada.until(press_count, "a press on the count")
    ada.page.get_by_role("heading", name="People in Garden").wait_for()
    assert {"Ada", "Ben", "Eva"} == set(listed(ada.page))
    ada.page.wait_for_load_state()  # until the script is there, it is found by Enter
    field = ada.page.locator("#main").get_by_role("searchbox")
    field.press_sequentially("be")
    if not script:
        field.press("Enter")
    ada.until(lambda: listed(ada.page) == ["Ben"], "Ben alone")
    ada.page.locator("#found .row__name", has_text="Ben").click()
    if script:
        card = ada.page.get_by_role("dialog")
        card.get_by_role("link", name="Write a message").wait_for()
        ada.page.keyboard.press("Escape")
        card.wait_for(state="detached")
        assert listed(ada.page) == ["Ben"]
    else:
        ada.page.get_by_role("heading", name="Ben").wait_for()
        assert ada.page.url.endswith(f"/people/{ben.code}")
        # What they are both in leads back.
        ada.page.get_by_role("link", name="Garden False").first.click()
        ada.page.get_by_role("heading", name="Garden False").wait_for()


@pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
def test_the_owner_promotes_and_bans_a_member_in_the_list_of_people(meet: Meet, script: bool) -> None:
    ada, ben = meet("Ada", script), meet("Ben")
    room = ada.make_room(f"Orchard {script}")
    ben.send(f"{room}/join")
    ada.page.goto(f"{room}/people")
    row = ada.page.locator("#found li", has_text="Ben")
    row.get_by_text("More").click()
    with ada.page.expect_navigation():
        row.get_by_role("button", name="Make a moderator").click()
    row.locator(".badge", has_text="moderator").wait_for()
    row.get_by_text("More").click()
    row.get_by_label("Ban for").select_option("for good")
    with ada.page.expect_navigation():
        row.get_by_role("button", name="Ban from the room").click()
    ada.page.get_by_text("They are out of this room, and can't come back").wait_for()
    assert listed(ada.page) == ["Ada"]
    ada.page.get_by_role("link", name="Banned people").click()
    with ada.page.expect_navigation():
        ada.page.get_by_role("button", name="Allow back").click()
    ada.page.get_by_text("Nobody is banned from this room.").wait_for()


def seen_squares(code: Locator, count: int) -> list[list[int]]:
    """Return the squares of a QR code as a camera sees them, dark ones as 1; without the outermost."""
    picture = Image.open(BytesIO(code.screenshot())).convert("L")
    width, height = picture.width / count, picture.height / count
    middles = [place + 0.5 for place in range(1, count - 1)]
    return [[int(picture.getpixel((int(x * width), int(y * height))) < 128) for x in middles] for y in middles]


def test_a_new_person_comes_to_a_private_room_by_a_link_that_a_phone_reads(meet: Meet) -> None:
    ada, newt = meet("Ada", PLAIN, color_scheme="dark"), meet("Newt", PLAIN)
    newt.context.clear_cookies()  # as somebody whom nobody knows
    room = ada.send("/rooms", name="Attic", kind="private").url
    ada.page.goto(f"{room}/settings")
    ada.page.get_by_role("link", name="Invite people").click()
    ada.page.get_by_label("Note").fill("Mind the third step")
    ada.page.get_by_role("button", name="Make a link").click()
    link = ada.page.get_by_label("Send it to whom you invite").input_value()
    wanted = [list(row) for row in segno.make(link, error="m").matrix_iter(border=3)]
    # The ground is light in the dark theme, too; its corners are round.
    code = ada.page.get_by_role("img", name="The link as a QR code").locator("svg")
    assert seen_squares(code, len(wanted) + 2) == wanted
    newt.page.goto(link)
    expect(newt.page.get_by_text("Mind the third step")).to_be_visible()
    newt.page.get_by_role("link", name="Create an account").click()
    newt.page.get_by_label("User name").fill("newt-of-the-attic")
    newt.page.get_by_label("Display name").fill("Newton")
    newt.page.get_by_label("Password").fill(PASSWORD)
    newt.page.get_by_role("button", name="Create the account").click(no_wait_after=True)
    expect(newt.page.get_by_role("heading", name="Attic").first).to_be_visible()
    assert newt.page.url == room
    ada.page.goto(f"{room}/invitations")
    expect(ada.page.locator(".invitation")).to_contain_text("1 of 10 came")
    expect(ada.page.locator(".invitation").get_by_role("link", name="Newton")).to_be_visible()
