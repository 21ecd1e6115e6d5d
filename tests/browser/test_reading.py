"""Reading a long conversation, and finding the way in it: by scrolling, and by the keys of a keyboard."""

from playwright.sync_api import Locator, Route

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

FOCUSED = "document.activeElement.id || document.activeElement.localName"


def talk(person: BrowserPerson, room: str, first: int, last: int) -> None:
    for number in range(first, last + 1):
        person.send(f"{room}/messages", body=f"line {number}", nonce=str(number))


def is_on_screen(person: BrowserPerson, item: Locator) -> bool:
    box, around = item.bounding_box(), person.page.locator(".scroller").bounding_box()
    return bool(box and around and around["y"] - 1 <= box["y"] <= around["y"] + around["height"] - box["height"] + 1)


def scroll_up(person: BrowserPerson, distance: int = 100_000) -> None:
    person.page.locator(".scroller").hover()
    person.page.mouse.wheel(0, -distance)


def test_earlier_messages_come_as_one_scrolls_and_nothing_moves(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Long")
    talk(alice, room, 1, 120)
    alice.open(room)
    alice.page.wait_for_timeout(300)  # nothing tells that it asks for no more than it shows
    assert not alice.times_requested(r"\?before=")
    at = "document.querySelector('.message[id$=\"-75\"]').getBoundingClientRect().top"
    held: list[Route] = []
    alice.page.route("**/*before=*", lambda route: held.append(route))
    scroll_up(alice)
    alice.until(lambda: held, "the request for them")
    scroller = alice.page.locator(".scroller")
    alice.until(lambda: scroller.evaluate("one => one.scrollHeight + one.scrollTop - one.clientHeight < 2"), "the top")
    before = alice.page.evaluate(at)
    held[0].continue_()
    alice.until(lambda: alice.page.locator("#log .message").count() == 100, "earlier messages")
    assert abs(alice.page.evaluate(at) - before) <= 60  # the name of the day goes, and the link is another
    alice.page.unroute("**/*before=*")
    alice.until(lambda: scroll_up(alice) or alice.body("line 1").count(), "the first message")
    alice.until(lambda: alice.page.get_by_text("This is where it begins.").is_visible(), "the beginning")
    assert len(alice.messages()) == 120
    assert alice.times_requested(r"\?before=") == 2


def test_a_room_opens_at_the_first_new_message(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("News")
    talk(alice, room, 1, 20)
    bob.send(f"{room}/join")
    bob.send(f"{room}/messages", body="seen", nonce="seen")
    talk(alice, room, 21, 60)
    bob.open(room)
    bob.until(lambda: is_on_screen(bob, bob.page.locator("#new")), "the line above what is new")
    bob.page.goto("/lobby")
    bob.until(lambda: bob.page.locator("#entries .unread").inner_text().startswith("40"), "nothing read yet")


def test_what_is_new_and_fits_leaves_the_end_on_the_screen(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Few news")
    talk(alice, room, 1, 30)
    bob.send(f"{room}/join")
    bob.send(f"{room}/messages", body="seen", nonce="seen")
    talk(alice, room, 31, 32)
    with bob.page.expect_response("**/read"):
        bob.open(room)
    assert bob.page.locator(".scroller").evaluate("scroller => Math.abs(scroller.scrollTop)") < 2


def test_the_keys_lead_to_the_end_and_further_up(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Keys")
    talk(alice, room, 1, 60)
    alice.open(room)
    alice.until(lambda: alice.page.evaluate(FOCUSED) == "text", "the focus, with a keyboard")
    alice.page.evaluate("document.activeElement.blur()")
    alice.page.keyboard.press("Home")
    alice.sees("line 1")
    alice.page.keyboard.press("End")
    alice.until(lambda: is_on_screen(alice, alice.body("line 60")), "the end")
    alice.page.keyboard.press("PageUp")
    alice.until(lambda: not is_on_screen(alice, alice.body("line 60")), "a screen further up")
    alice.page.keyboard.press("Escape")
    assert alice.page.evaluate(FOCUSED) == "text"
    alice.page.goto(f"{room}?around=2")
    alice.page.evaluate("document.activeElement.blur()")
    alice.page.keyboard.press("End")
    alice.page.wait_for_url(room)


def test_a_key_opens_the_search_and_another_the_list_of_keys(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("List of keys"))
    alice.page.keyboard.press("Control+k")
    alice.until(lambda: alice.page.evaluate(FOCUSED) == "find", "the search")
    alice.page.keyboard.type("?")
    assert alice.page.get_by_role("dialog").count() == 0
    alice.text.focus()
    alice.page.keyboard.type("why?")
    assert alice.text.input_value() == "why?"
    alice.page.evaluate("document.activeElement.blur()")
    alice.page.keyboard.press("?")
    dialog = alice.page.get_by_role("dialog", name="Keyboard")
    dialog.get_by_text("Edit your last message").wait_for()
    alice.page.keyboard.press("Escape")
    assert dialog.count() == 0


def test_an_outside_link_leaves_the_conversation_open_and_one_of_this_site_does_not(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("ERR_")
    room = alice.make_room("Links")
    alice.open(room)
    alice.say("see http://127.0.0.1:9/elsewhere")
    alice.say(f"and {alice.site.url}/rooms")
    with alice.context.expect_page() as opened:
        alice.page.locator("#log a", has_text="elsewhere").click()
    assert opened.value.evaluate("window.opener") is None
    assert alice.page.url == room
    alice.page.locator("#log a", has_text=f"{alice.site.url}/rooms").click()
    alice.page.wait_for_url("**/rooms")


def test_on_a_touch_screen_nothing_asks_for_the_keyboard(meet: Meet) -> None:
    alice = meet("alice", has_touch=True, is_mobile=True)
    alice.open(alice.make_room("Touch"))
    assert alice.page.evaluate(FOCUSED) == "body"


def test_the_way_down_shows_further_up_and_counts_what_comes_meanwhile(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Down")
    talk(alice, room, 1, 40)
    bob.open(room)
    down = bob.page.locator(".down")
    assert not is_seen(bob, down)
    scroll_up(bob, 500)
    bob.until(lambda: is_seen(bob, down), "the way down")
    bob.page.locator(".toast").wait_for(state="attached")  # the script that counts has come with the wheel
    talk(alice, room, 41, 43)
    bob.until(lambda: down.locator(".unread").inner_text() == "3", "the count")
    down.click()
    bob.until(lambda: is_on_screen(bob, bob.body("line 43")), "the end")
    bob.until(lambda: not down.locator(".unread").is_visible(), "no count")
    assert not is_seen(bob, down)
    scroll_up(bob, 500)
    bob.until(lambda: is_seen(bob, down), "the way down")
    assert not down.locator(".unread").is_visible()


def is_seen(person: BrowserPerson, item: Locator) -> bool:
    """Whether a press in the middle of it would meet it: what is cut off by a style has a place all the same."""
    return bool(
        item.evaluate(
            """one => {
                const { left, top, width, height } = one.getBoundingClientRect();
                return one.contains(document.elementFromPoint(left + width / 2, top + height / 2));
            }"""
        )
    )


def test_without_script_the_way_down_shows_further_up_too(meet: Meet) -> None:
    nora = meet("nora", script=False)
    room = nora.make_room("Plain down")
    talk(nora, room, 1, 40)
    nora.page.goto(f"{room}?plain=1")
    down = nora.page.locator(".down")
    assert not is_seen(nora, down)
    scroll_up(nora, 500)
    nora.until(lambda: is_seen(nora, down), "the way down")
    down.click()
    last = nora.page.locator("#log .message").last
    nora.until(lambda: is_on_screen(nora, last), "the end")
