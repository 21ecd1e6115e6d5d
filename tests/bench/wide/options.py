"""What is simulated."""

from typing import NamedTuple


class Options(NamedTuple):
    people: int = 100_000
    rooms: int = 20_000
    processes: int = 80
    # Of how many processes the pages are open, streams and all; the others do only what these hear of.
    sample: int = 2
    # A second, by all.
    posts: float = 1000.0
    seconds: float = 15.0
    # How long a person stays on a page.
    page_seconds: float = 60.0
    # Whether the proxy leads everybody in a room to the process of that room.
    sticky: bool = False
    seed: int = 1
