"""
Looks for the message that costs most to render: pieces of markup, repeated to the full length, the dearest mixed on.

By hand: `python -m tests.slowest 300` looks for so many seconds, and prints what is worse than all before.
"""

import random
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from webapp.messages.inline import Names, called
from webapp.messages.markdown import EVERYONE, person_link, render_markdown
from webapp.messages.models import MAX_LENGTH

PIECES = [
    *("*", "**", "***", "_", "__", "~~", "`", "``", "```", "\\", "\\*", "\n", "\n\n", " ", "    ", "\t"),
    *("> ", ">", "- ", "* ", "1. ", "2. ", "10. ", "[", "]", "(", ")", "](", "[a](", "[a](http://b)", "<"),
    *("<http://a>", "http://", "http://a", "/", "?", "http://[::1]", "mailto:a@b", "www.a.b", "a", "ab c"),
    *("9", ".", ",", ":", "@", "&", "'", '"', "{", "}", "é", "ß.", "漢", "한", "（", "」", "👍"),
    *("👨\u200d👩\u200d👧", "🇩🇪", "\u0301", "\u200d", "\u3164", "```js\n", "\n```", "\n> ", "\n- a"),
    *("\n  - b", "\n\\- c", "•", "@ada", " @ada.b_", "@", " @a.b-c", "_@ada_", "\\@ada"),
]  # fmt: skip


class Found(NamedTuple):
    seconds: float
    body: str


def cost(body: str, tries: int = 3) -> float:
    """The seconds of CPU that it takes at least; what else the machine does is not in it."""
    return min(_once(body) for _ in range(tries))


# Of the most expensive kind: what a body may mean, and half of it is there.
NAMES: Names = {"everyone": EVERYONE} | {name: person_link("K7Q2-M9XD") for name in ("ada", "ada.b_", "a.b-c.a")}


def _once(body: str) -> float:
    """As a post does it: who may be named is looked for first."""
    begun = time.process_time()
    found = called(body)
    render_markdown(body, NAMES if found else {})
    return time.process_time() - begun


def yardstick() -> float:
    """The seconds of CPU of a fixed piece of Python: 15 ms of rendering are three of them, on any machine."""
    begun = time.process_time()
    sum(number * number % 7 for number in range(90_000))
    return time.process_time() - begun


def search(seed: int) -> Iterator[Found]:
    """One body after the other, for ever."""
    dice, best = random.Random(seed), list[tuple[float, list[str]]]()
    while True:
        unit = _unit(dice, [pieces for _, pieces in best])
        body = ("".join(unit) * MAX_LENGTH)[:MAX_LENGTH] if dice.random() < 0.8 else _uneven(dice, unit)
        found = Found(cost(body, 1), body)
        best = sorted([*best, (found.seconds, unit)], reverse=True)[:12]
        yield found


def _unit(dice: random.Random, best: list[list[str]]) -> list[str]:
    """Some pieces: new ones, or such as were dear, a little changed."""
    if not best or dice.random() < 0.3:
        return dice.choices(PIECES, k=dice.randint(1, 8))
    unit = [*dice.choice(best)]
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(unit) + 1)
        unit[place : place + dice.randint(0, 2)] = dice.choices(PIECES, k=dice.randint(0, 2))
    return unit or [dice.choice(PIECES)]


def _uneven(dice: random.Random, unit: list[str]) -> str:
    """What opens at first, and closes in the end; or grows and shrinks."""
    other = dice.choices(PIECES, k=dice.randint(1, 4))
    half = MAX_LENGTH // 2
    return ("".join(unit) * half)[:half] + ("".join(other) * half)[:half]


def main() -> None:
    until, worst = time.monotonic() + float(sys.argv[1]), Found(0, "")
    for tried, found in enumerate(search(seed=int(time.time()))):
        if found.seconds > worst.seconds and (found := Found(cost(found.body, 5), found.body)) > worst:
            worst = found
            times = worst.seconds / min(yardstick() for _ in range(5))
            print(f"{1000 * worst.seconds:.1f} ms ({times:.1f} yardsticks) {worst.body[:90]!r}", flush=True)
        if time.monotonic() > until:
            print(f"{tried} bodies")
            return


if __name__ == "__main__":
    main()
