"""Reactions on open pages: the same for everybody, in place, with script and without."""

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

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
