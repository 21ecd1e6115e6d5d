"""The rules of meeting strangers: who comes masked, who waits, who talks to whom, and how it ends."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from webapp import database, settings, text
from webapp.accounts.models import CODE, User
from webapp.accounts.names import new_code
from webapp.accounts.sessions import Session
from webapp.errors import Invalid
from webapp.friends.models import Friendship
from webapp.language import _
from webapp.messages.models import Message, erase_closed
from webapp.rooms.models import DIRECT, MEMBER, STRANGER, Membership, Room
from webapp.strangers.names import new_name

# The channel of everybody who waits: it is no room, and has no log. The smallest number that a column may hold.
LOUNGE = -(2**31)
# All times here are milliseconds since 1970 on the one clock that all processes share, which is the database's.
CLOCK = (
    "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT)"
    if settings.ON_SQLITE
    else "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
)
# Somebody whose page gives no sign of life for so long waits no more.
WAITING_MS = 10_000
# In a chat an open page says every two seconds that it is there: after five somebody is away, after fifteen more gone.
HERE_MS = 5_000
GRACE_MS = 15_000
# A page that is not live can't say so: whoever asked for it is taken to be reading and writing for a while.
READING_MS = 120_000
# Who goes on so soon has not talked.
SKIP_MS = 5_000
YOUNG_SECONDS = 30
MOST_INTERESTS = 5
LONGEST_INTEREST = 24
# An hour is what we promise; what forgets runs every few minutes.
KEPT_MINUTES = 30
MEMORY_MS = 3_600_000
GUEST_MS = 24 * 3_600_000
# The role of somebody who has pressed "keep in touch" in a chat.
KEEPER = "keeper"

LANGUAGES = {
    "en": "English",
    "ar": "العربية",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ru": "Русский",
    "tr": "Türkçe",
    "uk": "Українська",
    "zh": "中文",
}


def usable_interests(typed: str) -> str:
    """The words as they are kept, with spaces between; raises Invalid."""
    words = [word for piece in text.fold(typed).replace(",", " ").split() if (word := piece.strip("#.;:!?\"'()"))]
    words = list(dict.fromkeys(words))
    if len(words) > MOST_INTERESTS:
        raise Invalid(interests=_("Use at most %(most)s words.", most=MOST_INTERESTS))
    if any(len(word) > LONGEST_INTEREST for word in words):
        raise Invalid(interests=_("Use words of at most %(most)s letters.", most=LONGEST_INTEREST))
    return " ".join(words)


def usable_language(typed: str) -> str:
    if typed not in LANGUAGES:
        raise Invalid(language=_("Choose one of these."))
    return typed


class Stranger(Model):
    """
    A person as strangers know them: a mask, which is a user of its own with nothing of the person in it.

    There is one row for each person, and it names at most one room: nobody can be in two chats, by construction.
    `since` is set while they wait, and only then.
    """

    id = fields.IntField(primary_key=True)
    mask: fields.OneToOneRelation[User] = fields.OneToOneField("parley.User", "stranger")
    # Who is behind it: the account, or, for a guest, the mask itself. Both are users, so no two are the same number.
    person = fields.IntField(unique=True)
    interests = fields.CharField(MOST_INTERESTS * (LONGEST_INTEREST + 1), default="")
    language = fields.CharField(2, default="en")
    since = fields.BigIntField(null=True, db_index=True)
    here_until = fields.BigIntField(default=0)
    # The chat, as long as they stay on its page; the one before; and the one that became a chat between friends.
    room_id = fields.IntField(null=True, db_index=True)
    last_room_id = fields.IntField(null=True)
    kept_room_id = fields.IntField(null=True)

    mask_id: int

    class Meta:
        table = "stranger"

    @property
    def is_guest(self) -> bool:
        return self.person == self.mask_id

    @property
    def is_waiting(self) -> bool:
        return self.since is not None

    @classmethod
    async def of(cls, person_id: int) -> "Stranger | None":
        """The person as a stranger, if they have been one today."""
        return await cls.filter(person=person_id).select_related("mask").first()

    @classmethod
    async def enter(cls, account: User | None = None) -> "Stranger":
        """A new mask for the person with this account, or for a new guest; the one they have, when they have one."""

        async def write() -> Stranger:
            mask = await User.create(
                code=new_code(),
                display_name=new_name(),
                is_guest=True,
                found_by=CODE,
                shows_receipts=account is None or account.shows_receipts,
                shows_typing=account is None or account.shows_typing,
            )
            return await cls.create(mask=mask, person=account.id if account else mask.id)

        for _attempt in range(5):
            if account and (known := await cls.of(account.id)):
                return known
            try:
                return await database.transact(write)
            except IntegrityError:
                continue  # another window of theirs was faster; or the code is taken
        raise RuntimeError("no free code was found")

    # Waiting.

    async def wish(self, interests: str, language: str) -> None:
        """What they would like to talk about, and in which language."""
        self.interests, self.language = interests, language
        await Stranger.filter(id=self.id).update(interests=interests, language=language)

    async def find(self) -> bool:
        """Wait for somebody, as wished; whether they do now: not while they are in a chat that is not over."""
        found = await database.rows(
            f"UPDATE stranger SET here_until = {CLOCK} + {WAITING_MS}, kept_room_id = NULL, "
            f"since = COALESCE(since, {CLOCK}), last_room_id = COALESCE(room_id, last_room_id), room_id = NULL "
            "WHERE id = ? AND (room_id IS NULL OR room_id IN (SELECT id FROM room WHERE locked_at IS NOT NULL)) "
            "RETURNING id",
            self.id,
        )
        return bool(found)

    async def stop(self) -> None:
        await Stranger.filter(id=self.id).update(since=None)

    async def be_here(self, milliseconds: int) -> None:
        """They have just asked for a page: count on them for at least so long."""
        until = f"{CLOCK} + {milliseconds}"
        await database.rows(
            f"UPDATE stranger SET here_until = {until} WHERE id = ? AND here_until < {until} RETURNING id", self.id
        )

    @classmethod
    async def renew(cls, waiting: Collection[int], talking: Collection[int]) -> None:
        """The pages of these masks are open."""
        for masks, milliseconds in ((waiting, WAITING_MS), (talking, HERE_MS)):
            if masks:
                marks, until = ", ".join("?" * len(masks)), f"{CLOCK} + {milliseconds}"
                await database.rows(
                    f"UPDATE stranger SET here_until = {until} WHERE mask_id IN ({marks}) AND here_until < {until} "
                    "RETURNING id",
                    *masks,
                )

    @classmethod
    async def be_gone(cls, mask: int) -> None:
        """The last page of somebody in a chat has closed: they have a moment to open the next."""
        soon = f"{CLOCK} + {HERE_MS - 2000}"
        await database.rows(
            f"UPDATE stranger SET here_until = {soon} WHERE mask_id = ? AND here_until > {soon} "
            f"AND here_until <= {CLOCK} + {WAITING_MS} AND room_id IS NOT NULL RETURNING id",
            mask,
        )

    @classmethod
    async def waits(cls) -> int:
        """How many wait."""
        [row] = await database.rows(
            f"SELECT count(*) AS total FROM stranger WHERE since IS NOT NULL AND here_until > {CLOCK}"
        )
        return int(row["total"])

    async def waited(self) -> int:
        """For how many seconds they have."""
        [row] = await database.rows(f"SELECT {CLOCK} AS now")
        return max(0, int(row["now"]) - (self.since or int(row["now"]))) // 1000

    @classmethod
    async def waited_of(cls, masks: Collection[int]) -> dict[int, int]:
        """For how many seconds those of the masks have waited who still do."""
        marks = ", ".join("?" * len(masks))
        rows = await database.rows(
            f"SELECT mask_id, ({CLOCK} - since) / 1000 AS seconds FROM stranger "
            f"WHERE since IS NOT NULL AND mask_id IN ({marks})",
            *masks,
        )
        return {row["mask_id"]: max(0, row["seconds"]) for row in rows}

    # Talking.

    async def chat(self, room_id: int | None = None) -> Room | None:
        """Their chat as they see it, over or not; another that they were in, when it is named."""
        which = room_id or self.room_id
        both = Membership.filter(room_id=which, room__kind=STRANGER, room__closed_at=None) if which else None
        by_user = {one.user_id: one for one in await both.select_related("room", "user")} if both else {}
        if self.mask_id not in by_user:
            return None
        mine = by_user.pop(self.mask_id)
        room = mine.room
        room.membership, room.theirs = mine, next(iter(by_user.values()), None)
        room.other = room.theirs.user if room.theirs else None
        room.name = room.other.display_name if room.other else "Stranger"
        return room

    async def leave(self) -> Room | None:
        """Leave the chat, which ends it for both; the chat, when they were in one."""
        room = await self.chat()
        if room:
            await database.transact(self._leave, room)
        return room

    async def _leave(self, room: Room) -> None:
        now = datetime.now(UTC)
        ended = await Room.filter(id=room.id, kind=STRANGER, locked_at=None).update(locked_at=now)
        await Stranger.filter(id=self.id, room_id=room.id).update(room_id=None, last_room_id=room.id)
        if ended and room.other and (now - room.created_at).total_seconds() * 1000 < SKIP_MS:
            await Met.skip(self, room.other.id)

    @classmethod
    async def end_abandoned(cls, room_id: int) -> bool:
        """End the chat if one of the two has been gone for the whole grace; whether that was so."""

        async def write() -> bool:
            # The room first, as everywhere: then the two of them.
            await Room.filter(id=room_id, kind=STRANGER).update(kind=STRANGER)
            gone = await database.rows(
                "UPDATE stranger SET last_room_id = room_id, room_id = NULL "
                f"WHERE room_id = ? AND here_until < {CLOCK} - {GRACE_MS} RETURNING id",
                room_id,
            )
            if gone:
                await Room.filter(id=room_id, kind=STRANGER, locked_at=None).update(locked_at=datetime.now(UTC))
            return bool(gone)

        return await database.transact(write)

    # Keeping in touch.

    async def keep(self, room: Room) -> None:
        """They would like to stay in touch. The other is not told."""
        await Membership.filter(room_id=room.id, user_id=self.mask_id).update(role=KEEPER)

    @classmethod
    async def unite(cls, room: Room) -> Room | None:
        """
        Make friends of the two when both want it and have accounts, and of their chat the one between them.

        The chat that they talk in from now on; where they have one already, that one. None when it is too early.
        """
        return await database.transact(cls._unite, room)

    @classmethod
    async def _unite(cls, room: Room) -> Room | None:
        if not await Room.filter(id=room.id, kind=STRANGER, closed_at=None).update(kind=STRANGER):
            return await cls._kept(room)
        keepers = await Membership.filter(room_id=room.id, role=KEEPER).values_list("user_id", flat=True)
        both = await cls.filter(mask_id__in=list(keepers))
        if len(both) != 2 or any(one.is_guest for one in both):
            return None
        people = {person.id: person for person in await User.filter(id__in=[one.person for one in both])}
        if len(people) != 2:
            return None
        low, high = sorted(people)
        await Friendship.join(people[low], people[high])
        known = await Room.get_or_none(low=low, high=high, closed_at=None)
        if known:
            await Room.filter(id=room.id).update(locked_at=datetime.now(UTC))
        else:
            await cls._unmask(room.id, {one.mask_id: one.person for one in both}, low, high)
        kept = known or await Room.get(id=room.id)
        await cls.filter(id__in=[one.id for one in both], room_id=room.id).update(
            room_id=None, last_room_id=None if not known else room.id, kept_room_id=kept.id
        )
        return kept

    @classmethod
    async def _kept(cls, room: Room) -> Room | None:
        """The other was a moment faster."""
        return await Room.get_or_none(id=room.id, kind=DIRECT, closed_at=None)

    @classmethod
    async def _unmask(cls, room_id: int, people: dict[int, int], low: int, high: int) -> None:
        room = await Room.get(id=room_id)
        for mask, person in people.items():
            await Membership.filter(room_id=room_id, user_id=mask).update(user_id=person, role=MEMBER)
            await Message.filter(room_id=room_id, author_id=mask).update(author_id=person)
        await Room.filter(id=room_id).update(
            kind=DIRECT, low=low, high=high, name="", topic="", locked_at=None,
            last_author=people.get(room.last_author or 0),
        )  # fmt: skip

    async def grow_up(self, account: User) -> None:
        """The guest has an account now, and talks on behind the same mask; their session is the account's."""

        async def write() -> None:
            await Stranger.filter(id=self.id).update(person=account.id)
            await Session.filter(user_id=self.mask_id).update(user_id=account.id)
            for table, columns in (("met", ("low", "high")), ("block", ("blocker_id", "blocked_id"))):
                for column in columns:
                    await database.rows(
                        f"UPDATE {table} SET {column} = ? WHERE {column} = ? RETURNING id", account.id, self.mask_id
                    )

        await database.transact(write)

    # Forgetting.

    @classmethod
    async def drop(cls, person_id: int) -> None:
        """The person leaves for good: so does their mask, and what they are in ends."""
        if stranger := await cls.of(person_id):
            await stranger.leave()
            await User.filter(id=stranger.mask_id).delete()


class Met(Model):
    """Two people who were brought together, when, and who of them was left within seconds. Forgotten after an hour."""

    id = fields.BigIntField(primary_key=True)
    low = fields.IntField()
    high = fields.IntField()
    at = fields.BigIntField(db_index=True)
    skipped = fields.IntField(null=True, db_index=True)

    class Meta:
        table = "met"
        unique_together = (("low", "high"),)

    @classmethod
    async def skip(cls, leaver: Stranger, left_mask: int) -> None:
        left = await Stranger.get_or_none(mask_id=left_mask)
        if left:
            low, high = sorted((leaver.person, left.person))
            await cls.filter(low=low, high=high).update(skipped=left.person)


class Presence(NamedTuple):
    """Of a chat: whether it is over, and the codes of the masks who are away."""

    is_over: bool
    away: tuple[str, ...]
    is_abandoned: bool = False


async def presence(rooms: Collection[int]) -> dict[int, Presence]:
    """Of these stranger chats: who is there, in one query."""
    marks = ", ".join("?" * len(rooms))
    rows = await database.rows(
        'SELECT room.id, room.locked_at, "user".code, '
        f"stranger.here_until < {CLOCK} AS is_away, stranger.here_until < {CLOCK} - {GRACE_MS} AS is_gone "
        "FROM room LEFT JOIN stranger ON stranger.room_id = room.id "
        'LEFT JOIN "user" ON "user".id = stranger.mask_id '
        f"WHERE room.kind = '{STRANGER}' AND room.closed_at IS NULL AND room.id IN ({marks})",
        *rooms,
    )
    found: dict[int, Presence] = {}
    for row in rows:
        known = found.get(row["id"], Presence(row["locked_at"] is not None, ()))
        away = (*known.away, row["code"]) if row["is_away"] and not known.is_over else known.away
        is_abandoned = known.is_abandoned or (bool(row["is_gone"]) and not known.is_over)
        found[row["id"]] = Presence(known.is_over, tuple(sorted(away)), is_abandoned)
    return found


# What others ask of strangers.


async def forget() -> int:
    """
    Erase what is due: chats that ended a while ago, guests and masks of yesterday, and who met whom; how many chats.

    May be repeated, and run by several processes at once.
    """
    now = datetime.now(UTC).timestamp()
    await _end_forsaken()
    ended = datetime.fromtimestamp(now - KEPT_MINUTES * 60, UTC)
    due = await Room.filter(kind=STRANGER, locked_at__lt=ended, closed_at=None).values_list("id", flat=True)
    for room_id in due:
        await Stranger.filter(room_id=room_id).update(room_id=None)
        await Stranger.filter(last_room_id=room_id).update(last_room_id=None)
        await Room.filter(id=room_id, kind=STRANGER).update(closed_at=datetime.now(UTC))
    await erase_closed()
    await _drop_masks(datetime.fromtimestamp(now - GUEST_MS / 1000, UTC))
    for table, moment, age in (("met", "at", MEMORY_MS), ("conduct", "changed_at", GUEST_MS)):
        await database.rows(f"DELETE FROM {table} WHERE {moment} < {CLOCK} - {age} RETURNING id")
    return len(due)


async def _end_forsaken() -> None:
    """Chats that both have gone from: nobody's page was there to notice."""
    found = await database.rows(
        f"SELECT DISTINCT room_id FROM stranger WHERE room_id IS NOT NULL AND here_until < {CLOCK} - {GRACE_MS}"
    )
    for row in found:
        await Stranger.end_abandoned(row["room_id"])


async def _drop_masks(yesterday: datetime) -> None:
    for stranger in await Stranger.filter(mask__created_at__lt=yesterday):
        if stranger.is_guest or (stranger.room_id is None and not stranger.is_waiting):
            await stranger.leave()
            await User.filter(id=stranger.mask_id, is_guest=True).delete()


async def behind(mask_id: int) -> User | None:
    """Whose mask it is: the account, or the guest, who is nobody else."""
    stranger = await Stranger.get_or_none(mask_id=mask_id)
    return await User.get_or_none(id=stranger.person) if stranger else None


async def latest(person_id: int) -> tuple[Room, User] | None:
    """The stranger chat that the person is in or was in last, and the mask of the other."""
    stranger = await Stranger.of(person_id)
    if stranger is None:
        return None
    room = await stranger.chat() or await stranger.chat(stranger.last_room_id)
    return (room, room.other) if room and room.other else None


async def transcript(room: Room, most: int = 100) -> list[dict[str, object]]:
    """The last messages of the chat in their order: number, author's code and name, when, and the words as typed."""
    newest = Message.filter(room_id=room.id).order_by("-number").limit(most)
    found = await newest.values("number", "created_at", "body", code="author__code", name="author__display_name")
    return list(reversed(found))
