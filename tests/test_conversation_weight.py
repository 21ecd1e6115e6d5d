"""What answers, reactions and pictures cost a page in bytes."""

import secrets

import brotli  # type: ignore[import-untyped]  # it ships no types

from tests.conftest import Person
from tests.files import attach
from tests.people import post_as, who
from webapp.conversations import access
from webapp.conversations.models import Room
from webapp.messages import reactions, rendering
from webapp.messages.models import Message
from webapp.messages.reactions import KINDS

WORDS = "Has anybody seen the key to the shed? It was on its hook an hour ago, and then it was not, says the gardener."


async def weigh(one: Person, room: Room) -> tuple[int, int]:
    """Return how many bytes the room's page has, as it is and as it is sent (webapp/http/responses.py)."""
    html = (await one.get(room.path)).content
    return len(html), len(brotli.compress(html, quality=5))


async def test_ten_answers_and_thirty_reactions_are_light(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    for number in range(1, 51):
        words = f"{number}: {WORDS[number % 40 :]}"
        await post_as(who(bob), room, words, reply_to=number - 3 if number % 5 == 0 else None)
    answered = await weigh(alice, room)
    for place in range(30):
        seat = await access.by_key(who((alice, bob, charlie)[place % 3]), room.key)
        await reactions.react(seat, 1 + place // 3 * 5, KINDS[place % 4], is_on=True)
    reacted = await weigh(alice, room)
    await Message.filter(room_id=room.id).update(reply_to=None, reactions="")
    for cache in vars(rendering.caches()).values():
        cache.clear()
    plain = await weigh(alice, room)
    assert plain < answered < reacted
    assert answered[0] - plain[0] <= 2000
    assert answered[1] - plain[1] <= 250
    assert reacted[0] - answered[0] <= 3500
    assert reacted[1] - answered[1] <= 400


async def test_fifty_pictures_are_light(alice: Person, bob: Person, room: Room) -> None:
    """The page around them: each has a code of 22 letters by chance, which nothing makes smaller than 17 bytes."""
    for number in range(1, 51):
        await post_as(who(bob), room, f"{number}: {WORDS[number % 40 :]}")
    plain = await weigh(alice, room)
    for number in range(1, 51):
        code = secrets.token_urlsafe(17)[:22]
        await attach(room, number, code=code, name=f"IMG_{4100 + number}.jpg", size=180_000 + 311 * number)
    for cache in vars(rendering.caches()).values():
        cache.clear()
    pictured = await weigh(alice, room)
    assert plain < pictured
    assert pictured[0] - plain[0] <= 22_500
    assert pictured[1] - plain[1] <= 1850
