"""Rows in batches, by the quickest way that the engine has."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from webapp import settings
from webapp.db import sql

BATCH_SIZE = 5000

Row = Any  # a tuple, or what the drivers take for one


async def write_rows(table: str, columns: str, rows: list[Row]) -> None:
    """Insert many rows, within a transaction."""
    if settings.ON_SQLITE:
        placeholders = sql.placeholders(rows[0])
        await sql.connection().execute_many(f'INSERT INTO "{table}" ({columns}) VALUES ({placeholders})', rows)
        return
    connection: Any = sql.connection().acquire_connection()
    async with connection as raw:
        await raw.copy_records_to_table(table, records=rows, columns=columns.split(", "))


def batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH_SIZE)):
        yield batch
