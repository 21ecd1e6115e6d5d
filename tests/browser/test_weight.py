"""What a first visit costs on the wire: users are on slow links and pay by the byte."""

import re
import sqlite3
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import brotli
import httpx2
import pytest

from tests.browser.conftest import Meet
from tests.browser.person import PASSWORD, BrowserPerson
from tests.servers import App
from webapp.live import frames

SCRIPT, PLAIN = True, False
KILO = 1000
# Of a page that shows a log, and of any other, with what /me.css says for the viewer.
ROOM_STYLES, STYLES = 8 * KILO, 6.5 * KILO
# What frames need where no script runs, and what chats with strangers have besides: who is there, and the way out.
FRAME_STYLES, STRANGER_STYLES = 300, 500
# The themes and sizes to choose from: whoever has chosen one loads them too.
APPEARANCE_STYLES = 500
# What a pinned message brings to its room: its line, and the styles of it.
PINNED = 700
# Every kind of page but rooms: of who is signed in, and of who is not. Only the first ones need script for anything:
# the others weigh the same without.
LIVE_PAGES = ("/lobby", "/rooms", "/people", "/friends")
PAGES = (*LIVE_PAGES, "/settings/profile", "/settings/privacy", "/moderation")
STRANGERS_PAGES = ("/", "/register", "/login", "/strangers", "/nowhere")
# What else there is, of which only the styles are weighed: everything of theirs is linked in the page itself.
ROOM_PAGES = ("", "?plain=1", "?before=40")
ROOM_FORMS = ("/settings", "/people", "/messages/1/edit", "/attach")
OTHER_PAGES = ("/rooms?q=a", "/people?q=a", "/settings/password", "/settings/sessions", "/settings/export")
OTHER_PAGES += ("/search?q=al", "/settings/appearance")
# Chunked transfer adds the length in hexadecimal and two line ends.
CHUNK_BYTES = len(b"7\r\n\r\n")


@pytest.fixture(scope="module")
def demo_site() -> Iterator[App]:
    """
    An installation where people have talked: weights of made-up words would mean nothing.

    Without the pictures of people: who they are and how many are visible is chance, and the bounds are of all else. Nor
    with what is pinned, which brings its styles to the one room that has any, and is weighed by itself.
    """
    app = App({"RATE_LIMITS": "off"}, is_new=True)
    fill = (sys.executable, "-m", "webapp", "demo", "--users", "80", "--rooms", "12", "--messages", "3000")
    subprocess.run(fill, cwd=app.folder, env=app.env, check=True, capture_output=True)
    with closing(sqlite3.connect(next(app.folder.rglob("parley.sqlite3")))) as database, database:
        database.execute('UPDATE "user" SET picture = NULL')
        database.execute("DELETE FROM pin")
        database.execute("UPDATE room SET pin_count = 0")
    with app:
        yield app


def room_of(person: BrowserPerson) -> str:
    """The address of the busiest room."""
    person.page.goto("/rooms", wait_until="commit")
    return person.site.url + str(person.page.locator(".rooms__entry").first.get_attribute("href"))


class Scale:
    """Weighs what a page receives: the bodies by what they are, and the headers of all of them."""

    def __init__(self, person: BrowserPerson) -> None:
        self.kinds: dict[str, str] = {}
        self.headers: Counter[str] = Counter()
        self.bodies: Counter[str] = Counter()
        wire = person.context.new_cdp_session(person.page)
        wire.on("Network.responseReceived", self._begin)
        wire.on("Network.dataReceived", self._go_on)
        wire.on("Network.loadingFinished", self._finish)
        wire.send("Network.enable")

    def _begin(self, event: dict[str, Any]) -> None:
        path = event["response"]["url"].split("?")[0]
        if not path.startswith("http"):
            return  # written out in the page itself
        kind = event["type"].lower()
        if path.endswith(("/events", "/live")):
            kind = "stream"
        elif path.endswith(("/composer", "/sidebar")):
            kind = "frames"
        self.kinds[event["requestId"]] = "icons" if path.endswith(".svg") else kind
        self.headers[event["requestId"]] = round(event["response"]["encodedDataLength"])

    def _go_on(self, event: dict[str, Any]) -> None:
        """A piece of the events, which are not compressed and have no end to be weighed at."""
        if self.kinds.get(event["requestId"]) == "stream":
            self.bodies[event["requestId"]] += event["encodedDataLength"] + CHUNK_BYTES

    def _finish(self, event: dict[str, Any]) -> None:
        """Everything that came for this request: nothing when the browser had it already."""
        request, weight = event["requestId"], round(event["encodedDataLength"])
        self.headers[request] = min(weight, self.headers[request])
        self.bodies[request] = weight - self.headers[request]

    @property
    def weights(self) -> Counter[str]:
        weights = Counter({"headers": self.headers.total()})
        for request, kind in self.kinds.items():
            weights[kind] += self.bodies[request]
        return weights

    @property
    def total(self) -> int:
        return self.weights.total()

    def table(self, title: str) -> str:
        parts = ", ".join(f"{kind} {weight:,}" for kind, weight in self.weights.most_common())
        return f"{title}: {self.total:,} B on the wire ({parts})"


def is_anybody_in_a_room(site: App) -> bool:
    with closing(sqlite3.connect(next(site.folder.rglob("parley.sqlite3")))) as database:
        return bool(database.execute("SELECT EXISTS (SELECT 1 FROM visit WHERE room_id > 0)").fetchone()[0])


def first_visit(visitor: BrowserPerson, address: str) -> Scale:
    scale = Scale(visitor)
    visitor.open(address)
    visitor.until(lambda: len(visitor.messages()) == 50, "50 messages")
    wanted = {"document", "stylesheet", "icons", "stream"} | ({"script"} if visitor.script else {"frames"})
    visitor.until(lambda: wanted <= scale.weights.keys(), "every kind of answer")
    if not visitor.script:
        visitor.until(lambda: visitor.log.locator(".live-state").count(), "the first word on who is here")
        scale.bodies["live"] = live_document(visitor, address)
        scale.kinds["live"] = "stream"
    visitor.pause(500)  # whatever else may come: nothing tells that nothing more does
    return scale


def first_visit_of_a_room(visitor: BrowserPerson, scout: BrowserPerson) -> Scale:
    # Who visited before is gone, or the page would receive that they leave as well.
    visitor.until(lambda: not is_anybody_in_a_room(visitor.site), "rooms without anybody")
    return first_visit(visitor, room_of(scout))


def chat_of(visitor: BrowserPerson, stranger: BrowserPerson) -> str:
    """The address of a chat of the two, who don't know each other and have talked."""
    for person in (visitor, stranger):
        chat = person.send("/strangers/find", language="de", rules="1").url
    for number in range(50):
        stranger.send(f"{chat}/messages", body=f"Was ich noch sagen wollte, Nummer {number}", nonce=str(number))
    return chat


def by_chance(person: BrowserPerson) -> int:
    """How many bytes more a person's own styles are than with another code: packed, one in 25 is 20 longer or more."""
    styles, code = person.context.request.get("/me.css").text(), person.code[:9]
    usual = styles.replace(code, "K7Q2-M4XB").replace(code[:4], "K7Q2")
    return len(brotli.compress(styles.encode())) - len(brotli.compress(usual.encode()))


def styles_of(person: BrowserPerson, path: str) -> int:
    """The bytes of the styles of a page, of those for browsers without script too."""
    page = person.context.request.get(path)
    sheets = set(re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text()))
    assert page.ok, path
    assert sheets, path
    packed = {"Accept-Encoding": "br"}
    answers = [person.context.request.get(sheet, headers=packed) for sheet in sheets]
    has_own = any("/me.css" in sheet for sheet in sheets)
    return sum(int(answer.headers["content-length"]) for answer in answers) - (by_chance(person) if has_own else 0)


def page_and_styles(person: BrowserPerson, path: str) -> int:
    """The bytes of a page, compressed as browsers ask for it, and of its styles."""
    page = person.context.request.get(path, headers={"Accept-Encoding": "br"})
    return int(page.headers["content-length"]) + styles_of(person, path)


def live_document(person: BrowserPerson, room: str) -> int:
    """The bytes of the endless document up to who is here: of what a frame receives Chromium tells the end only."""
    weight, unpack, text = 0, zlib.decompressobj(wbits=31), b""
    headers = {"Accept-Encoding": "gzip, br"}
    with httpx2.stream("GET", f"{room}/live", cookies=person.cookies(), headers=headers) as stream:
        for piece in stream.iter_raw():
            weight += len(piece) + CHUNK_BYTES
            text += unpack.decompress(piece)
            if b'class="live-state' in text:
                return weight
    raise AssertionError("the endless document ended")


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_first_visit_with_script_is_light(meet: Meet, demo_site: App, figure: list[str], locale: str) -> None:
    visitor = meet("visitor", SCRIPT, site=demo_site, locale=locale)
    scale = first_visit_of_a_room(visitor, meet("scout", site=demo_site))
    figure.append(scale.table(f"first visit of a room with script, {locale}"))
    assert scale.weights["document"] <= 10 * KILO
    assert scale.weights["stylesheet"] - by_chance(visitor) <= ROOM_STYLES
    assert scale.weights["script"] <= 17 * KILO
    assert scale.total <= 38 * KILO


def test_a_first_visit_without_script_is_light(meet: Meet, demo_site: App, figure: list[str]) -> None:
    visitor = meet("visitor", PLAIN, site=demo_site)
    scale = first_visit_of_a_room(visitor, meet("scout", site=demo_site))
    figure.append(scale.table("first visit of a room without script"))
    assert not scale.weights["script"]
    assert scale.weights["stylesheet"] - by_chance(visitor) <= ROOM_STYLES + FRAME_STYLES
    assert scale.total <= 29.5 * KILO


def test_what_is_pinned_adds_little_to_its_room(meet: Meet, demo_site: App) -> None:
    owner = meet("owner", PLAIN, site=demo_site)
    room = owner.make_room("Pinned here")
    owner.send(f"{room}/messages", body="Keys are with the baker", nonce="1")
    before = page_and_styles(owner, room)
    owner.send(f"{room}/messages/1/pin")
    assert before < page_and_styles(owner, room) <= before + PINNED


@pytest.mark.parametrize(("script", "most"), [(SCRIPT, 37), (PLAIN, 28)], ids=["script", "plain"])
def test_a_first_visit_of_a_chat_with_a_stranger_is_light(
    meet: Meet, demo_site: App, figure: list[str], script: bool, most: int
) -> None:
    visitor = meet("visitor", script, site=demo_site, locale="de-DE")
    scale = first_visit(visitor, chat_of(visitor, meet("steve", site=demo_site)))
    figure.append(scale.table(f"first visit of a chat with a stranger{'' if script else ' without script'}"))
    assert scale.weights["document"] <= 10 * KILO
    # Beside those of rooms: who is there or not, and what frames need, in which one's own chats stand there.
    assert scale.weights["stylesheet"] <= ROOM_STYLES + STRANGER_STYLES + FRAME_STYLES
    assert scale.total <= most * KILO


def test_the_styles_of_whatever_else_there_is_are_light(meet: Meet, demo_site: App, figure: list[str]) -> None:
    alice, bob = meet("alice", site=demo_site, locale="de-DE"), meet("bob", site=demo_site)
    room = alice.make_room("Waage")
    for number in range(60):
        alice.send(f"{room}/messages", body="Wie viel wiegt das?", nonce=str(number))
    report = f"/report?about=person:{bob.code}"
    logs = [*(room + rest for rest in ROOM_PAGES), f"/chat/{bob.code}"]
    paths = (*logs, *(room + rest for rest in ROOM_FORMS), *OTHER_PAGES, f"/people/{bob.code}", report)
    weights = {path.removeprefix(demo_site.url): styles_of(alice, path) for path in paths}
    weights["the wait for a stranger"] = styles_of(alice, alice.send("/strangers/find", language="fr", rules="1").url)
    figure.append("styles with those for no script: " + ", ".join(f"{path} {weights[path]:,} B" for path in weights))
    bounds = dict.fromkeys(weights, STYLES) | {
        path.removeprefix(demo_site.url): ROOM_STYLES + FRAME_STYLES for path in logs
    }
    bounds["/settings/appearance"] += APPEARANCE_STYLES
    assert {path: weight for path, weight in weights.items() if weight > bounds[path]} == {}


@pytest.mark.parametrize(
    ("script", "most", "paths"),
    [(SCRIPT, 35, (*PAGES, "", *STRANGERS_PAGES)), (PLAIN, 28, LIVE_PAGES)],
    ids=["script", "plain"],
)
def test_a_first_visit_of_every_other_page_is_light(
    meet: Meet, demo_site: App, figure: list[str], script: bool, most: int, paths: tuple[str, ...]
) -> None:
    """In German, whose words are longer."""
    visitor = meet("visitor", script, site=demo_site, locale="de-DE")
    visitor.forgive("404")
    make = (sys.executable, "-m", "webapp", "createsuperuser", "--username", visitor.username, "--password", PASSWORD)
    subprocess.run(make, cwd=demo_site.folder, env=demo_site.env, check=True, capture_output=True)
    for path in paths:
        if not path:  # signed out from here on
            visitor.context.clear_cookies()
            continue
        visitor.page = visitor.context.new_page()
        # What one page left in the cache would be missing in the weight of the next.
        visitor.context.new_cdp_session(visitor.page).send("Network.clearBrowserCache")
        scale = Scale(visitor)
        visitor.page.goto(path, wait_until="load" if script else "domcontentloaded")  # some never end loading
        visitor.pause(500 if script else 200)  # whatever else may come: nothing tells that nothing more does
        visitor.page.close()
        figure.append(scale.table(f"first visit of {path}{'' if script else ' without script'}"))
        assert scale.weights["document"] <= 10 * KILO, path
        assert scale.weights["stylesheet"] <= STYLES, path
        assert scale.total <= (14 if path == "/" else most) * KILO, path


def test_one_message_is_at_most_so_many_bytes(meet: Meet, demo_site: App, figure: list[str]) -> None:
    alice = meet("alice", site=demo_site)
    room = room_of(alice)
    client = httpx2.Client(cookies=alice.cookies(), headers={"Sec-Fetch-Site": "same-origin"}, timeout=10)
    page = client.get(room).text
    messages = re.findall(r"(?s)<li id=\"message-.*?</li>", page)
    mean = sum(len(message.encode()) for message in messages) / len(messages)
    with client.stream("GET", f"{room}/events?after=999999999") as stream:
        pieces = stream.iter_raw()
        client.post(f"{room}/messages", data={"body": "Has anybody seen the key to the shed?", "nonce": "weight"})
        came = b""
        # Who is here, and the sidebar, may come before it or in one piece with it.
        while not (said := re.search(rb"(?m)^id:(?:.+\n)*?.*key to the shed\?(?:.+\n)*\n", came)):
            came += next(pieces)
        event = said[0]
    figure.append(f"one message: {mean:.0f} B of HTML on average of {len(messages)}, {len(event)} B as an event")
    assert mean <= 700
    assert len(event) <= 617
    client.close()


def test_an_idle_stream_costs_next_to_nothing(figure: list[str]) -> None:
    weights = [len(beat) + CHUNK_BYTES for beat in frames.KEEP_ALIVE]
    figure.append(f"idle stream: {weights[0]} B (script) and {weights[1]} B (without) per 20 s")
    assert max(weights) <= 20
