"""Slow mode: members wait between two messages, exactly, and nothing that they typed or attached is lost by it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Person, bodies, person
from tests.file_rows import attachment
from tests.file_sending import say as say_with_files
from tests.message_pages import draft, nonce_in
from tests.page import Page, words
from tests.people import assert_gapless, make_room, post_as, who
from tests.query_cost import cost
from tests.query_recorder import record_queries
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import MEMBER, MODERATOR
from webapp.files.models import Attachment
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.messages.posting import Posted
from webapp.messages.slow_mode import Pace, TooSoon


async def slow(room: Room, seconds: int = 900) -> None:
    await Room.set_slow_seconds(room.id, seconds)


async def let_pass(room: Room, seconds: int) -> None:
    """All that was said there was said so much earlier."""
    for message in await Message.filter(room_id=room.id):
        message.created_at -= timedelta(seconds=seconds)
        await message.save(update_fields=["created_at"])


async def at_once(seats: list[access.Seat], nonce: str = "") -> list[Any]:
    posts = (posting.post(seat, f"{number}", nonce and f"{nonce}{number}") for number, seat in enumerate(seats))
    return await asyncio.gather(*posts, return_exceptions=True)


async def test_a_member_waits_between_two_messages_and_loses_nothing(alice: Person, bob: Person, room: Room) -> None:
    await slow(room)
    assert (await bob.say(room, "first", "one")).status_code == 303
    path = f"{room.path}/messages"
    for fields, headers in (
        ({"body": "a <b> thought"}, {}),
        ({"body": "a <b> thought", "framed": "1"}, {}),
        ({"body": "a <b> thought"}, {"HX_Request": "true"}),
    ):
        refused = await bob.post(path, {**fields, "nonce": "my nonce"}, **headers)
        assert refused.status_code == 429
        assert 600 <= int(refused.headers["Retry-After"]) <= 900
        assert re.search(r"You can write again in 1\d minutes\.", words(refused))
        assert nonce_in(refused) == "my nonce"
        assert draft(refused) == (None if headers else "a <b> thought")
        assert Page(refused).all("#sending[data-slow]")
    # The same post again is the one that is stored, and to change it is no post.
    assert (await bob.say(room, "first", "one")).status_code == 303
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "changed"})).status_code == 303
    # A removed one counts as well.
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303
    await let_pass(room, 600)
    assert 1 <= int((await bob.say(room, "too soon")).headers["Retry-After"]) <= 300
    await let_pass(room, 300)
    assert (await bob.say(room, "in time")).status_code == 303
    await slow(room, 3600)
    assert "You can write again in one hour." in words(await bob.say(room, "later"))
    await slow(room, 0)
    assert (await bob.say(room, "at once")).status_code == 303
    assert (await bodies(room))[1:] == ["in time", "at once"]


@pytest.mark.parametrize(
    ("pause", "since", "rest"),
    [
        (60, 20, "40 seconds"),
        (60, 0, "one minute"),
        (10, 9.2, "one second"),
        (900, 1, "15 minutes"),
        (10, -99, "10 seconds"),
    ],
)
def test_the_wait_is_said_to_the_second_and_never_longer_than_the_pause(pause: int, since: float, rest: str) -> None:
    now = datetime.now(UTC)
    pace = Pace(pause, {1: now - timedelta(seconds=since)})
    with pytest.raises(TooSoon, match=rf"^You can write again in {rest}\.$"):
        pace.admit(1, now)
    pace.admit(2, now)
    pace.admit(1, now + timedelta(seconds=pause - since))


async def test_who_moderates_does_not_wait_nor_does_another_room(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    other = await make_room(who(alice), "Quick")
    await slow(room)
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(role=MODERATOR)
    for one in (alice, bob, admin):
        for _ in range(2):
            assert (await one.say(room, "news")).status_code == 303
            assert (await one.say(other, "news")).status_code == 303
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(role=MEMBER)
    assert (await bob.say(room, "no more")).status_code == 429
    assert (await bob.say(other, "here")).status_code == 303
    # In a room that only its members know of an administrator is a member like any other.
    await Room.filter(id=room.id).update(kind="private")
    assert (await admin.say(room, "me neither")).status_code == 429
    assert len(await bodies(room)) == 6


async def test_of_several_at_once_one_is_stored(app: object, alice: Person, bob: Person, room: Room) -> None:
    """Also of somebody who joins by it, and whatever shares the transaction with it."""
    await slow(room)
    charlie = await person(app, "charlie")
    seats = [await access.by_key(who(one), room.key) for one in (bob, alice, charlie, bob, alice, charlie, bob)]
    answers = await at_once(seats)
    stored = [number for number, answer in enumerate(answers) if isinstance(answer, Posted)]
    assert stored == [0, 1, 2, 4]
    assert all(isinstance(answer, TooSoon) for number, answer in enumerate(answers) if number not in stored)
    assert sorted(await bodies(room)) == ["0", "1", "2", "4"]
    await assert_gapless(room, 4)
    # Each of them once more under its nonce: those that are stored are known, and no other is let in.
    await let_pass(room, 900)
    first = await at_once(seats[:1] * 5, nonce="again")
    again = await at_once(seats[:1] * 5, nonce="again")
    [number] = [place for place, answer in enumerate(first) if isinstance(answer, Posted)]
    assert [isinstance(answer, Posted) and answer.is_repeat for answer in again] == [
        place == number for place in range(5)
    ]
    await assert_gapless(room, 5)


async def test_files_stay_with_words_that_came_too_soon(bob: Person, room: Room) -> None:
    await slow(room)
    await bob.say(room, "first")
    code = (await attachment(who(bob), room, "free.txt")).code
    refused = await say_with_files(bob, room.path, [code], "my words")
    assert refused.status_code == 429
    assert Page(refused).one("[name=file]").attributes["value"] == code
    form = {"file": code, "body": "my words", "nonce": "", "attach": ""}
    by_form = await bob.post(f"{room.path}/attach", form)
    assert by_form.status_code == 429
    assert "free.txt" in words(by_form)
    assert draft(by_form) == "my words"
    assert (await Attachment.get(code=code)).message_id is None
    await let_pass(room, 900)
    assert (await say_with_files(bob, room.path, [code], "my words")).status_code == 303
    assert await bodies(room) == ["first", "my words"]


async def test_to_know_who_wrote_when_reads_no_more_of_a_room_that_is_long(bob: Person, room: Room) -> None:
    await post_as(who(bob), room, "the first")
    await slow(room)
    there = await room_by_id(room.id)
    assert there
    shared: dict[str, Any] = {"room_id": room.id, "author_id": who(bob).id, "created_at": datetime.now(UTC)}
    await Message.bulk_create(
        Message(number=n, posted_version=n, version=n, body="-", html="-", **shared) for n in range(2, 2000)
    )
    costs = [await cost(query) for query in await record_queries(Pace.read(there, [who(bob).id], {}))]
    assert len(costs) == 1
    assert costs[0] <= 10
