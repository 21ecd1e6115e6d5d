"""The one that makes the files of this process, one at a time, and goes on with those of processes that have died."""

import asyncio
import contextlib
import logging

from webapp.core.i18n import speaking
from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.exports.archive import Archive, Book
from webapp.exports.jobs import Export, Superseded
from webapp.presence.tracker import attendance

log = logging.getLogger(__name__)

# How soon what a dead process has left is found, after its lease has ended.
LOOK_SECONDS = 30.0
# Two hundred thousand messages take a minute.
MOST_SECONDS = 1800.0


class Maker:
    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def wake(self) -> None:
        """There is something to make."""
        self._asked.set()

    async def keep_making(self) -> None:
        while True:
            try:
                await Export.forget()
                while export := await Export.claim(attendance().process):
                    await make(export)
            except Exception as error:  # the rows are still there
                engine.read("files for people could not be made", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._asked.wait()
            self._asked.clear()


async def make(export: Export) -> None:
    """Make the file to its end, or say in its row that it can't be made, or leave it to another process."""
    archive = Archive(export.file)
    try:
        async with asyncio.timeout(MOST_SECONDS):
            await archive.open()
            book = Book(export.user, archive, export.come_to)
            with speaking(export.language):
                await book.write()
            size = await archive.close(book.pictures)
        await export.finish(size)
    except Superseded:
        await archive.drop()
    except Exception as error:
        log.error("the file of account %s could not be made: %r", export.user_id, error)
        await archive.drop()
        with contextlib.suppress(Superseded):
            await export.fail()
    except asyncio.CancelledError:
        await archive.drop()
        with contextlib.suppress(Superseded):
            await export.release()
        raise


maker = Slot[Maker]("maker of exports")
