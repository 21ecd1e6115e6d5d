"""How a page is shown: what brings it up to date where script runs, and what does where none runs."""

from enum import Enum


class PageMode(Enum):
    """One word for it, which every page is given as `mode`."""

    LIVE = "live"  # with script a stream, without script frames whose documents never end
    PLAIN = "plain"  # with script a stream, without script a link to load it again
    STILL = "still"  # nothing: an earlier part of a log, a chat that has not begun
    FRAMED = "framed"  # it is a form in a frame of a live page

    @property
    def has_stream(self) -> bool:
        return self in (PageMode.LIVE, PageMode.PLAIN)

    @property
    def has_frames(self) -> bool:
        return self is PageMode.LIVE

    @property
    def is_plain(self) -> bool:
        return self is PageMode.PLAIN

    @property
    def is_framed(self) -> bool:
        return self is PageMode.FRAMED
