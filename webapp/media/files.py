"""
Files of messages, each under a name made by chance: one row of its owner, one file, so one deletion.

A row exists before its file does, and is deleted before the file is. What a crash leaves between the two is a file that
no row names: the sweep finds it an hour later.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path

from webapp import settings
from webapp.core.errors import NotFound, Unavailable
from webapp.core.i18n import _
from webapp.core.lifetime import Slot
from webapp.media import places
from webapp.media.folder import STALE_SECONDS
from webapp.media.places import Place

FOLDER = settings.DATA_DIR / "files"
# What a row calls its file, and what follows for another that was made of it: `-thumb.webp`.
CODE_LENGTH = 22
NAME = re.compile(rf"([A-Za-z0-9_-]{{{CODE_LENGTH}}})(-[a-z]{{1,8}}\.[a-z0-9]{{1,5}})?")
PIECE_BYTES = 64 * 1024
BATCH_SIZE = 500

# Returns those of the codes that rows of one table refer to.
Owner = Callable[[Collection[str]], Awaitable[set[str]]]


class FileStore:
    """
    Files by name: a code, or a code and what was made of it (`{code}-thumb.webp`).

    Raises NotFound for whatever is no such name: no path is made of it.
    """

    def __init__(self, place: Place, *owners: Owner) -> None:
        self.place, self.owners = place, owners

    async def put(self, name: str, source: Path) -> None:
        """
        Move a finished local file in, whole or not at all; raise Unavailable on a full disk, where it stays as it was.

        Once more is no error, for who does not know whether the first time was the last.
        """
        key = _key(name)
        try:
            await self.place.put(key, source)
        except OSError as error:
            raise _refusal(error) from error

    async def put_bytes(self, name: str, content: bytes) -> None:
        """Store a file whole or not at all; raise Unavailable on a full disk."""
        key = _key(name)
        try:
            await self.place.put_bytes(key, content)
        except OSError as error:
            raise _refusal(error) from error

    async def copy(self, name: str, new: str) -> bool:
        """Copy a file to another name; return whether there was one. Raises Unavailable on a full disk."""
        keys = _key(name), _key(new)
        try:
            await self.place.copy(*keys)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _refusal(error) from error
        return True

    async def size(self, name: str) -> int | None:
        """Return how many bytes a file has, None where there is none; raise Unavailable where that can't be known."""
        key = _key(name)
        try:
            return await self.place.size(key)
        except OSError as error:
            places.report(error)
            raise Unavailable from error

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """
        Yield the bytes from `start` to before `end` in pieces of 64 KiB.

        Raises NotFound where there is no such file. It ends early when the file is deleted meanwhile.
        """
        size = await self.size(name)
        if size is None:
            raise NotFound(_("There is no such file."))
        at, end = start, size if end is None else min(size, end)
        while at < end:
            try:
                block = await self.place.read(_key(name), at, min(self.place.block_bytes, end - at))
            except FileNotFoundError:
                return
            if not block:
                return
            at += len(block)
            for place in range(0, len(block), PIECE_BYTES):
                yield block[place : place + PIECE_BYTES]

    async def drop(self, names: Collection[str]) -> None:
        """Delete those that there are; for after the commit. What can't be deleted is left to the sweep."""
        try:
            await self.place.delete([_key(name) for name in names])
        except OSError as error:
            places.report(error)

    async def sweep(self) -> None:
        """
        Delete what a crash left behind: files of more than an hour that no owner knows, and unfinished ones.

        A store without owners deletes no file that is whole.
        """
        async for keys in self.place.list_keys(STALE_SECONDS):
            for start in range(0, len(keys), BATCH_SIZE):
                await self._sweep(keys[start : start + BATCH_SIZE])

    async def _sweep(self, keys: list[str]) -> None:
        codes = {key: match[1] for key in keys if (match := NAME.fullmatch(key[3:])) and key == _key(match[0])}
        if codes and self.owners:
            in_use = {code for owner in self.owners for code in await owner(set(codes.values()))}
            await self.place.delete([key for key, code in codes.items() if code not in in_use])


def _key(name: str) -> str:
    if not NAME.fullmatch(name):
        raise NotFound(_("There is no such file."))
    return f"{name[:2]}/{name}"


def _refusal(error: OSError) -> Unavailable:
    places.report(error)
    return Unavailable(_("The file can't be kept right now. Try again later."))


file_store = Slot[FileStore]("store of files")
