"""A part of a bucket of an S3-compatible store as a place of files: the same methods as a folder has."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from webapp.settings import media_url

if TYPE_CHECKING:
    from obstore.store import S3Config

# The least that a part may have but the last; a file of no more goes in one request.
PART_BYTES = 5 * 2**20
# Of one file at once: each part is in memory.
MAX_PARTS = 2
MAX_UPLOADS = 2
BATCH_SIZE = 500
CONNECT_TIMEOUT, READ_TIMEOUT, TIMEOUT = (timedelta(seconds=seconds) for seconds in (3, 10, 60))
MAX_RETRIES, RETRY_TIMEOUT = 2, timedelta(seconds=10)


class Bucket:
    """
    Files by key. Each method raises OSError where the store does not answer or refuses.

    An upload that a crash ended is never seen as a file; its parts are for the store's own rule to delete.
    """

    # A request costs a round trip, so that more is read in one than is sent on.
    block_bytes = 2**20

    def __init__(self, bucket: media_url.Bucket, folder: str) -> None:
        self.name = bucket.place
        config: S3Config = {"region": bucket.region, "disable_bulk_delete": True}  # which some stores lack
        if bucket.endpoint:
            config["endpoint"] = bucket.endpoint
        if bucket.key:
            config |= {"access_key_id": bucket.key, "secret_access_key": bucket.secret}
        self._store = S3Store(
            bucket.name,
            prefix=f"{bucket.prefix}/{folder}".strip("/"),
            config=config,
            client_options={
                "allow_http": bucket.endpoint.startswith("http:"),
                "connect_timeout": CONNECT_TIMEOUT,
                "read_timeout": READ_TIMEOUT,
                "timeout": TIMEOUT,
            },
            retry_config={"max_retries": MAX_RETRIES, "retry_timeout": RETRY_TIMEOUT},
        )
        self._uploads = asyncio.Semaphore(MAX_UPLOADS)

    async def put(self, key: str, source: Path) -> None:
        """Move a finished file in. Once more does no harm: a file that is in already, and no longer there, is left."""
        if not await asyncio.to_thread(os.path.exists, source):
            if await self.size(key) is None:
                raise FileNotFoundError(source)
            return
        async with self._uploads:
            await _asked(obstore.put_async(self._store, key, source, chunk_size=PART_BYTES, max_concurrency=MAX_PARTS))
        await asyncio.to_thread(os.unlink, source)

    async def put_bytes(self, key: str, content: bytes) -> None:
        await _asked(obstore.put_async(self._store, key, content))

    async def size(self, key: str) -> int | None:
        """Return how many bytes a file has, None where there is none."""
        try:
            return int((await _asked(obstore.head_async(self._store, key)))["size"])
        except FileNotFoundError:
            return None

    async def read(self, key: str, start: int, size: int) -> bytes:
        """Return so many bytes of a file from there on; raise FileNotFoundError where there is none."""
        return bytes(await _asked(obstore.get_range_async(self._store, key, start=start, length=size)))

    def read_now(self, key: str) -> bytes:
        """Return a whole file; to be called in a thread."""
        with _translated():
            return bytes(obstore.get(self._store, key).bytes())

    async def rename(self, key: str, new: str) -> None:
        """Give a file another name, where there is one."""
        try:
            await _asked(obstore.rename_async(self._store, key, new))
        except FileNotFoundError:
            return

    async def copy(self, key: str, new: str) -> None:
        """Copy a file to another name; raise FileNotFoundError where there is none."""
        await _asked(obstore.copy_async(self._store, key, new))

    async def delete(self, keys: Collection[str]) -> None:
        """Delete those that there are, one by one: not every store takes a list."""
        for key in keys:
            try:
                await _asked(obstore.delete_async(self._store, key))
            except FileNotFoundError:
                continue

    async def list_keys(self, min_age: float = 0) -> AsyncIterator[list[str]]:
        """Yield the keys of all that is older than so many seconds, some hundred at a time."""
        limit = datetime.now(UTC) - timedelta(seconds=min_age)
        stream = obstore.list(self._store, chunk_size=BATCH_SIZE)
        while True:
            try:
                batch = await _asked(anext(stream))
            except StopAsyncIteration:
                return
            if keys := [one["path"] for one in batch if not min_age or one["last_modified"] < limit]:
                yield keys


async def _asked(request: Any) -> Any:
    with _translated():
        return await request


@contextmanager
def _translated() -> Iterator[None]:
    """Raise in place of the library's errors those that a folder raises."""
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(str(error)) from error
    except BaseError as error:
        raise OSError(str(error)) from error
