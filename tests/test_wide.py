"""The simulation of many processes, at toy size: what it counts adds up, and no message is missing on any page."""

from functools import cache
from typing import Any

from tests.bench.wide.__main__ import measure
from tests.bench.wide.options import Options
from tests.bench.wide.tables import KINDS, Report

TOY = Options(people=60, rooms=12, processes=3, sample=3, posts=2, seconds=10, page_seconds=30)


@cache
def counted() -> dict[str, Any]:
    return measure(TOY)


def test_every_message_reaches_every_page_that_is_open_on_its_room() -> None:
    found = counted()
    assert found["problems"] == []
    assert found["facts"]["pages"] == TOY.people
    assert found["facts"]["rings lost"] == found["facts"]["failures"] == 0
    assert found["events"]["posts"] > 10
    assert found["events"]["messages at readers"] > found["events"]["posts"]


def test_the_counts_of_statements_and_of_redis_add_up() -> None:
    found = counted()
    # BEGIN and COMMIT have no text.
    assert sum(found["statements"].values()) == sum(found["texts"].values()) + 2 * sum(found["transactions"].values())
    assert found["statements"].keys() <= dict(KINDS).keys()
    # A post is one transaction: at this rate hardly two wait for one room.
    assert found["transactions"]["post"] == found["events"]["posts"]
    assert 0 < sum(found["delivered"].values()) <= TOY.processes * sum(found["published"].values())


def test_a_report_multiplies_what_the_sample_counted_and_names_what_breaks_first() -> None:
    half = Report(TOY._replace(processes=6), counted())
    assert half.statements == 2 * Report(TOY, counted()).statements
    assert "It breaks first at " in str(half)
