"""
How many matches a second hold: two processes on one PostgreSQL, a hundred people a second, without HTTP.

    python -m tests.bench.matching
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time

from tests.servers import ROOT, Postgres

SECONDS, PEOPLE, A_SECOND = 30, 3200, 50


def measure() -> None:
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        env = os.environ | {"DATABASE_URL": server.create(), "DATA_DIR": folder, "SECRET_KEY": "x" * 40}
        subprocess.run([sys.executable, "-m", "webapp", "migrate"], env=env, check=True, cwd=ROOT)
        own = [sys.executable, "-m", "tests.bench.matching"]
        subprocess.run([*own, "fill"], env=env, check=True, cwd=ROOT)
        both = [subprocess.Popen([*own, str(number)], env=env, cwd=ROOT) for number in range(2)]
        for process in both:
            process.wait()


async def fill() -> None:
    from webapp.accounts.models import User
    from webapp.accounts.names import new_code
    from webapp.db import engine
    from webapp.strangers.models import Stranger

    async with engine.connected():
        await User.bulk_create([User(code=new_code(), display_name="G", is_guest=True) for _ in range(PEOPLE)])
        masks = await User.all().values_list("id", flat=True)
        await Stranger.bulk_create([Stranger(mask_id=mask, person=mask) for mask in masks])


async def run(number: int) -> None:
    """Every second fifty of this process's half leave and look for somebody new."""
    from webapp.db import engine
    from webapp.strangers.matching import match_waiting
    from webapp.strangers.models import Stranger

    found, passes, is_over, asked = 0, list[float](), False, asyncio.Event()

    async def matching() -> None:
        nonlocal found
        while not is_over:
            await asked.wait()
            asked.clear()
            begun = time.monotonic()
            while pairs := await match_waiting():
                found += len(pairs)
            passes.append((time.monotonic() - begun) * 1000)

    async def go_on(who: Stranger) -> None:
        await who.leave()
        await who.start_waiting()
        asked.set()

    async with engine.connected():
        mine = (await Stranger.all().select_related("mask").order_by("id"))[number::2]
        matcher = asyncio.create_task(matching())
        begun, sent = time.monotonic(), 0
        while time.monotonic() - begun < SECONDS:
            await asyncio.gather(*(go_on(mine[(sent + place) % len(mine)]) for place in range(5)))
            sent += 5
            await asyncio.sleep(max(0, begun + sent / A_SECOND - time.monotonic()))
        took, is_over = time.monotonic() - begun, True
        await asyncio.sleep(1)
        asked.set()
        await matcher
        left = await Stranger.filter(since__not_isnull=True).count()
    passes.sort()
    print(
        f"process {number}: {sent / took:.0f} people and {found / took:.1f} matches a second for {took:.0f} s, "
        f"a pass {passes[len(passes) // 2]:.0f} ms (at most {passes[-1]:.0f}), {left} left waiting",
        flush=True,
    )


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if not what:
        measure()
    else:
        asyncio.run(fill() if what == "fill" else run(int(what)))
