"""
Stored pictures: one folder, whose files are named by their content, so that several people may share one.

Who stores a picture writes its files, then its digest into the database, and then checks that the files are still
there. Who drops one hides its files, asks the owners whether anybody uses it, and restores them if so. In whatever
order the two run, nobody is left without their picture.
"""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from tempfile import NamedTemporaryFile

from webapp import settings
from webapp.core.errors import Unavailable
from webapp.core.faults import faults
from webapp.core.i18n import _
from webapp.core.lifetime import Slot
from webapp.http.urls import path_for
from webapp.media.images import LARGE, SMALL, ProcessedImage

FOLDER = settings.DATA_DIR / "pictures"
# An unfinished file that is older than this was left behind by a crash.
STALE_SECONDS = 3600
BATCH_SIZE = 500

# Returns those of the digests that rows of one table refer to.
Owner = Callable[[Collection[str]], Awaitable[set[str]]]


def picture_path(digest: str, size: int) -> str:
    """Return the address of a stored picture."""
    return path_for("picture", name=_name(digest, size))


def _name(digest: str, size: int) -> str:
    return f"{digest}.webp" if size == LARGE else f"{digest}-{size}.webp"


class Store:
    """The folder, and the owners: a picture is deleted when none of them uses it."""

    def __init__(self, folder: Path, *owners: Owner) -> None:
        self.folder, self.owners = folder, owners

    def load(self, digest: str, size: int = LARGE) -> bytes:
        """Return a stored picture, empty when it is deleted; to be called in a thread."""
        try:
            return self._file(digest, size).read_bytes()
        except OSError:
            return b""

    async def save(self, picture: ProcessedImage) -> None:
        """Write the files that are missing; each appears whole or not at all. Raises Unavailable on a full disk."""
        try:
            await asyncio.to_thread(self._save, picture)
        except OSError as error:
            faults().disk.report(error)
            raise Unavailable(_("The picture can't be kept right now. Try again later.")) from error

    async def release(self, digest: str) -> None:
        """Delete a picture that no owner uses any more."""
        if await self._in_use([digest]):
            return
        await asyncio.to_thread(self._rename, digest, "", ".gone")
        if await self._in_use([digest]):
            await asyncio.to_thread(self._rename, digest, ".gone", "")
        else:
            await asyncio.to_thread(self._delete, digest)

    async def sweep(self) -> None:
        """Delete what a crash left behind: pictures without an owner, and unfinished files."""
        stored = await asyncio.to_thread(self._digests)
        for start in range(0, len(stored), BATCH_SIZE):
            batch = stored[start : start + BATCH_SIZE]
            in_use = await self._in_use(batch)
            for digest in batch:
                if digest in in_use:
                    await asyncio.to_thread(self._rename, digest, ".gone", "")
                else:
                    await self.release(digest)

    async def _in_use(self, digests: Collection[str]) -> set[str]:
        return {digest for owner in self.owners for digest in await owner(digests)}

    def _file(self, digest: str, size: int, suffix: str = "") -> Path:
        return self.folder / f"{_name(digest, size)}{suffix}"

    def _save(self, picture: ProcessedImage) -> None:
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        for size, content in picture.sizes.items():
            if not (target := self._file(picture.digest, size)).exists():
                _write(target, content)

    def _rename(self, digest: str, before: str, after: str) -> None:
        for size in (LARGE, SMALL):
            if (source := self._file(digest, size, before)).exists():
                os.replace(source, self._file(digest, size, after))

    def _delete(self, digest: str) -> None:
        for size in (LARGE, SMALL):
            self._file(digest, size, ".gone").unlink(missing_ok=True)

    def _digests(self) -> list[str]:
        """Return the digests of all stored pictures; delete unfinished files of long ago."""
        if not self.folder.is_dir():
            return []
        for file in self.folder.glob("new-*"):
            if time.time() - file.stat().st_mtime > STALE_SECONDS:
                file.unlink(missing_ok=True)
        names = (re.match(r"([0-9a-f]{32})[.-]", file.name) for file in self.folder.iterdir())
        return sorted({name[1] for name in names if name})


def _write(target: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=target.parent, prefix="new-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


picture_store = Slot[Store]("store of pictures")
