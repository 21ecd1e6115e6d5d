"""Drives the generators: `load.c` for open pages and posts, wrk for pages that are asked for."""

import atexit
import json
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.bench import machine
from tests.bench.contenders import Contender, Request

SOURCE = Path(__file__).parent / "load.c"
# When the generator uses so much of its core, it may be what was measured.
BUSY = 0.9


class Load(NamedTuple):
    """What came of one run of the generator; the names are load.c's."""

    readers: int
    figures: dict[str, float]
    last_error: str
    noise: float

    def __getattr__(self, name: str) -> float:
        try:
            return self.figures[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def deliveries_a_second(self) -> float:
        return self.counted / self.seconds if self.seconds else 0.0

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds of the server for a million deliveries."""
        return self.cpu / self.counted * 1e6 if self.counted else 0.0

    @property
    def busy(self) -> float:
        """The generator's share of its core."""
        return self.own_cpu / self.measured_seconds if self.measured_seconds else 0.0

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        wrong = {
            name: int(self.figures[name]) for name in ("lost", "repeated", "reordered", "strange", "failed", "dropped")
        }
        if self.opened < self.readers:
            wrong["not opened"] = self.readers - int(self.opened)
        found = [f"{count:,} {name}" for name, count in wrong.items() if count]
        return [*found, self.last_error] if found else []


@cache
def generator() -> str:
    """load.c as a program."""
    folder = tempfile.mkdtemp(prefix="parley-bench-")
    atexit.register(shutil.rmtree, folder)
    program = Path(folder) / "load"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", program, SOURCE], check=True)
    return str(program)


def load(contender: Contender, readers: list[Request], posts: list[Request], **options: int) -> Load:
    """Open these pages and post to them; the options stand at the top of load.c."""
    with tempfile.TemporaryDirectory() as folder, machine.Watch(contender.pids) as watch:
        files = [_written(Path(folder) / name, some) for name, some in (("readers", readers), ("posts", posts))]
        words = [f"{name}={value}" for name, value in options.items()]
        words += [f"websocket={int(contender.is_websocket)}", *(f"pid={pid}" for pid in contender.pids)]
        with machine.on(machine.LOAD):
            ran = subprocess.run(
                [generator(), str(contender.port), *files, *words], capture_output=True, text=True, check=False
            )
    if ran.returncode:
        raise RuntimeError(f"{contender.name}: {ran.stderr}")
    figures = json.loads(ran.stdout)
    return Load(len(readers), figures, figures.pop("last_error"), watch.noise)


def _written(path: Path, requests: list[Request]) -> str:
    path.write_bytes(b"".join(b"%d %d\n%b" % (one.room, len(one.bytes), one.bytes) for one in requests))
    return str(path)


class Asked(NamedTuple):
    """What wrk found."""

    a_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    noise: float


def wrk(contender: Contender, path: str, seconds: int, headers: dict[str, str] | None = None) -> Asked:
    """Ask for a page for so many seconds, over four connections that are kept."""
    named = contender.headers(0) | (headers or {})
    words = [word for name, value in named.items() for word in ("-H", f"{name}: {value}")]
    url = f"http://127.0.0.1:{contender.port}{path}"
    with machine.Watch(contender.pids) as watch, machine.on(machine.LOAD):
        ran = subprocess.run(
            ["wrk", "-t1", "-c4", f"-d{seconds}s", "--timeout=30s", "--latency", *words, url],
            capture_output=True,
            text=True,
            check=True,
        )
    if wrong := re.search(r"Non-2xx.*|Socket errors.*", ran.stdout):
        raise RuntimeError(f"{contender.name}: {wrong[0]}")
    (rate,), (count,) = _found(r"Requests/sec:\s+([\d.]+)", ran.stdout), _found(r"(\d+) requests in", ran.stdout)
    p50, p99 = (_milliseconds(*_found(rf"{share}%\s+([\d.]+)(us|ms|s)", ran.stdout)) for share in (50, 99))
    return Asked(float(rate), p50, p99, watch.cpu / max(1, int(count)) * 1000, watch.noise)


def _found(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    assert found, text
    return found.groups()


def _milliseconds(number: str, unit: str) -> float:
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
