"""What lives as long as the application: made when it starts, dropped when it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """A place for one object of the application. Calling it returns the object; while there is none, it raises."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._object: T | None = None

    def __call__(self) -> T:
        if self._object is None:
            raise RuntimeError(f"there is no {self._name}: the application is not running")
        return self._object

    @property
    def is_held(self) -> bool:
        """Whether there is an object: a command does without some that a server has."""
        return self._object is not None

    @contextmanager
    def holding(self, value: T) -> Iterator[T]:
        """Hold the object within the block."""
        before, self._object = self._object, value
        try:
            yield value
        finally:
            self._object = before
