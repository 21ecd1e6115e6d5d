"""Figures of this process for an operator's Prometheus; nothing about any person."""

import asyncio
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.responses import Response

from webapp import __version__
from webapp.core.faults import faults
from webapp.live import counters, hub
from webapp.ops.file_metrics import file_metrics

# Of what the library knows about a process, these are enough to see a leak.
PROCESS_METRICS = {"process_resident_memory_bytes", "process_open_fds"}


def exposition(indexed: float | None) -> Response:
    """Return all figures as Prometheus reads them; `indexed` is which part of the messages search finds, if known."""
    headers = {"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
    return Response(generate_latest(Metrics(indexed)), 200, headers)


class Metrics(Collector):
    """Reads the counters where they are counted, when Prometheus asks: nothing is counted twice."""

    def __init__(self, indexed: float | None) -> None:
        self._indexed = indexed

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("parley", "Always 1.", {"version": __version__})
        yield from _pages()
        yield from _engine()
        yield from _faults()
        yield from (GaugeMetricFamily(*figure) for figure in file_metrics().figures())
        if self._indexed is not None:
            yield GaugeMetricFamily(
                "parley_search_indexed",
                "Which part of all messages search finds: 1 but after an upgrade.",
                self._indexed,
            )
        yield GaugeMetricFamily("parley_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        yield from (metric for metric in ProcessCollector(registry=None).collect() if metric.name in PROCESS_METRICS)


def _pages() -> Iterator[Metric]:
    readers = hub().readers()
    streams = GaugeMetricFamily("parley_streams", "Pages that are open on this process.", labels=["kind"])
    for framing in ("sse", "html"):
        streams.add_metric([framing], sum(reader.framing == framing for reader in readers))
    yield streams
    sizes = [reader.outbox.size for reader in readers]
    yield GaugeMetricFamily("parley_channels", "Rooms and lists that they are open on.", len(hub().channels))
    yield GaugeMetricFamily("parley_outbox_bytes", "What waits to be written to all of them.", sum(sizes))
    yield GaugeMetricFamily("parley_outbox_bytes_max", "What waits for the slowest.", max(sizes, default=0))


def _engine() -> Iterator[Metric]:
    counts = hub().counts
    yield CounterMetricFamily("parley_streams_opened", "Streams that were opened.", counts.streams)
    yield CounterMetricFamily(
        "parley_outbox_overruns", "Pages that were disconnected because they were too slow.", counts.overruns
    )
    yield CounterMetricFamily("parley_resumes", "Pages that came back and had missed something.", counts.resumes)
    yield CounterMetricFamily("parley_log_reads", "Readings of what changed in a room.", counts.log_reads)
    yield CounterMetricFamily(
        "parley_read_failures", "Readings that failed and were tried again.", counts.read_failures
    )
    yield CounterMetricFamily("parley_rings_sent", "Rings to other processes.", counts.rings_sent)
    yield CounterMetricFamily("parley_rings_heard", "Rings from other processes.", counts.rings_heard)
    yield CounterMetricFamily("parley_rings_lost", "Changes that only the heartbeat found.", counts.rings_lost)
    yield CounterMetricFamily("parley_publish_failures", "Rings that had to be sent again.", counts.publish_failures)
    yield CounterMetricFamily("parley_links_lost", "How often Redis was lost.", counts.links_lost)
    yield CounterMetricFamily("parley_changes", "Messages posted, edited and removed here.", counts.changes)
    yield GaugeMetricFamily("parley_link_up", "Whether the other processes can be heard.", hub().is_connected)
    limits = (*map(str, counters.BUCKETS), "+Inf")
    buckets = list(zip(limits, accumulate(counts.delays.found), strict=True))
    yield HistogramMetricFamily(
        "parley_delivery_seconds", "From the ring to the last outbox.", buckets, counts.delays.total
    )


def _faults() -> Iterator[Metric]:
    yield CounterMetricFamily(
        "parley_streams_refused", "Streams refused because MAX_STREAMS were open.", faults().streams.count
    )
    yield CounterMetricFamily(
        "parley_database_errors", "Times that the database did not answer.", faults().database.count
    )
    yield GaugeMetricFamily("parley_database_failing", "Whether it failed a moment ago.", faults().database.is_on)
    yield CounterMetricFamily(
        "parley_disk_errors", "Times that the data folder could not be written to.", faults().disk.count
    )
    yield CounterMetricFamily(
        "parley_space_refusals", "Files refused because little room was left on the disk.", faults().space.count
    )
    yield CounterMetricFamily(
        "parley_media_errors", "Times that the bucket of MEDIA_URL did not answer.", faults().media.count
    )
    yield GaugeMetricFamily("parley_disk_failing", "Whether it could not a moment ago.", faults().disk.is_on)
    yield GaugeMetricFamily("parley_media_failing", "Whether it did not a moment ago.", faults().media.is_on)
