"""The one that makes the files of this process, one at a time, and goes on with those of processes that have died."""

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

# How soon what a dead process has left is found, after its lease has ended.
INTERVAL_SECONDS = 30.0
# Two hundred thousand messages take a minute.
MAX_SECONDS = 1800.0


class ExportWorker:
    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def wake(self) -> None:
        """There is something to make."""
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
    """Make the file to its end, or say in its row that it can't be made, or leave it to another process."""
    archive = Archive(export.file)
    try:
        async with asyncio.timeout(MAX_SECONDS):
            await archive.open()
            book = ExportWriter(export.user, archive, export.report_progress)
            with use_language(export.language):
                await book.write()
            size = await archive.close(book.pictures)
        await export.finish(size)
    except Superseded:
        await archive.discard()
    except Exception as error:
        logger.error("the file of account %s could not be made: %r", export.user_id, error)
        await archive.discard()
        with contextlib.suppress(Superseded):
            await export.fail()
    except asyncio.CancelledError:
        await archive.discard()
        with contextlib.suppress(Superseded):
            await export.release()
        raise


worker = Slot[ExportWorker]("maker of exports")
