"""What rendering costs at most: it happens in the event loop, where everybody waits for it."""

from itertools import islice

import pytest

from tests.slowest import cost, search, yardstick
from webapp.messages.models import MAX_LENGTH

# 15 ms where this was measured.
MOST_YARDSTICKS = 3.0

# What took longest of all that was found, most of it in a parser of Markdown (up to 130 ms).
DEAR = [
    *("[http://[a](b", "[http://", ">[a.<http://['a", "**[", "[", "[x", "[[a]", "[a](", "![", "`a", "`*`*"),
    *("&#", "<http://", "*a ", "*a* ", "*漢", "a**b", "漢**", "_a __", "*( ", "\\*a", "~~a~~ ", "***a ", "*a*_b_"),
    *("> ", ">\n", "> a\n", "- a\n", "1. a\n", "1. a\n3. b\n", "- a\n\n", "- a\n  - b\n", "\t- a\n"),
    *("\\- a\n", "```a b\n", "```\n", "http://a ", "http://a/(", "http://a?a(b", "http://é.ü/é "),
    *("@", "@ada ", "@ada.", "@a.b-", " @a.b_c.d-e_f", "[@ada", "\\@ada ", "_@ada_ ", "@ada.b.c.d.e.f.g.h.i.j.k.l "),
    *("[a](http://b) ", "mailto:a@b ", "👨\u200d👩\u200d👧 ", "a\u0301", "\n", "\\[>", "> \u200d\n", "`\n"),
]  # fmt: skip
UNEVEN = [
    "http://a/(" + "()" * 2000,
    "".join("`" * n + " " for n in range(1, 90)),
    "*( " * 1000 + ")* " * 333,
    "[" + "a[b]" * 1000,
]
BODIES = [*((unit * MAX_LENGTH)[:MAX_LENGTH] for unit in DEAR), *(body[:MAX_LENGTH] for body in UNEVEN)]


def is_dear(body: str) -> bool:
    return cost(body, 9) > MOST_YARDSTICKS * min(yardstick() for _ in range(9))


@pytest.mark.parametrize(
    "body", [*((unit * MAX_LENGTH)[:MAX_LENGTH] for unit in DEAR), *UNEVEN], ids=lambda body: repr(body[:12])
)
def test_no_known_message_is_dear(body: str) -> None:
    assert not is_dear(body)


def test_a_short_search_finds_no_message_that_is_dear() -> None:
    worst = max(islice(search(seed=13), 250))
    assert not is_dear(worst.body), worst


@pytest.mark.slow
def test_a_long_search_finds_no_message_that_is_dear() -> None:
    worst = max(islice(search(seed=31), 12_000))
    assert not is_dear(worst.body), worst
