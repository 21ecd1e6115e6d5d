"""The queries that a piece of work asks of the database: `record_queries` around it, `QueryRecorder` on the logger."""

import contextvars
import logging
from collections.abc import Awaitable
from typing import Any

asked: contextvars.ContextVar[list[tuple[str, list[Any]]] | None] = contextvars.ContextVar("asked", default=None)


class QueryRecorder(logging.Handler):
    """Hears every query that is asked within a measurement, with its values; background work is not in its context."""

    def emit(self, record: logging.LogRecord) -> None:
        heard = asked.get()
        if heard is not None:
            query, values = record.args if isinstance(record.args, tuple) else (record.msg, [])
            heard.append((str(query), list(values or [])))  # type: ignore[call-overload]


async def record_queries(work: Awaitable[object]) -> list[tuple[str, list[Any]]]:
    heard: list[tuple[str, list[Any]]] = []
    token = asked.set(heard)
    try:
        await work
    finally:
        asked.reset(token)
    return list(heard)  # what it started and did not wait for may still be asking
