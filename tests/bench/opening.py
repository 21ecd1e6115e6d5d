"""
By hand: from pressing a room in the list to its messages painted, with a processor slowed four times.

    .venv/bin/python -m tests.bench.opening          # 20 openings each, in turns: what else runs concerns all
    .venv/bin/python -m tests.bench.opening 40 slow  # and a line of 150 ms and 1.6 Mbit/s

In place as it is (static/js/acts/swap.js); as a page, which is what it was before; as a page that was fetched ahead.
"""

import statistics
import sys
import time

from playwright.sync_api import Browser, Error, sync_playwright

from tests.bench.lighthouse import filled_site
from tests.browser.person import QUIET, BrowserPerson
from tests.servers import App, chromium

OPENINGS = 20
WARM_UP = 2
SLOWER = 4
HELD_SECONDS = 0.08
SLOW_LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
# From the press to the first frame after one that shows messages of another room, also where that is another page.
WATCH = """(() => {
  const room = () => document.querySelector("#log > li[data-version]")?.id.split("-")[1];
  const now = () => performance.timeOrigin + performance.now();
  const watch = () => {
    if (!sessionStorage.begun || sessionStorage.took) return;
    if (!room() || room() == sessionStorage.left) return requestAnimationFrame(watch);
    const channel = new MessageChannel();
    channel.port1.onmessage = () => sessionStorage.took = now() - sessionStorage.begun;
    channel.port2.postMessage(0);
  };
  addEventListener("pointerdown", () => {
    sessionStorage.begun = now();
    sessionStorage.left = room();
    delete sessionStorage.took;
    requestAnimationFrame(watch);
  }, true);
  requestAnimationFrame(watch);
})()"""
AS_A_PAGE = 'addEventListener("click", event => event.target.closest("#entries a") && event.stopPropagation(), true)'
# As the pointer comes near, which is as early as one can know.
AHEAD = """addEventListener("pointerover", ({ target }) => {
  const entry = target.closest("#entries a");
  if (!entry || document.querySelector(`link[rel=prefetch][href="${entry.getAttribute("href")}"]`)) return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: entry.href }));
})"""
WAYS = {"in place": [], "as a page": [AS_A_PAGE], "as a page, fetched ahead": [AS_A_PAGE, AHEAD]}


class Way:
    """One way to open rooms, in a browser window of its own."""

    def __init__(self, browser: Browser, site: App, name: str, scripts: list[str], is_slow: bool) -> None:
        self.person = BrowserPerson(browser, site, f"opener{len(name)}", viewport={"width": 1280, "height": 800})
        self.person.register()
        page = self.page = self.person.page
        page.goto("/rooms")
        for room in page.locator(".rooms__entry").evaluate_all("all => all.map(one => one.getAttribute('href'))")[:8]:
            self.person.send(f"{room}/join")
        for script in (WATCH, *scripts):
            page.add_init_script(script)
        page.goto("/lobby")
        self.rooms = page.locator("#entries a.entry").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        self.person.open(site.url + self.rooms[0])
        self.wire = self.person.context.new_cdp_session(page)
        if is_slow:
            self.wire.send("Network.enable")
            self.wire.send("Network.emulateNetworkConditions", SLOW_LINE)
        self.times: list[float] = []

    def open(self, turn: int) -> None:
        self.page.bring_to_front()
        box = self.page.locator(f'#entries a[href="{self.rooms[(turn + 1) % len(self.rooms)]}"]').bounding_box()
        assert box
        # Only the page in turn: a slowed one keeps a processor busy by itself.
        self.wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        self.page.mouse.move(5, 5)
        self.page.mouse.move(box["x"] + 60, box["y"] + box["height"] / 2)
        self.person.pause(300)  # a hand that comes and presses
        self.page.mouse.down()
        time.sleep(HELD_SECONDS)
        self.page.mouse.up()
        took = self.person.until(self._took, "other messages")
        self.wire.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        if turn >= WARM_UP:
            self.times.append(took)
        self.person.pause(500)

    def _took(self) -> float:
        try:
            return float(self.page.evaluate("sessionStorage.took || 0"))
        except Error:  # between two pages
            return 0


def main() -> None:
    count, is_slow = int((sys.argv[1:] or [OPENINGS])[0]), "slow" in sys.argv
    with filled_site() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        ways = {name: Way(browser, site, name, scripts, is_slow) for name, scripts in WAYS.items()}
        for turn in range(count + WARM_UP):
            for way in ways.values():
                way.open(turn)
        for name, way in ways.items():
            low, middle, high = statistics.quantiles(way.times, n=4)
            print(f"{name}: median {middle:.0f} ms, quartiles {low:.0f} and {high:.0f} ({len(way.times)} openings)")
        browser.close()


if __name__ == "__main__":
    main()
