"""Matching strangers: decided for all who wait at once, and written in one transaction."""

from collections.abc import Sequence
from typing import NamedTuple

from webapp import settings
from webapp.conversations.models import Membership, Room, random_key
from webapp.db import sql, transaction
from webapp.db.sql import CLOCK
from webapp.strangers.models import KIND, MEMORY_MS, WAITING_MS

# How many of those who wait are looked at together, the longest waiting first; there is a next time at once.
BATCH_SIZE = 300
# Any two integers that are ours alone: PostgreSQL's advisory lock, which only one matching holds at a time.
LOCK = 0x5061726C, 0x6D617463
# After so long a stranger accepts any interests in their language; any language too.
PATIENT_MS, DESPERATE_MS = 10_000, 20_000

Pair = tuple[int, int]


class Candidate(NamedTuple):
    """A mask that waits. `person` is who is behind it."""

    id: int
    mask: int
    person: int
    interests: frozenset[str]
    language: str
    waited: int

    def accepts(self, other: "Candidate") -> bool:
        if self.waited >= DESPERATE_MS:
            return True
        if self.language != other.language:
            return False
        return self.waited >= PATIENT_MS or not self.interests or not self.interests.isdisjoint(other.interests)


class Match(NamedTuple):
    one: Candidate
    other: Candidate


def ordered_pair(one: Candidate, other: Candidate) -> Pair:
    return min(one.person, other.person), max(one.person, other.person)


def pair_up(waiting: Sequence[Candidate], apart: set[Pair], met: set[Pair]) -> list[Match]:
    """
    Who of those who wait, in the order in which they are served, is brought together with whom.

    Both must accept it. Among the possible partners, more common interests come first, then who waits longer.
    Never two who stand `apart`; those who `met` within the hour only where nobody else waits whom either could have.
    """
    free = dict.fromkeys(waiting)
    new = apart | met
    found: list[Match] = []
    for one in waiting:
        if one not in free:
            continue
        del free[one]
        best = _best(one, free, new) or _again(one, waiting, free, apart, new)
        if best:
            del free[best]
            found.append(Match(one, best))
    return found


def _best(one: Candidate, free: dict[Candidate, None], new: set[Pair]) -> Candidate | None:
    best, most = None, -1
    for other in free:
        common = len(one.interests & other.interests)
        if common > most and one.accepts(other) and other.accepts(one) and ordered_pair(one, other) not in new:
            best, most = other, common
            if not one.interests:
                break  # nobody further on has more in common
    return best


def _again(
    one: Candidate, waiting: Sequence[Candidate], free: dict[Candidate, None], apart: set[Pair], new: set[Pair]
) -> Candidate | None:
    def has_choice(who: Candidate) -> bool:
        return any(other is not who and ordered_pair(who, other) not in new for other in waiting)

    if has_choice(one):
        return None
    for other in free:
        if (
            ordered_pair(one, other) not in apart
            and one.accepts(other)
            and other.accepts(one)
            and not has_choice(other)
        ):
            return other
    return None


async def match_waiting() -> list[Match]:
    """Match those who wait and create their rooms: all of it or nothing."""
    return await transaction.transact(_match)


async def _match() -> list[Match]:
    await _take_turns()
    waiting = await _waiting()
    if len(waiting) < 2:
        return []
    people = [wish.person for wish in waiting]
    found = pair_up(waiting, await _apart(people), await _met(people))
    if found:
        await _create_rooms(found)
    return found


async def _take_turns() -> None:
    """One matching at a time. The first statement writes: on SQLite that takes the one write lock there is."""
    if not settings.ON_SQLITE:
        await sql.execute("SELECT pg_advisory_xact_lock(?, ?)", *LOCK)
    await sql.execute(f"DELETE FROM met WHERE at < {CLOCK} - {MEMORY_MS} RETURNING id")


async def _waiting() -> list[Candidate]:
    """
    The longest waiting, held until the end of the transaction.

    Rows that are being written at this moment are left for the next time, which comes at once: so matching never
    waits for anybody who may wait for it.
    """
    rows = await sql.fetch_all(
        f"SELECT id, mask_id, person, interests, language, {CLOCK} - since AS waited FROM stranger "
        f"WHERE since IS NOT NULL AND here_until > {CLOCK} ORDER BY since, id LIMIT {BATCH_SIZE}"
        + ("" if settings.ON_SQLITE else " FOR UPDATE SKIP LOCKED")
    )
    return [_wish(row) for row in rows]


def _wish(row: sql.Row) -> Candidate:
    interests = frozenset(row["interests"].split())
    return Candidate(row["id"], row["mask_id"], row["person"], interests, row["language"], row["waited"])


async def _apart(people: list[int]) -> set[Pair]:
    """Return the pairs of whom one has blocked the other, and friends, who know each other already."""
    blocks = await _pairs("block", "blocker_id", "blocked_id", people)
    blocks |= await _pairs("veiled_block", "blocker_id", "blocked_id", people)
    return blocks | await _pairs("friendship", "low_id", "high_id", people, "accepted_at IS NOT NULL")


async def _met(people: list[int]) -> set[Pair]:
    return await _pairs("met", "low", "high", people)


async def _pairs(table: str, one: str, other: str, people: list[int], also: str = "1 = 1") -> set[Pair]:
    marks = sql.placeholders(people)
    found = await sql.fetch_all(
        f"SELECT {one} AS one, {other} AS other FROM {table} "
        f"WHERE {one} IN ({marks}) AND {other} IN ({marks}) AND {also}",
        *people, *people,
    )  # fmt: skip
    return {(min(row["one"], row["other"]), max(row["one"], row["other"])) for row in found}


async def _create_rooms(found: list[Match]) -> None:
    """Create a room for each pair; both are in it, and wait no more."""
    rooms = [
        Room(
            key=random_key(), kind=KIND, name="", member_count=2,
            topic=" ".join(sorted(one.interests & other.interests)),
        )
        for one, other in found
    ]  # fmt: skip
    await Room.bulk_create(rooms)
    numbers = dict(await Room.filter(key__in=[room.key for room in rooms]).values_list("key", "id"))
    seats = [(numbers[room.key], wish) for room, pair in zip(rooms, found, strict=True) for wish in pair]
    await Membership.bulk_create([Membership(room_id=room, user_id=wish.mask) for room, wish in seats])
    await _stop_waiting(seats)
    await _remember(found)


async def _stop_waiting(seats: list[tuple[int, Candidate]]) -> None:
    by_room = " ".join("WHEN ? THEN CAST(? AS INTEGER)" for _ in seats)
    marks = sql.placeholders(seats)
    taken = await sql.execute(
        f"UPDATE stranger SET since = NULL, here_until = {CLOCK} + {WAITING_MS}, "
        f"room_id = CASE id {by_room} END "
        f"WHERE id IN ({marks}) AND since IS NOT NULL AND room_id IS NULL RETURNING id",
        *[value for room, wish in seats for value in (wish.id, room)],
        *[wish.id for _, wish in seats],
    )
    if len(taken) != len(seats):  # can't be: they were held. Nobody may sit alone, so nothing of this has happened.
        raise RuntimeError("somebody was taken while they were being matched")


async def _remember(found: list[Match]) -> None:
    values = ", ".join(f"(?, ?, {CLOCK})" for _ in found)
    await sql.execute(
        f"INSERT INTO met (low, high, at) VALUES {values} "
        "ON CONFLICT (low, high) DO UPDATE SET at = excluded.at, skipped = NULL RETURNING id",
        *[person for pair in found for person in ordered_pair(*pair)],
    )
