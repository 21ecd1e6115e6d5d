"""The data folder: made for its owner alone, and held by one process at a time."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from webapp import settings

FOLDER = settings.DATA_DIR
# What we make in it; what a command puts aside is another's, and closed to others already.
OURS = (
    "parley.sqlite3",
    "secret",
    "serving",
    "pictures",
    "files",
    "uploads",
    "exports",
    "cache",
    "before-",
    "restore-",
    "secret-",
)


# Below the lesser of the two, what is left of the disk is for messages.
MIN_FREE_BYTES, MIN_FREE_PART = 2**30, 20


class Unusable(Exception):
    """The folder can't be made."""


def make() -> None:
    """Make the folder, if it is not there. Raises Unusable."""
    try:
        FOLDER.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"The data folder {FOLDER} can't be made: {error.strerror}. Set DATA_DIR to another.") from None


def has_space() -> bool:
    """Return whether the disk has room for files, beside what messages need."""
    make()
    disk = shutil.disk_usage(FOLDER)
    return disk.free >= min(MIN_FREE_BYTES, disk.total // MIN_FREE_PART)


def close_to_others() -> None:
    """
    Take from others what older versions let them read: messages and hashes of passwords.

    A folder that holds other things as well is not ours to close, but what is ours in it is.
    """
    with contextlib.suppress(PermissionError):  # of another user, who has to see to it: `check` says so
        if FOLDER.is_dir() and all(entry.name.startswith(OURS) for entry in FOLDER.iterdir()):
            FOLDER.chmod(0o700)
        for path in _private_paths():
            path.chmod(0o700 if path.is_dir() else 0o600)


def open_to_others() -> list[Path]:
    """What of ours others may read or write."""
    return [path for path in _private_paths() if path.stat().st_mode & 0o077]


def _private_paths() -> list[Path]:
    paths = [FOLDER / "secret", FOLDER / "pictures", FOLDER / "files", FOLDER / "uploads", FOLDER / "exports"]
    if settings.ON_SQLITE:
        file = settings.DATABASE_URL.removeprefix("sqlite://")
        paths += [Path(f"{file}{end}") for end in ("", "-wal", "-shm")]
    return [path for path in paths if path.exists()]


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Lock the folder; the system unlocks it when the process ends, however that happens."""
    make()
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


_serving: list[int] = []


def claim() -> bool:
    """On SQLite: be the one process that serves these data, until it ends; return whether nobody else does."""
    make()
    file = os.open(FOLDER / "serving", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    _serving.append(file)  # open for as long as the process lives, and with it the lock
    return True
