"""
By hand: from a press to what it does on the screen, in a room of 50 messages, with a processor slowed six times.

    .venv/bin/python -m tests.bench.inp       # ten turns
    .venv/bin/python -m tests.bench.inp 20

Each figure is the slowest event of an interaction as the browser's Event Timing has it, which INP is made of: from the
press to the next frame, in steps of 8 ms. What waits for the server comes later, and is not in it. On a machine that
has other things to do the fastest is nearest to what the page itself takes.
"""

import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from playwright.sync_api import Browser, Error, Locator, Page, sync_playwright

from tests.bench.lighthouse import filled_site
from tests.browser.person import QUIET, BrowserPerson
from tests.servers import App, chromium

TURNS, SLOWER, BOUND_MS = 10, 6, 100
# Each event has an interaction, if it is part of one; the work between the two ends is our script's.
WATCH = """(() => {
  window.events = [];
  const keep = list => list.forEach(({ interactionId, duration, startTime, processingStart, processingEnd }) =>
    interactionId && events.push([duration, processingStart - startTime, processingEnd - processingStart]));
  const observer = new PerformanceObserver(list => keep(list.getEntries()));
  observer.observe({ type: "event", durationThreshold: 16, buffered: true });
  window.takeEvents = () => (keep(observer.takeRecords()), events.splice(0));
})()"""
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Reader:
    """Somebody in a room, whose browser is slow while they do something."""

    def __init__(self, browser: Browser, site: App, name: str, options: dict[str, object]) -> None:
        self.person = BrowserPerson(browser, site, name, **options)
        self.page = self.person.register().page
        self.page.goto("/rooms")
        rooms = self.page.locator(".rooms__entry").evaluate_all("all => all.map(one => one.getAttribute('href'))")[:4]
        for room in rooms:
            self.person.send(f"{room}/join")
        self.page.add_init_script(WATCH)
        self.person.open(site.url + rooms[0])
        self.wire = self.person.context.new_cdp_session(self.page)
        # Without anybody who looks at it Chromium paints typed letters late, or never.
        self.wire.on("Page.screencastFrame", self._see)
        self.wire.send("Page.startScreencast", {"format": "jpeg", "maxWidth": 64, "maxHeight": 64})
        self.took: dict[str, list[list[float]]] = defaultdict(list)

    def _see(self, frame: dict[str, Any]) -> None:
        with suppress(Error):  # the last ones come when the page has gone
            self.wire.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def do(self, name: str, act: Callable[[], object]) -> None:
        """Do it slowly, and keep the slowest event of it."""
        self.page.bring_to_front()
        self.person.pause(300)
        self.page.evaluate("takeEvents()")
        self.wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        act()
        self.person.pause(1500)
        self.wire.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        self.took[name].append(max(self.page.evaluate("takeEvents()"), default=[0, 0, 0]))

    def print(self) -> None:
        for name, events in self.took.items():
            durations = sorted(event[0] for event in events)
            delay, work = (statistics.median(event[number] for event in events) for number in (1, 2))
            middle = statistics.median(durations)
            print(f"{name:32} median {middle:4.0f} ms, from {durations[0]:.0f} to {durations[-1]:.0f} "
                  f"(before it {delay:.0f}, our script {work:.0f}){'  OVER' if middle > BOUND_MS else ''}")  # fmt: skip


def press(page: Page, what: Locator, x: int, y: int) -> Callable[[], None]:
    """
    Press there, where the mouse has come a while before.

    By place: Playwright's own click looks at every event to see whether it was hit, as a part of it.
    """
    what.scroll_into_view_if_needed()
    box = what.bounding_box()
    assert box
    place = box["x"] + x, box["y"] + y
    is_touch = page.evaluate("matchMedia('(pointer: coarse)').matches")
    if is_touch:
        return lambda: page.touchscreen.tap(*place)
    page.mouse.move(*place)
    return lambda: page.mouse.click(*place)


def with_a_mouse(reader: Reader, turn: int) -> None:
    page, text = reader.page, reader.person.text
    reader.do("the first letter" if not turn else "a letter", lambda: text.press_sequentially("word", delay=90))
    reader.do("Enter", lambda: text.press("Enter"))
    message = page.locator("#log > .message", has=page.locator(".message__body")).nth(-3)
    message.hover()
    reader.do("beside a message", press(page, message.locator(".message__body"), 5, 5))
    reader.do("Edit in the tray", lambda: (text.focus(), page.keyboard.press("ArrowUp")))
    reader.do("Escape", lambda: page.keyboard.press("Escape"))
    rooms = page.locator("#entries a.entry")
    reader.do("another room", press(page, rooms.nth(1 + turn % (rooms.count() - 1)), 40, 10))


def with_a_finger(reader: Reader, turn: int) -> None:
    page = reader.page
    message = page.locator("#log > .message:not(.message--removed)").nth(-2 - turn % 3)
    reader.do("a message, by touch", press(page, message.locator("summary"), 8, 8))
    reader.do("beside the open tray", press(page, page.locator("#room-name"), 8, 8))


def main() -> None:
    turns = int((sys.argv[1:] or [TURNS])[0])
    with filled_site() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        for name, options, act in (("mouse", DESKTOP, with_a_mouse), ("touch", PHONE, with_a_finger)):
            reader = Reader(browser, site, name, options)
            for turn in range(turns):
                act(reader, turn)
            reader.print()
            reader.person.context.close()
        print(f"load {os.getloadavg()[0]:.1f}")
        browser.close()


if __name__ == "__main__":
    main()
