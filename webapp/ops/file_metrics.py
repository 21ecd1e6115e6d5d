"""What files use, for an operator's Prometheus; counted once a minute at most, as that reads an index of all files."""

import asyncio
from collections.abc import Iterator
from time import monotonic

from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.files.usage import Usage, free_bytes, total_usage

INTERVAL_SECONDS = 60.0
TIMEOUT_SECONDS = 2.0


class FileMetrics:
    """The last count."""

    def __init__(self) -> None:
        self._usage, self._free = Usage(0, 0), 0
        self._counted_at: float | None = None

    async def refresh(self) -> None:
        """Count again where the last count is old; while the database is away the old one is as good as any."""
        if self._counted_at is not None and monotonic() - self._counted_at < INTERVAL_SECONDS:
            return
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                self._usage, self._free = await total_usage(), await free_bytes()
                self._counted_at = monotonic()
        except engine.DOWN:
            return

    def figures(self) -> Iterator[tuple[str, str, int]]:
        """Yield the name of each figure, what it is, and its value; none before the first count."""
        if self._counted_at is not None:
            yield "parley_files", "Files of messages.", self._usage.files
            yield "parley_files_bytes", "What they use.", self._usage.bytes
            yield "parley_disk_free_bytes", "What is free where the data folder is.", self._free


file_metrics = Slot[FileMetrics]("metrics of files")
