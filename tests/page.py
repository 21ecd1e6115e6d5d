"""A page as a person reads it, and what stands where in it: by selectors of CSS, in place of patterns over its HTML."""

import httpx2
from selectolax.lexbor import LexborHTMLParser, LexborNode


class Page:
    """The HTML of an answer, or any piece of HTML."""

    def __init__(self, page: httpx2.Response | str) -> None:
        self.tree = LexborHTMLParser(page if isinstance(page, str) else page.text)

    def all(self, selector: str) -> list[LexborNode]:
        return self.tree.css(selector)

    def one(self, selector: str) -> LexborNode:
        """Return the element that the selector finds; fail where there is none, or another."""
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} of {selector}"
        return found[0]


def words(page: httpx2.Response | LexborNode | str) -> str:
    """Return what a person reads, in one line; each element stands apart from the next."""
    node = page if isinstance(page, LexborNode) else Page(page).tree.root
    return " ".join(node.text(separator=" ").split()) if node else ""
