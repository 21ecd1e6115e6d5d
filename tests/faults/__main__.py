"""`python -m tests.faults`: every fault five times on both set-ups, and the table of what came of it."""

import asyncio
import sys

from tests.faults.faults import ON_DOUBLE, ON_SINGLE
from tests.faults.harness import Double, Outcome, Single, observe, table

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 5

rows: dict[tuple[str, str], list[Outcome]] = {}
for make, faults in ((Single, ON_SINGLE), (Double, ON_DOUBLE)):
    with make() as site:
        for fault in faults:
            outcomes = rows.setdefault((fault.name, make.name), [])
            for _ in range(TIMES):
                outcomes.append(asyncio.run(observe(site, fault)))
                print(f"{fault.name}: {outcomes[-1]}", file=sys.stderr, flush=True)
print("\n".join(table(rows)))
