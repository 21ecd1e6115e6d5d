"""A folder as a place of files: each appears whole or not at all, and is on the disk when that is said."""

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from pathlib import Path
from tempfile import mkstemp

# An unfinished file begins so. One that is older than an hour was left behind by a crash.
UNFINISHED = "new-"
STALE_SECONDS = 3600
BLOCK = 2**20


class Folder:
    """Files by key: a path within the folder, one folder deep. Each method raises OSError where the disk does."""

    # As much as is sent on at once.
    block_bytes = 64 * 1024

    def __init__(self, root: Path) -> None:
        self.root, self.name = root, str(root)

    async def put(self, key: str, source: Path) -> None:
        """Move a finished file in. Once more does no harm: a file that is in already, and no longer there, is left."""
        await asyncio.to_thread(self._put, self.root / key, source)

    async def put_bytes(self, key: str, content: bytes) -> None:
        await asyncio.to_thread(self._put_bytes, self.root / key, content)

    async def size(self, key: str) -> int | None:
        """Return how many bytes a file has, None where there is none."""
        try:
            return (await asyncio.to_thread(os.stat, self.root / key)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def read(self, key: str, start: int, size: int) -> bytes:
        """
        Return up to so many bytes of a file from there on; raise FileNotFoundError where there is none.

        No file stays open between two of these, so that a slow client holds none, and a deleted file is not sent on.
        """
        return await asyncio.to_thread(_read, self.root / key, start, size)

    def read_now(self, key: str) -> bytes:
        """Return a whole file; to be called in a thread."""
        return (self.root / key).read_bytes()

    async def rename(self, key: str, new: str) -> None:
        """Give a file another name, where there is one."""
        await asyncio.to_thread(self._rename, key, new)

    async def copy(self, key: str, new: str) -> None:
        """Copy a file to another name; raise FileNotFoundError where there is none."""
        await asyncio.to_thread(self._copy_to, self.root / key, self.root / new)

    async def delete(self, keys: Collection[str]) -> None:
        """Delete those that there are."""
        await asyncio.to_thread(self._delete, keys)

    async def list_keys(self, min_age: float = 0) -> AsyncIterator[list[str]]:
        """
        Yield the keys of all that is older than so many seconds, folder by folder.

        What was never finished, and is older than an hour, is deleted.
        """
        for name in await asyncio.to_thread(_subfolders, self.root):
            if keys := await asyncio.to_thread(self._keys, name, min_age):
                yield keys

    def _put(self, target: Path, source: Path) -> None:
        try:
            file = os.open(source, os.O_RDONLY)
        except FileNotFoundError:
            if os.path.exists(target):
                return
            raise
        try:
            os.fchmod(file, 0o600)
            os.utime(file)  # it is as old as its place here, or the sweep would take what was long under way
            os.fsync(file)
        finally:
            os.close(file)
        self._make(target.parent)
        try:
            os.replace(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(source, target)
            os.unlink(source)
        _sync_folder(target.parent)

    def _put_bytes(self, target: Path, content: bytes) -> None:
        self._make(target.parent)
        _write(target, [content])
        _sync_folder(target.parent)

    def _copy_to(self, source: Path, target: Path) -> None:
        # Not a link, which would be as old as the file that it is of: the sweep would take it for left behind.
        self._make(target.parent)
        _copy(source, target)
        _sync_folder(target.parent)

    def _make(self, folder: Path) -> None:
        if not os.path.isdir(folder):
            for made in (self.root, folder):
                os.makedirs(made, 0o700, exist_ok=True)
                _sync_folder(made.parent)

    def _delete(self, keys: Collection[str]) -> None:
        for key in keys:
            try:
                os.unlink(self.root / key)
            except (FileNotFoundError, NotADirectoryError):
                continue

    def _rename(self, key: str, new: str) -> None:
        try:
            os.replace(self.root / key, self.root / new)
        except FileNotFoundError:
            return

    def _keys(self, name: str, min_age: float) -> list[str]:
        keys, now = list[str](), time.time()
        for file, changed_at in files_in(self.root / name):
            age = now - changed_at
            if file.startswith(UNFINISHED):
                if age > STALE_SECONDS:
                    self._delete([os.path.join(name, file)])
            elif not min_age or age > min_age:
                keys.append(os.path.join(name, file))
        return sorted(keys)


def files_in(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield the names of the files that are there, and when each was changed; others may come and go meanwhile."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    yield entry.name, entry.stat(follow_symlinks=False).st_mtime


def _subfolders(root: Path) -> list[str]:
    """Return their names, and before them that of the folder itself, which is empty."""
    if not os.path.isdir(root):
        return []
    with os.scandir(root) as entries:
        return ["", *sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))]


def _read(path: Path, start: int, size: int) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.pread(file, size, start)
    finally:
        os.close(file)


def _copy(source: Path, target: Path) -> None:
    """From another file system, where a file can't be moved."""
    with open(source, "rb") as file:
        _write(target, iter(lambda: file.read(BLOCK), b""))


def _write(target: Path, blocks: Iterable[bytes]) -> None:
    file, name = mkstemp(prefix=UNFINISHED, dir=target.parent)
    try:
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[os.write(file, view) :]
        os.fsync(file)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(file)


def _sync_folder(folder: Path) -> None:
    """Write to the disk that a name is in this folder."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
