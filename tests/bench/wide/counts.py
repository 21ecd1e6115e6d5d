"""What is counted, by what it is for: statements with their rows, transactions, and what Redis carries."""

import asyncio
import functools
import sys
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any

from webapp.db import sqlite
from webapp.db.readers import Reader

# What a statement outside of a transaction takes, in seconds of virtual time.
STATEMENT_SECONDS = 0.001
# By file and function (any, where none is named), the first that is found on the stack: what a statement is for.
PURPOSES = (
    ("live/heartbeat.py", "run", "heartbeat"),
    ("live/topics.py", "_compare", "heartbeat"),
    ("presence/tracker.py", "", "presence"),
    ("presence/models.py", "", "presence"),
    ("live/topics.py", "_catch_up", "opening"),
    ("live/topics.py", "", "sidebars"),
    ("sidebar/states.py", "", "sidebars"),
    ("live/channel.py", "_check_access", "opening"),
    ("live/channel.py", "", "log"),
    ("live/channel_states.py", "", "states"),
    ("messages/posting.py", "", "post"),
)
OTHERS = len(PURPOSES)

# Of the current request; "background" where there is none.
purpose: ContextVar[str] = ContextVar("purpose", default="background")
# Whether the current process is one of those whose statements are counted.
is_sampled: ContextVar[bool] = ContextVar("is_sampled", default=False)


class Counts:
    """Counters of one measurement; nothing is counted before `is_on`."""

    def __init__(self) -> None:
        self.is_on = False
        self.statements = Counter[str]()
        self.rows = Counter[str]()
        self.transactions = Counter[str]()
        self.texts = Counter[tuple[str, str]]()
        # By channel.
        self.published, self.delivered = Counter[str](), Counter[str]()
        self.bytes_in = self.bytes_out = 0
        # Rings that the hubs followed.
        self.heard = 0
        # Requests and frames, by kind.
        self.events = Counter[str]()

    def note_statement(self, query: str, rows: int) -> str:
        """Return what it is for."""
        kind = _purpose()
        if self.is_on and is_sampled.get():
            self.statements[kind] += 1
            self.rows[kind] += rows
            self.texts[kind, " ".join(query.split())[:100]] += 1
        return kind

    def note_transaction(self, kind: str) -> None:
        """BEGIN and COMMIT are statements too."""
        if self.is_on and is_sampled.get():
            self.transactions[kind] += 1
            self.statements[kind] += 2

    def note_event(self, kind: str, count: int = 1) -> None:
        if self.is_on and is_sampled.get():
            self.events[kind] += count


@functools.cache
def _rank(code: CodeType) -> int:
    for rank, (file, function, _) in enumerate(PURPOSES):
        if code.co_filename.endswith(f"webapp/{file}") and function in ("", code.co_name):
            return rank
    return OTHERS


def _purpose() -> str:
    frame: FrameType | None = sys._getframe(2)
    rank = OTHERS
    while frame is not None:
        rank = min(rank, _rank(frame.f_code))
        frame = frame.f_back
    return PURPOSES[rank][2] if rank < OTHERS else purpose.get()


def count_statements(counts: Counts) -> None:
    """Count at the adapter of the database what goes through it, on whatever way."""
    sqlite.INLINE_SECONDS = 60.0
    for name in ("fetch_inline", "fetch_all", "fetch_limited", "_read"):
        _wrap(sqlite.Client, name, counts, lambda _: True, is_slow=True)
    for name in ("execute_query", "execute_query_dict"):
        _wrap(sqlite.Client, name, counts, lambda query: not query.lstrip().startswith("SELECT"), is_slow=True)
    for name in ("execute_insert", "execute_many", "execute_script"):
        _wrap(sqlite.Client, name, counts, lambda _: True, is_slow=True)
    for name in ("fetch", "execute_query", "execute_query_dict", "execute_insert", "execute_many"):
        _wrap(sqlite.Transaction, name, counts, lambda _: True, is_slow=False)
    commit = sqlite.Transaction.commit

    async def counted_commit(self: sqlite.Transaction) -> None:
        counts.note_transaction(vars(self).get("purpose", "background"))
        await commit(self)

    sqlite.Transaction.commit = counted_commit  # type: ignore[method-assign]


def _wrap(owner: type, name: str, counts: Counts, is_counted: Callable[[str], bool], is_slow: bool) -> None:
    call = getattr(owner, name)

    async def counted(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if is_slow:
            await asyncio.sleep(STATEMENT_SECONDS)
        found = await call(self, query, *args, **options)
        if is_counted(query):
            # A transaction is for what its last statement is for: it runs in a task of its own.
            vars(self)["purpose"] = counts.note_statement(query, _rows(found))
        return found

    setattr(owner, name, counted)


def _rows(found: object) -> int:
    """The ORM answers with a count, and rows where there are some."""
    if isinstance(found, tuple):
        return max(int(found[0]), len(found[1]))
    return len(found) if isinstance(found, list) else 1


def set_clock(now: Callable[[], float], epoch: int) -> None:
    """The clock of the database is the virtual one: leases and visits go by it."""

    def strftime(_: str, __: str) -> str:
        return str(int(epoch + now()))

    def julianday(_: str) -> float:
        return (epoch + now()) / 86_400 + 2_440_587.5

    def prepare(connection: Any) -> None:
        connection.create_function("strftime", 2, strftime)
        connection.create_function("julianday", 1, julianday)

    opened = Reader._open

    def open_reader(self: Reader, detect_types: int) -> Any:
        connection = opened(self, detect_types)
        prepare(connection)
        return connection

    Reader._open = open_reader  # type: ignore[method-assign]
    create = sqlite.Client.create_connection

    async def create_connection(self: sqlite.Client, with_db: bool) -> None:
        is_new = not self._connection
        await create(self, with_db)
        if is_new and self._connection:
            prepare(self._connection._conn)

    sqlite.Client.create_connection = create_connection  # type: ignore[method-assign]
