"""How thoroughly to measure, and whom."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Scale(NamedTuple):
    rounds: int = 3
    seconds: int = 20
    idle_minutes: float = 10
    # How many pages are open in the rows about one room.
    readers: tuple[int, ...] = (100, 1000, 5000)
    # How many messages the room with a long history has.
    history: int = 1_000_000
    # Names of contenders; empty: all.
    only: tuple[str, ...] = ()
    # A checkout of Parley to measure beside this one.
    before: str = ""

    def takes(self, name: str) -> bool:
        return not self.only or name.lower() in map(str.lower, self.only)

    def rounds_of(self, contenders: Sequence[T], rounds: int = 0) -> Iterator[T]:
        """Each contender in turn, round after round, every round beginning with another."""
        for number in range(rounds or self.rounds):
            first = number % len(contenders)
            yield from (*contenders[first:], *contenders[:first])


FULL = Scale()
QUICK = Scale(rounds=1, seconds=5, idle_minutes=0.5, history=100_000)
