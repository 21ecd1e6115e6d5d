"""
A faster import of Tortoise and of models: ADAPTER for private parts of Tortoise 1.1.9.

- Tortoise reads the source of every model, its own base class included, and searches it for comments of its own
  (`#:`), which takes a third of the time of a start. There are none in Parley. Upstream: search only where the source
  has a `#:` at all.
- It compiles a pattern of domain names in any script for a validator that few programs have: 26 ms, as upper and lower
  case are looked up for each of 65,000 letters. Upstream: compile it at first use, as the others of that file.
"""

import contextlib
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any


class _PatternForLater:
    """A pattern that is compiled at its first use."""

    def __init__(self, *compiled_from: Any) -> None:
        self._compiled_from = compiled_from

    def __getattr__(self, name: str) -> Any:
        return getattr(re.compile(*self._compiled_from), name)


def import_tortoise() -> None:
    """Import Tortoise, and make it find no comments in models that are imported from now on, nor in its own."""
    if "tortoise.models" not in sys.modules:
        with _quick():
            import tortoise  # noqa: F401
    from tortoise import models

    if hasattr(models, "_get_comments"):
        models._get_comments = lambda cls: {}


@contextlib.contextmanager
def _quick() -> Iterator[None]:
    read_source, compile_pattern = inspect.getsource, re.compile

    def no_source(_: object) -> str:
        raise OSError

    def compiled(pattern: Any, flags: Any = 0) -> Any:
        is_slow = flags & re.IGNORECASE and isinstance(pattern, str) and "\uffff" in pattern
        return (_PatternForLater if is_slow else compile_pattern)(pattern, flags)

    inspect.getsource, re.compile = no_source, compiled  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getsource, re.compile = read_source, compile_pattern
