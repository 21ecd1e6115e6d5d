"""Where pictures and files lie: a folder of the data folder, or with MEDIA_URL a part of a bucket."""

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Protocol

from webapp import settings
from webapp.core.faults import faults
from webapp.media.folder import Folder

PROBE = "probe"


class Place(Protocol):
    """Files by key, each whole or not at all. What can't be done raises OSError; see Folder and Bucket."""

    name: str
    block_bytes: int

    async def put(self, key: str, source: Path) -> None: ...
    async def put_bytes(self, key: str, content: bytes) -> None: ...
    async def size(self, key: str) -> int | None: ...
    async def read(self, key: str, start: int, size: int) -> bytes: ...
    def read_now(self, key: str) -> bytes: ...
    async def rename(self, key: str, new: str) -> None: ...
    async def copy(self, key: str, new: str) -> None: ...
    async def delete(self, keys: Collection[str]) -> None: ...
    def list_keys(self, min_age: float = 0) -> AsyncIterator[list[str]]: ...


def open_place(folder: Path) -> Place:
    """Return the place of what lies in this folder, or in the bucket below its name."""
    if settings.MEDIA is None:
        return Folder(folder)
    from webapp.media.bucket import Bucket  # here, as it is an extra that most do not have

    return Bucket(settings.MEDIA, folder.name)


def report(error: OSError) -> None:
    """Report that it does not take or give what it should."""
    (faults().disk if settings.MEDIA is None else faults().media).report(error)


async def is_bucket_writable() -> bool:
    """Whether something can be stored in the bucket, and deleted."""
    try:
        await try_out(open_place(Path(PROBE)))
    except OSError as error:
        report(error)
        return False
    return True


async def try_out(place: Place) -> None:
    """Store a file and delete it. Raises OSError."""
    await place.put_bytes(PROBE, b"probe")
    if await place.size(PROBE) != len(b"probe"):
        raise OSError("what was just stored is not there")
    await place.delete([PROBE])
