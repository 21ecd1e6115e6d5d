"""What a start works out from the program's own files, stored in the data folder for the next start."""

import contextlib
import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from webapp import settings

FOLDER = settings.DATA_DIR / "cache"
DIGEST_LENGTH = 64


def cached(name: str, sources: Iterable[Path], make: Callable[[], bytes], also: str = "") -> bytes:
    """
    Return what `make` makes of these files, the code for it being one of them, and of what `also` says.

    It is made again where one byte of them has changed, and where what is stored can't be read or is not whole. Without
    a data folder, or where it can't be written, it is made at each start.
    """
    wanted = _digest(also.encode(), *(part for path in sources for part in (path.name.encode(), path.read_bytes())))
    if (content := load(name, wanted)) is None:
        content = make()
        store(name, wanted, content)
    return content


def load(name: str, made_from: bytes) -> bytes | None:
    """Return what was stored under that name and made from that; None where there is nothing whole."""
    with contextlib.suppress(OSError):
        stored = (FOLDER / name).read_bytes()
        digest, content = stored[len(made_from) :][:DIGEST_LENGTH], stored[len(made_from) + DIGEST_LENGTH :]
        if stored.startswith(made_from) and digest == _digest(content):
            return content
    return None


def store(name: str, made_from: bytes, content: bytes) -> None:
    """Store it for `load`, if possible."""
    with contextlib.suppress(OSError):
        _write(FOLDER / name, made_from + _digest(content) + content)


def _digest(*parts: bytes) -> bytes:
    """Each part with its length before it: the end of one is not the beginning of the next."""
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest().encode()


def _write(path: Path, content: bytes) -> None:
    """Write the file, which nobody ever reads half of; where there is no data folder yet, none is made for it."""
    if not settings.DATA_DIR.is_dir():
        return
    FOLDER.mkdir(0o700, exist_ok=True)
    with NamedTemporaryFile(dir=FOLDER, delete=False) as file:  # 0600 by itself
        try:
            file.write(content)
            file.flush()
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise
