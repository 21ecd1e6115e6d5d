"""What the engine is given in place of domains."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from webapp.live import Hub, Providers
from webapp.live.providers import Log


async def no_log(channel: int, cursors: Collection[int | None]) -> Log:
    return None


async def no_versions(channels: Collection[int]) -> Mapping[int, int]:
    return {}


def providers(**given: Any) -> Providers:
    return Providers(**{"read_log": no_log, "read_versions": no_versions, **given})


def provide(hub: Hub, **given: Any) -> None:
    """From now on, for channels that are opened after this."""
    hub.providers = replace(hub.providers, **given)
