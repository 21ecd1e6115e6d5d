"""Who writes at the same moment shares a transaction, and each gets the answer that is theirs."""

import asyncio
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from tests.conftest import Person, bodies
from tests.people import assert_gapless, make_room, who
from tests.room_acts import change, put_out
from webapp import settings
from webapp.accounts.models import User
from webapp.chats import first_message
from webapp.conversations import access, kinds, members
from webapp.conversations.models import Membership, Room
from webapp.core.errors import Forbidden, NotFound
from webapp.db import engine, group_commit, transaction
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.messages.posting import Posted
from webapp.rooms import opening


@pytest.fixture
async def room(alice: Person) -> Room:
    return await make_room(who(alice), "Busy")


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each transaction has stored."""
    sizes: list[int] = []
    insert = posting.insert_rows

    async def count(messages: list[Any]) -> dict[int, int]:
        sizes.append(len(messages))
        return await insert(messages)

    monkeypatch.setattr(posting, "insert_rows", count)
    return sizes


async def post(one: Person, room: Room, words: str, nonce: str = "") -> Posted:
    return await posting.post(await access.by_key(who(one), room.key), words, nonce)


async def together(*posts: Any) -> list[Any]:
    return await asyncio.gather(*posts, return_exceptions=True)


async def test_a_hundred_at_once_are_stored_in_a_few_transactions_in_the_order_in_which_they_came(
    alice: Person, bob: Person, room: Room, groups: list[int]
) -> None:
    found = {one: await access.by_key(who(one), room.key) for one in (alice, bob)}
    authors = [alice if number % 3 else bob for number in range(100)]
    posts = [posting.post(found[one], f"line {number}", "") for number, one in enumerate(authors)]
    answers = await asyncio.gather(*posts)
    assert answers == [Posted(number, number, is_repeat=False) for number in range(1, 101)]
    assert await bodies(room) == [f"line {number}" for number in range(100)]
    await assert_gapless(room, 100)
    assert sum(groups) == 100
    assert max(groups) == group_commit.MAX_GROUP_SIZE
    assert len(groups) <= 6
    # Bob, who was not in the room, is now; each has read what they saw when they wrote last, and no more.
    read = dict(await Membership.filter(room_id=room.id).values_list("user_id", "read_number"))
    assert read == {who(alice).id: 99, who(bob).id: 100}


async def test_who_writes_alone_does_not_wait_for_company(alice: Person, room: Room, groups: list[int]) -> None:
    for number in range(3):
        assert await post(alice, room, f"line {number}") == Posted(number + 1, number + 1, is_repeat=False)
    assert groups == [1, 1, 1]


async def test_each_of_a_group_gets_its_own_answer(
    alice: Person, bob: Person, charlie: Person, room: Room, groups: list[int]
) -> None:
    await members.join(await access.by_key(who(charlie), room.key))
    assert await post(bob, room, "before", "used") == Posted(1, 1, is_repeat=False)
    inside = {one: await access.by_key(who(one), room.key) for one in (alice, bob, charlie)}
    await put_out(room, charlie)
    answers = await together(
        posting.post(inside[alice], "one", ""),
        posting.post(inside[bob], "before", "used"),
        posting.post(inside[charlie], "I was let in", ""),
        posting.post(inside[bob], "two", ""),
        posting.post(inside[charlie], "and again", ""),
        posting.post(inside[bob], "another text", "used"),
    )
    assert isinstance(answers.pop(4), Forbidden)
    assert isinstance(answers.pop(2), Forbidden)
    assert answers == [Posted(2, 2, False), Posted(1, 1, True), Posted(3, 3, False), Posted(4, 4, False)]
    assert await bodies(room) == ["before", "one", "two", "another text"]
    await assert_gapless_without(room, charlie, 4)
    assert groups[1:] in ([3], [2, 1])


async def test_a_post_let_in_before_the_lock_is_not_stored_after_it(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    """The owner's is, in the same transaction; who has handed the room over is its owner no more."""
    await members.join(await access.by_key(who(bob), room.key))
    inside = {one: await access.by_key(who(one), room.key) for one in (alice, bob, charlie)}
    await Room.set_locked(room.id, True)

    async def at_once(words: str) -> list[Any]:
        return await together(*(posting.post(inside[one], words, "") for one in (bob, alice, charlie)))

    refused, stored, outside = await at_once("locked")
    assert isinstance(refused, Forbidden)
    assert isinstance(outside, Forbidden)
    assert stored == Posted(1, 1, is_repeat=False)
    await change(alice, room, "hand_over", who=who(bob).code)
    stored, refused, outside = await at_once("handed over")
    assert stored == Posted(2, 2, is_repeat=False)
    assert isinstance(refused, Forbidden)
    assert isinstance(outside, Forbidden)
    await Room.set_locked(room.id, False)
    assert [answer.number for answer in await at_once("open")] == [3, 4, 5]
    assert await bodies(room) == ["locked", "handed over", *["open"] * 3]
    await assert_gapless(room, 5)


async def test_who_writes_to_many_rooms_shares_a_transaction_where_there_is_one_writer(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seats = [await opening.open_room(who(alice), f"Room {number}") for number in range(20)]
    transact, sizes = transaction.transact_here, list[int]()

    async def counted(write: Any, drafts: Any) -> Any:
        sizes.append(len(drafts))
        return await transact(write, drafts)

    monkeypatch.setattr(transaction, "transact_here", counted)
    answers = await asyncio.gather(*(posting.post(seat, "Hello", "") for seat in seats))
    assert answers == [Posted(1, 1, is_repeat=False)] * 20
    assert sizes == ([20] if settings.ON_SQLITE else [1] * 20)


async def test_a_thousand_over_many_rooms_come_in_order_whatever_becomes_of_the_others(
    alice: Person, bob: Person, room: Room, groups: list[int]
) -> None:
    """One room is locked for him, one is deleted meanwhile; every fifth form is sent twice."""
    rooms = [room, *[await make_room(who(alice), f"Room {number}") for number in range(19)]]
    inside = [await access.by_key(who(bob), one.key) for one in rooms]
    locked, closed = rooms[3], rooms[7]
    await Room.set_locked(locked.id, True)

    def posted(number: int) -> Any:
        return posting.post(inside[number % 20], f"line {number}", f"nonce {number}")

    posts = [posted(number) for number in range(1000)]
    again = [posted(number) for number in range(0, 1000, 5)]
    answers = await together(*posts[:500], Room.close(closed.id), *posts[500:], *again)
    answers.pop(500)
    for place, one in enumerate(rooms):
        mine = answers[place:1000:20]
        if one is locked:
            assert [type(answer) for answer in mine] == [Forbidden] * 50
        elif one is closed:
            before = [answer for answer in mine if isinstance(answer, Posted)]
            assert before == [Posted(number, number, is_repeat=False) for number in range(1, len(before) + 1)]
            assert [type(answer) for answer in mine[len(before) :]] == [NotFound] * (50 - len(before))
        else:
            assert mine == [Posted(number, number, is_repeat=False) for number in range(1, 51)]
            assert await bodies(one) == [f"line {number}" for number in range(place, 1000, 20)]
            await assert_gapless(one, 50)
    for number, answer in zip(range(0, 1000, 5), answers[1000:], strict=True):
        first = answers[number]
        assert answer == replace(first, is_repeat=True) if isinstance(first, Posted) else type(answer) is type(first)


async def assert_gapless_without(room: Room, kicked: Person, count: int) -> None:
    """The kicked one is kept in the list of members, but not counted among them."""
    await Membership.filter(room_id=room.id, user_id=who(kicked).id).delete()
    await assert_gapless(room, count)


async def test_the_same_form_sent_twice_at_once_is_one_message(bob: Person, room: Room) -> None:
    found = await access.by_key(who(bob), room.key)
    answers = await asyncio.gather(*(posting.post(found, "twice", "nonce") for _ in range(5)))
    assert answers == [Posted(1, 1, is_repeat=False), *[Posted(1, 1, is_repeat=True)] * 4]
    assert await bodies(room) == ["twice"]
    await assert_gapless(room, 1)


async def test_in_a_chat_of_two_each_goes_by_itself(alice: Person, bob: Person, groups: list[int]) -> None:
    room = (await first_message.post_first(who(alice), who(bob), "Hello", ""))[0].room
    both = {one: await access.by_key(who(one), room.key) for one in (alice, bob)}
    posts = [posting.post(both[one], f"{number}", "") for number, one in enumerate((bob, alice, bob, alice))]
    assert [one.number for one in await asyncio.gather(*posts)] == [2, 3, 4, 5]
    assert groups == [1] * 5
    read = dict(await Membership.filter(room_id=room.id).values_list("user_id", "read_number"))
    assert read == {who(alice).id: 5, who(bob).id: 4}


async def test_a_cancelled_post_that_was_queued_is_stored(alice: Person, room: Room) -> None:
    found = await access.by_key(who(alice), room.key)
    tasks = [asyncio.create_task(posting.post(found, f"line {number}", "")) for number in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await together(*tasks)
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False] * 5
    await transaction.drain()
    assert await bodies(room) == [f"line {number}" for number in range(10)]
    await assert_gapless(room, 10)


async def test_while_the_database_is_away_a_whole_group_fails_at_once(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, sizes = posting.insert_rows, []

    async def fail_at_first(messages: list[Any]) -> dict[int, int]:
        ids = await insert(messages)
        sizes.append(len(messages))
        if len(sizes) == 1:
            raise OperationalError("disk full")
        return ids

    found = await access.by_key(who(alice), room.key)
    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert_rows", fail_at_first)
        posts = [posting.post(found, f"line {number}", "") for number in range(group_commit.MAX_GROUP_SIZE + 5)]
        answers = await together(*posts)
    assert sizes == [group_commit.MAX_GROUP_SIZE, 5]
    assert [type(answer) for answer in answers] == [OperationalError] * group_commit.MAX_GROUP_SIZE + [Posted] * 5
    assert await bodies(room) == [
        f"line {number}" for number in range(group_commit.MAX_GROUP_SIZE, group_commit.MAX_GROUP_SIZE + 5)
    ]
    await assert_gapless(room, 5)


async def test_transactions_that_cannot_begin_block_no_others(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn: Any = in_transaction()

    async def begin(self: object) -> None:
        raise sqlite3.OperationalError("disk I/O error") if settings.ON_SQLITE else TimeoutError("a frozen server")

    with monkeypatch.context() as patch:
        patch.setattr(type(turn.connection if settings.ON_SQLITE else turn.client), "begin", begin)
        for _ in range(engine.POOL_SIZE + 1):
            async with asyncio.timeout(5):
                assert (await alice.say(room, "lost")).status_code == 503
    async with asyncio.timeout(5):
        assert (await alice.say(room, "kept")).status_code == 303
    assert await bodies(room) == ["kept"]


async def test_a_post_that_timed_out_is_found_when_it_is_sent_again(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, go_on = posting.insert_rows, asyncio.Event()

    async def wait(messages: list[Any]) -> dict[int, int]:
        await go_on.wait()
        return await insert(messages)

    found = await access.by_key(who(alice), room.key)
    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert_rows", wait)
        patch.setattr(group_commit, "TIMEOUT_SECONDS", 0.05)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await posting.post(found, "late", "nonce")
    assert issubclass(TimeoutError, engine.DOWN)
    go_on.set()
    assert await posting.post(found, "late", "nonce") == Posted(1, 1, is_repeat=True)
    await assert_gapless(room, 1)


async def test_nobody_suffers_for_the_one_whose_account_goes_at_that_moment(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    found = {one: await access.by_key(who(one), room.key) for one in (alice, bob, charlie)}
    await User.filter(id=who(charlie).id).delete()
    authors = (alice, charlie, bob, charlie, alice)
    answers = await together(*(posting.post(found[one], f"line {number}", "") for number, one in enumerate(authors)))
    assert [isinstance(answer, IntegrityError) for answer in answers] == [False, True, False, True, False]
    assert await bodies(room) == ["line 0", "line 2", "line 4"]
    await assert_gapless(room, 3)


async def test_posts_to_a_room_that_is_deleted_meanwhile_are_not_found(alice: Person, bob: Person) -> None:
    room = await make_room(who(alice), "Short")
    found = await access.by_key(who(bob), room.key)
    await Room.close(room.id)
    answers = await together(*(posting.post(found, f"line {number}", "") for number in range(3)))
    assert [type(answer) for answer in answers] == [NotFound] * 3
    assert not await Message.exists(room_id=room.id)


async def test_the_first_message_to_a_person_who_blocks_meanwhile_makes_no_chat(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Forbidden("You can't write to this person.")

    monkeypatch.setattr(kinds.Direct, "check_post", refuse)
    with pytest.raises(Forbidden):
        await first_message.post_first(who(alice), who(bob), "Hello", "")
    assert not await Room.exists(kind="direct")
