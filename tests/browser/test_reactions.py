"""Reactions on open pages: the same for everybody, in place, with script and without."""

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson
from tests.servers import ROOT
from webapp.messages.reactions import KINDS

SCRIPT, PLAIN = True, False
BOTH = pytest.mark.parametrize("script", [SCRIPT, PLAIN], ids=["script", "plain"])
THUMB, HEART = "👍", "❤️"

# What the log shows from top to bottom: words, and behind them the chips, those of the viewer in brackets.
READ = """() => [...document.querySelectorAll("#log .message")]
  .filter(item => item.checkVisibility())
  .map(item => [item.getBoundingClientRect().top, [
    ...[...item.querySelectorAll(".message__body")].map(body => {
      const words = body.cloneNode(true);
      words.querySelectorAll(".message__meta").forEach(meta => meta.remove());
      return words.textContent.trim();
    }),
    ...[...item.querySelectorAll(".reaction")].filter(chip => chip.checkVisibility()).map(chip => {
      const own = getComputedStyle(chip).color != getComputedStyle(document.body).color;
      return own ? `[${chip.textContent}]` : chip.textContent;
    }),
  ]])
  .sort((one, other) => one[0] - other[0])
  .flatMap(one => one[1])"""


def shows(person: BrowserPerson, *expected: str) -> None:
    """Wait until the log shows these words and chips, and nothing else."""
    try:
        person.until(lambda: person.log.evaluate(READ) == list(expected), "the log")
    except AssertionError:
        assert person.log.evaluate(READ) == list(expected)


def react(person: BrowserPerson, room: str, number: int, kind: str = THUMB, on: bool = True) -> None:
    person.send(f"{room}/messages/{number}/reactions", kind=kind, on=str(int(on)))


@BOTH
def test_reactions_edits_and_a_removal_come_in_place_at_everyone(meet: Meet, script: bool) -> None:
    alice, bob, nora = meet("alice"), meet("bob", script), meet("nora", script)
    room = alice.make_room(f"Reactions in place {script}")
    for words in ("one", "two", "three"):
        alice.send(f"{room}/messages", body=words)
    for person in (bob, nora):
        person.open(room)
        shows(person, "one", "two", "three")
    react(bob, room, 2)
    shows(nora, "one", "two", f"{THUMB} 1", "three")
    shows(bob, "one", "two", f"[{THUMB} 1]", "three")
    react(alice, room, 2)
    react(alice, room, 2, HEART)
    shows(nora, "one", "two", f"{THUMB} 2", f"{HEART} 1", "three")
    alice.send(f"{room}/messages/2/edit", body="two, better")
    shows(bob, "one", "two, better", f"[{THUMB} 2]", f"{HEART} 1", "three")
    react(bob, room, 2, on=False)
    shows(bob, "one", "two, better", f"{THUMB} 1", f"{HEART} 1", "three")
    alice.send(f"{room}/messages/2/edit", body="two, at last")
    react(alice, room, 2, HEART, on=False)
    react(alice, room, 2, on=False)
    shows(nora, "one", "two, at last", "three")
    react(nora, room, 2, HEART)
    shows(nora, "one", "two, at last", f"[{HEART} 1]", "three")
    alice.send(f"{room}/messages/2/remove")
    alice.send(f"{room}/messages", body="four")
    for person in (bob, nora):
        shows(person, "one", "Removed", "three", "four")
        person.open(room)
        shows(person, "one", "Removed", "three", "four")


@BOTH
def test_a_reaction_to_a_message_above_the_page_changes_nothing_on_it(meet: Meet, script: bool) -> None:
    alice, nora = meet("alice"), meet("nora", script)
    room = alice.make_room(f"Above the page {script}")
    words = [f"message {number}" for number in range(1, 61)]
    for each in words:
        alice.send(f"{room}/messages", body=each)
    nora.open(room)
    shows(nora, *words[10:])
    react(alice, room, 1)
    alice.send(f"{room}/messages/1/edit", body="edited")
    react(alice, room, 1, HEART)
    react(alice, room, 60)
    shows(nora, *words[10:], f"{THUMB} 1")


@BOTH
def test_chips_of_whom_one_has_blocked_go_with_their_messages(meet: Meet, script: bool) -> None:
    alice, bob, nora = meet("alice"), meet("bob"), meet("nora", script)
    room = alice.make_room(f"Blocked {script}")
    nora.send(f"/people/{bob.code}/block")
    nora.open(room)
    bob.send(f"{room}/messages", body="unread")
    alice.send(f"{room}/messages", body="read")
    react(alice, room, 1)
    react(alice, room, 2)
    nora.until(lambda: nora.log.locator(".reaction:visible").all_text_contents() == [f"{THUMB} 1"], "one chip")


def test_a_press_in_the_tray_and_on_a_chip_reacts_in_place(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    room = alice.make_room("Reactions by press")
    for words in ("one", "two"):
        alice.send(f"{room}/messages", body=words)
    react(alice, room, 1, HEART)
    for person in (alice, bob):
        person.open(room)
    bob.text.fill("unsent")
    tray = bob.page.locator("#log .message .tray").first
    tray.locator("summary").press("Enter")
    tray.get_by_role("link", name="React").click()
    kinds = bob.page.locator(".act--react button")
    assert kinds.all_text_contents() == list(KINDS)
    bob.page.keyboard.press("Enter")
    shows(bob, "one", f"{HEART} 1", f"[{THUMB} 1]", "two")
    shows(alice, "one", f"[{HEART} 1]", f"{THUMB} 1", "two")
    assert not kinds.count()
    bob.page.locator(".reaction", has_text=HEART).press("Enter")
    shows(alice, "one", f"[{HEART} 2]", f"{THUMB} 1", "two")
    shows(bob, "one", f"[{HEART} 2]", f"[{THUMB} 1]", "two")
    # The chip is another one now, and has the focus still: also when others react.
    focused = "document.activeElement.dataset.kind"
    bob.until(lambda: bob.page.evaluate(focused) == HEART, "the chip that was pressed")
    react(alice, room, 1, KINDS[3])
    shows(bob, "one", f"[{HEART} 2]", f"[{THUMB} 1]", f"{KINDS[3]} 1", "two")
    bob.until(lambda: bob.page.evaluate(focused) == HEART, "the chip that was pressed")
    react(alice, room, 1, KINDS[3], on=False)
    bob.page.locator(".reaction", has_text=THUMB).click()
    shows(alice, "one", f"[{HEART} 2]", "two")
    assert bob.text.input_value() == "unsent"
    assert bob.page.url == room


def test_escape_leaves_the_kinds_and_goes_back_to_the_message(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Reactions by keys")
    alice.send(f"{room}/messages", body="one")
    alice.open(room)
    alice.page.locator("#log summary").focus()
    alice.page.keyboard.press("+")
    alice.page.locator(".act--react").wait_for()
    alice.page.keyboard.press("Escape")
    alice.page.locator(".act--react").wait_for(state="detached")
    assert alice.page.evaluate("document.activeElement.matches('#log summary')")
    shows(alice, "one")


def test_a_refused_reaction_is_taken_off_the_page_with_the_reason(meet: Meet) -> None:
    alice = meet("alice")
    room = alice.make_room("Refused reactions")
    alice.send(f"{room}/messages", body="one")
    react(alice, room, 1)
    alice.open(room)
    alice.forgive("429")
    reason = '<p class="problem">Slow down.</p>'
    alice.page.route("**/reactions", lambda route: route.fulfill(status=429, content_type="text/html", body=reason))
    alice.page.locator(".reaction").click()
    alice.page.locator(".toast", has_text="Slow down.").wait_for()
    shows(alice, "one", f"[{THUMB} 1]")


def test_without_script_reactions_are_links_and_forms(meet: Meet) -> None:
    nora = meet("nora", PLAIN)
    room = nora.make_room("Reactions by forms")
    nora.send(f"{room}/messages", body="one")
    nora.open(room)
    nora.log.locator("#log summary").press("Enter")
    nora.log.get_by_role("link", name="React").click()
    nora.page.locator(f"button[value='{HEART}']").click()
    nora.page.wait_for_url("**#message-*", wait_until="commit")
    shows(nora, "one", f"[{HEART} 1]")


def test_script_knows_the_kinds_that_the_server_does() -> None:
    script = ROOT.joinpath("static/js/acts/react.js").read_text()
    assert f'KINDS = "{" ".join(KINDS)}"' in script
