"""
What processes say to each other, one text each.

A version of a channel's log ("12 345"), the same with the row that it brought ("12 345 ..."), a state of a channel that
may have changed ("12 people"), and as JSON: news of a domain, and rights that have ended, by the labels of their
streams. Processes of two versions run side by side during an upgrade, so that each text is what the version before
sends and follows, or passes over (tests/test_rolling.py).
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

# Channels of this kind are their number alone; and of the labels these are known: without the others more readers are
# checked than need be.
NUMBERED = "room"
LABELS = ("session", "user")


class VersionRing(NamedTuple):
    channel: str
    version: int
    row: str = ""


class StateRing(NamedTuple):
    channel: str
    state: str


class NewsRing(NamedTuple):
    kind: str
    facts: dict[str, Any]


class EndingRing(NamedTuple):
    channel: str
    labels: dict[str, int]


def version_text(channel: str, version: int) -> str:
    return f"{_sent(channel)} {version}"


def row_text(channel: str, version: int, row: str) -> str:
    """Return what goes beside the plain version: the version before takes it for a state that no page shows."""
    return f"{version_text(channel, version)} {row}"


def state_text(channel: str, state: str) -> str:
    return f"{_sent(channel)} {state}"


def news_text(kind: str, facts: Mapping[str, int | str]) -> str:
    return json.dumps({"news": kind, **facts})


def ending_text(channel: str, labels: Mapping[str, int]) -> str:
    return json.dumps({**labels, **({"channel": _sent(channel)} if channel else {})})


def read(text: str) -> VersionRing | StateRing | NewsRing | EndingRing:
    """Return what the text says; raises ValueError, KeyError, TypeError or AttributeError for what says nothing."""
    if text.startswith("{"):
        return _read_message(json.loads(text))
    channel, _, what = text.partition(" ")
    version, _, row = what.partition(" ")
    if version.isdigit():
        return VersionRing(_received(channel), int(version), row)
    return StateRing(_received(channel), what)


def _read_message(message: dict[str, Any]) -> NewsRing | EndingRing:
    if kind := message.pop("news", None):
        return NewsRing(kind, message)
    channel = message.get("channel")
    labels = {label: message[label] for label in LABELS if label in message}
    return EndingRing(_received(channel) if channel is not None else "", labels)


def _sent(channel: str) -> str | int:
    kind, _, number = channel.partition(":")
    return int(number) if kind == NUMBERED else channel


def _received(channel: str | int) -> str:
    if isinstance(channel, str) and ":" in channel:
        return channel
    return f"{NUMBERED}:{int(channel)}"
