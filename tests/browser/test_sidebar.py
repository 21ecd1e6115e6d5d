"""The list at the side and the settings beside it: where it stays, what it counts, and what is saved at once."""

from pathlib import Path

from PIL import Image

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

SCRIPT, PLAIN = True, False


def rooms_of(reader: BrowserPerson, count: int) -> list[str]:
    return [reader.make_room(f"Room {number:02}") for number in range(count)]


def test_the_list_stays_where_it_was_scrolled_to(meet: Meet) -> None:
    alice = meet("alice")
    rooms_of(alice, 20)
    alice.page.set_viewport_size({"width": 1024, "height": 500})
    with alice.page.expect_response("**/events?*"):
        alice.page.goto("/rooms")
    last = alice.page.locator("#entries .entry").last
    last.scroll_into_view_if_needed()
    place = alice.page.evaluate("document.querySelector('#entries').scrollTop")
    assert place > 500
    with alice.page.expect_response("**/events?*"):
        alice.page.goto("/settings/privacy")
    alice.until(lambda: alice.page.evaluate("document.querySelector('#entries').scrollTop") == place, "the same place")
    alice.page.evaluate("sessionStorage.removeItem('entries')")
    with alice.page.expect_response("**/events?*"):
        alice.page.goto(str(last.get_attribute("href")))
    alice.until(lambda: alice.page.evaluate("document.querySelector('#entries').scrollTop") > 0, "the current room")


def test_the_title_and_the_bar_count_what_is_new_as_it_comes(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    tea, soup = rooms_of(alice, 2)
    for room in (tea, soup):
        ben.send(f"{room}/join")
    with ben.page.expect_response("**/events?*"):
        ben.page.goto("/rooms")
    assert ben.page.title().startswith("Rooms")
    for number, room in enumerate((tea, soup), 1):
        alice.send(f"{room}/messages", body="hello", nonce=str(number))
        ben.until(lambda: ben.page.title().startswith(f"({number}) Rooms"), f"{number} in the title")  # noqa: B023
        assert ben.page.locator("#unread-count").inner_text() == str(number)
    window = meet("ben2")
    window.context.clear_cookies()
    window.share_session(ben)
    window.open(tea)
    ben.until(lambda: ben.page.title().startswith("(1) Rooms"), "one less")


def test_who_types_in_a_chat_stands_over_its_last_line_for_a_while(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    chat = alice.send(f"/chat/{ben.code}/messages", body="Are you there?", nonce="1").url
    ben.send(f"/chat/{alice.code}/messages", body="I am", nonce="1")
    with alice.page.expect_response("**/events?*"):
        alice.page.goto("/rooms")
    ben.open(chat)
    ben.text.press_sequentially("So")
    entry = alice.page.locator("#entries .entry", has_text="ben")
    entry.get_by_text("is typing").wait_for()
    over, under = entry.locator(".entry__typing").bounding_box(), entry.locator(".entry__line").last.bounding_box()
    assert over
    assert under
    assert (over["x"], over["y"], over["height"]) == (under["x"], under["y"], under["height"])
    assert over["width"] >= under["width"]
    entry.get_by_text("is typing").wait_for(state="hidden")
    ben.text.press_sequentially(" it")
    entry.get_by_text("is typing").wait_for()
    ben.send_it()
    entry.get_by_text("So it").wait_for()
    assert not entry.get_by_text("is typing").count()


def test_a_choice_of_colours_is_seen_and_saved_at_once(meet: Meet) -> None:
    alice = meet("alice")
    alice.page.goto("/settings/appearance")
    with alice.page.expect_response("**/settings/appearance?done=*"):
        alice.page.get_by_label("Dark").check()
    alice.page.locator("html[data-theme=dark]").wait_for()
    alice.page.locator("#saved", has_text="Saved").wait_for()
    alice.page.goto("/rooms")
    assert alice.page.locator("html").get_attribute("data-theme") == "dark"
    with alice.page.expect_response("**/events?*"):
        alice.page.goto("/settings/privacy")
    with alice.page.expect_response("**/settings/privacy?done=*"):
        alice.page.get_by_label("That I am typing").uncheck()
    alice.page.reload()
    assert not alice.page.get_by_label("That I am typing").is_checked()


def test_without_script_the_same_choices_are_saved_by_the_button(meet: Meet) -> None:
    alice = meet("alice", script=PLAIN)
    alice.page.goto("/settings/appearance")
    alice.page.get_by_label("Larger").check()
    alice.page.get_by_role("button", name="Save").click()
    alice.page.locator("html[data-text=larger]").wait_for()


def test_a_picture_that_was_chosen_is_seen_before_it_is_saved(meet: Meet, tmp_path: Path) -> None:
    alice = meet("alice")
    picture = tmp_path / "me.png"
    Image.new("RGB", (90, 60), "red").save(picture)
    alice.page.goto("/settings/profile")
    with alice.page.expect_file_chooser() as chooser:
        alice.page.locator(".me__face").click()
    chooser.value.set_files(picture)
    alice.page.locator(".me__face canvas").wait_for()
    alice.page.get_by_role("button", name="Save").click()
    alice.page.locator(".me__face img").wait_for(state="attached")


def test_the_invitation_is_copied_by_a_press(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Garden")
    alice.page.goto(f"{room}/settings")
    assert alice.page.get_by_label("Invite with this link").input_value().endswith(room)
    alice.page.get_by_role("button", name="Copy").click()
    alice.page.get_by_role("button", name="Copied").wait_for()


def test_the_list_of_rooms_begins_at_its_top(meet: Meet) -> None:
    alice = meet("alice")
    rooms_of(alice, 12)
    alice.page.set_viewport_size({"width": 390, "height": 600})
    with alice.page.expect_response("**/events?*"):
        alice.page.goto("/rooms")
    alice.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert alice.page.evaluate("[document.querySelector('#main').scrollTop, document.scrollingElement.scrollTop]") == [
        0,
        0,
    ]
    bar, window = alice.page.locator(".tabs").bounding_box(), alice.page.viewport_size
    assert bar
    assert window
    assert bar["y"] + bar["height"] == window["height"], "the bar stands at the foot"
