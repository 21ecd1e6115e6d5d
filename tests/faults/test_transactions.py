"""What a full disk does to transactions on SQLite, with a finger on the spot."""

import sqlite3
from typing import Any

import pytest
from tortoise.transactions import in_transaction

from tests.conftest import Person, bodies
from tests.people import post_as
from webapp.conversations.models import Room
from webapp.db import engine


async def post(alice: Person, room: Room, words: str) -> object:
    assert alice.user
    return await post_as(alice.user, room, words, "")


async def test_what_could_not_be_committed_is_not_committed_with_the_next(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper: Any = type(in_transaction().connection)

    async def full(self: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(wrapper, "commit", full)
        with pytest.raises(engine.OperationalError, match="full"):
            await post(alice, room, "lost")
        assert (await alice.say(room, "lost as well")).status_code == 503
    await post(alice, room, "kept")
    assert await bodies(room) == ["kept"]
