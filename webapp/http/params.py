"""Numbers, words and pages in queries and forms: read here alone, within their bounds."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from starlette.requests import Request

T = TypeVar("T")

MAX_PAGES = 100
MAX_WHOLE = 10**9
# Longer digits are never parsed: Python takes time that grows with their square.
MAX_DIGITS = 18


def query(request: Request, name: str, default: str = "") -> str:
    """Return the value of that name in the address."""
    return request.query_params.get(name, default)


def is_in_query(request: Request, name: str) -> bool:
    return name in request.query_params


def choice(request: Request, name: str, choices: Mapping[str, T], default: T) -> T:
    """Return the one of the choices that the address names."""
    return choices.get(query(request, name), default)


def page_number(request: Request, most: int = MAX_PAGES) -> int:
    """Return the number of the page of a list, from 1."""
    return max(1, whole(query(request, "page"), 1, most))


def day(text: str) -> date | None:
    """Return the day in a field as browsers write it (2026-11-30); None where it is none."""
    with contextlib.suppress(ValueError):
        return date.fromisoformat(text) if re.fullmatch(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}", text) else None
    return None


def whole(text: str, default: T, most: int = MAX_WHOLE) -> int | T:
    """Return the number in a field, at most so large; the default where there is none that the database can hold."""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        return default
    return min(int(text), most)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `has_more` where another follows."""

    rows: list[T]
    number: int
    has_more: bool

    @classmethod
    def of(cls, found: list[T], number: int, size: int) -> "Page[T]":
        """Return the page with the first rows of what was found, of which a query reads one more than it has."""
        return cls(found[:size], number, len(found) > size)
