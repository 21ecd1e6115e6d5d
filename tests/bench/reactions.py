"""
By hand: what a conversation costs and how soon it is seen.

    .venv/bin/python -m tests.bench.reactions             # 300 reactions by 40 people, then 20 of each act
    .venv/bin/python -m tests.bench.reactions --quick     # 60 by 8, then 5

The storm: everybody reacts at once to one message; frames and bytes of an open page with script, and without. Then: how
long until another Chromium shows a reply, a reaction and a mention, with script and without.
"""

import os
import re
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
from playwright.sync_api import sync_playwright

from tests.browser.person import QUIET, BrowserPerson
from tests.servers import App, chromium
from webapp.messages.reactions import KINDS

HEADERS = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Firefox on Linux"}


def enter(site: App, name: str) -> httpx2.Client:
    client = httpx2.Client(base_url=site.url, headers=HEADERS, timeout=30)
    fields = {"username": name, "password": "correct horse battery", "display_name": name}
    assert client.post("/register", data=fields).status_code == 303
    return client


class Open:
    """An open page of a room: what its stream brings, in pieces."""

    def __init__(self, client: httpx2.Client, path: str) -> None:
        self.text = b""
        self._thread = threading.Thread(target=self._read, args=(client, path), daemon=True)
        self._thread.start()

    def _read(self, client: httpx2.Client, path: str) -> None:
        with client.stream("GET", path, headers={"Accept-Encoding": "identity"}) as answer:
            for piece in answer.iter_raw():
                self.text += piece


def storm(site: App, people: int, count: int) -> None:
    everybody = [enter(site, f"storm{number}") for number in range(people)]
    room = everybody[0].post("/rooms", data={"name": "Storm"}).headers["location"]
    everybody[0].post(f"{room}/messages", data={"body": "Look", "nonce": "1"})
    pages = {"with script": Open(everybody[0], f"{room}/events?after=1"), "without": Open(everybody[0], f"{room}/live")}
    time.sleep(3)
    before = {name: len(page.text) for name, page in pages.items()}
    acts = [
        (one, KINDS[number // people % len(KINDS)]) for number in range(count) for one in [everybody[number % people]]
    ]
    begun = time.monotonic()
    with ThreadPoolExecutor(people) as pool:
        codes = list(
            pool.map(lambda act: act[0].post(f"{room}/messages/1/reactions", data={"kind": act[1], "on": "1"}), acts)
        )
    took = time.monotonic() - begun
    assert {answer.status_code for answer in codes} == {303}
    time.sleep(3)
    for name, page in pages.items():
        news = page.text[before[name] :]
        frames = len(re.findall(rb"(?m)^id: " if name == "with script" else rb"<style[^>]*>[^<]*--chips:none", news))
        print(
            f"{count} reactions by {people} within {took:.1f} s, page {name}: {frames} frames "
            f"({frames / took:.1f} a second), {len(news):,} B (load {os.getloadavg()[0]:.1f})"
        )


def seen(site: App, turns: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        alice = BrowserPerson(browser, site, "alice").register()
        for script in (True, False):
            bob = BrowserPerson(browser, site, f"bob{int(script)}", script).register()
            room = alice.make_room(f"Seen {script}")
            alice.send(f"{room}/messages", body="Which door?", nonce="0")
            bob.open(room)
            bob.sees("Which door?")
            bob.send(f"{room}/join")
            took: dict[str, list[float]] = {"reply": [], "reaction": [], "mention": []}
            for turn in range(turns):
                begun = time.monotonic()
                alice.send(f"{room}/messages", body=f"answer {turn}", nonce=f"{turn}-n", reply_to="1")
                bob.log.locator(".message:has(.said)", has_text=f"answer {turn}").last.wait_for()
                took["reply"].append(time.monotonic() - begun)
                time.sleep(1)  # longer than reactions are held back
                begun = time.monotonic()
                kind = KINDS[turn % len(KINDS)]
                alice.send(f"{room}/messages/{2 * turn + 2}/reactions", kind=kind, on="1")
                bob.log.locator(f"[data-kind='{kind}']:visible").nth(turn // len(KINDS)).wait_for()
                took["reaction"].append(time.monotonic() - begun)
                begun = time.monotonic()
                alice.send(f"{room}/messages", body=f"@bob{int(script)} turn {turn}", nonce=f"{turn}-m")
                bob.log.locator(".message:has(.mention)", has_text=f"turn {turn}").last.wait_for()
                took["mention"].append(time.monotonic() - begun)
            for what, some in took.items():
                middle, worst = (1000 * figure for figure in (statistics.median(some), max(some)))
                how = f"median of {turns} {middle:.0f} ms, worst {worst:.0f} (load {os.getloadavg()[0]:.1f})"
                print(f"{what} seen at the other, script {'on' if script else 'off'}: {how}")
        browser.close()


def main() -> None:
    is_quick = "--quick" in sys.argv
    with App({"RATE_LIMITS": "off"}) as site:
        storm(site, *((8, 60) if is_quick else (40, 300)))
        seen(site, 5 if is_quick else 20)


if __name__ == "__main__":
    main()
