"""The yardstick that is made of Parley's own parts: who changes one of them learns here that it has to follow."""

import importlib
import sys

import httpx2
import pytest

from tests.conftest import COOKIE, Person, Room, bodies
from webapp.messages.models import Message


@pytest.mark.sqlite
async def test_the_bare_yardstick_stores_and_renders_a_post_as_parley_does(alice: Person, room: Room) -> None:
    await alice.say(room, "Before")
    bare = importlib.import_module("tests.bench.peers.bare_chat")
    try:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=bare.inner), base_url="http://localhost"
        ) as client:
            client.cookies.set(COOKIE, alice.client.cookies[COOKIE])
            reply = await client.post(f"{room.path}/messages", data={"body": "An *apple*", "nonce": "one"})
        assert reply.status_code == 200, reply.text
        framed = bare.since(room.id, room.path, 1, 2).decode()
    finally:
        bare.connection.close()
        del sys.modules[bare.__name__]
    assert await bodies(room) == ["Before", "An *apple*"]
    stored = await Message.get(room_id=room.id, number=2)
    assert f'id="message-{room.id}-2" class="message message--continues' in framed
    assert "An <em>apple</em>" in framed
    assert f"id: {stored.version}\n" in framed
