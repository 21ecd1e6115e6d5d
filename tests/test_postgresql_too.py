"""The other half of the second run, on PostgreSQL: see test_postgresql.py."""

from pathlib import Path

import pytest

from tests.postgresql_run import IS_SECOND_RUN, OTHERS, holds
from tests.servers import Postgres


@pytest.mark.skipif(IS_SECOND_RUN, reason="this is the run on another database")
def test_whatever_else_holds_on_sqlite_holds_on_postgresql(postgres_server: Postgres, tmp_path: Path) -> None:
    holds(postgres_server, tmp_path, OTHERS)
