"""Files of a form: each arrives whole, so it is stored at once, as it would be piece by piece."""

import asyncio
from typing import Protocol

from webapp.conversations.seats import Seat
from webapp.core.errors import Invalid, Problem
from webapp.files import beginning, uploads
from webapp.files.sending_queries import PendingFile

BLOCK = 512 * 1024


class FormFile(Protocol):
    """What there is of a file in a form, as Starlette has it."""

    filename: str | None
    size: int | None

    async def read(self, size: int = -1) -> bytes: ...


async def attach(seat: Seat, file: FormFile, description: str = "") -> PendingFile:
    """
    Store a file of a form, and return it as a message takes it: by its code.

    It is never in memory as a whole. Raises what beginning.begin and uploads.append raise; nothing is left of it then.
    A form that comes again stores it again: posting compares names and contents, and the new copies are taken back by
    `uploads.discard_codes`.
    """
    pending = await beginning.begin(seat, file.filename or "", file.size or 0, description)
    received = 0
    try:
        while piece := await file.read(BLOCK):
            received = await uploads.append(pending._replace(received=received), received, piece)
        if received < pending.size:
            raise Invalid(file=uploads.NO_FILE)
    except (Problem, asyncio.CancelledError):
        await asyncio.shield(uploads.discard([pending]))
        raise
    return pending._replace(received=pending.size)
