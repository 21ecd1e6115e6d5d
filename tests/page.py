"""A page as a person reads it, and what stands where in it: by selectors of CSS, in place of patterns over its HTML."""

import httpx2
from selectolax.lexbor import LexborHTMLParser, LexborNode

# What has a text that nobody reads.
UNREAD = "head, script, style, svg, template"


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

    def readable(self) -> LexborNode | None:
        """Return all of it without what has a text that nobody reads; None for no HTML at all."""
        for node in self.all(UNREAD):
            node.decompose()
        return self.tree.root

    def texts(self, selector: str) -> list[str]:
        """Return what each of the elements says, in the order of the page."""
        return [node.text().strip() for node in self.all(selector)]

    def actions(self, within: str = "main") -> list[str]:
        """Return where the forms of a part of the page lead, in its order."""
        return [form.attributes["action"] or "" for form in self.all(f"{within} form")]


def words(page: httpx2.Response | LexborNode | str) -> str:
    """Return what a person reads, in one line; each element stands apart from the next."""
    node = page if isinstance(page, LexborNode) else Page(page).readable()
    return " ".join(node.text(separator=" ").split()) if node else ""


def main(answer: httpx2.Response) -> str:
    """Return the HTML of the page without the sidebar."""
    return answer.text.partition("<main")[2]
