"""
Stored pictures: one place, whose files are named by their content, so that several people may share one.

Who stores a picture writes its files, then its digest into the database, and then checks that the files are still
there. Who drops one hides its files, asks the owners whether anybody uses it, and restores them if so. In whatever
order the two run, nobody is left without their picture.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection

from webapp import settings
from webapp.core.errors import NotFound, Unavailable
from webapp.core.i18n import _
from webapp.core.lifetime import Slot
from webapp.http.urls import path_for
from webapp.media import places
from webapp.media.images import LARGE, SMALL, ProcessedImage
from webapp.media.places import Place

FOLDER = settings.DATA_DIR / "pictures"
BATCH_SIZE = 500

# Returns those of the digests that rows of one table refer to.
Owner = Callable[[Collection[str]], Awaitable[set[str]]]


def picture_path(digest: str, size: int) -> str:
    """Return the address of a stored picture."""
    return path_for("picture", name=_name(digest, size))


def _name(digest: str, size: int) -> str:
    return f"{digest}.webp" if size == LARGE else f"{digest}-{size}.webp"


class Store:
    """The place, and the owners: a picture is deleted when none of them uses it."""

    def __init__(self, place: Place, *owners: Owner) -> None:
        self.place, self.owners = place, owners

    def load(self, digest: str, size: int = LARGE) -> bytes:
        """Return a stored picture, empty when it is deleted; to be called in a thread."""
        try:
            return self.place.read_now(_name(digest, size))
        except OSError:
            return b""

    async def read(self, name: str) -> bytes:
        """Return a stored picture by the name that stands in its address; raise NotFound, Unavailable."""
        try:
            return await asyncio.to_thread(self.place.read_now, name)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(_("There is no such picture.")) from None
        except OSError as error:
            places.report(error)
            raise Unavailable from error

    async def save(self, picture: ProcessedImage) -> None:
        """Write the files that are missing; each appears whole or not at all. Raises Unavailable on a full disk."""
        try:
            for size, content in picture.sizes.items():
                if await self.place.size(name := _name(picture.digest, size)) is None:
                    await self.place.put_bytes(name, content)
        except OSError as error:
            places.report(error)
            raise Unavailable(_("The picture can't be kept right now. Try again later.")) from error

    async def release(self, digest: str) -> None:
        """Delete a picture that no owner uses any more; what can't be reached is left to the sweep."""
        if await self._in_use([digest]):
            return
        try:
            await self._release(digest)
        except OSError as error:
            places.report(error)

    async def sweep(self) -> None:
        """Delete what a crash left behind: pictures without an owner, and unfinished files."""
        async for keys in self.place.list_keys():
            found = (re.match(r"([0-9a-f]{32})[.-]", key) for key in keys)
            stored = sorted({match[1] for match in found if match})
            for start in range(0, len(stored), BATCH_SIZE):
                batch = stored[start : start + BATCH_SIZE]
                in_use = await self._in_use(batch)
                for digest in batch:
                    if digest in in_use:
                        await self._rename(digest, ".gone", "")
                    else:
                        await self._release(digest)

    async def _release(self, digest: str) -> None:
        await self._rename(digest, "", ".gone")
        if await self._in_use([digest]):
            await self._rename(digest, ".gone", "")
        else:
            await self.place.delete([f"{_name(digest, size)}.gone" for size in (LARGE, SMALL)])

    async def _in_use(self, digests: Collection[str]) -> set[str]:
        return {digest for owner in self.owners for digest in await owner(digests)}

    async def _rename(self, digest: str, before: str, after: str) -> None:
        for size in (LARGE, SMALL):
            name = _name(digest, size)
            await self.place.rename(name + before, name + after)


picture_store = Slot[Store]("store of pictures")
