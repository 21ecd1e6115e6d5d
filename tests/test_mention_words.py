"""Mentions in a body: where a name is one, and that code, links and addresses never have any."""

import re
from html import escape, unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.messages.inline import Names, called
from webapp.messages.markdown import EVERYONE, first_line, mentioned, mentions_everyone, person_link, render_markdown

CODES = {
    "ada": "AAAA-AAAA",
    "ada.smith": "BBBB-BBBB",
    "ben_x": "CCCC-CCCC",
    "k9": "DDDD-DDDD",
    "ann-marie": "EEEE-EEEE",
}
NAMES: Names = {name: person_link(code) for name, code in CODES.items()} | {"everyone": EVERYONE, "room": EVERYONE}
MENTION = re.compile(
    r'<a href="/people/[A-Z-]{9}" class="mention">(@[A-Za-z0-9_.-]+)</a>|<strong class="mention">(@\w+)</strong>'
)


def said(body: str) -> list[str]:
    """What stands in the mentions of the body, in order, as it was typed."""
    return [one or all_ for one, all_ in MENTION.findall(render_markdown(body, NAMES))]


CASES = {
    # Words and signs around it.
    "hello @ada": ["@ada"],
    "@ada": ["@ada"],
    "@ada: look": ["@ada"],
    "@ada.": ["@ada"],
    "@ada...": ["@ada"],
    "@ada!": ["@ada"],
    "@ada, @ben_x and @ada": ["@ada", "@ben_x", "@ada"],
    "(@ada)": ["@ada"],
    "[@ada]": ["@ada"],
    '"@ada"': ["@ada"],
    "«@ada»": ["@ada"],
    "x—@ada": ["@ada"],
    "a !@ada": ["@ada"],
    "@ada's": ["@ada"],
    "@ada/@ben_x": ["@ada"],
    "line\n@ada": ["@ada"],
    "@ADA and @Ada": ["@ADA", "@Ada"],
    # Signs that names may have: the longest that is known.
    "@ada.smith": ["@ada.smith"],
    "@ada.smith.": ["@ada.smith"],
    "@ada.smith.jones": ["@ada.smith"],
    "@ada.jones": ["@ada"],
    "@ada-lovelace": ["@ada"],
    "@ann-marie": ["@ann-marie"],
    "@ann-marie-": ["@ann-marie"],
    "@ben_x_": ["@ben_x"],
    "@ada_": ["@ada"],
    "@adams": [],
    "@ada_smith": [],
    "@ada1": [],
    "@ben": [],
    "@k9": [],  # too short for a name
    "@nobody": [],
    "@": [],
    "@@ada": [],
    "@ ada": [],
    "@" + "a" * 40: [],
    "@" + "ada." * 20: ["@ada"],
    # In markup, and beside it.
    "**@ada**": ["@ada"],
    "*@ada*": ["@ada"],
    "_@ada_": ["@ada"],
    "__@ada__": ["@ada"],
    "~~@ada~~": ["@ada"],
    "_a @ada b_": ["@ada"],
    "*@ada*x": ["@ada"],
    "> @ada said": ["@ada"],
    "* @ada\n* @ben_x": ["@ada", "@ben_x"],
    "1. @ada\n2. no\n   @ben_x": ["@ada", "@ben_x"],
    "    @ada": ["@ada"],
    "\\@ada": [],
    "@ada\\@ada": [],  # as in an address
    "\\\\@ada": ["@ada"],  # that is two backslashes, which are shown
    # Scripts without blanks, and letters that are none of a name.
    "日本@adaさん": ["@ada"],
    "你好@ada": ["@ada"],
    "日本 @ada さん": ["@ada"],
    "é@ada": [],
    "@adaé": [],
    "@adaй": [],
    "@Äda": [],
    "@АDA": [],  # of Cyrillic letters
    "@ａｄａ": [],
    # Code.
    "`@ada`": [],
    "``a @ada b``": [],
    "```\n@ada\n```": [],
    "```py\n@ada.smith\n```": [],
    "> ```\n> @ada\n> ```": [],
    "`@ada` @ben_x": ["@ben_x"],
    # Addresses and paths.
    "mail ada@example.org": [],
    "bob@ada": [],
    "@ada@example.org": [],
    "@ada@ben_x": [],
    "git@github.com:a/b": [],
    "npm i @ada/pkg": [],
    "https://example.org/@ada": [],
    "see example.org/@ada": [],
    "<https://example.org/@ada>": [],
    "https://example.org/?q=@ada&x=@ada": [],
    "mailto:@ada@example.org": [],
    "http://x@ada": [],
    "a.@ada": [],
    "#@ada": [],
    # Names of links.
    "[@ada](https://example.org)": [],
    "[a](https://example.org/@ada)": [],
    "[hey @ada you](https://example.org)": [],
    "[@ada] (https://example.org)": ["@ada"],
    # Nothing of HTML.
    "&#64;ada": [],
    "&commat;ada": [],
    '<a class="mention" href="/people/AAAA-AAAA">@x</a>': [],
    "<b>@ada</b>": ["@ada"],
    # Everyone.
    "@everyone": ["@everyone"],
    "@Everyone, tea": ["@Everyone"],
    "@room": ["@room"],
    "@everyones": [],
    "`@everyone`": [],
    "@rooms": [],
}


@pytest.mark.parametrize("body", CASES, ids=lambda body: repr(body[:30]))
def test_where_a_name_is_a_mention(body: str) -> None:
    assert said(body) == CASES[body]


@pytest.mark.parametrize("body", CASES, ids=lambda body: repr(body[:30]))
def test_what_may_be_a_name_is_found_without_reading_the_markup(body: str) -> None:
    found = called(body)
    for name in said(body):
        assert name.removeprefix("@").lower() in found


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 60


def test_a_mention_is_a_link_to_the_person_on_these_pages_and_shown_as_it_was_typed() -> None:
    html = render_markdown("so @Ada, @everyone", NAMES)
    assert html == (
        '<p>so <a href="/people/AAAA-AAAA" class="mention">@Ada</a>, <strong class="mention">@everyone</strong></p>'
    )
    assert mentioned(html) == ["AAAA-AAAA"]
    assert mentions_everyone(html)


@pytest.mark.parametrize(
    "typed",
    [
        '<a href="/people/AAAA-AAAA" class="mention">@ada</a>',
        '[x](/people/AAAA-AAAA "mention")',
        '<strong class="mention">@everyone</strong>',
        "&lt;strong class=&quot;mention&quot;&gt;",
    ],
)
def test_nobody_can_type_what_a_mention_is_made_of(typed: str) -> None:
    html = render_markdown(typed, {"zed": person_link("ZZZZ-ZZZZ")})
    assert mentioned(html) == []
    assert not mentions_everyone(html)


def test_without_names_nothing_is_a_mention() -> None:
    assert render_markdown("@ada and `@ada`") == "<p>@ada and <code>@ada</code></p>"


def test_a_backslash_before_a_name_that_nobody_has_stays() -> None:
    assert render_markdown("\\@ada \\@zed", NAMES) == "<p>@ada \\@zed</p>"


def test_lists_show_the_words_of_a_mention() -> None:
    assert first_line(render_markdown("hello @ada", NAMES), 80) == "hello @ada"


# Pieces of markup around names.
BODIES = st.lists(
    st.sampled_from(
        [
            *("@ada", "@ada.smith", "@ben_x", "@everyone", "@room", "@nobody", "@ada@b.org", "@", "ada", "\\"),
            *("`", "``", "```", "```\n", "\n```\n", "[", "](https://e.org)", "](https://e.org/@ada)", "]", "(", ")"),
            *("https://e.org/", "https://e.org/@ada", "<https://e.org/?@ada>", "mailto:ada@e.org", "<", ">", "/", ":"),
            *("*", "**", "_", "~~", "> ", "- ", "1. ", "\n", "\n\n", " ", " ", " ", "x", "漢", "é", ".", "&", "#"),
        ]
    ),
    max_size=24,
).map("".join)
at_ease = settings(deadline=None, max_examples=400)
OUTER = re.compile(r"<code>.*?</code>|<a href=\"(?!/people/).*?</a>", re.DOTALL)


@at_ease
@given(BODIES)
def test_no_code_and_no_link_ever_has_a_mention_in_it(body: str) -> None:
    html = render_markdown(body, NAMES)
    for found in OUTER.findall(html):
        assert 'class="mention"' not in found


@at_ease
@given(BODIES)
def test_mentions_take_no_letter_away_and_change_nothing_else(body: str) -> None:
    """But a backslash that is there to make it none."""
    body = re.sub(r"\\(?=@)", "", body)
    html = render_markdown(body, NAMES)
    assert MENTION.sub(lambda found: found[1] or found[2], html) == render_markdown(body)


@at_ease
@given(BODIES)
def test_all_who_are_mentioned_are_among_those_who_are_looked_up(body: str) -> None:
    assert {name.removeprefix("@").lower() for name in said(body)} <= set(called(body))


@at_ease
@given(BODIES)
def test_no_sign_of_an_address_stands_before_a_mention(body: str) -> None:
    """Neither a letter, as in a mail address, nor what paths and queries have; and none of a longer name after it."""
    html = render_markdown(body, NAMES)
    for found in MENTION.finditer(html):
        before = unescape(re.sub(r"<[^>]*>", "", html[: found.start()]))[-1:]
        after = unescape(re.sub(r"<[^>]*>", "", html[found.end() :]))[:1]
        is_split = html[: found.start()].endswith(">") or html[found.end() :].startswith("<")
        assert is_split or not re.match(r"[A-Za-z0-9é@/:.&#]", before), (body, html)
        assert is_split or not re.match(r"[A-Za-z0-9é@]", after), (body, html)


@at_ease
@given(BODIES)
def test_names_that_are_not_there_leave_the_words_as_they_are(body: str) -> None:
    # Whom nobody could mean: the words are read with the same care, and come out the same.
    assert render_markdown(body, {"somebody-else": person_link("ZZZZ-ZZZZ")}) == render_markdown(body)


def test_what_is_shown_is_escaped() -> None:
    assert escape("<") in render_markdown("<@ada", NAMES)
