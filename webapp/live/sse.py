"""
sse-starlette, and the one private part of it that is used: how it hears that the server is about to end.

With another version streams of the direct way are not bid farewell, so all streams go through sse-starlette itself.
"""

from importlib.metadata import version

from sse_starlette.sse import EventSourceResponse, SendTimeoutError

# As pyproject.toml has it.
KNOWN_VERSION = "3.7.0"
# Read once: to look it up takes 0.4 ms, and every request asks for it.
FOUND_VERSION = version("sse-starlette")

__all__ = ["EventSourceResponse", "SendTimeoutError", "problem", "wait_for_shutdown"]


def problem() -> str | None:
    """Return why the end of the server can't be waited for here; None when it can."""
    if FOUND_VERSION == KNOWN_VERSION:
        return None
    return f"sse-starlette is {FOUND_VERSION} in place of {KNOWN_VERSION}: streams take more memory and time"


async def wait_for_shutdown() -> None:
    """Wait until the server is about to end."""
    await EventSourceResponse._listen_for_exit_signal()
