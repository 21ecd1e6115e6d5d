"""What the engine has done since the process began, for the metrics."""

from bisect import bisect_left
from dataclasses import dataclass, field

# Seconds. The promise is about a second between processes, three without Redis.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


@dataclass
class Histogram:
    """How many took how long: `found[i]` took at most BUCKETS[i], and more than the bucket before; the last, longer."""

    found: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.found[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass
class Counters:
    # Rung by this process itself: what was posted, edited and removed here.
    changes: int = 0
    rings_sent: int = 0
    rings_heard: int = 0
    # Found by the heartbeat although the link was up.
    rings_lost: int = 0
    publish_failures: int = 0
    links_lost: int = 0
    streams: int = 0
    # Readers that came back and had missed something.
    resumes: int = 0
    overruns: int = 0
    log_reads: int = 0
    read_failures: int = 0
    # From the ring to the last outbox.
    delays: Histogram = field(default_factory=Histogram)
