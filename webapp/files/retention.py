"""Deleting files that were begun and never sent."""

import asyncio
from time import time

from webapp.files import removal, uploads
from webapp.files.models import Attachment
from webapp.files.sending_queries import CODE
from webapp.media.folder import files_in

# What no row names may be of one that is about to be stored.
STALE_SECONDS = 3600
BATCH_SIZE = 500


async def delete_unsent() -> int:
    """Delete the files that were not sent within a day, and what a crash left in the folder; how many."""
    count = await removal.delete_expired()
    await sweep()
    return count


async def sweep() -> None:
    """Delete what is in the folder of files on their way, and belongs to none that is."""
    stale = await asyncio.to_thread(_stale)
    for start in range(0, len(stale), BATCH_SIZE):
        codes = stale[start : start + BATCH_SIZE]
        found = await Attachment.filter(code__in=codes, message_id=None).values_list("code", "received", "size")
        under_way = {code for code, received, size in found if received < size}
        await asyncio.to_thread(uploads.unlink, set(codes) - under_way)


def _stale() -> list[str]:
    if not uploads.FOLDER.is_dir():
        return []
    limit = time() - STALE_SECONDS
    files = files_in(uploads.FOLDER)
    return [name for name, changed_at in files if CODE.fullmatch(name) and changed_at < limit]
