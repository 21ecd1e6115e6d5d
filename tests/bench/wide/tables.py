"""What was counted as tables: what all processes ask of the database and of Redis, what each does, what breaks next."""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.bench.wide.options import Options

# Assumptions, not measured: what one PostgreSQL of 16 cores does of simple statements (30,000 to 60,000 a second), and
# the one thread of a Redis of small deliveries (0.5 to 1 million).
STATEMENTS, DELIVERIES = 45_000, 750_000
# CPU seconds, estimated: of a request and of a statement from what requests cost on SQLite and on PostgreSQL (in
# process, without sockets), of a ring that is heard and read, of a delivery from the row `fanout` of the benchmark.
REQUEST, STATEMENT, RING, DELIVERY = 350e-6, 100e-6, 15e-6, 25e-6
KINDS = (
    ("post", "a post: the request and its transaction"),
    ("log", "the log of a room, in each process that shows it: news, and pages that join"),
    ("sidebars", "entries of sidebars"),
    ("typing", "reports of typing"),
    ("read marks", "reports of reading"),
    ("states", "who is here, and other states of rooms"),
    ("presence", "visits and leases"),
    ("heartbeat", "comparisons at the heartbeat"),
    ("page", "pages that are asked for"),
    ("opening", "streams that are opened"),
    ("background", "work in the background"),
)


class Report:
    def __init__(self, options: Options, found: dict[str, Any]) -> None:
        self.options, self.found = options, found
        # Of what the sample counts, to all processes in one second.
        self.scale = options.processes / options.sample / options.seconds
        self.statements = sum(found["statements"].values()) * self.scale
        self.deliveries = sum(found["delivered"].values()) * self.scale
        self.posts = max(1, found["events"].get("posts", 0))

    def __str__(self) -> str:
        return "\n".join([*self._title(), "", *self._database(), "", *self._shared(), "", self.sentence()])

    def _title(self) -> Iterator[str]:
        o = self.options
        routing = "by room" if o.sticky else "at random"
        yield f"## {o.people:,} people, {o.rooms:,} rooms, {o.processes} processes, {o.posts:,.0f} posts a second"
        yield f"Routing {routing}; {o.seconds:g} s of virtual time; {o.sample} processes looked into; seed {o.seed}."

    def _database(self) -> Iterator[str]:
        yield "| on PostgreSQL, a second | statements | rows | transactions | statements per post |"
        yield "|---|---|---|---|---|"
        for kind, title in KINDS:
            counts = [self.found[what].get(kind, 0) for what in ("statements", "rows", "transactions")]
            figures = [f"{count * self.scale:,.0f}" for count in counts]
            yield _row([title, *figures, f"{counts[0] / self.posts:.1f}"])
        totals = [sum(self.found[what].values()) for what in ("statements", "rows", "transactions")]
        yield _row(["all", *(f"{total * self.scale:,.0f}" for total in totals), f"{totals[0] / self.posts:.1f}"])

    @property
    def statements_per_post(self) -> float:
        """Of the post itself, and of logs and sidebars in the processes that show it."""
        count: int = sum(self.found["statements"].get(kind, 0) for kind in ("post", "log", "sidebars"))
        return float(count / self.posts)

    def _shared(self) -> Iterator[str]:
        o, found = self.options, self.found
        published = sum(found["published"].values())
        worst = max(found["delivered"].items(), key=lambda one: one[1], default=("", 0))
        yield "| | |"
        yield "|---|---|"
        yield _row(["statements per post: its own, logs, sidebars", f"{self.statements_per_post:.1f}"])
        yield _row(["Redis, a second: publishes", f"{published / o.seconds:,.0f}"])
        yield _row(["deliveries", f"{self.deliveries:,.0f}"])
        yield _row(["processes that one publish reaches", f"{self.deliveries * o.seconds / max(1, published):.1f}"])
        yield _row(["kB in", f"{found['bytes_in'] / o.seconds / 1000:,.0f}"])
        yield _row(["kB out", f"{found['bytes_out'] * self.scale / 1000:,.0f}"])
        channel = "all" if len(found["delivered"]) > 1 and worst[0] == "all" else "the busiest"
        yield _row([f"deliveries of one channel ({channel})", f"{worst[1] * self.scale:,.0f}"])
        yield _row(["a process, a second: rings heard and followed", f"{self._each(found['heard']):,.0f}"])
        yield _row(["statements", f"{self.statements / o.processes:,.0f}"])
        yield _row(["messages at readers", f"{self._each(found['events'].get('messages at readers', 0)):,.0f}"])
        yield _row(["kB at readers", f"{self._each(found['events'].get('bytes at readers', 0)) / 1000:,.0f}"])
        yield _row(["CPU of its core, estimated", f"{self.cpu:.0%}"])
        yield _row(["rings lost, failures, messages missing", f"{self._losses()}"])

    def _losses(self) -> str:
        facts = self.found["facts"]
        return f"{facts['rings lost']}, {facts['failures']}, {len(self.found['problems'])}"

    def _each(self, count: int) -> float:
        return count / self.options.sample / self.options.seconds

    @property
    def cpu(self) -> float:
        events = self.found["events"]
        requests = sum(events.get(kind, 0) for kind in ("posts", "posts", "read marks", "streams opened"))
        requests += events.get("posts", 0) + 4 * events.get(
            "streams opened", 0
        )  # typing; a page costs four times as much
        spent = requests * REQUEST + sum(self.found["statements"].values()) * STATEMENT + self.found["heard"] * RING
        spent += events.get("messages at readers", 0) * DELIVERY
        return self._each(1) * float(spent)

    def sentence(self) -> str:
        """Where it breaks next, by the assumptions above."""
        loads = {
            f"PostgreSQL ({self.statements:,.0f} of {STATEMENTS:,} statements a second)": self.statements / STATEMENTS,
            f"Redis ({self.deliveries:,.0f} of {DELIVERIES:,} deliveries a second)": self.deliveries / DELIVERIES,
            f"the processes ({self.cpu:.0%} of a core each)": self.cpu,
        }
        first = sorted(loads, key=lambda name: -loads[name])
        most = round(self.options.people / loads[first[0]], -3)
        rest = " and ".join(first[1:])
        return (
            f"It breaks first at {first[0]}, with {most:,.0f} people who do the same on as many processes; then "
            f"come {rest}. The limits of PostgreSQL and Redis are assumptions."
        )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
