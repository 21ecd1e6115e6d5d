"""Queries of the ORM that are put into SQL once."""

import inspect
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp import database

M = TypeVar("M", bound=Model)


class _Built(NamedTuple):
    sql: str
    model: type[Model]
    # For each place of the SQL the number of the parameter, or a constant.
    places: list[tuple[int | None, Any]]
    related: list[Any]


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
        client = database.connection()
        executor = client.executor_class(built.model, client, select_related_idx=built.related)
        given = [constant if number is None else values[number] for number, constant in built.places]
        return await executor.execute_select(built.sql, given)

    async def first(self, *values: str | int) -> M | None:
        """The first that is found; the query should say that it wants no more."""
        return next(iter(await self.all(*values)), None)

    def _build(self, values: tuple[str | int, ...]) -> _Built:
        assert len(values) == self._count
        stand_ins = [_stand_in(number, value) for number, value in enumerate(values)]
        query = self._make(*stand_ins)
        query._db = database.connection()
        query._make_query()
        sql, found = query.query.get_parameterized_sql()
        places: list[tuple[int | None, Any]] = [
            (stand_ins.index(value), None) if value in stand_ins else (None, value) for value in found
        ]
        assert {number for number, _ in places if number is not None} == set(range(self._count))
        return _Built(sql, query.model, places, query._select_related_idx)


def _stand_in(number: int, value: str | int) -> str | int:
    return f"\0parameter {number}" if isinstance(value, str) else -(2**50) - number
