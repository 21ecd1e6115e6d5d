"""uvicorn's HTTP protocol, with bounds to the head of a request: how long it may be, and how long it may take."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
# From the first byte to the last of all headers, and until the first byte of a connection.
HEAD_SECONDS = 30.0
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


# The one whose protocol is extended here, as pyproject.toml has it; its parts are no public interface.
KNOWN_VERSION = "0.54.0"


def problem() -> str | None:
    """Return why the heads of requests can't be bounded, None where they can."""
    if uvicorn.__version__ == KNOWN_VERSION:
        return None
    return f"uvicorn is {uvicorn.__version__} in place of {KNOWN_VERSION}: heads of requests have no bounds"


class HeadTooLarge(Exception):
    """Stops the parser, and is caught by uvicorn."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn bounds neither: it collects a header of any length, and waits for the rest of one without end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = False
        # Bytes since the last one of a body; trailers and the framing of chunks count too.
        self._received = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._received > MAX_HEAD_BYTES:
            self._refuse()
        elif self._is_in_head or self._is_idle():
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True

    def on_headers_complete(self) -> None:
        # A head that came in one piece with more is measured; all others are shorter than what was received.
        if self._received > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES:
            raise HeadTooLarge
        self._received = 0
        self._is_in_head = False
        self._forget_deadline()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._received = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        if self._received > MAX_HEAD_BYTES:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _is_idle(self) -> bool:
        """Whether no request is being answered: what comes begins one, or is the rest of a refused body."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self) -> None:
        if self._is_idle():  # else an answer is under way, which this would become part of
            self.transport.write(TOO_LARGE)
        self.transport.close()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()
