"""Rows about open pages: what a delivery costs, how many there can be, how late they are."""

import contextlib
from collections.abc import Iterator, Sequence

from tests.bench.contenders import Bare, Before, Channels, Contender, Faulty, Naive, Nchan, Parley, Peer
from tests.bench.loader import BUSY, Load, load
from tests.bench.report import Row
from tests.bench.scale import Scale

A_SECOND = 5
MISSED = 20
# In seconds: who is not back by then stays away, which is said.
LONGEST_STORM = 60


@contextlib.contextmanager
def started(scale: Scale, *contenders: Contender) -> Iterator[Sequence[Contender]]:
    """Those of the contenders that are to be measured, running."""
    chosen = [one for one in contenders if scale.takes(one.name)]
    with contextlib.ExitStack() as stack:
        for one in contenders:
            stack.push(one.__exit__)  # the others too: each has a folder
        for one in chosen:
            one.__enter__()
        yield chosen


def parleys(scale: Scale, people: int, messages: list[int] | None = None) -> list[Parley]:
    """Return Parley, and that of another checkout where there is one to compare with."""
    before = [Before(scale.before, people, messages)] if scale.before else []
    return [Parley(people, messages), *before]


def peers(people: int, rooms: int = 1) -> list[Peer]:
    return [Channels(people, rooms), Naive(people, rooms), Nchan(people, rooms)]


def heard(row: Row, contender: Contender, result: Load) -> None:
    """Keep what speaks for or against a run."""
    row.noise.append(result.noise)
    if result.problems:
        row.remark(
            f"{'WRONG: ' if isinstance(contender, Parley) else ''}{contender.name}: {', '.join(result.problems)}"
        )
    if result.busy > BUSY:
        row.remark(
            f"The generator was busy for {result.busy:.0%} of the time with {contender.name}: it may be the limit."
        )


def fanout(scale: Scale) -> Iterator[Row]:
    """What a delivery costs and how late it is, at five messages a second in a room."""
    for people in scale.readers:
        row = Row(f"Fan-out: {people:,} readers, {A_SECOND} messages a second")
        with started(scale, *parleys(scale, people), *peers(people)) as contenders:
            for contender in scale.rounds_of(contenders):
                messages = max(5, min(A_SECOND * scale.seconds, contender.patience // people))
                options = {"rate": A_SECOND, "warm": min(5, messages // 2), "settle": 2000}
                result = load(contender, contender.readers(), contender.posts(), messages=messages, **options)
                heard(row, contender, result)
                row.note(
                    contender.name,
                    CPU_s_per_million_deliveries=result.cpu_per_million,
                    delay_p50_ms=result.p50_ms,
                    delay_p99_ms=result.p99_ms,
                    bytes_of_a_delivery=result.bytes / max(1, result.counted),
                    generator_busy=result.busy,
                )
        if people == 1000:
            cost = "CPU_s_per_million_deliveries"
            row.bar("CPU per delivery, less than Channels'", row.ratio(cost, "Channels"), "x", 12, 12)
            row.bar("CPU per delivery, of nchan's", row.ratio(cost, "Parley", "nchan"), "x", 1.35, 1.1, is_cost=True)
            late = row.ratio("delay_p99_ms", "Parley", "nchan")
            row.bar("delay p99 there, of nchan's", late, "x", 1, 0.8, is_cost=True)
        yield row


def slow(scale: Scale) -> Iterator[Row]:
    """What a message costs where nothing waits and so nothing is shared: a small room, and a message now and then."""
    people, idle_seconds = 5, 5
    row = Row(f"Slow: {people} readers of one room, {A_SECOND} messages a second")
    with started(scale, *parleys(scale, people), Bare(people), Naive(people), Nchan(people)) as contenders:
        for contender in scale.rounds_of(contenders):
            options = {"rate": A_SECOND, "warm": 10, "settle": 2000, "idle": idle_seconds * 1000}
            result = load(
                contender, contender.readers(), contender.posts(), messages=A_SECOND * scale.seconds, **options
            )
            heard(row, contender, result)
            at_rest = result.idle_cpu / idle_seconds
            row.note(
                contender.name,
                CPU_ms_of_a_message=(result.cpu - at_rest * result.measured_seconds)
                / max(1, result.counted / people)
                * 1000,
                CPU_ms_per_second_idle=at_rest * 1000,
                bytes_per_reader_and_message=result.bytes / max(1, result.counted),
                delay_p50_ms=result.p50_ms,
            )
    row.bar("CPU of a message in a slow room", row.median("CPU_ms_of_a_message"), "ms", 2.4, 1.2, is_cost=True)
    size = row.median("bytes_per_reader_and_message")
    row.bar("bytes of a message in a slow room", size, "B", 800, 700, is_cost=True)
    yield row


def saturation(scale: Scale) -> Iterator[Row]:
    """How many deliveries a second there can be, with sixteen who write as fast as they are answered."""
    bars = {1000: (194, 3.5, 4), 5000: (938, 14.6, 20)}
    for people in scale.readers:
        row = Row(f"Saturation: {people:,} readers of one room")
        with started(scale, *parleys(scale, people), *peers(people)) as contenders:
            for contender in scale.rounds_of(contenders):
                _saturate(row, contender, scale)
        if people in bars:
            of_channels, least, aim = bars[people]
            what = f"deliveries a second at saturation, {people:,} readers"
            _rate_bar(row, what, "Channels", of_channels, of_channels)
            _rate_bar(row, what, "nchan", least, aim)
        yield row


def rooms(scale: Scale) -> Iterator[Row]:
    """A thousand rooms of five."""
    row = Row("Saturation: 1,000 rooms of 5 readers")
    counts = [20] * 1000
    with started(scale, *parleys(scale, 5000, counts), Bare(5000, counts), *peers(5000, 1000)) as contenders:
        for contender in scale.rounds_of(contenders):
            _saturate(row, contender, scale)
    _rate_bar(row, "1,000 rooms of 5", "bare", 0.6, 0.85)
    _rate_bar(row, "1,000 rooms of 5", "Channels", 4, 4)
    yield row


def _saturate(row: Row, contender: Contender, scale: Scale) -> None:
    # Who can't follow gets no more to do than it can finish.
    messages = max(6, contender.patience * contender.rooms // contender.people)
    options = {"window": min(256, messages), "warm": min(16, messages // 2), "lasting": scale.seconds * 1000}
    result = load(contender, contender.readers(), contender.posts(), messages=messages, settle=2000, **options)
    heard(row, contender, result)
    row.note(
        contender.name,
        deliveries_a_second=result.deliveries_a_second,
        CPU_s_per_million_deliveries=result.cpu_per_million,
        posts_a_second=result.posts_a_second,
        delay_p99_ms=result.p99_ms,
        server_busy=result.cpu / max(0.001, result.measured_seconds),
        generator_busy=result.busy,
    )


def _rate_bar(row: Row, what: str, over: str, least: float | None, aim: float) -> None:
    row.bar(f"{what}, of {over}'s", row.ratio("deliveries_a_second", "Parley", over), "x", least, aim)


def generator(scale: Scale) -> Iterator[Row]:
    """That the generator is not what is measured: it sees what goes wrong, and against nchan it has time to spare."""
    _check_generator()
    for people in (100, 5000):
        row = Row(f"The generator against nchan: {people:,} readers")
        with started(scale, Nchan(people)) as contenders:
            for contender in scale.rounds_of(contenders):
                _saturate(row, contender, scale)
        row.bar("generator's core in use", row.median("generator_busy", "nchan"), "of 1", 0.9, 0.6, is_cost=True)
        yield row


def _check_generator() -> None:
    with Faulty(4) as faulty:
        seen = load(faulty, faulty.readers(), faulty.posts(), messages=101, posters=1, quiet=1000)
    assert (seen.lost, seen.repeated, seen.reordered, seen.strange) == (10, 10, 10, 0), seen


def storm(scale: Scale) -> Iterator[Row]:
    """Five thousand come back at once, each of whom missed the same twenty messages."""
    row = Row(f"5,000 readers reconnect at once, {MISSED} messages missed")
    with started(scale, *parleys(scale, 5000), Bare(5000), *peers(5000)) as contenders:
        for contender in scale.rounds_of(contenders):
            with contextlib.ExitStack() as stack:
                if isinstance(contender, Nchan):
                    contender = stack.enter_context(Nchan(5000))  # a new one, without what was posted before
                resumes = isinstance(contender, Parley | Nchan)
                options = {"before": MISSED if resumes else 0, "messages": 1, "opening_at_once": 4000}
                options |= {"opening": LONGEST_STORM * 1000}
                result = load(contender, contender.readers(since=0), contender.posts(), **options)
            heard(row, contender, result)
            row.note(
                contender.name,
                all_live_s=result.opening_ms / 1000,
                half_live_s=result.opening_p50_ms / 1000,
                CPU_s=result.opening_cpu,
            )
            row.remark(f"{contender.name} {'resumes' if resumes else 'does not resume'}.")
    row.remark("bare, the same request in one function without sidebars, itself takes 1.24 to 1.3 times nchan's CPU.")
    of_nchan = row.ratio("CPU_s", "Parley", "nchan")
    row.bar("CPU of 5,000 reconnects, resume included, of nchan's", of_nchan, "x", 1.3, 1, is_cost=True)
    yield row


def memory(scale: Scale) -> Iterator[Row]:
    """What an open page takes while nothing is said, at once and after a while."""
    row = Row(f"Memory of an idle connection: 5,000 for {scale.idle_minutes:g} minutes")
    for contender in (Parley(5000), *peers(5000)):
        with started(scale, contender) as chosen:
            if not chosen:
                continue
            options = {"idle": int(scale.idle_minutes * 60_000), "settle": 3000}
            result = load(contender, contender.readers(), [], **options)
        heard(row, contender, result)
        row.note(
            contender.name,
            kB_at_once=(result.memory_open - result.memory_closed) / result.opened,
            kB_later=(result.memory_rested - result.memory_closed) / result.opened,
            CPU_ms_per_second_idle=result.idle_cpu / max(1, scale.idle_minutes * 60) * 1000,
        )
    row.bar("memory of an idle connection", row.median("kB_later"), "kB", 20, 10.5, is_cost=True)
    yield row
