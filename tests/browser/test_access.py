"""For everybody: what axe-core finds on every page, contrast, and the way through a room by keyboard."""

import colorsys
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Route

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from tests.sample_site import LOOKS, RULES, SampleSite, leave, somebody
from tests.servers import ROOT, App, in_wheel, missing

# Only these are made of other things when there is no script; the others have none.
LIVE = ("lobby", "room", "room-plain", "chat")
# Made of the same things as another look.
ALIKE = (
    "first-rooms", "first-log", "rooms-none", "find", "people", "person", "self", "more", "chat-new", "chat-self",
    "room-outsider", "room-earlier", "room-permalink", "room-writing", "room-cut-off", "room-single",
    "room-settings-guest",
)  # fmt: skip
RUN = """async options => {
    const found = (await axe.run(document, {...options, iframes: false, resultTypes: ["violations"]})).violations;
    return found.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target} ${node.failureSummary}`));
}"""
CONTRAST = ["color-contrast", "color-contrast-enhanced"]
ENHANCED = {"color-contrast-enhanced": {"enabled": True}}
EVERYTHING = {"rules": ENHANCED}
# A document in a frame is a part of its page, which has the landmarks.
PART = {"rules": ENHANCED | {rule: {"enabled": False} for rule in ("landmark-one-main", "region")}}
COLOURS = {"runOnly": CONTRAST}
# Within a part that scrolls too, where the window would not show it.
OVER_THE_EDGE = """() => [...document.querySelectorAll("main *, .sidebar *")].filter(one => {
    const place = one.getBoundingClientRect(), style = getComputedStyle(one);
    const isSeen = one.checkVisibility() && style.clipPath == "none" && style.display != "inline";
    return isSeen && (place.left < -1 || place.right > innerWidth + 1);
}).map(one => one.className || one.tagName)"""
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one), place = one.getBoundingClientRect();
    if (one == document.body) return null;
    const label = one.labels && one.labels.length ? one.labels[0] : one;
    const isBeside = place.right <= 0 || place.left >= innerWidth || place.bottom <= 0 || place.top >= innerHeight;
    return {
        name: (one.getAttribute("aria-label") || label.innerText || one.title).trim().split("\\n").pop(),
        outline: style.outlineStyle,
        isSeen: place.width > 0 && !isBeside,
    };
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    file = in_wheel("axe_playwright_python", "axe.min.js") or missing("no axe-core")
    return Path(file).read_text()


@pytest.fixture(scope="module")
def new_town(browser: Browser) -> Iterator[SampleSite]:
    """Where nothing has been said yet; the looks at that come first."""
    with App(RULES) as site:
        yield SampleSite(browser, site)


@pytest.fixture(scope="module")
def town(new_town: SampleSite) -> SampleSite:
    return new_town.fill()


def examine(reader: BrowserPerson, axe: str, options: dict[str, Any]) -> list[str]:
    """What is wrong in any document of the page."""
    found = []
    for frame in documents(reader):
        if not frame.evaluate("() => 'axe' in window"):
            frame.evaluate(axe)
        chosen = PART if frame.parent_frame and options is EVERYTHING else options
        found += [f"{frame.url}: {line}" for line in frame.evaluate(RUN, chosen)]
    # Seven to one is for what people said, not for when they did.
    return [
        line for line in found if "-enhanced" not in line or (".message__body" in line and ".message__meta" not in line)
    ]


def documents(reader: BrowserPerson) -> list[Frame]:
    """Those that somebody sees: not the frame around the endless one, which may be loading."""
    return [frame for frame in reader.page.frames if frame.url.startswith("http") and "frame=" not in frame.url]


def without_script(reader: BrowserPerson) -> None:
    """The page as it is without script, in a browser that runs one: axe is one itself."""

    def plain(route: Route) -> None:
        if route.request.resource_type != "document" or route.request.frame.parent_frame:
            return route.fallback()
        answer = route.fetch()
        if answer.headers.get("content-type", "").startswith("text/html"):
            return route.fulfill(
                response=answer, body=re.sub(r"(?s)</?noscript>|<script.*?</script>", "", answer.text())
            )
        route.fulfill(response=answer)

    reader.page.route("**/*", plain)
    reader.script = False


def problems_of(town: SampleSite, name: str, script: bool, axe: str) -> list[str]:
    # Without motion a colour is there at once.
    reader = somebody(town, LOOKS[name].who, reduced_motion="reduce")
    try:
        if not script:
            without_script(reader)
        LOOKS[name].step(reader, town)
        assert reader.page.evaluate("() => 'htmx' in window") is script or name not in LIVE
        found = examine(reader, axe, EVERYTHING)
        reader.page.emulate_media(color_scheme="dark")
        return found + [f"dark: {line}" for line in examine(reader, axe, COLOURS)]
    finally:
        leave(reader, LOOKS[name])


@pytest.mark.parametrize("name", [name for name, look in LOOKS.items() if look.is_first and name not in ALIKE])
def test_axe_finds_nothing_on_an_empty_page(new_town: SampleSite, name: str, axe: str) -> None:
    assert problems_of(new_town, name, True, axe) == []


@pytest.mark.parametrize("name", [name for name, look in LOOKS.items() if not look.is_first and name not in ALIKE])
def test_axe_finds_nothing_on_a_page(town: SampleSite, name: str, axe: str) -> None:
    assert problems_of(town, name, True, axe) == []


@pytest.mark.parametrize("name", LIVE)
def test_axe_finds_nothing_on_a_page_without_script(town: SampleSite, name: str, axe: str) -> None:
    assert problems_of(town, name, False, axe) == []


@pytest.mark.parametrize("width", [280, 360])
def test_nothing_runs_over_the_edge_of_a_narrow_window(town: SampleSite, width: int) -> None:
    for name in ("room-odd", "lobby", "room-settings", "friends", "inbox", "saved", "pins", "catch-up"):
        reader = somebody(town, LOOKS[name].who, viewport={"width": width, "height": 480})
        LOOKS[name].step(reader, town)
        reader.page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert reader.page.evaluate(OVER_THE_EDGE) == [], name
        leave(reader, LOOKS[name])


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2 counts it: 1 to 21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def token_schemes() -> list[str]:
    """The raw values of the light scheme and of the dark one."""
    return (ROOT / "static/css/tokens.css").read_text().split("--surface-low:")[0].split("@media")[:2]


def hsl(hue: int, tone: str) -> str:
    """The colour in digits, of a hue and "62% 27%"."""
    saturation, lightness = (int(part[:-1]) / 100 for part in tone.split())
    parts = colorsys.hls_to_rgb(hue % 360 / 360, lightness, saturation)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def over(veil: str, ground: str) -> str:
    """The colour of "rgb(80 55 20 / .07)" upon another."""
    *parts, alpha = (float(part) for part in re.findall(r"[\d.]+", veil))
    below = [int(ground[1:][place : place + 2], 16) for place in (0, 2, 4)] if len(ground) == 7 else [255] * 3
    mixed = (part * alpha + under * (1 - alpha) for part, under in zip(parts, below, strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_colours_are_far_enough_apart(scheme: int) -> None:
    """Also where one runs into the other, of which axe can say nothing."""
    light, dark = [dict(re.findall(r"--([\w-]+): ([^;]+);", part)) for part in token_schemes()]
    colour = (light | dark if scheme else light) | {"on-accent": "#fff", "on-unread": "#2a1403"}
    surfaces = ("paper", "linen", "white")
    mists = ("petrol-mist", "persimmon-mist")
    pairs = {(words, ground): 4.5 for words, ground in product(("ink", "ash", "petrol-ink"), (*surfaces, *mists))}
    pairs |= {("persimmon-ink", ground): 4.5 for ground in (*surfaces, "persimmon-mist")}
    pairs |= {("brick", ground): 4.5 for ground in ("brick-mist", "paper", "white")}
    pairs |= {("ink", ground): 7 for ground in ("white", "persimmon-mist")}
    pairs |= {("on-accent", ground): 7 for ground in ("petrol", "petrol-deep")}
    pairs |= {("petrol-pale", ground): 4.5 for ground in ("petrol", "petrol-deep")}
    pairs |= {("on-unread", "persimmon"): 4.5, ("rim", "white"): 3, ("rim", "paper"): 3, ("leaf", "linen"): 2.95}
    measured = {pair: contrast(colour[pair[0]], colour[pair[1]]) for pair in pairs}
    # Soft words on what is hollowed out of a surface.
    for ground in surfaces:
        pairs["ash", ground, "hollow"] = 4.5
        measured["ash", ground, "hollow"] = contrast(colour["ash"], over(colour["hollow"], colour[ground]))
    assert {pair: round(ratio, 2) for pair, ratio in measured.items() if ratio < pairs[pair]} == {}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_names_and_initials_in_every_hue_are_read(scheme: int) -> None:
    light, dark = [dict(re.findall(r"--([\w-]+): ([^;]+);", part)) for part in token_schemes()]
    tone = light | dark if scheme else light
    sheet = (ROOT / "static/css/avatar.css").read_text()
    saturation = re.search(r"--name: hsl\(var\(--hue\) (\d+%)", sheet)
    hues = re.findall(r"\.hue-(\d+) { --hue: (\d+);(?: --up: (\d+)%;)? }", sheet)
    assert saturation
    assert len(hues) == 12
    low = []
    for code, hue, up in hues:
        lightness = int(tone["tone-name"][:-1]) + int(up or 0) * int(tone["tone-lift"])
        name = hsl(int(hue), f"{saturation[1]} {lightness}%")
        low += [(code, ground) for ground in ("paper", "white") if contrast(name, tone[ground]) < 4.5]
        face = [hsl(int(hue), tone["tone-1"]), hsl(int(hue) + 14, tone["tone-2"])]
        low += [(code, ground) for ground in face if contrast(hsl(int(hue), tone["tone-ink"]), ground) < 4.5]
    assert low == []


def walk(reader: BrowserPerson, most: int = 80) -> Iterator[dict[str, Any]]:
    """Where Tab leads, until it leaves the page."""
    for _ in range(most):
        reader.page.keyboard.press("Tab")
        focused = reader.page.evaluate(FOCUSED)
        if focused is None:
            return
        yield focused
    raise AssertionError("the page has no end for who walks by keyboard")


def test_a_room_is_walked_through_by_keyboard_in_the_order_it_is_seen(meet: Meet) -> None:
    alice = meet("Alice")
    alice.open(alice.make_room("Kitchen"))
    alice.say("Is the oven free?")
    alice.sees("Is the oven free?")
    alice.page.reload()
    alice.page.locator("#log .message").wait_for()
    # Who opens a room writes at once; from the top of the page it is walked through like any other.
    assert alice.page.evaluate(FOCUSED)["name"] == "Message to Kitchen"
    alice.page.locator(".skip").first.focus()
    steps = [alice.page.evaluate(FOCUSED), *walk(alice)]
    names = [step["name"] for step in steps]
    landmarks = (
        "Skip to the messages", "New room", "Search", "You: Is the oven free?",
        "Rooms", "People", "You", "About this room", "Messages", "Message to Kitchen", "Send",
    )  # fmt: skip
    assert [name for name in names if name in landmarks] == list(landmarks)
    assert [step for step in steps if step["outline"] == "none" or not step["isSeen"] or not step["name"]] == []


def test_by_keyboard_alone_one_gets_to_the_conversation_and_talks(meet: Meet) -> None:
    alice = meet("Alice")
    alice.open(alice.make_room("Cellar"))
    alice.page.locator(".skip").first.focus()
    alice.page.keyboard.press("Enter")
    for step in walk(alice):
        if step["name"] == "Message to Cellar":
            break
    alice.page.keyboard.type("Hello down there")
    alice.page.keyboard.press("Enter")
    alice.sees("Hello down there")
    assert alice.page.evaluate(FOCUSED)["name"] == "Message to Cellar"


def test_nothing_is_found_in_a_room_that_was_opened_in_place(meet: Meet, axe: str) -> None:
    alice, bob = meet("alice"), meet("bob")
    tea, soup = alice.make_room("Tea, seen"), alice.make_room("Soup, seen")
    for number, person in enumerate((alice, bob, bob)):
        for room in (tea, soup):
            person.send(f"{room}/messages", body=f"line {number}", nonce=str(number))
    alice.open(tea)
    alice.text.press_sequentially("half a thought")
    for name in ("Soup, seen", "Tea, seen"):
        alice.page.locator("#entries a.entry", has_text=name).click()
        alice.until(lambda name=name: alice.page.locator("#room-name").inner_text() == name, "the room")
        alice.sees("line 2")
        assert examine(alice, axe, EVERYTHING) == []
