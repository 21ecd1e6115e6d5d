"""What only a press needs comes with the first one, and nothing that was done before it came is lost."""

from playwright.sync_api import Route

from tests.browser.conftest import Meet

ACTS = "**/static/acts.*.js"
SAYS_KEYS = """document.addEventListener("keydown", event => {
    if (event.key == "?") document.title = "asked for " + event.target.localName;
});"""


def test_a_page_that_is_only_read_does_not_load_it_and_the_first_press_does_once(meet: Meet) -> None:
    alice = meet("alice")
    alice.open(alice.make_room("Quiet"))
    assert not alice.times_requested("/static/acts")
    with alice.page.expect_response(ACTS):
        alice.page.mouse.click(5, 5)
    alice.page.keyboard.press("Tab")
    alice.page.mouse.click(5, 5)
    assert alice.times_requested("/static/acts") == 1


def test_a_key_that_was_pressed_before_it_has_come_is_handed_on(meet: Meet) -> None:
    alice = meet("alice")
    held: list[Route] = []
    alice.page.route(ACTS, lambda route: held.append(route))
    alice.open(alice.make_room("Keys"))
    alice.page.evaluate("document.activeElement.blur()")
    alice.page.keyboard.press("?")
    alice.until(lambda: held, "the request")
    assert "asked" not in alice.page.title()
    held[0].fulfill(body=SAYS_KEYS, content_type="text/javascript")
    alice.until(lambda: alice.page.title() == "asked for body", "the key")


def test_a_bundle_that_failed_to_load_is_loaded_by_the_next_press(meet: Meet) -> None:
    alice = meet("alice")
    alice.forgive("net::ERR_FAILED")
    alice.page.route(ACTS, lambda route: route.abort())
    alice.open(alice.make_room("Again"))
    with alice.page.expect_event("requestfailed"):
        alice.page.mouse.click(5, 5)
    alice.page.unroute(ACTS)
    with alice.page.expect_response(ACTS):
        alice.page.mouse.click(5, 5)


def test_the_acts_that_are_about_to_be_pressed_stay_where_they_are_when_more_come(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Under the mouse")
    bob.send(f"{room}/messages", body="theirs", nonce="1")
    alice.send(f"{room}/messages", body="mine", nonce="2")
    for words in ("mine", "theirs"):
        held: list[Route] = []
        alice.page.route(ACTS, lambda route: held.append(route))  # noqa: B023
        alice.open(room)
        alice.body(words).hover()
        links = alice.page.locator(".message", has=alice.body(words)).locator(".tray a")
        reply, react = links.nth(0), links.nth(1)
        reply.hover()
        alice.until(lambda: held, "the request for it")  # noqa: B023
        before = [reply.bounding_box(), react.bounding_box()]
        assert links.count() == 3
        held.pop().continue_()
        alice.page.unroute(ACTS)
        alice.until(lambda: links.count() > 3, "the others")  # noqa: B023
        assert [reply.bounding_box(), react.bounding_box()] == before


HAS_STYLES = "() => Boolean(document.querySelector('head > [href*=in-place]')?.sheet)"
WHERE = """() => [...document.querySelectorAll("#main *")].map(one => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [one.localName, x, y, width, height].join(" ");
})"""


def test_what_comes_with_the_first_press_moves_nothing_from_under_it(meet: Meet) -> None:
    """A button that has moved between its two halves was not pressed."""
    alice = meet("alice")
    room = alice.make_room("Still")
    alice.send(f"{room}/messages", body="mine", nonce="1")
    paths = [f"{room}/{path}" for path in ("messages/1/edit", "messages/1/reactions", "settings", "people")]
    for path in (*paths, "/shortcuts", "/settings/profile", "/inbox"):
        alice.page.goto(path)
        before = alice.page.evaluate(WHERE)
        alice.page.keyboard.press("Shift")
        alice.until(lambda: alice.page.evaluate(HAS_STYLES), "its styles")
        assert alice.page.evaluate(WHERE) == before, path
