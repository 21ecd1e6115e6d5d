"""The worker that makes the export files of this process, one at a time, and resumes those of processes that died."""

import asyncio
import contextlib
import logging

from webapp.core.i18n import use_language
from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.exports.archive import Archive, ExportWriter
from webapp.exports.jobs import Export, Superseded
from webapp.presence.tracker import tracker

logger = logging.getLogger(__name__)

# How soon the jobs of a dead process are found, after its lease has ended.
INTERVAL_SECONDS = 30.0
# Two hundred thousand messages take a minute.
MAX_SECONDS = 1800.0


class ExportWorker:
    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def wake(self) -> None:
        """Start on a new job at once."""
        self._asked.set()

    async def run(self) -> None:
        while True:
            try:
                await Export.delete_expired()
                while export := await Export.claim(tracker().process):
                    await build(export)
            except Exception as error:  # the rows are still there
                engine.report_failure("files for people could not be made", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_SECONDS):
                    await self._asked.wait()
            self._asked.clear()


async def build(export: Export) -> None:
    """Make the file to its end, or note in its row that it can't be made, or leave it to another process."""
    archive = Archive(export.file)
    try:
        size = await _write(export, archive)
        # Cancelled here, the file stays: either the row has it, or the process that claims the row next deletes it.
        await export.finish(size)
    except Superseded:
        await archive.discard()
    except Exception as error:
        logger.error("the file of account %s could not be made: %r", export.user_id, error)
        await archive.discard()
        with contextlib.suppress(Superseded):
            await export.fail()


async def _write(export: Export, archive: Archive) -> int:
    """Return the size of the written file. When cancelled, discard it and let another process begin at once."""
    try:
        async with asyncio.timeout(MAX_SECONDS):
            await archive.open()
            writer = ExportWriter(export.user, archive, export.report_progress)
            with use_language(export.language):
                await writer.write()
            return await archive.close(writer.pictures)
    except asyncio.CancelledError:
        await archive.discard()
        with contextlib.suppress(Superseded):
            await export.release()
        raise


worker = Slot[ExportWorker]("maker of exports")
