"""Addresses by name: app.py lists each with its path and its name, and everything else asks for it by the name."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from starlette.routing import Route

# By name, with a placeholder for each value; the same for as long as the program runs.
_formats: dict[str, str] = {}


def name_addresses(routes: Iterable[Route]) -> None:
    """Make the addresses known by their names; raise ValueError where two of them have one name."""
    for route in routes:
        if _formats.setdefault(route.name, route.path_format) != route.path_format:
            raise ValueError(f"two addresses are named {route.name}")


@lru_cache(10_000)  # a page of a room asks for thirty
def path_for(name: str, /, **values: object) -> str:
    """Return the path of the address with that name, its values quoted; raise KeyError where there is none."""
    if not values:
        return _formats[name]
    return _formats[name].format_map({key: quote(str(value), safe="") for key, value in values.items()})
