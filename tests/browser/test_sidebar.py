"""The list at the side and the settings beside it: where it stays, what it counts, and what is saved at once."""

from base64 import b64decode
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

SCRIPT, PLAIN = True, False


def rooms_of(reader: BrowserPerson, count: int) -> list[str]:
    return [reader.make_room(f"Room {number:02}") for number in range(count)]


def two_rooms(writer: BrowserPerson, reader: BrowserPerson) -> list[str]:
    """Two rooms in which both are, of which the reader's page lists what is new."""
    rooms = rooms_of(writer, 2)
    for room in rooms:
        reader.send(f"{room}/join")
    with reader.page.expect_response("**/events?*"):
        reader.page.goto("/rooms")
    return rooms


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
    tea, soup = two_rooms(alice, ben)
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
    # What calls him is counted beside the way to his inbox, and at no other place in the bar.
    alice.send(f"{soup}/messages", body=f"hello @{ben.username}", nonce="3")
    ben.until(lambda: ben.page.title().startswith("(1 @1) Rooms"), "a call in the title")
    assert [ben.page.locator(count).inner_text() for count in ("#unread-count", "#call-count")] == ["1", "1"]
    # His open inbox has what comes, also what no list shows.
    ben.send(f"{soup}/messages", body="thank you", nonce="4")
    with ben.page.expect_response("**/events?*"):
        ben.page.goto("/inbox")
    assert ben.page.locator(".hit__text").all_inner_texts() == [f"hello @{ben.username}"]
    ben.page.evaluate("window.isSame = true")
    alice.send(f"{soup}/messages/3/reactions", kind="🎉")
    ben.page.locator(".hit--new", has_text="alice reacted with 🎉").wait_for()
    alice.send(f"{soup}/messages/2/edit", body=f"hello again, @{ben.username}")
    ben.page.locator(".hit__text", has_text="hello again").wait_for()
    assert ben.page.evaluate("window.isSame")


def test_the_line_and_the_count_of_the_room_on_top_change_in_their_places(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    tea, soup = two_rooms(alice, ben)
    entry = ben.page.locator("#entries > li").first
    for number in (1, 2, 3):
        alice.send(f"{tea}/messages", body=f"<cup> {number}", nonce=str(number))
        entry.locator(".entry__line", has_text=f"alice: <cup> {number}").wait_for()
        assert entry.locator(".unread").inner_text().split() == [str(number), "unread"]
        assert entry.locator(".entry__line").count() == 1
        assert ben.page.title().startswith("(1) Rooms")
    alice.send(f"{soup}/messages", body="a ladle", nonce="4")
    entry.locator(".entry__line", has_text="alice: a ladle").wait_for()
    assert ben.page.locator("#entries .entry__line").all_inner_texts() == ["alice: a ladle", "alice: <cup> 3"]


def test_who_types_in_a_chat_stands_over_its_last_line_for_a_while(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    chat = alice.send(f"/chat/{ben.code}/messages", body="Are you there?", nonce="1").url
    ben.send(f"/chat/{alice.code}/messages", body="I am", nonce="1")
    with alice.page.expect_response("**/events?*"):
        alice.page.goto("/rooms")
    plain = meet("alice2", script=PLAIN)
    plain.context.clear_cookies()
    plain.share_session(alice)
    plain.page.goto("/lobby", wait_until="commit")
    lobby = plain.page.frame_locator("iframe.sidebar").frame_locator("iframe")
    lobby.locator(".entry", has_text="I am").wait_for()
    line = lobby.locator(".entry__typing").locator("visible=true")
    assert not line.count()
    ben.open(chat)
    # It is there for five seconds, which a busy machine may miss.
    ben.until(lambda: bool(ben.text.press("o") or line.count()), "who types, without script")
    entry = alice.page.locator("#entries .entry", has_text="ben")
    ben.until(lambda: bool(ben.text.press("o") or entry.get_by_text("is typing").count()), "who types")
    over, under = entry.locator(".entry__typing").bounding_box(), entry.locator(".entry__line").last.bounding_box()
    assert over
    assert under
    assert (over["x"], over["y"], over["height"]) == (under["x"], under["y"], under["height"])
    assert over["width"] >= under["width"]
    entry.get_by_text("is typing").wait_for(state="hidden")
    line.wait_for(state="hidden")
    for shown in (entry.get_by_text("is typing").locator("visible=true"), line):
        ben.until(lambda: bool(ben.text.press("o") or shown.count()), "who types, once more")  # noqa: B023
    ben.text.fill("So it")
    ben.send_it()
    entry.get_by_text("So it").wait_for()
    assert not entry.get_by_text("is typing").count()
    lobby.locator(".entry", has_text="So it").wait_for()
    assert not line.count(), "without script too"


def test_the_field_at_the_side_offers_what_is_found_to_keyboard_and_mouse(meet: Meet) -> None:
    alice, _ = meet("alice"), meet("quincy")
    tea, quilts = (alice.make_room(name) for name in ("Tea", "Quilts"))
    alice.open(tea)
    field, found = alice.page.locator("#find"), alice.page.locator("#suggestions a")
    with alice.page.expect_response("**/search?suggest=1&q=qu") as answer:
        field.press_sequentially("qu")
    assert answer.value.ok
    found.nth(1).wait_for()
    assert found.locator(".entry__name").all_inner_texts() == ["quincy", "Quilts"]
    alice.page.locator("#sidebar [role=status]", has_text="2 found").wait_for()
    field.press("ArrowDown")
    alice.page.keyboard.press("ArrowDown")
    assert found.nth(1).evaluate("link => link == document.activeElement")
    alice.page.keyboard.press("ArrowUp")
    alice.page.keyboard.press("ArrowUp")
    assert field.evaluate("field => field == document.activeElement")
    alice.page.keyboard.press("Tab")
    alice.page.keyboard.press("Escape")
    found.first.wait_for(state="detached")
    assert field.evaluate("field => field == document.activeElement && field.value") == "qu"
    field.press("i")
    field.press("Backspace")
    found.nth(1).click()
    alice.page.wait_for_url(quilts)
    alice.page.get_by_role("heading", name="Quilts").first.wait_for()
    assert field.input_value() == ""
    assert not found.count()
    field.press_sequentially("quincy")
    found.first.wait_for()
    alice.page.locator("#main").click()
    found.first.wait_for(state="detached")
    with alice.page.expect_navigation(url="**/search?q=quincy"):
        field.press("Enter")
    alice.send(f"{tea}/messages", body="where the ladder stands", nonce="1")
    field.press_sequentially("ladd")
    alice.page.locator("#suggestions mark", has_text="ladder").click()
    alice.page.wait_for_url(f"{tea}#message-*")
    alice.page.locator(".message:target", has_text="where the ladder stands").wait_for()


def test_without_script_the_field_at_the_side_leads_to_what_is_found(meet: Meet) -> None:
    alice = meet("alice", script=PLAIN)
    alice.make_room("Quilts")
    alice.page.goto("/rooms")
    alice.page.locator("#find").fill("qu")
    alice.page.locator("#find").press("Enter")
    alice.page.locator("#main").get_by_role("link", name="Quilts").wait_for()


def test_a_room_that_is_renamed_is_called_so_on_open_pages_at_once(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    bees, ants = (alice.make_room(name) for name in ("Honey bees", "Ants"))
    for room in (bees, ants):
        ben.send(f"{room}/join")
    ben.open(bees)
    alice.send(f"{ants}/messages", body="hello", nonce="1")
    ben.until(lambda: ben.page.title().startswith("(1) Honey bees"), "one unread")
    alice.send(f"{bees}/settings", do="rename", name="Wasps & co")
    ben.page.get_by_role("heading", name="Wasps & co").wait_for()
    ben.until(lambda: ben.page.title().startswith("(1) Wasps & co ·"), "the title, with the count")
    ben.page.locator("#entries .entry[aria-current]", has_text="Wasps & co").wait_for()
    assert ben.page.locator(".room__header .avatar--room").get_attribute("data-initials") == "WC"
    alice.page.goto(f"{bees}/settings")
    alice.page.get_by_label("Name", exact=True).fill("Hornets")
    alice.page.get_by_label("Name", exact=True).press("Enter")
    alice.page.get_by_text("The room has a new name.").wait_for()
    ben.page.get_by_role("heading", name="Hornets").wait_for()


HIDE = """is => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => is });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


# After every transaction that was asked for before.
QUEUED = """() => new Promise(done => {
    const opening = indexedDB.open("unread");
    opening.onsuccess = () => {
        const transaction = opening.result.transaction("asked", "readwrite");
        transaction.objectStore("asked").get(0).onsuccess = () => opening.result.close();
        transaction.oncomplete = () => done();
    };
})"""


def test_hidden_tabs_go_on_counting_and_one_of_them_asks(meet: Meet) -> None:
    alice, ben = meet("alice"), meet("ben")
    garden = alice.make_room("Garden of hidden tabs")
    ben.send(f"{garden}/join")
    ben.context.clock.install()
    with ben.page.expect_response("**/events?*"):
        ben.page.goto(garden)
    other = ben.context.new_page()
    with other.expect_response("**/events?*"):
        other.goto("/rooms")
    for tab in (ben.page, other):
        tab.evaluate(HIDE, True)
        tab.locator(".toast").wait_for(state="attached")
    alice.send(f"{garden}/messages", body="hello", nonce="1")
    unread = "/sidebar/unread"
    ben.until(lambda: ben.context.request.get(unread).text().strip() == "1", "the stream of the tab has ended")
    with ben.context.expect_event("response", lambda answer: "/sidebar/unread" in answer.url):
        ben.context.clock.run_for(61_000)
    for tab, title in ((ben.page, "(1) Garden of hidden tabs"), (other, "(1) Rooms")):
        ben.until(lambda: tab.title().startswith(title), title)  # noqa: B023
    assert ben.times_requested("/sidebar/unread") == 1
    # What one has stored the other may not see yet, where each runs in a process of its own.
    other.evaluate("Object.defineProperty(window, 'localStorage', { value: {} })")
    with ben.context.expect_event("response", lambda answer: "/sidebar/unread" in answer.url):
        ben.context.clock.run_for(61_000)
    other.evaluate(QUEUED)
    assert ben.times_requested("/sidebar/unread") == 2
    ben.page.evaluate(HIDE, False)
    ben.until(lambda: ben.page.title().startswith("Garden"), "read, as it is seen")


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
    alice.page.get_by_role("button", name="Done").click()
    alice.page.get_by_role("button", name="Save").click()
    alice.page.locator(".me__face img").wait_for(state="attached")


def test_the_square_of_a_picture_is_moved_by_hand_and_by_keys_and_stored(meet: Meet, tmp_path: Path) -> None:
    alice = meet("alice")
    image = Image.new("RGB", (400, 200), "green")
    image.paste("red", (0, 0, 100, 200))
    image.paste("blue", (300, 0, 400, 200))
    image.save(picture := tmp_path / "me.png")
    for act, colour in ((_drag_to_the_right, "red"), (_press_end, "blue")):
        alice.page.goto("/settings/profile")
        with alice.page.expect_file_chooser() as chooser:
            alice.page.locator(".me__face").click()
        chooser.value.set_files(picture)
        sheet = alice.page.get_by_role("dialog", name="Your picture")
        sheet.get_by_label("Closer").fill("500")
        act(alice, sheet)
        sheet.get_by_role("button", name="Done").click()
        sheet.wait_for(state="detached")
        assert _colour(alice.page.locator(".me__face canvas").evaluate("canvas => canvas.toDataURL()")) == colour
        with alice.page.expect_navigation(url="**/settings/profile?done=profile"):
            alice.page.get_by_role("button", name="Save").click()
        source = str(alice.page.locator(".me__face img").get_attribute("src"))
        assert _colour(BytesIO(alice.context.request.get(source).body())) == colour


def _drag_to_the_right(alice: BrowserPerson, sheet: Locator) -> None:
    box = sheet.locator("canvas").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    alice.page.mouse.move(box["x"] + 20, y)
    alice.page.mouse.down()
    # In several pieces, and far beyond the picture's end.
    alice.page.mouse.move(box["x"] + 900, y, steps=20)
    alice.page.mouse.up()


def _press_end(alice: BrowserPerson, sheet: Locator) -> None:
    sheet.get_by_label("Left to right").press("End")


def _colour(source: str | BytesIO) -> str:
    """The colour of which most of the picture is."""
    file = BytesIO(b64decode(source.partition(",")[2])) if isinstance(source, str) else source
    red, green, blue = Image.open(file).convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    return max(((red, "red"), (green, "green"), (blue, "blue")))[1]


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
