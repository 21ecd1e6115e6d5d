"""
The benchmarks: Parley beside its yardsticks, on this machine.

    python -m tests.bench [--quick] [ROW ...]

`--help` names the rows and what can be chosen.
"""

import argparse
import signal
import sys
import time

from tests.bench import live, pages, posts
from tests.bench.report import Row, summary
from tests.bench.scale import FULL, QUICK, Scale

ROWS = {
    row.__name__: row
    for row in (
        live.fanout,
        live.slow,
        live.saturation,
        live.rooms,
        live.generator,
        live.storm,
        live.memory,
        posts.posts,
        posts.workers,
        pages.page,
        pages.lobby,
        pages.start,
        pages.growth,
    )
}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Parley beside its yardsticks.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"all of them, or some of: {' '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--seconds", type=int, help="how long each time")
    parser.add_argument("--idle-minutes", type=float, help="how long the row `memory` waits")
    parser.add_argument("--readers", type=int, action="append", help="how many pages are open (more than once: each)")
    parser.add_argument("--history", type=int, help="how long the long history is")
    parser.add_argument(
        "--only", action="append", help="whom to measure: Parley, before, bare, Channels, naive or nchan"
    )
    parser.add_argument("--before", metavar="FOLDER", help="another checkout of Parley to measure beside this one")
    chosen = parser.parse_args()
    if unknown := set(chosen.rows) - ROWS.keys():
        parser.error(f"there is no row {' '.join(unknown)}")
    return chosen


def scale(chosen: argparse.Namespace) -> Scale:
    base = QUICK if chosen.quick else FULL
    given = {name: value for name, value in vars(chosen).items() if name in Scale._fields and value}
    return base._replace(**given)


def main() -> None:
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the servers are ended too
    done: list[Row] = []
    begun = time.monotonic()
    for name in chosen.rows or ROWS:
        for row in ROWS[name](scale(chosen)):
            done.append(row)
            print(row, flush=True)
    print(summary(done))
    print(f"\n{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
