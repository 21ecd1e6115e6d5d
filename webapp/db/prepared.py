"""Queries of the ORM that are put into SQL once."""

import inspect
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar, cast

from tortoise.fields import BooleanField, DatetimeField
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.db import sql

M = TypeVar("M", bound=Model)


class _Part(NamedTuple):
    """What a row holds of one model: from which column on, and for each attribute what makes it of what is stored."""

    model: type[Model]
    start: int
    columns: list[tuple[str, Callable[[Any], Any] | None]]
    # From the model of which part it hangs, and by what name; the first hangs from none.
    holder: int
    attribute: str

    def made(self, row: Sequence[Any]) -> Model | None:
        """The model's instance, as Tortoise's `_init_from_db` makes it; None where nothing was joined."""
        values = row[self.start : self.start + len(self.columns)]
        if not any(values):
            return None
        one = self.model.__new__(self.model)
        state = vars(one)
        state |= {"_partial": False, "_saved_in_db": True, "_custom_generated_pk": False, "_await_when_save": {}}
        for (name, convert), value in zip(self.columns, values, strict=True):
            state[name] = value if convert is None else convert(value)
        return one


class _Built(NamedTuple):
    sql: str
    # For each place of the SQL the number of the parameter, or a constant.
    places: list[tuple[int | None, Any]]
    parts: list[_Part]


class Prepared(Generic[M]):
    """
    A query that is asked with every request, written as the ORM's.

    `make` takes its parameters, numbers or texts, and answers the QuerySet. To build it and put it into SQL takes ten
    times as long as the database needs to answer it, so that is done once. What Tortoise would have done then is what
    is done here, with parts of it that are private: pyproject.toml holds its version.
    """

    def __init__(self, make: Callable[..., QuerySet[M]]) -> None:
        self._make = make
        self._count = len(inspect.signature(make).parameters)
        self._built: _Built | None = None

    async def all(self, *values: str | int) -> list[M]:
        """What is found with these values for the parameters."""
        built = self._built = self._built or self._build(values)
        given = [constant if number is None else values[number] for number, constant in built.places]
        return [self._made(built.parts, tuple(row)) for row in await sql.fetch_inline(built.sql, *given)]

    @staticmethod
    def _made(parts: list[_Part], row: Sequence[Any]) -> M:
        models = [part.made(row) for part in parts]
        for part, one in zip(parts[1:], models[1:], strict=True):
            vars(models[part.holder])[f"_{part.attribute}"] = one
        return cast(M, models[0])

    async def first(self, *values: str | int) -> M | None:
        """The first that is found; the query should say that it wants no more."""
        return next(iter(await self.all(*values)), None)

    def _build(self, values: tuple[str | int, ...]) -> _Built:
        assert len(values) == self._count
        stand_ins = [_stand_in(number, value) for number, value in enumerate(values)]
        query = self._make(*stand_ins)
        query._db = sql.connection()
        query._make_query()
        text, found = query.query.get_parameterized_sql()
        places: list[tuple[int | None, Any]] = [
            (stand_ins.index(value), None) if value in stand_ins else (None, value) for value in found
        ]
        assert {number for number, _ in places if number is not None} == set(range(self._count))
        return _Built(text, places, _parts(query))


def _parts(query: QuerySet[Any]) -> list[_Part]:
    """Where the columns of each model stand, in the order in which Tortoise asks for them."""
    related: list[Any] = query._select_related_idx or [
        (query.model, len(query.model._meta.db_fields), None, None, (None,))
    ]
    paths = [tuple(path) for *_, path in related]
    parts: list[_Part] = []
    start = 0
    for (model, count, *_), path in zip(related, paths, strict=True):
        holder = paths.index(path[:-1]) if parts else 0
        columns = [_column(model, name) for name in _names(query, start, count)]
        parts.append(_Part(model, start, columns, holder, str(path[-1])))
        start += count
    return parts


def _names(query: QuerySet[Any], start: int, count: int) -> list[str]:
    return [term.name for term in query.query._selects[start : start + count]]


def _column(model: type[Model], name: str) -> tuple[str, Callable[[Any], Any] | None]:
    """The attribute of a column. What Tortoise would turn into text or a number is that already, in both databases."""
    meta = model._meta
    attribute = meta.fields_db_projection_reverse[name]
    field = meta.fields_map[attribute]
    if isinstance(field, BooleanField):
        return attribute, _flag
    if (name, attribute, field) in [*meta.db_native_fields, *meta.db_default_fields]:
        return attribute, None
    return attribute, _moment if isinstance(field, DatetimeField) else field.to_python_value


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _moment(value: Any) -> datetime | None:
    return None if value is None else sql.from_db(value)


def _stand_in(number: int, value: str | int) -> str | int:
    return f"\0parameter {number}" if isinstance(value, str) else -(2**50) - number
