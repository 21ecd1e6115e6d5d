"""The queries of files that are being sent: as posting compares them, and as their chips show them."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from webapp.db import sql
from webapp.http.urls import path_for

# How many go with one message.
MAX_FILES = 10
# Of `secrets.token_urlsafe(16)`.
CODE = re.compile(r"[A-Za-z0-9_-]{22}")


class SentFile(NamedTuple):
    """A file as posting compares it; `digest` is of what was sent, None where that is not known."""

    code: str
    name: str
    digest: str | None


async def sent_files(room_id: int, author_id: int, codes: Sequence[str]) -> tuple[SentFile, ...]:
    """
    Return the author's files of these codes in the room, in their order; one that is not there has no name.

    Whether a message can take them is known under the room's lock alone.
    """
    if not codes:
        return ()
    rows = await sql.fetch_inline(
        f"SELECT code, name, digest FROM attachment WHERE code IN ({sql.placeholders(codes)}) "
        "AND room_id = ? AND author_id = ?",
        *codes, room_id, author_id,
    )  # fmt: skip
    found = {row["code"]: SentFile(*row) for row in rows}
    return tuple(found.get(code) or SentFile(code, "", None) for code in codes)


async def files_by_number(room_id: int, numbers: Collection[int]) -> dict[int, list[SentFile]]:
    """Return the files of the messages of these numbers, in their order."""
    rows = await sql.fetch_inline(
        "SELECT message.number, attachment.code, attachment.name, attachment.digest FROM message "
        "JOIN attachment ON attachment.message_id = message.id "
        f"WHERE message.room_id = ? AND message.number IN ({sql.placeholders(numbers)}) "
        "ORDER BY message.number, attachment.place",
        room_id, *numbers,
    )  # fmt: skip
    found = defaultdict[int, list[SentFile]](list)
    for number, *file in rows:
        found[number].append(SentFile(*file))
    return found


class PendingFile(NamedTuple):
    """A file without a message; it has arrived whole once `received` is `size`."""

    id: int
    code: str
    room_id: int
    room_key: str
    kind: str
    name: str
    size: int
    received: int
    description: str = ""

    @property
    def path(self) -> str:
        """Where it is sent, and taken back."""
        return path_for("pending_file", key=self.room_key, code=self.code)


_PENDING = """
SELECT attachment.id, code, room_id, room.key, attachment.kind, attachment.name, size, received,
    description
FROM attachment JOIN room ON room.id = room_id
WHERE message_id IS NULL AND {condition}"""


async def pending_files(author_id: int, codes: Sequence[str]) -> list[PendingFile]:
    """Return the author's files of these codes that go with no message yet, in their order."""
    asked = [code for code in codes if CODE.fullmatch(code)][:MAX_FILES]
    if not asked:
        return []
    condition = f"code IN ({sql.placeholders(asked)}) AND author_id = ? AND room.closed_at IS NULL"
    rows = await sql.fetch_inline(_PENDING.format(condition=condition), *asked, author_id)
    found = {row["code"]: PendingFile._make(row) for row in rows}
    return [found[code] for code in dict.fromkeys(asked) if code in found]


async def pending_file(author_id: int, code: str) -> PendingFile | None:
    """Return the author's file of this code, if it goes with no message yet."""
    return next(iter(await pending_files(author_id, [code])), None)


async def unfinished_files(author_id: int) -> list[PendingFile]:
    """Return the author's files that have not arrived whole."""
    rows = await sql.fetch_inline(_PENDING.format(condition="received < size AND author_id = ?"), author_id)
    return [PendingFile._make(row) for row in rows]
