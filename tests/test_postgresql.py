"""Everything that people do, a second time on PostgreSQL."""

from pathlib import Path

import pytest

from tests import postgresql_run
from tests.postgresql_run import IS_SECOND_RUN, THESE, files, holds, what_went_wrong
from tests.servers import Postgres


@pytest.mark.skipif(IS_SECOND_RUN, reason="this is the run on another database")
def test_whatever_holds_on_sqlite_holds_on_postgresql(postgres_server: Postgres, tmp_path: Path) -> None:
    assert {"test_accounts.py", "test_messages.py", "test_rooms.py"} <= {path.name for path in files()}
    holds(postgres_server, tmp_path, THESE)


@pytest.mark.parametrize(
    ("test", "counted", "said"),
    [
        ("def test_it():\n    assert 1 + 1 == 3\n", 0, "assert (1 + 1) == 3"),
        ("import pytest\n\ndef test_it():\n    pytest.skip('not today')\n", 0, "not today"),
        ("def nothing():\n    pass\n", 0, "no tests ran"),
        ("import no_such_module\n", 0, "no_such_module"),
        ("def test_it():\n    __import__('threading').Event().wait()\n", 0, "line 2 in test_it"),
        ("def test_it():\n    assert 1 + 1 == 2\n", 1, ""),
    ],
    ids=["fails", "is skipped", "is none", "can't be read", "never ends", "passes"],
)
def test_a_test_that_does_not_pass_there_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: str, counted: int, said: str
) -> None:
    monkeypatch.setattr(postgresql_run, "LONGEST_SECONDS", 2)
    file = tmp_path / "test_something.py"
    file.write_text(test)
    passed, wrong = what_went_wrong("postgres://nobody@127.0.0.1:1/nothing", tmp_path / "report.xml", file)
    assert passed == counted
    assert said in wrong
    assert bool(wrong) is bool(said)
