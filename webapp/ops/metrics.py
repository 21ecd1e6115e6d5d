"""What an operator's Prometheus asks for: plain counters as text, nothing about anybody."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from webapp import __version__
from webapp.core import faults
from webapp.core.errors import NotFound
from webapp.http import client
from webapp.live import hub
from webapp.live.counters import BUCKETS, Histogram

TEXT = "text/plain; version=0.0.4; charset=utf-8"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


async def show(request: Request) -> Response:
    """For the operator; for anybody else there is nothing here."""
    if not client.is_operator(request):
        raise NotFound
    return Response("\n".join([*_lines(), ""]), 200, {"Cache-Control": "no-store"}, TEXT)


def _lines() -> Iterator[str]:
    counts = hub().counts
    yield from _gauge("parley_info", "Always 1.", 1, f'version="{__version__}"')
    yield "# HELP parley_streams Pages that are open on this process."
    yield "# TYPE parley_streams gauge"
    readers = hub().readers()
    for framing in ("sse", "html"):
        yield f'parley_streams{{kind="{framing}"}} {sum(reader.framing == framing for reader in readers)}'
    sizes = [reader.outbox.size for reader in readers]
    yield from _gauge("parley_channels", "Rooms and lists that they are open on.", len(hub().channels))
    yield from _gauge("parley_outbox_bytes", "What waits to be written to all of them.", sum(sizes))
    yield from _gauge("parley_outbox_bytes_max", "What waits for the slowest.", max(sizes, default=0))
    yield from _counter("parley_streams_opened", "Streams that were opened.", counts.streams)
    yield from _counter("parley_streams_refused", "Streams for which there was no room.", faults.streams.count)
    yield from _counter("parley_outbox_overruns", "Pages let go because they were too slow.", counts.overruns)
    yield from _counter("parley_resumes", "Pages that came back and had missed something.", counts.resumes)
    yield from _counter("parley_log_reads", "Readings of what changed in a room.", counts.log_reads)
    yield from _counter("parley_read_failures", "Readings that failed and were tried again.", counts.read_failures)
    yield from _counter("parley_rings_sent", "Rings to other processes.", counts.rings_sent)
    yield from _counter("parley_rings_heard", "Rings from other processes.", counts.rings_heard)
    yield from _counter("parley_rings_lost", "Changes that only the heartbeat found.", counts.rings_lost)
    yield from _counter("parley_publish_failures", "Rings that had to be sent again.", counts.publish_failures)
    yield from _counter("parley_links_lost", "How often Redis was lost.", counts.links_lost)
    yield from _gauge("parley_link_up", "Whether the other processes can be heard.", int(hub().is_connected))
    yield from _histogram("parley_delivery_seconds", "From the ring to the last outbox.", counts.delays)
    yield from _counter("parley_changes", "Messages posted, edited and removed here.", counts.changes)
    yield from _counter("parley_database_errors", "Times that the database did not answer.", faults.database.count)
    yield from _gauge("parley_database_failing", "Whether it failed a moment ago.", int(faults.database.is_on))
    yield from _counter("parley_disk_errors", "Times that the data folder took nothing.", faults.disk.count)
    yield from _gauge("parley_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
    yield from _process()


def _process() -> Iterator[str]:
    """Under the names that every Prometheus client gives them; only where the system tells."""
    if (own := Path("/proc/self")).exists():
        resident = int((own / "statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES
        yield from _gauge("process_resident_memory_bytes", "Resident memory.", resident)
        yield from _gauge("process_open_fds", "Open files and connections.", len(os.listdir(own / "fd")))


def _gauge(name: str, what: str, value: int, labels: str = "") -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} gauge"
    yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"


def _counter(name: str, what: str, value: int) -> Iterator[str]:
    yield f"# HELP {name}_total {what}"
    yield f"# TYPE {name}_total counter"
    yield f"{name}_total {value}"


def _histogram(name: str, what: str, found: Histogram) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} histogram"
    so_far = 0
    for most, count in zip((*map(str, BUCKETS), "+Inf"), found.found, strict=True):
        so_far += count
        yield f'{name}_bucket{{le="{most}"}} {so_far}'
    yield f"{name}_sum {found.total:.6f}"
    yield f"{name}_count {so_far}"
