"""Why a stream ends before its page has closed."""

from dataclasses import dataclass

from webapp.core.i18n import Text


@dataclass(frozen=True, slots=True)
class Ending:
    """
    A reason of a domain: its name in the page, a sentence, and a link to go on.

    In the link, "{page}" is the page's own address, "{lobby}", "{login}" and others in braces those of that name; in
    `removes`, the selector of what leads to where the viewer may not go any more.
    """

    name: str
    text: Text
    link: str
    link_text: Text
    # Whether the viewer may not write here any more either.
    ends_writing: bool = False
    removes: str = ""
