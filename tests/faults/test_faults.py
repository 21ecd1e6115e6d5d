"""Real servers that really break: what was acknowledged is stored, and on every page once, in order."""

from collections.abc import Iterator

import pytest

from tests.faults.faults import ON_DOUBLE, ON_SINGLE
from tests.faults.harness import Double, Fault, Single, Site, observe


@pytest.fixture(scope="module")
def single() -> Iterator[Single]:
    with Single() as site:
        yield site


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    with Double() as site:
        yield site


def named(faults: list[Fault]) -> list[object]:
    return [pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.is_long else []) for fault in faults]


async def holds(site: Site, fault: Fault) -> None:
    outcome = await observe(site, fault)
    print(f"\n{outcome}")
    assert (outcome.lost, outcome.repeated, outcome.disordered) == ([], [], 0)
    assert outcome.refused <= {503}


@pytest.mark.parametrize("fault", named(ON_SINGLE))
async def test_one_process_on_sqlite_outlives(single: Single, fault: Fault) -> None:
    await holds(single, fault)


@pytest.mark.parametrize("fault", named(ON_DOUBLE))
async def test_two_processes_outlive(double: Double, fault: Fault) -> None:
    await holds(double, fault)
