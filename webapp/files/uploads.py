"""
Files on their way: gathered piece by piece in a folder of their own, then put into the store.

A crash between two steps leaves a row that says how much has arrived, from where its file is sent on, or which the
purge deletes after a day; and a file without a row, which the sweep deletes.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from time import time

from webapp import settings
from webapp.core.errors import Invalid, NotFound, Problem, Unavailable
from webapp.core.faults import faults
from webapp.core.i18n import _
from webapp.db import sql, transaction
from webapp.files import contents, removal
from webapp.files.contents import GIF, Contents
from webapp.files.models import PICTURE, Attachment
from webapp.files.names import as_webp
from webapp.files.sending_queries import PendingFile, pending_files
from webapp.media.files import file_store
from webapp.media.images import Photo, process_photo

FOLDER = settings.DATA_DIR / "uploads"
# As long as another piece of the same file may take: the last one makes a picture.
LOCK_SECONDS, LOCK_INTERVAL = 70.0, 0.05
# Who begins a file while too many are on their way ends those that rested for so long.
IDLE_SECONDS = 600

NO_FILE = _("There is no such file.")
NOT_KEPT = _("The file can't be kept right now. Try again later.")


class Misplaced(Problem):
    """The piece begins elsewhere than where the file ends: `received` is where."""

    status = 409

    def __init__(self, received: int, size: int) -> None:
        where = {"Upload-Offset": str(received), "Upload-Length": str(size)}
        super().__init__(_("This part of the file does not follow on what has arrived."), where)


def thumb_name(code: str) -> str:
    return f"{code}-thumb.webp"


def names_of(codes: Collection[str]) -> list[str]:
    """Return the names that files of these codes may have in the store."""
    return [name for code in codes for name in (code, thumb_name(code))]


def new_code() -> str:
    return secrets.token_urlsafe(16)


async def prepare(code: str) -> None:
    """Make the empty file: by its time it is known how long nothing has come."""
    with contextlib.suppress(Unavailable):  # which the first piece will say
        os.close(await _on_disk(_open, code))


async def append(file: PendingFile, offset: int, piece: bytes | bytearray) -> int:
    """
    Add a piece to the file, and return how much of it has arrived; with the last piece it is stored.

    Raises Misplaced where the piece does not follow, NotFound where the file has been taken back, Invalid with a
    sentence for a picture that can't be read, which is taken back then, and Unavailable on a full disk.
    """
    async with _locked(file.code) as handle:
        file = await _current(file)
        if file.received == file.size or offset != file.received:
            raise Misplaced(file.received, file.size)
        if offset + len(piece) > file.size:
            raise Invalid(size=_("That is more than the file was said to have."))
        if await asyncio.to_thread(_length, handle) < offset:
            return await _recover(file)
        await _on_disk(_write, handle, piece, offset)
        end = offset + len(piece)
        if end == file.size:
            await _finish(file, handle)
        elif not await _change(file, received=end):
            raise NotFound(NO_FILE)
        return end


async def _current(file: PendingFile) -> PendingFile:
    row = await Attachment.get_or_none(id=file.id, message_id=None)
    if row is None:
        raise NotFound(NO_FILE)
    return file._replace(received=row.received, size=row.size)


async def _recover(file: PendingFile) -> int:
    """Go on with a file whose bytes are not in the folder: they are in the store already, or lost."""
    if await file_store().size(file.code) == file.size and await Attachment.exists(id=file.id, digest__isnull=False):
        await _change(file, received=file.size)
        return file.size
    await _change(file, received=0)
    raise Misplaced(0, file.size)


async def _finish(file: PendingFile, handle: int) -> None:
    """Store the whole file. Its row says so last: until then the last piece is sent again."""
    found = await asyncio.to_thread(contents.inspect, handle, file.size)
    try:
        if found.kind == PICTURE and found.type != GIF:
            is_there = await _finish_picture(file, found)
        else:
            thumbnail = await _store_thumbnail(file) if found.type == GIF else {}
            is_there = await _change(file, **found._asdict(), **thumbnail)
            if is_there:  # else it has been taken back, and its bytes with it
                await file_store().put(file.code, FOLDER / file.code)
                is_there = await _change(file, received=file.size)
    except Invalid:
        await discard([file])
        raise
    if not is_there:
        await file_store().drop(names_of([file.code]))
        raise NotFound(NO_FILE)
    await asyncio.to_thread(unlink, [file.code])


async def _finish_picture(file: PendingFile, found: Contents) -> bool:
    photo = await process_photo(FOLDER / file.code)
    await file_store().put_bytes(file.code, photo.whole)
    thumbnail = await _store_thumbnail(file, photo)
    size, name = len(photo.whole), as_webp(file.name)
    return await _change(file, **found._asdict(), **thumbnail, name=name, size=size, received=size)


async def _store_thumbnail(file: PendingFile, photo: Photo | None = None) -> dict[str, int]:
    """Store the small form of a picture, and return what its row says of the picture; raise Invalid."""
    photo = photo or await process_photo(FOLDER / file.code)
    await file_store().put_bytes(thumb_name(file.code), photo.thumb)
    return {
        "width": photo.width,
        "height": photo.height,
        "thumb_width": photo.thumb_width,
        "thumb_height": photo.thumb_height,
        "thumb_size": len(photo.thumb),
    }


async def _change(file: PendingFile, **values: object) -> bool:
    """Change the row of a file that is where it was found; return whether it is. Of two at once, one finds it so."""
    found = Attachment.filter(id=file.id, received=file.received, message_id=None)
    return bool(await transaction.transact(found.update, **values))


async def discard(files: Collection[PendingFile]) -> int:
    """Take files back that go with no message, with the chat that nobody is in yet; return how many there were."""

    async def write() -> list[str]:
        ids = [file.id for file in files]
        deleted = await sql.execute(
            f"DELETE FROM attachment WHERE id IN ({sql.placeholders(ids)}) AND message_id IS NULL RETURNING code", *ids
        )
        await removal.delete_unstarted({file.room_id for file in files})
        return [row["code"] for row in deleted]

    codes = await transaction.transact(write) if files else []
    await asyncio.to_thread(unlink, codes)
    await file_store().drop(names_of(codes))
    return len(codes)


async def discard_codes(author_id: int, codes: Collection[str]) -> int:
    """Take back those of the author's files that go with no message."""
    return await discard(await pending_files(author_id, list(codes)))


def rests(code: str) -> bool:
    """Return whether nothing of the file has come for a while; to be called in a thread."""
    try:
        return time() - os.stat(FOLDER / code).st_mtime > IDLE_SECONDS
    except FileNotFoundError:
        return False


# The folder.


@contextlib.asynccontextmanager
async def _locked(code: str) -> AsyncIterator[int]:
    """Open the file, which nobody else writes to meanwhile, in this process or another; the system unlocks it."""
    handle = await _on_disk(_open, code)
    try:
        for _attempt in range(round(LOCK_SECONDS / LOCK_INTERVAL)):
            if _lock(handle):
                break
            await asyncio.sleep(LOCK_INTERVAL)  # what holds it may be another process
        else:
            raise Unavailable(NOT_KEPT)
        yield handle
    finally:
        os.close(handle)


async def _on_disk(work: Callable[..., int], *values: object) -> int:
    """Do it in a thread; raise Unavailable where the disk is full."""
    try:
        return await asyncio.to_thread(work, *values)
    except OSError as error:
        faults().disk.report(error)
        raise Unavailable(NOT_KEPT) from error


def _open(code: str) -> int:
    FOLDER.mkdir(0o700, parents=True, exist_ok=True)
    return os.open(FOLDER / code, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _length(handle: int) -> int:
    return os.fstat(handle).st_size


def _write(handle: int, piece: bytes | bytearray, offset: int) -> int:
    """Write the piece, after which the file ends: what a crash left behind it is cut off."""
    view, at = memoryview(piece), offset
    while view:
        written = os.pwrite(handle, view, at)
        view, at = view[written:], at + written
    os.ftruncate(handle, at)
    return at


def unlink(codes: Collection[str]) -> None:
    """Delete these of the folder; to be called in a thread."""
    for code in codes:
        (FOLDER / code).unlink(missing_ok=True)
