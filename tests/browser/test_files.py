"""Pictures and other files in a real browser: nothing jumps, and a picture is seen over the page and by its link."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from tests.files import OF_KIND, new_code
from tests.servers import App, in_wheel, missing
from webapp.files.models import PICTURE

# The shifts of all that is shown, but of what comes right behind a press.
WATCH = """() => {
    window.shift = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => {
        if (!entry.hadRecentInput) window.shift += entry.value;
    })).observe({ type: "layout-shift", buffered: true });
}"""
# Whether the styles were there when the first of what they are of came.
STYLED = """() => new MutationObserver((changes, observer) => {
    if (!document.querySelector(".files")) return;
    window.wasStyled = !!document.querySelector("head > link[href*='/files.']")?.sheet;
    observer.disconnect();
}).observe(document.body, { childList: true, subtree: true })"""
LOADED = "() => [...document.querySelectorAll('.picture > img')].filter(image => image.naturalWidth).length"
SHOWN = "() => document.querySelector('.viewer__picture').currentSrc"
EXAMINE = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target} ${node.failureSummary}`))"""
FOCUSED = "() => document.activeElement.getAttribute('href')"


def data_of(site: App) -> Path:
    return next(site.folder.rglob("parley.sqlite3")).parent


def put(site: App, room: str, number: int, kind: str = PICTURE, **fields: object) -> str:
    """Attach a file to a message as if it had been sent with it; return its code."""
    code, values = new_code(), OF_KIND[kind] | fields
    with closing(sqlite3.connect(data_of(site) / "parley.sqlite3", timeout=30)) as database, database:
        [(room_id, message, author, place)] = database.execute(
            "SELECT room_id, message.id, author_id, file_count FROM message JOIN room ON room.id = room_id "
            "WHERE room.key = ? AND number = ?",
            (room.rpartition("/")[2], number),
        )
        values |= {"code": code, "room_id": room_id, "message_id": message, "author_id": author, "place": place}
        values |= {"kind": kind, "received": values["size"], "created_at": "2026-11-30 12:00:00+00:00"}
        names = ", ".join(values)
        database.execute(
            f"INSERT INTO attachment ({names}) VALUES ({', '.join('?' * len(values))})", list(values.values())
        )
        # A version of its own, as each change has: by it the message is rendered again.
        database.execute("UPDATE room SET version = version + 1 WHERE id = ?", (room_id,))
        changed = "file_count = file_count + 1, version = (SELECT version FROM room WHERE id = room_id)"
        database.execute(f"UPDATE message SET {changed} WHERE id = ?", (message,))
    folder = data_of(site) / "files" / code[:2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / code).write_bytes(picture(1600, 1200))
    (folder / f"{code}-thumb.webp").write_bytes(picture(480, 360))
    return code


def picture(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "WEBP")
    return file.getvalue()


def talk(person: BrowserPerson, room: str, count: int) -> None:
    for number in range(1, count + 1):
        person.send(f"{room}/messages", body=f"Look at this, number {number}", nonce=str(number))


def axe(person: BrowserPerson) -> list[str]:
    person.page.evaluate(Path(in_wheel("axe_playwright_python", "axe.min.js") or missing("no axe-core")).read_text())
    found: list[str] = person.page.evaluate(EXAMINE)
    return found


def test_a_picture_is_seen_over_the_page_and_those_beside_it_by_keys_and_a_finger(
    meet: Meet, site: App, figure: list[str]
) -> None:
    alice = meet("alice", reduced_motion="reduce")
    room = alice.make_room("Gallery")
    talk(alice, room, 12)
    codes = [put(site, room, number, description=f"Picture {number}") for number in range(1, 12)]
    codes.append(put(site, room, 12, description="Picture 12"))
    put(site, room, 12, description="Picture 12b")
    alice.page.add_init_script(f"({WATCH})()")
    alice.open(room)
    page = alice.page
    alice.until(lambda: page.evaluate(LOADED), "a picture")
    shift = page.evaluate("() => window.shift")
    figure.append(f"layout shift of a room with 13 pictures: {shift:.4f}")
    assert shift == 0
    assert axe(alice) == []

    link = page.locator(f".picture[href*='{codes[10]}']")
    link.click()
    viewer = page.get_by_role("dialog", name="Picture 11")
    viewer.wait_for()
    alice.until(lambda: page.evaluate(SHOWN).endswith(f"{codes[10]}/IMG_0815.jpg"), "the whole picture")
    assert axe(alice) == []
    page.keyboard.press("ArrowRight")
    alice.until(lambda: f"{codes[11]}/" in page.evaluate(SHOWN), "the next picture")
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog", name="Picture 12b (13 / 13)").wait_for()
    assert page.get_by_role("button", name="Next picture").count() == 0
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Previous picture").click()
    page.get_by_role("dialog", name="Picture 12 (12 / 13)").wait_for()
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.move(600, 310)
    page.mouse.up()
    page.get_by_role("dialog", name="Picture 11 (11 / 13)").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert codes[10] in page.evaluate(FOCUSED)
    # A modifier means another tab, as everywhere. What the browser puts around a picture would like a style there.
    alice.forgive("inline style")
    with alice.context.expect_page() as opened:
        link.click(modifiers=["Control"])
    assert codes[10] in opened.value.url
    opened.value.close()

    # From another room it is opened in place.
    alice.open(alice.make_room("Elsewhere"))
    page.evaluate(STYLED)
    page.locator(f"#entries a[href='{room.removeprefix(site.url)}']").click()
    page.locator(".picture").first.wait_for()
    assert page.evaluate("() => window.wasStyled")


@pytest.mark.parametrize("saves", [False, True], ids=["as it comes", "saving data"])
def test_a_picture_that_comes_by_a_stream_has_its_styles_and_costs_nothing_where_data_are_saved(
    meet: Meet, site: App, saves: bool
) -> None:
    alice = meet(
        "alice", extra_http_headers={"Save-Data": "on"} if saves else {}, viewport={"width": 320, "height": 700}
    )
    room = alice.make_room(f"Stream {saves}")
    talk(alice, room, 2)
    alice.open(room)
    page = alice.page
    assert page.locator("link[href*='/files.']").count() == 0
    code = put(site, room, 2, description="Stairs")
    alice.send(f"{room}/messages/2/edit", body="Look at these stairs")
    link = page.locator(".picture")
    link.wait_for()
    alice.until(lambda: link.evaluate("link => getComputedStyle(link.parentNode).display") == "grid", "the styles")
    seen: Callable[[], bool] = lambda: bool(page.evaluate(LOADED))  # noqa: E731
    if saves:
        assert not alice.times_requested(f"{code}-thumb")
        assert not link.locator("img").is_visible()
        alice.page.reload()
        assert page.locator(".picture").inner_text().split("\n") == ["Stairs", "Show, 38 kB"]
        page.locator(".picture").click()
    alice.until(seen, "the picture")
    size = page.locator(".picture > img").bounding_box()
    assert size
    assert size["width"] <= 320
    assert abs(size["width"] / size["height"] - 4 / 3) < 0.02
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
    assert not page.get_by_role("dialog").count()
