"""Where signing in leads, in words for its card."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from webapp.core.lifetime import Slot
from webapp.http.urls import path_for

# Returns the name of a public room by its key; empty for any other.
room_names = Slot[Callable[[str], Awaitable[str]]]("names of rooms")


async def invitation(target: str) -> str:
    """Return the name of the public room that this path leads to; empty where it leads elsewhere."""
    before, _, rest = target.partition(path_for("rooms") + "/")
    key = unquote(re.split("[?#/]", rest)[0])
    return await room_names()(key) if key and not before else ""
