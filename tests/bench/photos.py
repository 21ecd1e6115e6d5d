"""
What twenty photos of a phone cost: time, memory of the server and of its child, and how long messages waited for them.

    .venv/bin/python -m tests.bench.photos       # 12 and 48 megapixels, baseline and progressive
    .venv/bin/python -m tests.bench.photos 50    # so many of each
"""

import asyncio
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

COUNT = 20
SIZES = {"12 megapixels": (4000, 3000), "48 megapixels": (8064, 6048)}
INTERVAL_SECONDS = 0.005


def draw(path: Path, size: tuple[int, int], progressive: bool) -> None:
    """A photo as a phone leaves it: detail and grain, lying on its side, with a profile and the place where it was."""
    from PIL import Image, ImageCms, ImageFilter

    width, height = size
    coarse = Image.effect_noise((width // 40, height // 40), 120).resize(size, Image.Resampling.BICUBIC)
    grain = Image.effect_noise((1024, 1024), 50).filter(ImageFilter.GaussianBlur(0.6))
    detail = Image.new("L", size)
    for x in range(0, width, 1024):
        for y in range(0, height, 1024):
            detail.paste(grain, (x, y))
    photo = Image.merge("RGB", (Image.blend(coarse, detail, 0.5), coarse, Image.blend(coarse, detail, 0.3)))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.5), 3: "E", 4: (13.0, 24.0, 18.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo.save(path, "JPEG", quality=88, progressive=progressive, exif=exif, icc_profile=profile)


def memory(pid: int | str = "self", what: str = "VmRSS") -> float:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(what)), 0.0)


class Meanwhile:
    """What the event loop and the child did while the photos were made."""

    def __init__(self) -> None:
        self.stops, self.child = list[float](), 0.0

    async def watch(self) -> None:
        from webapp.media.images import process

        while True:
            begun = time.perf_counter()
            await asyncio.sleep(INTERVAL_SECONDS)
            self.stops.append(time.perf_counter() - begun - INTERVAL_SECONDS)
            if pid := process.pid:
                try:
                    self.child = max(self.child, memory(pid, "VmHWM"))
                except FileNotFoundError:
                    continue


async def measure(name: str, path: Path, count: int) -> None:
    from webapp.media.images import process, process_photo

    meanwhile, before = Meanwhile(), memory()
    watching = asyncio.create_task(meanwhile.watch())
    times, used = list[float](), _cpu()
    for _ in range(count):
        begun = time.perf_counter()
        photo = await process_photo(path)
        times.append(time.perf_counter() - begun)
    process.end()
    watching.cancel()
    print(
        f"{name:<32} {path.stat().st_size / 2**20:5.1f} MB  {photo.width}x{photo.height}"
        f"  whole {len(photo.whole) / 1000:4.0f} kB, thumbnail {len(photo.thumb) / 1000:3.0f} kB"
        f"  | median {statistics.median(times):5.2f} s, worst {max(times):5.2f} s, CPU {(_cpu() - used) / count:5.2f} s"
        f"  | child {meanwhile.child:4.0f} MB, server {before:4.0f} -> {memory():4.0f} MB"
        f"  | {told(meanwhile)}",
        flush=True,
    )


def told(meanwhile: Meanwhile) -> str:
    stops = sorted(meanwhile.stops)
    return f"the loop stopped for {stops[-1] * 1000:3.0f} ms at most, {stops[len(stops) * 99 // 100] * 1000:.1f} at p99"


def _cpu() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def run(count: int) -> None:
    nothing = Meanwhile()
    watching = asyncio.create_task(nothing.watch())
    await asyncio.sleep(20)
    watching.cancel()
    print(f"without any, for 20 seconds: {told(nothing)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            for progressive in (False, True):
                path = Path(folder) / "photo"
                # In a process of its own, or the memory that it takes would be counted.
                drawing = multiprocessing.get_context("spawn").Process(target=draw, args=(path, size, progressive))
                drawing.start()
                drawing.join()
                await measure(f"{name}{', progressive' if progressive else ''}", path, count)
        print(f"the server had {memory('self', 'VmHWM'):.0f} MB at most")


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
