"""Who uses how much of the store: for administrators and operators."""

import asyncio
import shutil
from typing import NamedTuple

from webapp import settings
from webapp.db import sql

# All of idx_attachment_sizes is read, and nothing else: some 100 ms for a million files.
COUNTING_SECONDS = 10.0
BY_PERSON = """
SELECT author_id, count(*) AS files, sum(size + coalesce(thumb_size, 0)) AS bytes
FROM attachment WHERE author_id IS NOT NULL GROUP BY author_id ORDER BY bytes DESC, author_id LIMIT ? OFFSET ?
"""
TOTAL = "SELECT count(*) AS files, coalesce(sum(size + coalesce(thumb_size, 0)), 0) AS bytes FROM attachment"


class Usage(NamedTuple):
    """How many files there are, and their bytes, as they are declared while they are sent."""

    files: int
    bytes: int


async def usage_by_person(limit: int, offset: int) -> dict[int, Usage]:
    """Return what people use, by their ids, those who use most first. Raises TimeoutError."""
    rows = await sql.fetch_limited(BY_PERSON, limit, offset, seconds=COUNTING_SECONDS)
    return {row["author_id"]: Usage(row["files"], int(row["bytes"])) for row in rows}


async def total_usage() -> Usage:
    """Return what all files use, with those of deleted accounts. Raises TimeoutError."""
    [row] = await sql.fetch_limited(TOTAL, seconds=COUNTING_SECONDS)
    return Usage(row["files"], int(row["bytes"]))


async def free_bytes() -> int:
    """Return how much is free on the disk of the data folder."""
    return (await asyncio.to_thread(shutil.disk_usage, settings.DATA_DIR)).free
