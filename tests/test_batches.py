"""What many ask for at the same time is asked together, and one who leaves or fails harms no other."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.conftest import Person, account
from tests.people import chat_of_two, make_private, who
from tests.query_recorder import record_queries
from tests.room_acts import kick
from webapp.accounts.models import User
from webapp.accounts.queries import viewer_by_token, viewers_by_token
from webapp.accounts.sessions import GUEST_LIFETIME, Session
from webapp.accounts.viewer import Viewer
from webapp.conversations.models import Room
from webapp.conversations.queries import seat_by_key, seats_by_key
from webapp.core import batches as batches_module
from webapp.core.batches import MAX_KEYS, Batches, padded
from webapp.relationships.models import Block


class Source:
    """Doubles numbers; a reading waits until it may go on."""

    def __init__(self) -> None:
        self.readings: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.problem: Exception | None = None

    async def read(self, keys: Sequence[int]) -> list[int]:
        self.readings.append(list(keys))
        problem = self.problem
        await self.may_answer.wait()
        if problem:
            raise problem
        return [2 * key for key in keys]


async def test_those_who_ask_in_one_turn_are_answered_by_one_reading_each_with_their_own() -> None:
    source = Source()
    batches = Batches(source.read)
    assert await asyncio.gather(*map(batches.get, [3, 1, 3, 2])) == [6, 2, 6, 4]
    assert source.readings == [[3, 1, 3, 2]]


async def test_after_a_reading_keys_wait_for_others_until_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "GATHERING_SECONDS", 3600)
    source = Source()
    batches = Batches(source.read)
    assert await batches.get(1) == 2
    waiting = [asyncio.ensure_future(batches.get(key)) for key in range(MAX_KEYS - 1)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert source.readings == [[1]]
    assert await batches.get(100) == 200
    assert await asyncio.gather(*waiting) == [2 * key for key in range(MAX_KEYS - 1)]
    assert source.readings == [[1], [*range(MAX_KEYS - 1), 100]]


async def test_more_than_fit_are_read_in_parts() -> None:
    source = Source()
    batches = Batches(source.read)
    keys = list(range(2 * MAX_KEYS + 1))
    assert await asyncio.gather(*map(batches.get, keys)) == [2 * key for key in keys]
    assert [len(reading) for reading in source.readings] == [MAX_KEYS, MAX_KEYS, 1]


async def test_who_asks_while_others_are_read_does_not_wait_for_them() -> None:
    source = Source()
    source.may_answer.clear()
    batches = Batches(source.read)
    slow = asyncio.ensure_future(batches.get(1))
    while not source.readings:
        await asyncio.sleep(0)
    second = asyncio.ensure_future(batches.get(2))
    while len(source.readings) < 2:
        await asyncio.sleep(0)
    source.may_answer.set()
    assert (await slow, await second) == (2, 4)


@pytest.mark.parametrize("is_reading", [False, True])
async def test_who_leaves_harms_no_other(is_reading: bool) -> None:
    source = Source()
    source.may_answer.clear()
    batches = Batches(source.read)
    leaves, stays = asyncio.ensure_future(batches.get(1)), asyncio.ensure_future(batches.get(2))
    await asyncio.sleep(0)
    while is_reading and not source.readings:
        await asyncio.sleep(0)
    leaves.cancel()
    source.may_answer.set()
    assert await stays == 4
    assert leaves.cancelled()
    assert source.readings == [[1, 2] if is_reading else [2]]


async def test_a_reading_that_fails_fails_those_who_wait_for_it_and_no_later_one() -> None:
    source = Source()
    source.problem = OSError("away")
    batches = Batches(source.read)
    found = await asyncio.gather(batches.get(1), batches.get(2), return_exceptions=True)
    assert [type(one) for one in found] == [OSError, OSError]
    source.problem = None
    assert await batches.get(3) == 6


async def test_nobody_waits_for_ever_for_a_reading_that_is_cancelled() -> None:
    source = Source()
    source.may_answer.clear()
    batches = Batches(source.read)
    others, waits = asyncio.all_tasks(), asyncio.ensure_future(batches.get(1))
    while not source.readings:
        await asyncio.sleep(0)
    [reading] = asyncio.all_tasks() - others - {waits}
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits


def test_a_statement_asks_for_a_power_of_two() -> None:
    assert [len(padded([7] * count, 0)) for count in (1, 2, 3, 5, 31, 32)] == [1, 2, 4, 8, 32, 32]
    assert padded([1, 2, 3], 0) == [1, 2, 3, 0]


# What is read together is what each would be answered alone.


async def test_viewers_are_those_that_each_token_has_alone(app: object) -> None:
    for name in ("dora", "emil", "fritz"):
        await Session.begin(await account(name), name, "Firefox")
    fritz = await User.get(username="fritz")
    await User.filter(id=fritz.id).update(is_guest=True)
    session = await Session.get(user_id=fritz.id)
    await Session.filter(id=session.id).update(created_at=session.created_at - 2 * GUEST_LIFETIME)
    tokens = ["emil", "nobody's", "dora", "fritz", "emil"]
    together = await viewers_by_token(tokens)
    assert together == [await viewer_by_token(token) for token in tokens]
    assert [viewer is not None for viewer in together] == [True, False, True, False, True]
    assert len(await record_queries(viewers_by_token(tokens))) == 1


async def test_seats_are_those_that_each_has_alone(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    private, chat = await make_private(alice, bob), await chat_of_two(alice, bob)
    await kick(alice, private, bob)
    await Block.create(blocker=who(bob), blocked=who(alice))
    viewers = [await viewer_of(person) for person in (alice, bob, charlie)]
    keys = [room.key, private.key, chat.key, "nowhere", "~nowhere"]
    asked = [(viewer, key) for viewer in viewers for key in keys]
    together = dict(zip(asked, await seats_by_key(asked), strict=True))
    outside = viewers[2], chat.key
    assert (seat := together.pop(outside))
    assert seat.membership is None  # the other is either of the two
    assert together == {one: await seat_by_key(*one) for one in together}
    assert sum(seat is not None for seat in together.values()) == 8
    assert (blocked := together[viewers[0], chat.key])
    assert blocked.is_blocked


async def test_two_sessions_of_one_person_have_a_seat_each(alice: Person, room: Room) -> None:
    one, other = await viewer_of(alice, "one"), await viewer_of(alice, "other")
    seats = await seats_by_key([(one, room.key), (other, room.key)])
    assert [seat.viewer.session_id for seat in seats if seat] == [one.session_id, other.session_id]


async def viewer_of(person: Person, token: str = "") -> Viewer:
    token = token or f"token of {who(person).id}"
    await Session.begin(who(person), token, "Firefox")
    found = await viewer_by_token(token)
    assert found
    return found
