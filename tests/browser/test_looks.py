"""How pages look where a person's system, or their language, wants it otherwise."""

import re
from io import BytesIO

from PIL import Image
from playwright.sync_api import Locator, Route

from tests.browser.conftest import Meet
from webapp.http import assets


def ink(element: Locator) -> float:
    """Where on the whole the dark of it is: from 0, at its left edge, to 1."""
    picture = Image.open(BytesIO(element.screenshot())).convert("L")
    dark = [[255 - picture.getpixel((x, y)) for y in range(picture.height)] for x in range(picture.width)]
    weights = [sum(column) for column in dark]
    return sum(x * weight for x, weight in enumerate(weights)) / sum(weights) / (picture.width - 1)


def test_a_switch_is_seen_to_be_on_where_the_system_chooses_the_colours(meet: Meet) -> None:
    """Without script, with which each choice is saved at once, and the form comes anew."""
    alice = meet("alice", script=False, forced_colors="active", reduced_motion="reduce")
    alice.page.goto("/settings/privacy")
    switch = alice.page.locator(".switch input").last
    switch.uncheck()
    assert ink(switch) < 0.45
    switch.check()
    assert ink(switch) > 0.55


def test_a_page_from_right_to_left_points_there(meet: Meet) -> None:
    """No language of ours is written so yet: a page is served as such a one would have it."""
    alice = meet("alice")
    room = alice.make_room("Mirror")
    alice.send(f"{room}/messages", body="from here", nonce="1")

    def mirror(route: Route) -> None:
        answer = route.fetch()
        styles = f'<link rel="stylesheet" href="{assets.url("rtl.css")}"></head>'
        page = answer.text().replace('lang="en"', 'lang="he" dir="rtl"', 1).replace("</head>", styles, 1)
        route.fulfill(response=answer, body=page)

    alice.page.route(re.compile(f"{room}$"), mirror)
    alice.open(room)
    turned = "icon => getComputedStyle(icon.querySelector('use')).transform"
    assert alice.page.locator(".composer__send .icon").evaluate(turned) == "matrix(-1, 0, 0, 1, 0, 0)"
    assert alice.page.locator(".search .icon").first.evaluate(turned) == "none"
    places = [
        alice.page.locator(css).first.evaluate("element => element.getBoundingClientRect().left")
        for css in (".composer__send", "#text", "#sidebar")
    ]
    assert places == sorted(places)
