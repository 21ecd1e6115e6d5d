"""Markdown-light: bold, italic, code, quotes, lists and links; nothing else of HTML comes through."""

import re
from html import unescape

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from webapp import text

TAGS = {"p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
RULES = ["emphasis", "backticks", "fence", "blockquote", "list", "link", "linkify", "autolink", "newline", "escape"]

# Quotes and lists in each other; what is deeper, the parser leaves out.
DEEPEST = 20

_markdown = MarkdownIt("zero", {"linkify": True, "breaks": True, "html": False, "maxNesting": DEEPEST}).enable(RULES)
# To look for addresses takes a quarter of all that a message takes.
_linkless = MarkdownIt("zero", {"breaks": True, "html": False, "maxNesting": DEEPEST}).enable(RULES)
_cleaner = nh3.Cleaner(
    tags=TAGS,
    # Said outright: without `*`, every tag may have a title.
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener noreferrer",
)
_plain = MarkdownIt("zero", {"breaks": True, "html": False}).enable("newline")
# `example.com` and `name@example.com` stay words: only a full address is a link.
assert _markdown.linkify is not None
_markdown.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})


# Nothing in it is markup: what most people write most of the time, and the parser answers as it is.
_WORDS = re.compile(r"[^\W\d_](?:(?:[^\W_]|[ .,;!?'%-])*(?:[^\W_]|[.,;!?'%-]))?")


def rendered(body: str) -> str:
    """The body as safe HTML."""
    return f"<p>{body}</p>" if _WORDS.fullmatch(body) else _formatted(body)


def _formatted(body: str) -> str:
    """
    The body as safe HTML; as it was typed when its words would get lost (`>`, `- - - -`, a link without a name).

    The allow-list is the second lock: should the parser let a tag through, it ends here.
    """
    markdown = _markdown if "//" in body or "mailto:" in body.lower() else _linkless
    tokens = markdown.parse(body)
    html = _cleaned(markdown.renderer.render(tokens, markdown.options, {}))
    return _cleaned(_plain.render(body)) if _is_too_deep(tokens) or not _shows(html) else html


def plain(body: str) -> str:
    """The body as safe HTML in which nothing but the breaks of its lines is anything: a link is its letters."""
    return _cleaned(_plain.render(body))


def first_line(html: str, length: int) -> str:
    """The first line that there is to read in a rendered body, for lists; cut to so many characters."""
    for line in unescape(re.sub(r"<[^>]*>", "", html)).split("\n"):
        if text.visible(line):
            return text.shorten(" ".join(line.split()), length)
    return ""


def _is_too_deep(tokens: list[Token]) -> bool:
    return any(token.nesting == 1 and token.level >= DEEPEST - 1 for token in tokens)


def _shows(html: str) -> bool:
    return text.visible(unescape(re.sub(r"<[^>]*>", "", html)))


def _cleaned(html: str) -> str:
    return _cleaner.clean(html.strip())
