"""
A message as it is stored, and as the ring of its version brings it to the processes that hold its room.

A process whose pages hold the version before shows it without asking the database; the one that stored it needs no text
of it either. What has to be read besides the row itself (files, what it answers), and to others what is long, is not
brought: then the room's changes are read.
"""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from webapp import settings
from webapp.accounts.viewer import Person
from webapp.conversations import kinds
from webapp.conversations.seats import Kind, RoomRow
from webapp.db import sql
from webapp.messages.queries import MessageRow, message_from

# The longest text of a row, in bytes: a long message costs every process less as a query than Redis as a ring.
MAX_BYTES = 4_000
# Changes with what is in a row: one of another version of Parley is not believed, and the database is read.
_FORMAT = "1"


class NewRow(NamedTuple):
    """A message to be stored, by the names of the columns."""

    room_id: int
    number: int
    posted_version: int
    version: int
    author_id: int
    body: str
    html: str
    continues: bool
    opens_day: bool
    created_at: datetime
    removed_at: None
    nonce: str
    reply_to: int | None
    file_count: int


class StoredMessage(NamedTuple):
    """A message that was stored, with its room as it was under the lock, and the time of the message before."""

    room: RoomRow
    author: Person
    row: NewRow
    before_at: datetime | None

    @property
    def is_whole(self) -> bool:
        """Whether the row is all that it takes to show it."""
        return not (self.row.reply_to or self.row.file_count)

    @property
    def facts(self) -> tuple[Any, ...]:
        """What it is shown from, in the order in which its ring brings it."""
        row, author = self.row, self.author
        room = self.room.kind.stored, self.room.key, self.before_at
        said = row.number, row.html, row.continues, row.opens_day, row.created_at
        return *room, *said, author.code, author.display_name, author.picture, author.is_admin

    @property
    def ring_text(self) -> str:
        """The text that its ring brings, signed; empty where it takes more than the row to show it."""
        if not self.is_whole:
            return ""
        row, text = self.row, json.dumps(self.facts, ensure_ascii=False, separators=(",", ":"), default=_iso)
        # Nobody else who can write to Redis makes HTML of ours.
        return f"{_signature(row.room_id, row.version, text)} {text}" if len(text.encode()) <= MAX_BYTES else ""


def _iso(time: datetime) -> str:
    return time.isoformat()


class RungMessage(NamedTuple):
    """A message that a ring has brought, the kind of its room, and the time of the message before."""

    line: MessageRow
    kind: Kind
    before_at: datetime | None


def read(room_id: int, rows: Sequence[tuple[int, object]]) -> list[RungMessage] | None:
    """Return the messages of these versions, stored here or brought as text; None where a text is none of ours."""
    found: list[RungMessage] = []
    for version, row in rows:
        if isinstance(row, StoredMessage):
            found.append(_message(room_id, version, *row.facts))
            continue
        signature, _, text = str(row).partition(" ")
        if not hmac.compare_digest(signature.encode(), _signature(room_id, version, text).encode()):
            return None
        found.append(_message(room_id, version, *json.loads(text)))
    return found


def _message(
    room_id: int, version: int, kind_name: str, key: str, before_at: datetime | str | None,
    number: int, html: str, continues: bool, opens_day: bool, created_at: datetime | str,
    code: str, name: str, picture: str | None, is_admin: bool,
) -> RungMessage:  # fmt: skip
    kind = kinds.of_stored(kind_name)
    changed = None, None
    reacted = "", None, None
    reply_to, file_count, notice, message_id = None, 0, "", 0
    # As MESSAGES has the columns.
    columns = (
        room_id, number, version, version, html, continues, opens_day, created_at, *changed,
        code, name, picture, is_admin, *reacted, reply_to, file_count, notice, message_id,
    )  # fmt: skip
    line = message_from(columns, kind.path(room_id, key), {}, {})
    return RungMessage(line, kind, sql.from_db(before_at) if before_at else None)


@cache
def _key() -> bytes:
    return sha256(f"parley.row.{_FORMAT}.{settings.secret_key()}".encode()).digest()


def _signature(room_id: int, version: int, text: str) -> str:
    return hmac.digest(_key(), f"{room_id} {version} {text}".encode(), "sha256").hex()
