"""
Pictures of every page, as people see them.

    python -m tests.screenshots FOLDER [part of a name]     every page: sizes, light and dark, with script and without
    python -m tests.screenshots readme                      the three of the README, of the sample data
"""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.browser.person import QUIET
from tests.sample_site import LOOKS, RULES, Look, SampleSite, leave, somebody
from tests.servers import ROOT, App, chromium

SIZES = {
    "wide": {"width": 1440, "height": 900},
    "laptop": {"width": 1024, "height": 768},
    "tablet": {"width": 768, "height": 1024},
    "phone": {"width": 360, "height": 740},
    "watch": {"width": 280, "height": 480},
}
# Of the sample data.
SOMEBODY, OTHERS, ROOM = "amelia_a", ("rherrera", "winkleru", "lgoncalves"), "/rooms/common-room"
SCHEMES = ("light", "dark")
IS_TOO_WIDE = """() => {
    const wide = document.documentElement.clientWidth, all = [...document.body.querySelectorAll("*")];
    if (document.documentElement.scrollWidth <= wide + 1) return "";
    const over = all.filter(one => one.getBoundingClientRect().right > wide + 1);
    return over.map(one => one.className || one.tagName).join(" > ");
}"""


def windows(wanted: str, name: str, script: bool, touch: bool) -> Iterator[tuple[str, str, str]]:
    for size in SIZES:
        for scheme in SCHEMES:
            file = f"{name}-{size}-{scheme}-{'script' if script else 'plain'}"
            if all(part in file for part in wanted.split(",")) and touch == (SIZES[size]["width"] < 768):
                yield file, size, scheme


def take(town: SampleSite, folder: Path, name: str, look: Look, wanted: str) -> None:
    for script in (True, False):
        for touch in (False, True):
            shots = list(windows(wanted, name, script, touch))
            if shots:
                _take(town, folder, look, script, touch, shots)


def _take(
    town: SampleSite, folder: Path, look: Look, script: bool, touch: bool, shots: list[tuple[str, str, str]]
) -> None:
    """One visit, and a picture of it in every window."""
    options = {"viewport": SIZES[shots[0][1]], "color_scheme": shots[0][2], "has_touch": touch, "is_mobile": touch}
    reader = somebody(town, look.who, script, **options)
    try:
        look.step(reader, town)
        for file, size, scheme in shots:
            reader.page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
            reader.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            reader.pause(150)
            if wide := reader.page.evaluate(IS_TOO_WIDE):
                print(f"{file}: wider than its window: {wide}")
            reader.page.screenshot(path=folder / f"{file}.png")
        for complaint in reader.unforgiven:
            print(f"{shots[0][0]}: {complaint}")
    except (AssertionError, Error) as error:
        print(f"{shots[0][0]}: {error}")
        reader.page.screenshot(path=folder / f"{shots[0][0]}-FAILED.png")
    finally:
        leave(reader, look)


def every_page(town: SampleSite, folder: Path, wanted: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, look in sorted(LOOKS.items(), key=lambda item: not item[1].is_first):
        if not look.is_first and not hasattr(town, "room"):
            town.fill()
        take(town, folder, name, look, wanted)


def readme() -> None:
    """Of the sample data, in a room where people are."""
    app = App({"RATE_LIMITS": "off"}, is_new=True)
    fill = (sys.executable, "-m", "webapp", "demo", "--users", "80", "--rooms", "12", "--messages", "3000")
    subprocess.run(fill, cwd=app.folder, env=app.env, check=True, capture_output=True)
    with app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        for name in OTHERS:
            _sample_page(browser, app, name).goto(ROOM)
        for picture, who, script, size, scheme, path in (
            ("room", SOMEBODY, True, (1200, 760), "light", ROOM),
            ("phone", SOMEBODY, True, (390, 760), "dark", "/lobby"),
            ("no-script", OTHERS[0], False, (1000, 760), "light", ROOM),
        ):
            options = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}
            page = _sample_page(browser, app, who, java_script_enabled=script, **options)
            page.goto(path, wait_until="commit")
            page.wait_for_timeout(3000)
            # A fifth of the bytes; by any other method hearts become orange, or the ground grey.
            whole = Image.open(BytesIO(page.screenshot())).convert("RGB")
            few = whole.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
            few.save(ROOT / ".readme" / f"{picture}.png", optimize=True)
        browser.close()


def _sample_page(browser: Browser, app: App, username: str, **options: object) -> Page:
    context = browser.new_context(base_url=app.url, locale="en-GB", timezone_id="UTC", **options)  # type: ignore[arg-type]
    fields: dict[str, str | float | bool] = {"username": username, "password": "parley-demo"}
    context.request.post("/login", form=fields, headers={"Sec-Fetch-Site": "same-origin"})
    return context.new_page()


def with_town(browser: Browser, site: App, what: str, *wanted: str) -> None:
    every_page(SampleSite(browser, site), Path(what), *wanted)


if __name__ == "__main__":
    if sys.argv[1:] == ["readme"]:
        readme()
        sys.exit()
    with App(RULES) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        with_town(browser, site, *sys.argv[1:3])
        browser.close()
