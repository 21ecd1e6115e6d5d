"""What a start works out from the program's own files, stored in the data folder for the next start."""

import contextlib
import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from webapp import settings

FOLDER = settings.DATA_DIR / "cache"


def cached(name: str, sources: Iterable[Path], make: Callable[[], bytes], also: str = "") -> bytes:
    """
    Return what `make` makes of these files, the code for it being one of them, and of what `also` says.

    It is made again where one byte of them has changed, and where what is stored can't be read or is not whole. Without
    a data folder, or where it can't be written, it is made at each start.
    """
    wanted = _digest(also.encode(), *(part for path in sources for part in (path.name.encode(), path.read_bytes())))
    path = FOLDER / name
    with contextlib.suppress(OSError):
        stored = path.read_bytes()
        content = stored[2 * len(wanted) :]
        if stored == wanted + _digest(content) + content:
            return content
    content = make()
    with contextlib.suppress(OSError):
        _store(path, wanted + _digest(content) + content)
    return content


def _digest(*parts: bytes) -> bytes:
    """Each part with its length before it: the end of one is not the beginning of the next."""
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest().encode()


def _store(path: Path, content: bytes) -> None:
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
