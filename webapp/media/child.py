"""
The process that makes pictures: bounded in memory and time, with nothing of the server's in it.

`python -m webapp.media.child` reads requests from its input and answers them one by one, until its input ends: it
belongs to one server (process.py), and ends with it, however that ends. A message is the length of its head, the head
(JSON), and the parts whose lengths stand in it.
"""

import contextlib
import json
import os
import re
import resource
import signal
import struct
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from webapp.media.sizes import Crop, Refused

LENGTH = struct.Struct(">I")
MAX_HEAD_BYTES = 64 * 1024
# The most that a picture with as many pixels as are taken needs: 476 MB, a WebP of 25 million. A photo of a phone takes
# 150 MB, a progressive one of 48 million 210.
MAX_MEMORY_BYTES = 512 * 2**20
# Who took more leaves memory behind; of a phone's photos none does.
LARGE_BYTES = 256 * 2**20
MAX_CPU_SECONDS = 20
MAX_OPEN_FILES = 32
PR_SET_PDEATHSIG = 1


def write_message(stream: IO[bytes], head: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
    text = json.dumps(head | {"parts": [len(part) for part in parts]}).encode()
    stream.write(LENGTH.pack(len(text)) + text)
    for part in parts:
        stream.write(part)
    stream.flush()


def read_message(stream: IO[bytes], max_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
    """Return the next message. Raises EOFError where it is not all there, ValueError where it is too long or none."""
    (length,) = LENGTH.unpack(_read(stream, LENGTH.size))
    if length > MAX_HEAD_BYTES:
        raise ValueError("a head is too long")
    head = json.loads(_read(stream, length))
    if not isinstance(head, dict) or not isinstance(lengths := head.pop("parts", None), list):
        raise ValueError("a head is none")
    if not all(type(one) is int and one >= 0 for one in lengths) or sum(lengths) > max_bytes:
        raise ValueError("the parts are too long")
    return head, [_read(stream, one) for one in lengths]


def _read(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print is no answer
    _bound()
    from webapp.media import pixels  # now that memory is bounded

    warnings.simplefilter("ignore")
    write_message(answers, {"is_ready": True})
    while True:
        try:
            head, parts = read_message(requests, 2**62)
        except EOFError:
            return
        _bound_time()
        answer, made = _answered(pixels, head, parts)
        write_message(answers, answer | {"is_spent": _peak_bytes() > LARGE_BYTES}, made)


def _answered(pixels: Any, head: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    try:
        if head["work"] == "avatar":
            sizes = pixels.draw_avatar(parts.pop(), Crop(*head["crop"]))
            return {"sizes": list(sizes)}, list(sizes.values())
        whole_size, whole, thumb_size, thumb = pixels.draw_photo(Path(head["path"]).read_bytes())
        return {"whole": whole_size, "thumb": thumb_size}, [whole, thumb]
    except Refused as refused:
        return {"refused": refused.args}, []
    except MemoryError:
        return {"is_exhausted": True}, []
    except Exception as error:
        return {"failed": repr(error)[:1000]}, []


def _peak_bytes() -> int:
    """Return the most memory there was; of Linux not `ru_maxrss`, which counts the server that began this process."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
        return int(found[1]) * 1024 if found else 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _bound() -> None:
    """Bound what a picture may take from the machine; end with the server, also where it is killed in the middle."""
    with contextlib.suppress(ValueError, OSError):  # macOS has no such bound
        _limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which means the server
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _bound_time() -> None:
    """The system ends the process when the next picture has taken too long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + MAX_CPU_SECONDS, is_final=False)


def _limit(kind: int, most: int, is_final: bool = True) -> None:
    """A bound that is not final can be raised again; one that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most if is_final else hard))


if __name__ == "__main__":
    main()
