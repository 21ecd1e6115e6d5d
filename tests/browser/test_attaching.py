"""Files for a message with script: chosen, dropped, pasted, recorded; cut off in the middle, and gone on with."""

import io
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Playwright, Route, expect

from tests.browser.conftest import Meet
from tests.browser.network import Held, Network
from tests.browser.person import QUIET, BrowserPerson
from tests.servers import App, chromium

TROUBLE = ("Failed to fetch", "Failed to load resource", "network error", "SSE reconnect failed", "AbortError")
PIECES = r"^PATCH .*/files/"
# What a browser tells of files that are held over a page, let go of there, or pasted.
HAND_OVER = """(element, [event, name, type, text]) => {
    const files = new DataTransfer();
    files.items.add(new File([text], name, { type }));
    const one = event == "paste" ? new ClipboardEvent(event, { clipboardData: files, bubbles: true, cancelable: true })
        : new DragEvent(event, { dataTransfer: files, bubbles: true, cancelable: true });
    element.dispatchEvent(one);
    return one.defaultPrevented;
}"""


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser with a microphone, in which it hums."""
    options = [*QUIET, "--use-fake-device-for-media-stream"]
    browser = playwright.chromium.launch(executable_path=chromium(), args=options)
    yield browser
    browser.close()


def photo() -> FilePayload:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(file, "JPEG")
    return {"name": "garden.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def film(size: int = 3_000_000) -> FilePayload:
    return {"name": "film.bin", "mimeType": "application/octet-stream", "buffer": random.Random(1).randbytes(size)}


def text(name: str, words: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": words.encode()}


def begin(person: BrowserPerson, room: str) -> str:
    person.open(room)
    person.text.press("Shift")
    return room


def attach(person: BrowserPerson, *files: FilePayload) -> None:
    person.page.click(".composer__attach")
    with person.page.expect_file_chooser() as chooser:
        person.page.click("text=Choose files")
    chooser.value.set_files(files)


def chips(person: BrowserPerson) -> list[str]:
    return list(person.page.locator(".chip__name").all_inner_texts())


def chip(person: BrowserPerson, name: str) -> Locator:
    return person.page.locator(".chip", has_text=name)


def has_arrived(person: BrowserPerson, name: str) -> bool:
    return bool(chip(person, name).locator("[name=file]:enabled").count())


def rows(site: App, columns: str, rest: str = "") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(site.folder / "data/parley.sqlite3")) as database:
        return database.execute(f"SELECT {columns} FROM attachment {rest}").fetchall()


def hand_over(where: Locator, event: str, name: str, words: str) -> bool:
    return bool(where.evaluate(HAND_OVER, [event, name, "text/plain", words]))


def arrives(person: BrowserPerson, words: str) -> None:
    """Wait until one message has these words, and its files."""
    expect(person.page.locator("#log .message", has_text=words)).to_have_count(1)


class HeldPieces(Held):
    """Every piece of a file but the first so many is held back until it is let go."""

    def __init__(self, person: BrowserPerson, after: int) -> None:
        super().__init__()
        self.person, self.after = person, after
        person.page.route("**/files/*", self)

    def __call__(self, route: Route) -> None:
        is_piece = route.request.method == "PATCH" and self.person.times_requested(PIECES) > self.after
        if is_piece and not self.is_open:
            self.waiting.append(route)
        else:
            route.continue_()


def test_files_are_chosen_dropped_pasted_and_sent_with_words(meet: Meet, site: App) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = begin(alice, alice.make_room("Attaching"))
    bob.open(room)
    attach(alice, photo(), text("rota.txt", "Monday: Ben"))
    alice.until(lambda: has_arrived(alice, "garden.jpg") and has_arrived(alice, "rota.txt"), "two files")
    assert alice.text.evaluate("field => field == document.activeElement")
    chip(alice, "garden.jpg").get_by_placeholder("What it shows").fill("A bench under a pear tree")
    expect(chip(alice, "garden.jpg").locator("canvas")).to_have_count(1)

    assert hand_over(alice.page.locator(".scroller"), "dragover", "x", "x")
    expect(alice.page.locator(".dropping")).to_have_count(1)
    assert hand_over(alice.page.locator(".scroller"), "drop", "plan.txt", "Dig")
    expect(alice.page.locator(".dropping")).to_have_count(0)
    assert hand_over(alice.text, "paste", "note.txt", "Water")
    alice.until(lambda: has_arrived(alice, "plan.txt") and has_arrived(alice, "note.txt"), "two more")
    assert chips(alice) == ["garden.jpg", "rota.txt", "plan.txt", "note.txt"]

    # One is taken off, by key.
    chip(alice, "rota.txt").get_by_role("button").press("Enter")
    assert chips(alice) == ["garden.jpg", "plan.txt", "note.txt"]
    alice.until(lambda: len(rows(site, "id", "WHERE message_id IS NULL")) == 3, "its end")

    # They are a part of the draft.
    alice.page.reload()
    alice.until(lambda: len(chips(alice)) == 3, "the files of the draft")
    shows = chip(alice, "garden.jpg").get_by_placeholder("What it shows")
    assert shows.input_value() == "A bench under a pear tree"
    alice.text.fill("The garden")
    alice.text.press("Enter")
    arrives(bob, "The garden")
    sent = rows(site, "name, kind, description, place", "WHERE message_id IS NOT NULL ORDER BY place")
    assert sent == [
        ("garden.webp", "picture", "A bench under a pear tree", 0),
        ("plan.txt", "file", "", 1),
        ("note.txt", "file", "", 2),
    ]
    assert chips(alice) == []
    # Files alone are a message, too.
    assert hand_over(alice.text, "paste", "last.txt", "Harvest")
    alice.until(lambda: has_arrived(alice, "last.txt"), "the file")
    alice.text.press("Enter")
    alice.until(
        lambda: rows(site, "id", "WHERE name = 'last.txt' AND message_id IS NOT NULL"), "a message without words"
    )


def test_a_message_waits_for_its_files_and_can_be_taken_back(meet: Meet, site: App) -> None:
    alice = meet("alice")
    other, room = alice.make_room("Elsewhere"), begin(alice, alice.make_room("Waiting"))
    held = HeldPieces(alice, after=1)
    attach(alice, film())
    alice.until(lambda: held.waiting, "a piece on its way")
    alice.text.fill("The film")
    alice.text.press("Enter")
    line = alice.page.locator(".pending__files")
    expect(line).to_contain_text("film.bin (17 %)")
    assert chips(alice) == []
    assert alice.text.input_value() == ""

    # What is written meanwhile goes before it.
    alice.say("It takes a while")
    alice.sees("It takes a while")
    line.get_by_role("button", name="Cancel").click()
    expect(alice.page.locator(".pending > li")).to_have_count(0)
    assert chips(alice) == ["film.bin"]
    assert alice.text.input_value() == "The film"

    # Another room is opened in place and left again: the file goes on, and stands where it was chosen.
    alice.page.locator("#entries a.entry", has_text="Elsewhere").click()
    expect(alice.page.locator("#room-name")).to_contain_text("Elsewhere")
    assert chips(alice) == []
    held.let_go()
    alice.until(lambda: rows(site, "id", "WHERE received = size"), "the whole film")
    alice.page.locator("#entries a.entry", has_text="Waiting").click()
    alice.until(lambda: has_arrived(alice, "film.bin"), "the film")
    alice.text.press("Enter")
    arrives(alice, "The film")
    assert other != room
    assert rows(site, "message_id IS NULL", "WHERE name = 'film.bin'") == [(0,)]


def test_a_file_resumes_after_a_cut_line_and_a_restart_of_the_server(meet: Meet, own_site: App) -> None:
    with Network(own_site) as network:
        alice = meet("alice", base_url=network.url, site=own_site)
        alice.forgive(*TROUBLE)
        begin(alice, alice.make_room("Cut").replace(own_site.url, network.url))
        held = HeldPieces(alice, after=2)
        attach(alice, film())
        alice.until(lambda: held.waiting, "the third piece")
        alice.text.fill("The film")
        alice.text.press("Enter")
        network.cut()
        own_site.kill()
        held.let_go()
        expect(alice.page.locator(".pending__files")).to_contain_text("Waits for the connection")
        own_site.start()
        network.restore()
        arrives(alice, "The film")
    [(size, received, is_pending)] = rows(own_site, "size, received, message_id IS NULL")
    assert (size, received, is_pending) == (3_000_000, 3_000_000, 0)
    [stored] = [path for path in (own_site.folder / "data/files").rglob("*") if path.is_file()]
    assert stored.read_bytes() == film()["buffer"]
    # Nothing was sent twice but the piece that was cut off.
    assert alice.times_requested(PIECES) == 7


def test_a_voice_message_is_recorded_heard_again_and_sent(meet: Meet, site: App) -> None:
    alice = meet("alice")
    begin(alice, alice.make_room("Voices"))
    page = alice.page
    page.click(".composer__attach")
    page.click("text=Record a voice message")
    expect(page.locator(".attach__menu .problem")).to_contain_text("does not allow the microphone")

    alice.context.grant_permissions(["microphone"])
    page.click("text=Record a voice message")
    expect(page.locator(".attach__clock")).to_contain_text("0:01")
    page.click("text=Discard")
    expect(page.locator(".attach__menu")).to_have_count(0)
    assert chips(alice) == []

    page.click(".composer__attach")
    page.click("text=Record a voice message")
    expect(page.locator(".attach__clock")).to_contain_text("0:01")
    page.click("text=Stop and listen")
    heard = page.locator(".chip audio")
    alice.until(lambda: heard.evaluate("sound => 1 < sound.duration && sound.duration < 60"), "its length")
    alice.until(lambda: has_arrived(alice, "Voice message"), "the recording")
    page.click(".composer__send")
    alice.until(lambda: rows(site, "id", "WHERE kind = 'sound' AND message_id IS NOT NULL"), "a message of it")
    [(name, media_type)] = rows(site, "name, type", "WHERE kind = 'sound'")
    assert name.startswith("Voice message")
    assert media_type.startswith("audio/")


def test_without_script_the_button_leads_to_a_page_for_files(meet: Meet, site: App) -> None:
    alice = meet("alice", script=False)
    room = alice.make_room("Without script")
    alice.open(room)
    alice.text.fill("By hand")
    alice.composer.click(".composer__attach")
    alice.page.wait_for_selector("#file-1")
    assert alice.page.locator("#text").input_value() == "By hand"
    alice.page.set_input_files("#file-1", [text("plan.txt", "Dig")])
    alice.page.click("button:text-is('Send')", no_wait_after=True)
    alice.until(lambda: alice.log.locator(".message", has_text="By hand").count(), "the message in its room")
    assert rows(site, "name, received", "WHERE message_id IS NOT NULL AND name = 'plan.txt'")[-1] == ("plan.txt", 3)
