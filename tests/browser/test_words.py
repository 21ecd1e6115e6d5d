"""What was typed is what is read: in a browser, as it looks and as it is copied."""

from typing import NamedTuple

import pytest

from tests.browser.conftest import Meet
from tests.browser.person import BrowserPerson

CODE = "for x in y:\n    stop()\n\n  so   that      blanks stay\n\tand a tab"
LINES = "one\ntwo\nthree"
NUMBER, NUMBERS = "99. is no list", "98. ninety-eight\n99. ninety-nine"
HEBREW = "שלום, מה שלומך?"
HEAP = "Z" + "\u0301\u0317" * 30
TYPED = [CODE, LINES, NUMBER, NUMBERS, f"Hello\n{HEBREW}", f"```\n{HEBREW}\n```", "👍", HEAP, "that is all"]

# Where the first three and the last two characters of a message stand.
MEASURE = """body => {
    const walk = document.createTreeWalker(body, NodeFilter.SHOW_TEXT), nodes = [];
    while (walk.nextNode()) nodes.push(walk.currentNode);
    while (!nodes.at(-1).data.trim() || nodes.at(-1).parentNode.closest(".message__meta")) nodes.pop();
    while (!nodes[0].data.trim()) nodes.shift();
    const at = (node, start, end) => {
        const range = document.createRange();
        range.setStart(node, start);
        range.setEnd(node, end);
        return range.getBoundingClientRect();
    };
    const bubble = body.getBoundingClientRect(), first = nodes[0], last = nodes.at(-1);
    const end = last.data.trimEnd().length, head = at(first, 0, Math.min(3, first.data.length));
    const [before, sign] = [at(last, Math.max(0, end - 2), end - 1), at(last, end - 1, end)];
    return [head.left - bubble.left, head.width, bubble.height, sign.left < before.left ? 1 : 0];
}"""


class Look(NamedTuple):
    """In pixels: the room before the words, their first three characters, the height; whether it ends at the left."""

    room: float
    width: float
    height: float
    ends_left: float


def look(reader: BrowserPerson, number: int) -> Look:
    return Look(*reader.log.locator(".message__body").nth(number).evaluate(MEASURE))


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_message_looks_as_it_was_typed(meet: Meet, script: bool) -> None:
    alice, bob = meet("alice"), meet("bob", script, viewport={"width": 390, "height": 900})
    room = alice.make_room(f"Words with script: {script}")
    for words in TYPED:
        alice.send(f"{room}/messages", body=words)
    bob.open(room)
    bob.until(lambda: len(bob.messages()) == len(TYPED), "every message")
    assert bob.messages()[:3] == [CODE, LINES, NUMBER]
    _, lines, number, numbers, hebrew, code, emoji, heap, line = (look(bob, place) for place in range(len(TYPED)))
    # <br> and the newline after it are one break.
    assert lines.height < 3.5 * line.height
    # Numbers stand within the bubble.
    assert numbers.room >= number.width
    assert hebrew.ends_left
    assert not code.ends_left
    assert emoji.height > 1.4 * line.height
    # No other message is written over.
    assert heap.height <= line.height + 1
    assert bob.log.locator(".message__body > p").last.evaluate("words => getComputedStyle(words).overflowY") == "clip"


# What shows of a message beside its words: the face, and when it was said.
SHOWS = """messages => messages.filter(message => message.checkVisibility()).map(message => [
    getComputedStyle(message.querySelector(".message__author"), "::before").display != "none",
    message.querySelector("time.clock").checkVisibility(),
])"""


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_face_and_time_stand_at_the_last_message_of_a_group_also_when_the_first_is_edited(
    meet: Meet, script: bool
) -> None:
    alice, bob = meet("alice"), meet("bob", script)
    room = bob.make_room(f"Groups with script: {script}")
    bob.open(room)
    alice.send(f"{room}/messages", body="one")
    bob.sees("one")
    assert bob.log.locator("#log .message").evaluate_all(SHOWS) == [[True, True]]
    alice.send(f"{room}/messages", body="two")
    bob.sees("two")
    alice.send(f"{room}/messages/1/edit", body="first")
    bob.reads("first", "two")
    assert sorted(bob.log.locator("#log .message").evaluate_all(SHOWS)) == [[False, False], [True, True]]


def test_the_time_has_a_line_of_its_own_where_the_last_one_is_full(meet: Meet) -> None:
    """Whatever the length of the last line: some are as wide as the bubble, and the time goes below them."""
    alice, bob = meet("alice", viewport={"width": 320, "height": 700}), meet("bob")
    room = alice.make_room("Narrow")
    for length in range(2, 40, 2):  # in turn, so that each message is the last of its group and shows its time
        (alice if length % 4 else bob).send(f"{room}/messages", body="a " * length, nonce=str(length))
    alice.open(room)
    times = alice.page.eval_on_selector_all(
        ".message__meta",
        """all => all.map(meta => [meta.parentNode, meta].map(one => one.getBoundingClientRect().bottom))""",
    )
    assert len(times) == 19
    assert [bottoms for bottoms in times if bottoms[1] > bottoms[0]] == []
