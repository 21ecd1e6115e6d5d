"""Tests once more, on PostgreSQL: in a process of its own, for one process has one dialect."""

import ast
import asyncio
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import asyncpg

from tests.servers import ROOT, Postgres

CAST = {"app", "visitor", "alice", "bob", "charlie", "admin", "room"}  # the fixtures of conftest.py with a database
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# It is a second run of tests that run anyway, so that they may be left out while working on something else.
IS_SECOND_RUN = "TEST_DATABASE_URL" in os.environ
# The longest that one test may take there, and all of them; it is ended with the stacks of all threads in what it said.
LONGEST_SECONDS, PATIENCE_SECONDS = 120, 800


def meets_the_cast(path: Path) -> bool:
    """
    Whether a test of the file, or a fixture of its own, asks for the application in this process.

    A file whose own fixture is called `app` starts another process, with a database of its own in either run.
    """
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, FUNCTIONS)]
    others = {node.name for node in functions}
    asynchronous = [node for node in functions if isinstance(node, ast.AsyncFunctionDef)]
    asking = [node for node in asynchronous if node.name.startswith("test_") or node.decorator_list]
    return any(argument.arg in CAST - others for function in asking for argument in function.args.args)


def files() -> list[Path]:
    return sorted(path for path in ROOT.joinpath("tests").glob("test_*.py") if meets_the_cast(path))


# Half of them; test_postgresql_too.py has the others, so that two processes can share the run.
THESE, OTHERS = files()[0::2], files()[1::2]


def what_went_wrong(url: str, report: Path, *paths: Path) -> tuple[int, str]:
    """How many tests passed in a run on the database at the URL; all that was said when not all of them did."""
    env = os.environ | {"TEST_DATABASE_URL": url, "REQUIRE_SERVERS": "1"}
    env.pop("PYTEST_ADDOPTS", None)  # what this run shows at its end is not for that one
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "--tb=short", "-rs"]
    command += ["-n", "0", "-m", "not slow and not sqlite"]
    command += ["-o", f"faulthandler_timeout={LONGEST_SECONDS}", "-o", "faulthandler_exit_on_timeout=true"]
    command += map(str, paths)
    out = subprocess.PIPE
    try:
        done = subprocess.run(
            command, env=env, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        return 0, f"{late}\n{late.output}"
    if not report.exists():
        return 0, done.stdout
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314  pytest wrote it
    # What is known to fail is written down as skipped too, with another type.
    not_passed = [*suite.iter("failure"), *suite.iter("error"), *suite.iter("skipped")]
    is_wrong = done.returncode or [one for one in not_passed if one.get("type") != "pytest.xfail"]
    return int(suite.get("tests", 0)) - len(not_passed), done.stdout if is_wrong else ""


def migrations_at(url: str) -> int:
    async def count() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM tortoise_migrations"))
        finally:
            await connection.close()

    return asyncio.run(count())


def holds(server: Postgres, folder: Path, paths: list[Path]) -> None:
    url = server.create()
    passed, wrong = what_went_wrong(url, folder / "report.xml", *paths)
    assert not wrong, wrong
    assert passed > 100
    assert migrations_at(url) > 0
