"""Markdown-light: bold, italic, code, quotes, lists and links; nothing else of HTML comes through."""

import nh3
from markdown_it import MarkdownIt

TAGS = {"p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
RULES = ["emphasis", "backticks", "fence", "blockquote", "list", "link", "linkify", "autolink", "newline", "escape"]

_markdown = MarkdownIt("zero", {"linkify": True, "breaks": True, "html": False}).enable(RULES)
# `example.com` and `name@example.com` stay words: only a full address is a link.
assert _markdown.linkify is not None
_markdown.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})


def rendered(body: str) -> str:
    """
    The body as safe HTML.

    The allow-list is the second lock: should the parser let a tag through, it ends here.
    """
    return nh3.clean(
        _markdown.render(body).strip(),
        tags=TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
