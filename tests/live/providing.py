"""What the engine is given in place of domains."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from webapp.live import Ending, Hub, Providers
from webapp.live.providers import Log, LogSource, ReadLog, ReadVersions


async def no_log(channel: int, cursors: Collection[int | None]) -> Log:
    return None


async def no_versions(channels: Collection[int]) -> Mapping[int, int]:
    return {}


def providers(read: ReadLog = no_log, versions: ReadVersions = no_versions, **given: Any) -> Providers:
    return Providers(logs={"room": LogSource(read, versions, ending("deleted"))}, **given)


def provide(hub: Hub, **given: Any) -> None:
    """From now on, for channels that are opened after this; `states` are those of rooms."""
    if "states" in given:
        given["states"] = {"room": given["states"]}
    hub.providers = replace(hub.providers, **given)


def ending(name: str) -> Ending:
    return Ending(name, "", "", "")
