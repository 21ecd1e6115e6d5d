"""Where a file begins to be sent: what may be, and the row that says where it belongs."""

import asyncio
from datetime import UTC, datetime
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from tortoise.exceptions import IntegrityError

from webapp.accounts.viewer import Person
from webapp.conversations import direct
from webapp.conversations.seats import RoomRow, Seat
from webapp.core.errors import NotFound
from webapp.db import sql, transaction
from webapp.files import quota, uploads
from webapp.files.models import Attachment
from webapp.files.names import validate_description, validate_name
from webapp.files.sending_queries import PendingFile, unfinished_files
from webapp.http import responses
from webapp.http.forms import read_form
from webapp.http.params import whole


async def begin(seat: Seat, name: str, size: int, description: str = "") -> PendingFile:
    """
    Store that the viewer sends a file of this name and size to the room, which is reserved where it is not stored.

    Raises Invalid, also beyond what one person may have, NotFound where the viewer's messages have no files, Forbidden
    where they can't post, Unavailable where there is little room on the disk, IntegrityError where the room has been
    stored or deleted meanwhile.
    """
    if not seat.takes_files:
        raise NotFound
    seat.require_can_post()
    name, size, description = validate_name(name), quota.validate_size(size), validate_description(description)
    await quota.require_space()
    await _end_idle(seat.viewer.id)

    async def write() -> PendingFile:
        await quota.require_room(seat.viewer.id, size)
        room = await _room(seat)
        file = await Attachment.create(
            code=uploads.new_code(), room_id=room.id, author_id=seat.viewer.id, name=name, size=size,
            description=description, created_at=datetime.now(UTC),
        )  # fmt: skip
        return PendingFile(file.id, file.code, room.id, room.key, file.kind, name, size, 0)

    file = await transaction.transact(write)
    await uploads.prepare(file.code)
    return file


async def _room(seat: Seat) -> RoomRow:
    if not seat.room.key:
        return await direct.reserve(seat.viewer, cast(Person, seat.other))
    if direct.is_unstarted(seat):
        # Locked: it is deleted with its last file.
        locked = "UPDATE room SET member_count = member_count WHERE id = ? AND closed_at IS NULL RETURNING id"
        if not await sql.execute(locked, seat.room.id):
            raise IntegrityError(f"room {seat.room.id} has been deleted")
    return seat.room


async def _end_idle(author_id: int) -> None:
    """Where too many files are on their way, end those that rest: their page may have been closed."""
    under_way = await unfinished_files(author_id)
    if len(under_way) >= quota.MAX_PENDING:
        rest = [file for file in under_way if await asyncio.to_thread(uploads.rests, file.code)]
        await uploads.discard(rest)


async def answer(request: Request, seat: Seat) -> Response:
    """Begin the file that the form names; its address, and its chip for the composer."""
    form = await read_form(request, "name", "size", "description")
    file = await begin(seat, form["name"], whole(form["size"], 0, 2**53), form["description"])
    response = responses.fragment_response("files/_chip.html", 201, file=file, is_new=True)
    response.headers["Location"] = file.path
    return response
