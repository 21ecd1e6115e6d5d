"""Matching as a property: whatever people do and in whatever order, who is together is together rightly."""

import asyncio
import time
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as told
from hypothesis import strategies as st

from tests.conftest import Person, account
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.names import new_code
from webapp.conversations.kinds import ANONYMOUS
from webapp.conversations.models import Membership, Room
from webapp.db import sql
from webapp.db.sql import CLOCK
from webapp.relationships.models import Block, Friendship
from webapp.strangers.matching import Candidate, match_waiting, ordered_pair, pair_up
from webapp.strangers.models import Stranger

LIKES = ("", "jazz", "chess", "jazz chess", "film")
LANGUAGES = ("en", "de")

# Who is chosen, of those who wait at one moment.


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Candidate], set[tuple[int, int]], set[tuple[int, int]]]:
    """People who wait, the longest first; those who may not meet, and those who have met."""
    waits = sorted(draw(st.lists(st.integers(0, 30_000), max_size=9)), reverse=True)
    waiting = [
        Candidate(
            number,
            number,
            number,
            frozenset(draw(st.sampled_from(LIKES)).split()),
            draw(st.sampled_from(LANGUAGES)),
            ms,
        )
        for number, ms in enumerate(waits)
    ]
    pairs = list(combinations(range(len(waiting)), 2))
    some = st.sets(st.sampled_from(pairs)) if pairs else st.just(set[tuple[int, int]]())
    return waiting, draw(some), draw(some)


@given(crowds())
def test_who_is_chosen_is_right_for_both_and_nobody_is_passed_over(
    crowd: tuple[list[Candidate], set[tuple[int, int]], set[tuple[int, int]]],
) -> None:
    waiting, apart, met = crowd
    found = pair_up(waiting, apart, met)
    taken = [wish for pair in found for wish in pair]
    assert len(taken) == len(set(taken))
    for one, other in found:
        assert one.accepts(other)
        assert other.accepts(one)
        assert ordered_pair(one, other) not in apart
        if ordered_pair(one, other) in met:
            for who in (one, other):
                assert [
                    third for third in waiting if third != who and ordered_pair(who, third) not in apart | met
                ] == []
    left = [wish for wish in waiting if wish not in taken]
    for one, other in combinations(left, 2):
        assert ordered_pair(one, other) in apart | met or not (one.accepts(other) and other.accepts(one))
    # Whoever waited longest chose first, and took who had the most in common.
    for one, other in found:
        earlier = {wish for pair in found[: found.index((one, other))] for wish in pair}
        for third in waiting:
            is_free = third not in earlier and third != one and ordered_pair(one, third) not in apart | met
            if is_free and one.accepts(third) and third.accepts(one) and ordered_pair(one, other) not in met:
                assert len(one.interests & third.interests) <= len(one.interests & other.interests)


def test_wishes_grow_smaller_with_time() -> None:
    def wish(likes: str, language: str, seconds: int) -> Candidate:
        return Candidate(0, 0, 0, frozenset(likes.split()), language, seconds * 1000)

    someone = wish("chess", "en", 0)
    assert wish("chess film", "en", 0).accepts(someone)
    assert not wish("film", "en", 9).accepts(someone)
    assert wish("film", "en", 10).accepts(someone)
    assert not wish("film", "de", 19).accepts(someone)
    assert wish("film", "de", 20).accepts(someone)
    assert wish("", "en", 0).accepts(someone)
    assert not wish("", "de", 0).accepts(someone)


# What becomes of it in the database, whoever else does what at the same moment.

PEOPLE = 6
actions = st.tuples(
    st.sampled_from(("find", "find", "find", "stop", "leave", "next", "vanish", "match")),
    st.integers(0, PEOPLE - 1),
    st.sampled_from(LIKES),
    st.sampled_from(LANGUAGES),
)
# Several things at the same moment, then some seconds in which nothing happens; and again.
schedules = st.lists(
    st.tuples(st.lists(actions, min_size=1, max_size=5), st.sampled_from((0, 0, 4, 11, 21))), max_size=7
)


async def act(who: Stranger, what: str, likes: str, language: str) -> None:
    who = await Stranger.get(id=who.id).select_related("mask")
    if what == "find":
        await who.set_preferences(likes, language)
        await who.start_waiting()
    elif what == "stop":
        await who.stop_waiting()
    elif what == "leave":
        await who.leave()
    elif what == "next":
        await who.leave()
        await who.set_preferences(likes, language)
        await who.start_waiting()
    elif what == "vanish":
        await Stranger.filter(id=who.id).update(here_until=0)
    if what != "vanish":
        await match_waiting()


async def check(apart: set[tuple[int, int]]) -> None:
    """Nobody in two chats, nobody alone in one, nobody with themselves or with whom they may not meet."""
    people = {row["mask_id"]: row for row in await Stranger.all().values("mask_id", "person", "since", "room_id")}
    assert not [row for row in people.values() if row["since"] is not None and row["room_id"] is not None]
    rooms = await Room.filter(kind=ANONYMOUS.stored, locked_at=None).values_list("id", flat=True)
    seated: list[int] = []
    for room in rooms:
        members = list(await Membership.filter(room_id=room).values_list("user_id", flat=True))
        assert len(members) == 2
        assert [people[mask]["room_id"] for mask in members] == [room, room]
        one, other = sorted(people[mask]["person"] for mask in members)
        assert one != other
        assert (one, other) not in apart
        seated += members
    assert len(seated) == len(set(seated))


@pytest.fixture
async def crowd(app: object) -> list[Stranger]:
    """Four with accounts, two of whom are friends and two of whom have a block between them, and two guests."""
    users = [await account(f"person{number}") for number in range(4)]
    await Friendship.request(users[0], users[1])
    await Friendship.request(users[1], users[0])
    await Block.add(users[2], users[3])
    return [await Stranger.put_on_mask(user) for user in users] + [await Stranger.put_on_mask() for _ in range(2)]


@told(
    max_examples=60 if settings.ON_SQLITE else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schedules)
async def test_whatever_people_do_at_the_same_moment_nobody_sits_wrongly(
    crowd: list[Stranger], schedule: list[tuple[list[tuple[str, int, str, str]], int]]
) -> None:
    await Stranger.all().update(since=None, room_id=None, here_until=0)
    await Room.all().delete()
    await sql.execute("DELETE FROM met WHERE 1 = 1 RETURNING id")
    apart = {(crowd[0].person, crowd[1].person), (crowd[2].person, crowd[3].person)}
    for moment, seconds in schedule:
        waiting_here = set(
            await Stranger.filter(since__not_isnull=True, here_until=0).values_list("mask_id", flat=True)
        )
        touched = {number for what, number, _, _ in moment if what in ("find", "next")}
        await asyncio.gather(*(act(crowd[number], what, likes, said) for what, number, likes, said in moment))
        await check(apart)
        gone = waiting_here - {crowd[number].mask_id for number in touched}
        assert not await Stranger.filter(mask_id__in=gone, room_id__not_isnull=True).exists() if gone else True
        await pass_time(seconds)
        await asyncio.gather(match_waiting(), match_waiting())
        await check(apart)


async def pass_time(seconds: int) -> None:
    """So many seconds later, with every page open all the while."""
    await sql.execute(
        f"UPDATE stranger SET since = since - ?, here_until = CASE WHEN here_until = 0 THEN 0 ELSE {CLOCK} + 10000 END "
        "WHERE since IS NOT NULL RETURNING id",
        seconds * 1000,
    )


async def enter(count: int) -> list[Stranger]:
    """Many guests at once."""
    masks = [User(code=new_code(), display_name=f"Guest {number}", is_guest=True) for number in range(count)]
    await User.bulk_create(masks)
    numbers = await User.filter(is_guest=True).values_list("id", flat=True)
    await Stranger.bulk_create([Stranger(mask_id=number, person=number) for number in numbers])
    return await Stranger.all().select_related("mask")


async def test_five_hundred_with_compatible_wishes_are_all_matched(app: object) -> None:
    crowd = await enter(500)
    is_over = asyncio.Event()

    async def process() -> None:
        while not is_over.is_set():
            await match_waiting()
            await asyncio.sleep(0.05)

    processes = [asyncio.create_task(process()) for _ in range(2)]
    for start in range(0, 500, 50):
        await asyncio.gather(*(one.start_waiting() for one in crowd[start : start + 50]))
    last_arrival = time.monotonic()
    while await Stranger.filter(since__not_isnull=True).exists():
        assert time.monotonic() - last_arrival < 20
        await asyncio.sleep(0.02)
    is_over.set()
    await asyncio.gather(*processes)
    await check(set())
    assert await Room.filter(kind=ANONYMOUS.stored).count() == 250


async def test_a_matching_that_fails_leaves_everybody_waiting(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = await enter(4)

    async def fails(found: object) -> None:
        raise OSError("the database went away")

    for one in crowd:
        await one.start_waiting()
    monkeypatch.setattr("webapp.strangers.matching._remember", fails)
    with pytest.raises(OSError, match="went away"):
        await match_waiting()
    assert await Room.all().count() == 0
    assert await Stranger.filter(since__not_isnull=True, room_id=None).count() == 4


async def test_the_longest_waiting_are_served_first(app: object) -> None:
    crowd = await enter(5)
    for place, one in enumerate(crowd):
        await one.start_waiting()
        await Stranger.filter(id=one.id).update(since=1000 + place)
    await match_waiting()
    assert not (await Stranger.get(id=crowd[0].id)).is_waiting
    assert (await Stranger.get(id=crowd[4].id)).is_waiting


async def test_two_of_one_browser_are_one_person(app: object, visitor: Person) -> None:
    wishes = {"interests": "", "language": "en", "rules": "1"}
    await visitor.post("/strangers/find", wishes)
    await visitor.post("/strangers/find", wishes)
    await match_waiting()
    assert await Room.filter(kind=ANONYMOUS.stored).count() == 0
