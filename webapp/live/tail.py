"""The rows of versions that rings have announced, until the readers of a channel hold them."""

from typing import Protocol

# Of so many the database is asked in one go.
MAX_ROWS = 64


class Row(Protocol):
    """What a version has changed, in the process that stored it."""

    @property
    def ring_text(self) -> str:
        """All of it in one line of text, for the other processes; empty where none can say it."""


class Tail:
    """Rows by their versions: some may be missing, and versions may leap, as after a restore from a backup."""

    __slots__ = ("_rows", "doubts")

    def __init__(self) -> None:
        self._rows: dict[int, Row | str] = {}
        # One for each time that rights of readers may have ended and were not read yet: until then no row is used, so
        # that a reader whose right has ended hears no more than while everything is read.
        self.doubts = set[object]()

    def add(self, version: int, row: Row | str) -> None:
        if len(self._rows) < MAX_ROWS:
            self._rows[version] = row

    def between(self, held: int, announced: int) -> list[tuple[int, Row | str]]:
        """Return every version after the held one up to the announced one, with its row; empty where one is missing."""
        if self.doubts:
            return []
        rows = [(version, self._rows[version]) for version in sorted(self._rows) if held < version <= announced]
        return rows if len(rows) == announced - held else []

    def drop(self, held: int) -> None:
        """Drop the rows of versions up to the one that the readers hold."""
        if self._rows:
            self._rows = {version: row for version, row in self._rows.items() if version > held}

    def clear(self) -> None:
        self._rows.clear()
