"""The machine that is measured on: a core for the server, another for the load, and how quiet it was meanwhile."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

CORES = sorted(os.sched_getaffinity(0))
SERVER, LOAD = CORES[0], CORES[-1]
TICKS = os.sysconf("SC_CLK_TCK")
# What others may take of the two cores before a measurement is called noisy.
NOISE = 0.1


@contextlib.contextmanager
def on(core: int) -> Iterator[None]:
    """What is started within the block runs on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


class Watch:
    """How much of the machine was taken meanwhile by who is not part of the measurement."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids
        self.noise = 0.0
        # CPU seconds of the servers.
        self.cpu = 0.0

    def __enter__(self) -> Self:
        self._begun, self._busy, self._own, self._servers = time.monotonic(), _busy(), _own(), self._used()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._begun
        self.cpu = self._used() - self._servers
        others = (_busy() - self._busy) - self.cpu - (_own() - self._own)
        self.noise = max(0.0, others / seconds / len(CORES))

    def _used(self) -> float:
        return sum(cpu_seconds(pid) for pid in self.pids)


def _own() -> float:
    """CPU seconds of this process, and of what it has started and waited for: generators."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _busy() -> float:
    """Seconds that the cores have worked, time stolen by the host included."""
    rows = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    cores = {f"cpu{core}" for core in CORES}
    # user nice system idle iowait irq softirq steal
    return sum(sum(map(int, (*row[1:4], *row[6:9]))) for row in rows if row[0] in cores) / TICKS


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
