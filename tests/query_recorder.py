"""The queries that a piece of work asks of the database, as Tortoise and our own SQL write them to its logger."""

import contextvars
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

# The text of a query, and its values.
Query = tuple[str, list[Any]]
_recorded: contextvars.ContextVar[list[Query] | None] = contextvars.ContextVar("recorded", default=None)


class _Recorder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if (queries := _recorded.get()) is not None:
            query, values = record.args if isinstance(record.args, tuple) else (record.msg, [])
            queries.append((str(query), list(values or [])))  # type: ignore[arg-type]


@contextmanager
def recorded_queries() -> Iterator[list[Query]]:
    """Record what is asked within the block and by tasks that it starts; what runs in the background is not in it."""
    logger, handler = logging.getLogger("tortoise.db_client"), _Recorder()
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    queries = list[Query]()
    token = _recorded.set(queries)
    try:
        yield queries
    finally:
        _recorded.reset(token)
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


async def record_queries(work: Awaitable[object]) -> list[Query]:
    """Return the queries of the work; tasks that it started and did not wait for may still be asking."""
    with recorded_queries() as queries:
        await work
        return list(queries)
