"""
Parley on many processes, counted in virtual time.

    python -m tests.bench.wide [--people 100000 --rooms 20000 --processes 80 --sample 2 --posts 1000 --seconds 15]

Rooms have 20 members, everybody has one of their rooms open and opens another each minute. A post is typed, and read
by all who have its room open. All processes exist; the pages of `sample` of them are open in full, and what these ask
of the database is multiplied. With `--real` it measures four processes on a PostgreSQL and a Redis of their own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.wide import real
from tests.bench.wide.options import Options
from tests.bench.wide.tables import Report
from tests.servers import ROOT, furnish


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wide", description=__doc__.split("\n")[1])
    for name, default in Options()._asdict().items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, type=type(default), default=default)
    parser.add_argument("--real", action="store_true", help="four processes on PostgreSQL and Redis, in real time")
    parser.add_argument("--before", metavar="FOLDER", default="", help="with --real: another checkout to measure too")
    parser.add_argument("--texts", type=int, default=0, help="how many of the most frequent statements to name")
    return parser.parse_args()


def measure(chosen: Options) -> dict[str, Any]:
    """What was counted; in a process of its own, whose settings are those of the simulation."""
    with tempfile.TemporaryDirectory(prefix="parley-wide-") as folder:
        data = Path(folder) / "data"
        furnish(data)
        env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        env |= {"DATA_DIR": str(data), "PYTHONPATH": str(ROOT), "SECRET_KEY": "x" * 40, "RATE_LIMITS": "off"}
        env |= {"MAX_STREAMS": "1000000", "MAX_STREAMS_PER_SESSION": "100"}
        # Never connected to: what depends on there being one is as with one.
        env |= {"REDIS_URL": "redis://127.0.0.1:1/0", "PYTHONHASHSEED": "1"}
        command = [sys.executable, "-m", "tests.bench.wide.run", json.dumps(chosen._asdict())]
        ran = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def main() -> None:
    given = vars(options())
    if given["real"]:
        print(real.report(given["before"]))
        return
    chosen = Options(**{name: given[name] for name in Options._fields})
    found = measure(chosen)
    print(Report(chosen, found))
    for text, count in sorted(found["texts"].items(), key=lambda one: -one[1])[: given["texts"]]:
        print(f"{count:8} {text}")
    if found["problems"]:
        sys.exit("\n".join(found["problems"][:10]))


if __name__ == "__main__":
    main()
