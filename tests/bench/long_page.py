"""
By hand: one page that stays open while five messages a second come in. Is its memory bounded, and is it still smooth?

    .venv/bin/python -m tests.bench.long_page 30      # minutes
    .venv/bin/python -m tests.bench.long_page --inp   # interaction to next paint, in a room of 300 messages

Prints each minute what Chromium's protocol tells of the page: the script's heap after a collection, nodes, listeners.
The other asks the browser itself (PerformanceEventTiming) how long after a key or a press the next frame was painted,
with a processor six times slower.
"""

import os
import sys
import time
from contextlib import suppress
from statistics import median

import httpx2
from playwright.sync_api import CDPSession, sync_playwright

from tests.browser.person import QUIET, BrowserPerson
from tests.servers import App, chromium

PER_SECOND = 5
SLOWDOWN = 6
POSTS = 12
# A headless Chromium paints the last strip of its window late or never (a bare textarea shows it): not there, then.
RAISE = """() => { const sheet = new CSSStyleSheet(); sheet.replaceSync(".composer { margin-block-end: 80px }");
    document.adoptedStyleSheets = [sheet]; }"""
# The longest event of each interaction, in ms.
WATCH = """() => { window.interactions = {};
    new PerformanceObserver(list => list.getEntries().forEach(event => { if (event.interactionId)
        interactions[event.interactionId] = Math.max(interactions[event.interactionId] || 0, event.duration); }))
    .observe({ type: "event", durationThreshold: 16, buffered: true }); }"""


def memory(wire: CDPSession) -> str:
    wire.send("HeapProfiler.collectGarbage")
    figures = {metric["name"]: metric["value"] for metric in wire.send("Performance.getMetrics")["metrics"]}
    heap = figures["JSHeapUsedSize"] / 1e6
    return f"heap {heap:.2f} MB, {figures['Nodes']:.0f} nodes, {figures['JSEventListeners']:.0f} listeners"


def stay(reader: BrowserPerson, wire: CDPSession, room: str, minutes: float) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    poster = httpx2.Client(cookies=reader.cookies(), headers=headers, timeout=20)
    begun = minute = time.monotonic()
    sent = 0
    while (now := time.monotonic()) - begun < minutes * 60:
        sent += 1
        with suppress(httpx2.HTTPError):
            poster.post(f"{room}/messages", data={"body": f"Message {sent}, as long as they are", "nonce": f"n{sent}"})
        reader.page.wait_for_timeout(max(0, begun + sent / PER_SECOND - time.monotonic()) * 1000)
        if now - minute > 60:
            minute = now
            shown = reader.page.locator("#log .message").count()
            load = os.getloadavg()[0]
            print(
                f"{(now - begun) / 60:.0f} min, {sent} sent, {shown} shown: {memory(wire)} (load {load:.1f})",
                flush=True,
            )
    newest = reader.page.locator("#log .message__body").last.inner_text()
    print(
        f"the last of {sent}: {newest!r}; its earlier link: {reader.page.locator('#earlier a').get_attribute('href')}"
    )


def interact(reader: BrowserPerson, wire: CDPSession, room: str) -> None:
    for number in range(250):
        reader.send(
            f"{room}/messages", body=f"Message {number} with some words, as long as they are", nonce=f"n{number}"
        )
    reader.open(room)
    for count in range(100, 251, 50):
        reader.page.locator("#earlier a").click()
        reader.until(lambda: reader.page.locator("#log .message").count() >= count, f"{count} messages")  # noqa: B023
    reader.page.evaluate("document.querySelector('.scroller').scrollTop = 0")
    for number in range(50):
        reader.send(f"{room}/messages", body=f"More {number}", nonce=f"m{number}")
    reader.sees("More 49")
    wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    reader.page.evaluate(RAISE)
    reader.page.evaluate(WATCH)
    for number in range(POSTS):
        reader.text.press_sequentially(f"hello {number}", delay=80)
        reader.page.keyboard.press("Enter")
        reader.pause(1500)
    took = sorted(reader.page.evaluate("Object.values(interactions)"))
    shown, load = reader.page.locator("#log .message").count(), os.getloadavg()[0]
    print(
        f"{shown} messages, {SLOWDOWN}x slower, {len(took)} interactions over 16 ms: median {median(took):.0f} ms, "
        f"98th of a hundred {took[int(len(took) * 0.98) - 1]:.0f} ms, worst {took[-1]:.0f} ms (load {load:.1f})"
    )


def main() -> None:
    with App({"RATE_LIMITS": "off"}) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        reader = BrowserPerson(browser, site, "reader").register()
        wire = reader.context.new_cdp_session(reader.page)
        wire.send("Performance.enable")
        room = reader.make_room("Long")
        if "--inp" in sys.argv:
            interact(reader, wire, room)
        else:
            reader.open(room)
            stay(reader, wire, room, float(sys.argv[1]) if len(sys.argv) > 1 else 30)
        browser.close()


if __name__ == "__main__":
    main()
