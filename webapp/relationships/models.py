"""The rules between two people: friendship, which both want, and blocking, which one decides."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.expressions import F, Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.accounts.models import User
from webapp.core import text
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import sql, transaction
from webapp.db.prepared import Prepared
from webapp.presence.queries import is_online

MAX_PENDING_REQUESTS = 50
MAX_LISTED = 1000
COOLING_OFF = timedelta(days=30)


class Relationship(StrEnum):
    """What somebody else is to the viewer, as the viewer may know it."""

    SELF = "self"
    NONE = "none"
    ASKED = "asked"  # by me: it waits for them
    ASKING = "asking"  # they have asked me
    FRIENDS = "friends"
    BLOCKED = "blocked"  # by me


def ordered_ids(one: User, other: User) -> tuple[int, int]:
    """The two in the order in which the database holds every pair."""
    return min(one.id, other.id), max(one.id, other.id)


async def _lock_pair(one: User, other: User) -> None:
    """Lock both, within a transaction: what is made between two people waits for what is being made or ended there."""
    for user in ordered_ids(one, other):
        await User.filter(id=user).update(blocks_version=F("blocks_version"))


def _pending_for_sender() -> Q:
    """A request as it looks to the one who asked: it waits for an answer."""
    is_fresh = Q(declined_at=None) | Q(declined_at__gt=datetime.now(UTC) - COOLING_OFF)
    return Q(accepted_at=None, withdrawn=False) & is_fresh


def _pending_for_recipient() -> Q:
    """A request as it looks to the one who is asked."""
    return Q(accepted_at=None, declined_at=None, withdrawn=False)


# The same for `database.rows`.
_WAITS = "accepted_at IS NULL AND declined_at IS NULL AND NOT withdrawn"


class Friendship(Model):
    """
    A pair of people, one of whom asked. Friends when `accepted_at` is set.

    A decline is silent: the row stays, the one who asked sees it wait, and asking again before COOLING_OFF
    is over changes nothing for the other. `withdrawn` is a request that the one who asked took back meanwhile.
    """

    id = fields.IntField(primary_key=True)
    low: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "friendships_low")
    high: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "friendships_high", db_index=True)
    asked_by = fields.IntField(db_index=True)
    asked_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    declined_at = fields.DatetimeField(null=True)
    withdrawn = fields.BooleanField(default=False)

    low_id: int
    high_id: int

    class Meta:
        table = "friendship"
        table_description = "A pair of people, one of whom asked. Friends when `accepted_at` is set."
        unique_together = (("low", "high"),)

    @classmethod
    async def between(cls, one: User, other: User) -> "Friendship | None":
        low, high = ordered_ids(one, other)
        return await cls.get_or_none(low_id=low, high_id=high)

    def tie(self, viewer: User) -> Relationship:
        if self.accepted_at:
            return Relationship.FRIENDS
        if self.asked_by == viewer.id:
            return Relationship.NONE if self.withdrawn or self.is_stale else Relationship.ASKED
        return Relationship.NONE if self.withdrawn or self.declined_at else Relationship.ASKING

    @property
    def is_stale(self) -> bool:
        """Declined, and long enough ago to be asked again."""
        return self.declined_at is not None and datetime.now(UTC) - self.declined_at > COOLING_OFF

    def other_person(self, user: User) -> User:
        """The one of the two who is not this person, where both were read with it."""
        return self.high if self.low_id == user.id else self.low

    @classmethod
    async def request(cls, user: User, other: User) -> Relationship:
        """
        Ask to be friends, or accept when the other has asked already; what they are now.

        Raises Missing where either has blocked the other, Refused to one with too many requests waiting.
        """
        return await transaction.transact(cls.ask_now, user, other)

    @classmethod
    async def ask_now(cls, user: User, other: User) -> Relationship:
        """The same within a transaction."""
        if user.id == other.id:
            raise Forbidden(_("You are your own friend already."))
        await _lock_pair(user, other)
        await Block.require_none(user, other)
        now = datetime.now(UTC)
        known = await cls.between(user, other)
        if known and known.accepted_at:
            return Relationship.FRIENDS
        # Declined or not: as far as who asked can tell, their request waits, and now it has an answer.
        if await cls.filter(_pending_for_sender(), id=known.id if known else 0, asked_by=other.id).update(
            accepted_at=now
        ):
            return Relationship.FRIENDS
        if known and known.tie(user) == Relationship.ASKED:
            return Relationship.ASKED
        if await cls.filter(_pending_for_sender(), asked_by=user.id).count() >= MAX_PENDING_REQUESTS:
            raise Forbidden(_("You have asked many people who have not answered yet. Wait for some of them."))
        if known and known.asked_by == user.id and not known.is_stale:
            await cls.filter(id=known.id).update(withdrawn=False)
            return Relationship.ASKED
        # What is left of the pair is over: an old decline, a request taken back, or nothing.
        low, high = ordered_ids(user, other)
        await cls.filter(low_id=low, high_id=high).delete()
        await cls.create(low_id=low, high_id=high, asked_by=user.id, asked_at=now)
        return Relationship.ASKED

    @classmethod
    async def accept(cls, user: User, other: User) -> None:
        """Raises Missing when they have not asked, or have taken it back."""
        low, high = ordered_ids(user, other)
        asked = cls.filter(_pending_for_sender(), low_id=low, high_id=high, asked_by=other.id)
        if not await asked.update(accepted_at=datetime.now(UTC)):
            if (found := await cls.between(user, other)) and found.accepted_at:
                return  # accepted already
            raise NotFound(_("They have cancelled their request."))

    @classmethod
    async def befriend(cls, one: User, other: User) -> None:
        """Make friends of two who both want it, within a transaction; raises Missing where a block stands between."""
        await _lock_pair(one, other)
        await Block.require_none(one, other)
        low, high = ordered_ids(one, other)
        now = datetime.now(UTC)
        if not await cls.filter(low_id=low, high_id=high, accepted_at__not_isnull=True).exists():
            await cls.filter(low_id=low, high_id=high).delete()
            await cls.create(low_id=low, high_id=high, asked_by=one.id, asked_at=now, accepted_at=now)

    @classmethod
    async def decline(cls, user: User, other: User) -> None:
        low, high = ordered_ids(user, other)
        asked = cls.filter(low_id=low, high_id=high, asked_by=other.id, accepted_at=None, declined_at=None)
        await asked.update(declined_at=datetime.now(UTC))

    @classmethod
    async def cancel(cls, user: User, other: User) -> None:
        low, high = ordered_ids(user, other)
        asked = cls.filter(low_id=low, high_id=high, asked_by=user.id, accepted_at=None)
        if not await asked.filter(declined_at=None).delete():
            await asked.update(withdrawn=True)

    @classmethod
    async def remove(cls, user: User, other: User) -> None:
        """End a friendship. No other trace of the pair is left."""
        low, high = ordered_ids(user, other)
        await cls.filter(low_id=low, high_id=high, accepted_at__not_isnull=True).delete()

    @classmethod
    async def is_friend_online(cls, user: User, other: User) -> bool | None:
        """Whether this friend is online, as they show it; None for somebody who is no friend."""
        rows = await sql.rows(
            f'SELECT {is_online()} AS is_online FROM friendship JOIN "user" ON "user".id = ? '
            "WHERE low_id = ? AND high_id = ? AND accepted_at IS NOT NULL",
            other.id, *ordered_ids(user, other),
        )  # fmt: skip
        return bool(rows[0]["is_online"]) if rows else None

    @classmethod
    async def friends(cls, user: User) -> list[User]:
        """The person's friends, by name."""
        found = await _FRIENDS.all(user.id)
        return sorted((one.other_person(user) for one in found), key=lambda friend: text.fold(friend.display_name))

    @classmethod
    async def requests(cls, user: User) -> "list[Friendship]":
        """What waits for the person, and what the person waits for, the latest first."""
        mine = cls.filter(Q(low_id=user.id) | Q(high_id=user.id))
        waits = Q(asked_by=user.id) & _pending_for_sender() | _pending_for_recipient()
        return await mine.filter(waits).select_related("low", "high").order_by("-asked_at").limit(MAX_LISTED)

    @classmethod
    async def requesters(cls, user: User) -> list[User]:
        """Who waits for an answer of the person, the latest first."""
        return [one.other_person(user) for one in await _ASKING.all(user.id)]

    @classmethod
    async def friend_ids(cls, user_id: int) -> set[int]:
        """The ids of the person's friends."""
        return (await cls.friend_ids_by_user([user_id]))[user_id]

    @classmethod
    async def friend_ids_by_user(cls, users: Collection[int]) -> dict[int, set[int]]:
        """The ids of each of these people's friends."""
        found: dict[int, set[int]] = {user: set() for user in users}
        for low, high, _asker in await cls._between(users, "accepted_at IS NOT NULL"):
            if low in found:
                found[low].add(high)
            if high in found:
                found[high].add(low)
        return found

    @classmethod
    async def request_counts(cls, users: Collection[int]) -> Counter[int]:
        """How many wait for an answer of each of these people."""
        theirs = await cls._between(users, _WAITS)
        return Counter(user for low, high, asker in theirs for user in (low, high) if user != asker)

    @staticmethod
    async def _between(users: Collection[int], state: str) -> list[tuple[int, int, int]]:
        """The pairs of these people and others that are in this state, with the one of the two who asked."""
        some = sql.placeholders(users)
        rows = await sql.rows(
            "SELECT low_id, high_id, asked_by FROM friendship "
            f"WHERE (low_id IN ({some}) OR high_id IN ({some})) AND {state}",
            *users, *users,
        )  # fmt: skip
        return [(row["low_id"], row["high_id"], row["asked_by"]) for row in rows]


def _of(user: int) -> QuerySet[Friendship]:
    return Friendship.filter(Q(low_id=user) | Q(high_id=user)).select_related("low", "high").limit(MAX_LISTED)


_FRIENDS = Prepared[Friendship](lambda user: _of(user).filter(accepted_at__not_isnull=True))
_ASKING = Prepared[Friendship](
    lambda user: _of(user).filter(_pending_for_recipient(), asked_by__not=user).order_by("-asked_at")
)


class Block(Model):
    """One person wants nothing of another, both ways, and without telling."""

    id = fields.IntField(primary_key=True)
    blocker: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "blocks")
    blocked: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "blocked_by", db_index=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    blocker_id: int
    blocked_id: int

    class Meta:
        table = "block"
        table_description = "One person wants nothing of another, both ways, and without telling."
        unique_together = (("blocker", "blocked"),)

    @classmethod
    async def between(cls, one: User, other: User) -> list[tuple[int, bool]]:
        """Who of the two has blocked the other everywhere, and whether by name."""
        rows = await sql.rows(_BETWEEN, *[one.id, other.id, other.id, one.id] * 2)
        return [(row["blocker_id"], bool(row["is_open"])) for row in rows]

    @classmethod
    async def exists_between(cls, one: User, other: User) -> bool:
        """Whether either has blocked the other."""
        return bool(await cls.between(one, other))

    @classmethod
    async def require_none(cls, user: User, other: User) -> None:
        """Raise Missing when either has blocked the other: the same as for a code that nobody has."""
        if await cls.exists_between(user, other):
            raise NotFound(_("Nobody has that code."))

    @classmethod
    async def add(cls, user: User, other: User) -> None:
        """Block somebody: friendship and requests between the two end with it."""
        if user.id == other.id:
            raise Forbidden(_("You can't block yourself."))

        async def write() -> None:
            await _lock_pair(user, other)
            low, high = ordered_ids(user, other)
            await Friendship.filter(low_id=low, high_id=high).delete()
            if not await cls.exists(blocker_id=user.id, blocked_id=other.id):
                await cls.create(blocker_id=user.id, blocked_id=other.id)
                await cls._count(user)

        await transaction.transact(write)

    @classmethod
    async def remove(cls, user: User, other: User) -> None:
        async def write() -> None:
            if await cls.filter(blocker_id=user.id, blocked_id=other.id).delete():
                await cls._count(user)

        await transaction.transact(write)

    @staticmethod
    async def _count(user: User) -> None:
        await User.filter(id=user.id).update(blocks_version=F("blocks_version") + 1)

    @classmethod
    async def blocked_either_way(cls, user: User) -> set[int]:
        """The ids of everyone whom the person has blocked, or who has blocked them."""
        rows = await sql.rows(_AROUND, *[user.id] * 4)
        return {row["other"] for row in rows}

    @classmethod
    async def blocked_codes(cls, user: User) -> list[str]:
        """The codes of the people whom the person has blocked; no query for the many who never blocked anyone."""
        if not user.blocks_version:
            return []
        rows = await cls.filter(blocker_id=user.id).order_by("id").values(code="blocked__code")
        return [row["code"] for row in rows]

    @classmethod
    async def blocked_people(cls, user: User) -> list[User]:
        """The people whom the person has blocked, the latest first."""
        blocks = await cls.filter(blocker_id=user.id).select_related("blocked").order_by("-id").limit(MAX_LISTED)
        return [block.blocked for block in blocks]


class VeiledBlock(Model):
    """
    A block of somebody whose name the blocker must not learn by it.

    Made from a mask, it counts in matching alone, and is independent of an open block of the same two. Those with
    `everywhere` are older than this table, and could not be told from open blocks: they keep the force of one.
    """

    id = fields.IntField(primary_key=True)
    blocker: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "veiled_blocks")
    blocked: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "veiled_blocked_by", db_index=True)
    everywhere = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField(auto_now_add=True)

    blocker_id: int
    blocked_id: int

    class Meta:
        table = "veiled_block"
        table_description = "A block without a name."
        unique_together = (("blocker", "blocked"),)

    @classmethod
    async def put(cls, user: User, other: User) -> None:
        """Never bring these two together again. What they are to each other by name stays as it is."""
        block = cls(blocker_id=user.id, blocked_id=other.id)
        await transaction.transact(cls.bulk_create, [block], ignore_conflicts=True)

    @classmethod
    async def lift(cls, user: User, number: int) -> None:
        await cls.filter(id=number, blocker_id=user.id).delete()

    @classmethod
    async def by(cls, user: User) -> "list[VeiledBlock]":
        """Those that the person has made, the latest first."""
        return await cls.filter(blocker_id=user.id).order_by("-id").limit(MAX_LISTED)


_BETWEEN = " UNION ALL ".join(
    f"SELECT blocker_id, {is_open} AS is_open FROM {table} "
    f"WHERE (blocker_id = ? AND blocked_id = ? OR blocker_id = ? AND blocked_id = ?){only}"
    for table, is_open, only in (("block", 1, ""), ("veiled_block", 0, " AND everywhere"))
)
_AROUND = " UNION ".join(
    f"SELECT {other} AS other FROM {table} WHERE {one} = ?{only}"
    for table, only in (("block", ""), ("veiled_block", " AND everywhere"))
    for one, other in (("blocker_id", "blocked_id"), ("blocked_id", "blocker_id"))
)
