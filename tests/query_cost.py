"""What a query costs the engine, in a measure that is the same on every machine."""

import json
import sqlite3
from contextlib import closing
from typing import Any

from tests.query_recorder import Query
from webapp import settings
from webapp.db import sql


def rows_read(node: dict[str, Any]) -> int:
    """Return how many rows a plan of PostgreSQL has looked at, as often as it did."""
    removed = sum(int(value) for name, value in node.items() if name.startswith("Rows Removed by"))
    own = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return int(own) + sum(rows_read(plan) for plan in node.get("Plans", []))


async def cost(query: Query) -> int:
    """Return the rows that PostgreSQL looks at, or thousands of SQLite's instructions."""
    text, values = query
    if not settings.ON_SQLITE:
        [row] = await sql.connection().execute_query_dict(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", values)
        return rows_read(json.loads(row["QUERY PLAN"])[0]["Plan"])
    thousands: list[int] = []
    with closing(sqlite3.connect(settings.DATABASE_URL.removeprefix("sqlite://"))) as file:
        file.set_progress_handler(lambda: thousands.append(1), 1000)
        file.execute(text, values).fetchall()
    return len(thousands)
