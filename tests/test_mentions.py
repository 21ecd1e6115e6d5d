"""Mentions: who is called by a message, what the pages show of it, and what becomes of it later."""

from tests.conftest import Person
from tests.message_pages import message
from tests.people import post_as, who
from webapp.conversations.models import Room
from webapp.deletion import steps
from webapp.messages.models import Mention


async def rows(room: Room) -> list[tuple[int, str | None, str]]:
    """What the database holds: number, user name and kind, in order."""
    found = Mention.filter(room_id=room.id).order_by("number", "user__username")
    return [tuple(row) for row in await found.values_list("number", "user__username", "kind")]


async def call(room: Room, one: Person, number: int = 1) -> None:
    said = await message(room, number)
    await Mention.create(user_id=who(one).id, room_id=room.id, message_id=said.id, number=number, kind=Mention.NAMED)


async def test_a_message_that_is_removed_calls_nobody(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(alice), room, "Bob?")
    await call(room, bob)
    assert await rows(room) == [(1, "bob", "mention")]
    assert (await alice.post(f"{room.path}/messages/1/remove", {})).status_code == 303
    assert await rows(room) == []


async def test_who_deletes_their_account_is_called_no_more(alice: Person, bob: Person, room: Room) -> None:
    for _ in range(2):
        await post_as(who(alice), room, "Bob?")
    await call(room, bob, 1)
    await call(room, alice, 2)
    await steps.start_deletion(who(bob))
    await steps.finish(who(bob))
    assert await rows(room) == [(2, "alice", "mention")]
