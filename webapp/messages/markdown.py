"""
Message bodies as HTML, by one rule: what was typed is what is read; markup only where it was surely meant.

- Every letter and digit is shown, in its order, with its blanks, indents and backslashes. Only the language of a fence
  and the address behind a link's name are not. Nothing is shown that was not typed.
- `**bold**`, `*italic*`, `_italic_`, `~~struck~~`: with borders of words outside and words inside, so not `2*3*4`.
- `code` on one or more lines, and ``` fences that are closed.
- `> quote`: a blank or a letter after the sign, which every line has. A line without it is the answer.
- Lists: two lines or more, `- `, `* `, `+ `, or numbers that count up by one (to 99). What is not indented, ends them.
- Links: `https://`, `http://` and `mailto:` in full. `[name](address)`, unless the name is another address.
- Mentions: `@name`, of the names that are given with the body: those of people who may see the room.
- A backslash before markup shows the signs, and is then the only thing that is not shown.

CommonMark decides in doubt for markup, a chat must decide in doubt for the words: hence no parser of Markdown. All of
it takes a time that grows with the length alone (tests/test_markdown_cost.py). The allow-list of nh3 is a second lock.
"""

import re
from collections.abc import Iterator
from html import escape, unescape

import nh3
import regex

from webapp.core import text
from webapp.messages.blocks import Blocks, broken
from webapp.messages.inline import NO_NAMES, Names

TAGS = {"p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
# The class of one to three emoji and nothing else.
LARGE = "message__emoji"
# The class of a name that is called: a link to a person, or everyone in the room.
MENTION = "mention"
EVERYONE = (f'<strong class="{MENTION}">', "</strong>")

_cleaner = nh3.Cleaner(
    tags=TAGS,
    # Said outright: without `*`, every tag may have a title.
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    allowed_classes={"p": {LARGE}, "a": {MENTION}, "strong": {MENTION}},
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener noreferrer",
)

# Nothing in it is markup: what most people write most of the time. Each line begins with a letter, so that none is an
# item, a quote or a few emoji; a colon before a slash, or behind what ends as `mailto` does, may be that of an address.
_PLAIN_LINE = "[^\\W\\d_](?:[^\\W_]|[ .,;!?'%()\"/…–—“”„‚‘’«»€-]|[\U0001f300-\U0001faff]|(?<![oO]):(?!/))*+(?<! )"
PLAIN_WORDS = re.compile(rf"{_PLAIN_LINE}(?:\n{_PLAIN_LINE})*")
# What a body is read from for lists, and what of it is within a line.
_PIECES = re.compile(r"<[^>]*>|[^<\n]+|\n")
_WITHIN = re.compile(r"</?(?:strong|em|del|code|a)\b")
_MENTIONED = re.compile(rf'<a href="/people/([0-9A-Z-]+)" class="{MENTION}">')
_MENTION_LINK = re.compile(rf'<a href="/people/[0-9A-Z-]+" class="{MENTION}">(@[A-Za-z0-9_.-]+)</a>')
# A mention leads to a page of ours: what links to elsewhere say is not said there.
_MENTION_REL = re.compile(rf'(<a href="/people/[0-9A-Z-]+" class="{MENTION}") rel="[a-z ]*">')
_EMOJI = r"[\p{Emoji_Presentation}--\p{RI}]|\p{Extended_Pictographic}\ufe0f|\p{RI}{2}|[0-9#*]\ufe0f?\u20e3"
_FEW_EMOJI = regex.compile(rf"(?:(?:(?={_EMOJI})\X) ?){{1,3}}", regex.V1)


def render_markdown(body: str, names: Names = NO_NAMES) -> str:
    """The body as safe HTML, in which these names are mentions."""
    return f"<p>{broken(body)}</p>" if PLAIN_WORDS.fullmatch(body) else render_parsed(body, names)


def render_parsed(body: str, names: Names = NO_NAMES) -> str:
    if _FEW_EMOJI.fullmatch(body):
        return _cleaned(f'<p class="{LARGE}">{escape(body)}</p>')
    html = _cleaned("\n".join(Blocks([line.rstrip() for line in body.split("\n")], names=names).html()))
    return _MENTION_REL.sub(r"\1>", html) if names else html


def person_link(code: str) -> tuple[str, str]:
    """How a mention of the person with this code begins and ends."""
    return f'<a href="/people/{code}" class="{MENTION}">', "</a>"


def mentioned(html: str) -> list[str]:
    """Return the codes of whom a rendered body mentions, in order, as often as it does. Nobody can type the class."""
    return _MENTIONED.findall(html)


def unlinked(html: str) -> str:
    """Return a rendered body as it stands where the pages of people are not: mentions are letters."""
    return _MENTION_LINK.sub(r"\1", html)


def mentions_everyone(html: str) -> bool:
    return EVERYONE[0] in html


def render_plain(body: str) -> str:
    """The body as safe HTML in which nothing but the breaks of its lines is anything: a link is its letters."""
    paragraphs = re.split(r"\n(?:[ \t]*\n)+", body)
    return _cleaned("\n".join(f"<p>{broken(escape(paragraph, quote=False))}</p>" for paragraph in paragraphs))


def first_line(html: str, length: int) -> str:
    """
    The first line that there is to read in a rendered body, for lists; cut to so many characters.

    A quote is another person's words: it counts only when there is nothing else. An item of a list has its number.
    """
    quoted = ""
    for line, is_quoted in _lines(html):
        if text.has_visible(line):
            line = text.shorten(" ".join(line.split()), length)
            if not is_quoted:
                return line
            quoted = quoted or line
    return quoted


def plain_text(html: str) -> str:
    """Return all that there is to read in a rendered body, line by line."""
    return "\n".join(" ".join(line.split()) for line, _is_quoted in _lines(html) if text.has_visible(line))


def _lines(html: str) -> Iterator[tuple[str, bool]]:
    """The lines of a rendered body as they are read, and whether each stands in a quote."""
    line, number, depth, lists = "", "", 0, list[int]()
    for found in _PIECES.finditer(html):
        piece = found[0]
        if piece[0] not in "<\n":
            line += piece
        elif line.strip() and not _WITHIN.match(piece):
            yield unescape(number + line), depth > 0
            line, number = "", ""
        if piece.startswith(("<blockquote", "</blockquote")):
            depth += 1 if piece[1] == "b" else -1
        elif piece.startswith(("<ol", "<ul")):
            lists.append(int(re.sub(r"\D", "", piece) or 1) if piece[1] == "o" else -1)
        elif piece in ("</ol>", "</ul>"):
            lists.pop()
        elif piece == "<li>":
            number = f"{lists[-1]}. " if lists[-1] >= 0 else "• "
            lists[-1] += lists[-1] >= 0
    yield unescape(number + line), depth > 0


def _cleaned(html: str) -> str:
    return _cleaner.clean(html)
