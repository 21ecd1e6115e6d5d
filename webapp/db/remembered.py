"""
Rows that are asked for with every request, remembered until one of them is written: on SQLite alone.

Nobody has to say what was written. Triggers of the one connection that writes note the rows, whatever statement it
was, also those that went with another row; what other connections and commands write, SQLite says of itself.
"""

import sqlite3
from collections.abc import Hashable
from typing import Any, NamedTuple

from webapp.db.writer import Writer

# People, rooms and memberships together: about a kilobyte each at most.
MAX_ENTRIES = 10_000

Row = tuple[Any, ...]


class Watched(NamedTuple):
    """A table of which rows are remembered, the columns that say which, and those that are read fresh each time."""

    table: str
    names: tuple[str, ...] = ("id",)
    counters: frozenset[str] = frozenset()


# Nothing else of these tables may be left out: a column that is new is watched, too.
WATCHED = (
    Watched("session"),
    Watched("user"),
    Watched(
        "room",
        counters=frozenset({"version", "last_number", "first_number", "last_at", "last_line", "last_author"})
        | {"is_last_removed"},
    ),
    Watched("membership", ("room_id", "user_id"), frozenset({"read_number", "delivered_number"})),
)


class Remembered:
    """
    What was read, by what it was asked for.

    Who reads asks `is_current`, then `get`; what it has to ask the database for, it puts here with the `moment` from
    before, so that nothing is put that was written meanwhile.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._entries: dict[Hashable, tuple[Any, tuple[Row, ...]]] = {}
        self._by_row: dict[Row, tuple[Hashable, ...]] = {}
        # The rows that statements of this process have written, perhaps in a transaction that has not ended.
        self._written: list[Row] = []
        self._version, self._forgotten = 0, 0
        for watched in WATCHED:
            self._watch(watched)

    def _watch(self, watched: Watched) -> None:
        connection = self._writer.connection
        connection.execute("PRAGMA recursive_triggers = ON")  # else REPLACE deletes without them
        note = f"note_{watched.table}"
        connection.create_function(note, len(watched.names), lambda *row: self._written.append((watched.table, *row)))
        rows = connection.execute(f'PRAGMA table_info("{watched.table}")')
        columns = [f'"{row[1]}"' for row in rows if row[1] not in watched.counters]
        # Many a statement that counts sets a column to what it was, too.
        differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        updated = f"UPDATE OF {', '.join(columns)}"
        for name, event, sides in (
            ("update", f'{updated} ON main."{watched.table}" WHEN {differs}', ("OLD", "NEW")),
            ("delete", f'DELETE ON main."{watched.table}"', ("OLD",)),
            ("insert", f'INSERT ON main."{watched.table}"', ("NEW",)),
        ):
            values = [", ".join(f"{side}.{column}" for column in watched.names) for side in sides]
            calls = " ".join(f"SELECT {note}({row});" for row in values)
            connection.execute(f"CREATE TEMP TRIGGER IF NOT EXISTS {note}_{name} AFTER {event} BEGIN {calls} END")

    def is_current(self) -> bool:
        """
        Forget what was written; False while that can't be said, and the database has to be asked.

        So it is while a transaction is open that has written such rows, and while the connection is in use by its
        thread, for which the event loop would wait.
        """
        if self._writer.is_busy:
            return False
        connection = self._writer.connection
        if self._written:
            if connection.in_transaction:
                return False
            self._forget()
        try:
            # Of this connection, it changes with what others commit, and not with its own.
            [version] = connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return False
        if version != self._version:
            self._version = version
            self.clear()
        return True

    def clear(self) -> None:
        self._entries.clear()
        self._by_row.clear()

    def _forget(self) -> None:
        written, self._written[:] = set(self._written), ()
        self._forgotten += 1
        for row in written:
            for key in self._by_row.get(row, ()):
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        for row in self._entries.pop(key)[1]:
            if left := tuple(other for other in self._by_row[row] if other != key):
                self._by_row[row] = left
            else:
                del self._by_row[row]

    def get(self, key: Hashable) -> Any:
        """Return what was put under the key, None where nothing is."""
        found = self._entries.get(key)
        return found[0] if found else None

    @property
    def moment(self) -> tuple[int, int]:
        """Which differs when something has been written."""
        return self._version, self._forgotten

    def put(self, moment: tuple[int, int], key: Hashable, value: object, *rows: Row) -> None:
        """Remember what was read after the moment, until one of these rows is written."""
        if self._written or moment != self.moment:
            return
        if key in self._entries:
            self._drop(key)
        while len(self._entries) >= MAX_ENTRIES:
            self._drop(next(iter(self._entries)))
        self._entries[key] = value, rows
        for row in rows:
            self._by_row[row] = (*self._by_row.get(row, ()), key)
