"""
By hand: from pressing a room in the list to its messages painted, with a processor slowed four times.

    .venv/bin/python -m tests.bench.opening          # 20 openings each, in turns: what else runs concerns all
    .venv/bin/python -m tests.bench.opening 40 slow  # and a line of 150 ms and 1.6 Mbit/s

In place as it is (static/js/acts/swap.js); as a page, which is what it was before; as a page that was fetched ahead, by
a link or by rules of speculation; as a page that was prerendered; as a page that comes with a view transition.
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
SPECULATING = """addEventListener("DOMContentLoaded", () => {
  const rules = { %s: [{ where: { selector_matches: "#entries a" }, eagerness: "moderate" }] };
  document.head.append(Object.assign(document.createElement("script"), {
    type: "speculationrules", textContent: JSON.stringify(rules) }));
})"""
WITH_TRANSITION = """addEventListener("DOMContentLoaded", () => document.head.append(
  Object.assign(document.createElement("style"), { textContent: "@view-transition { navigation: auto }" })))"""
# What the policy of pages refuses to inline scripts and styles is added here to try it.
OPTIONS = {"viewport": {"width": 1280, "height": 800}, "bypass_csp": True}
WAYS = {
    "in place": [],
    "as a page": [AS_A_PAGE],
    "as a page, fetched ahead": [AS_A_PAGE, AHEAD],
    "as a page, fetched by rules": [AS_A_PAGE, SPECULATING % "prefetch"],
    "as a page, prerendered": [AS_A_PAGE, SPECULATING % "prerender"],
    "as a page, with a transition": [AS_A_PAGE, WITH_TRANSITION],
}


class Way:
    """One way to open rooms, in a browser window of its own."""

    def __init__(self, browser: Browser, site: App, name: str, scripts: list[str], is_slow: bool) -> None:
        self.person = BrowserPerson(browser, site, f"opener{len(name)}", **OPTIONS)
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
