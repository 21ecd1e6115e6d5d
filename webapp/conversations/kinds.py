"""The kinds of rooms: everything that differs between public rooms, direct chats and anonymous chats."""

from collections.abc import Callable
from typing import ClassVar, Protocol

from webapp.conversations import roles
from webapp.conversations.faces import RoomFace
from webapp.conversations.group_people import GroupFace, group_title
from webapp.conversations.roles import MAY, Act
from webapp.conversations.seats import MODERATORS, Kind, RoomRow, Seat, room_refusal
from webapp.core.errors import Forbidden
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.http.urls import path_for
from webapp.relationships.models import Block

# How many messages a sender who is no friend may write before there is an answer.
MAX_UNANSWERED = 3
MAX_ANONYMOUS_MESSAGES = 500
NOTES = _("Notes to yourself")
DELETED_ACCOUNT = _("Deleted account")
STRANGER = _("Stranger")
CANNOT_WRITE = _("You can't write to this person.")
OTHER_DELETED = _("This account was deleted. You can still read what was said.")
UNANSWERED = _("You have written %(count)s messages. Wait until they answer.", count=MAX_UNANSWERED)
CHAT_ENDED = _("This chat is over.")
CHAT_FULL = _("%(most)s messages fit in a chat with a stranger, and this one is full.", most=MAX_ANONYMOUS_MESSAGES)


class HasKind(Protocol):
    """A row of the table of rooms, whose kind is a word."""

    kind: str


class KeyedKind(Kind):
    """A kind whose rooms have their key in the address."""

    def path(self, room_id: int, key: str) -> str:
        return path_for(self.route, key=key)

    def reaction_refusal(self, seat: Seat) -> Text:
        return "" if _only_moderators_post(seat.room) else self.refusal(seat)

    async def check_post(self, room: RoomRow, author_id: int, number: int) -> None:
        if (refusal := room_refusal(room)) and not await may_moderate_now(room, author_id):
            raise Forbidden(refusal)

    async def check_reaction(self, room: RoomRow, user_id: int) -> None:
        if not _only_moderators_post(room):
            await self.check_post(room, user_id, 0)


def _only_moderators_post(room: RoomRow) -> bool:
    """Whether all may react where few write: in a locked room nobody else does."""
    return room.who_posts == MODERATORS and not room.locked_at


async def may_moderate_now(room: RoomRow, user_id: int) -> bool:
    """Return whether they moderate the room as it is stored, within the transaction that holds its lock."""
    held = await roles.stored_authority(room.id, user_id, room.kind.is_private) if room.kind.has_owner else ""
    return held in MAY[Act.MODERATE]


class Public(KeyedKind):
    """A room that everybody finds, reads and joins."""

    stored = "public"
    is_listed = is_searchable = True
    is_private = False
    joins_on_post = True
    has_owner = True


class Private(KeyedKind):
    """A room that only its members know of."""

    stored = "private"
    has_owner = True
    mark = _("Private")


class Group(KeyedKind):
    """A conversation of three to eight people, which is called by their names and owned by none of them."""

    stored = "group"
    ends_empty = True
    # Its name and its face differ by who looks: they come with the list at the side (sidebar/entries.py).
    states = KeyedKind.states - {"about"}
    is_group = True
    back_label = _("Back to the group")
    about_label = _("About this group")
    search_label = _("Search in this group")

    def title(self, seat: Seat) -> Text:
        return group_title(seat.group, seat.viewer.id)

    def tile(self, seat: Seat) -> RoomFace | GroupFace:
        return GroupFace.of(seat.group, seat.viewer.id)


class BetweenTwo(Kind):
    """A kind whose rooms are chats of two people."""

    is_between_two = True
    back_label = _("Back to the chat")
    about_label = _("About this chat")
    search_label = _("Search in this chat")


class Direct(BetweenTwo, KeyedKind):
    """A chat of two people who know each other, or one person's notes."""

    stored = "direct"
    states = frozenset({"typing", "receipts", "pins"})
    # Who ignored a request is in the chat again when they write.
    joins_on_post = True

    def title(self, seat: Seat) -> Text:
        if seat.is_notes:
            return NOTES
        return seat.other.display_name if seat.other else DELETED_ACCOUNT

    def can_join(self, seat: Seat) -> bool:
        return seat.is_request

    def refusal(self, seat: Seat) -> Text:
        if not seat.room.key or seat.is_notes:
            return ""
        if seat.other is None:
            return OTHER_DELETED
        if seat.is_blocked:
            return CANNOT_WRITE
        is_unanswered = seat.room.last_number >= MAX_UNANSWERED and not seat.is_answered
        return UNANSWERED if is_unanswered else ""

    async def check_post(self, room: RoomRow, author_id: int, number: int) -> None:
        """As long as there is no answer, every message is by the one who asked: their number is their count."""
        assert room.low is not None
        assert room.high is not None
        other = room.low + room.high - author_id
        if other == author_id:
            return
        if await Block.filter(blocker_id__in=(author_id, other), blocked_id__in=(author_id, other)).exists():
            raise Forbidden(CANNOT_WRITE)
        if number > MAX_UNANSWERED and not await _has_answered(room.id, other):
            raise Forbidden(UNANSWERED)


async def _has_answered(room_id: int, user_id: int) -> bool:
    rows = await sql.fetch_inline(
        "SELECT is_request FROM membership WHERE room_id = ? AND user_id = ?", room_id, user_id
    )
    return bool(rows) and not rows[0]["is_request"]


class Anonymous(BetweenTwo):
    """A chat of two people in masks; its address has its id, and its seats are found behind a mask alone."""

    stored = "stranger"
    route = "stranger_chat"
    template = "strangers/chat.html"
    states = frozenset({"typing", "receipts", "company"})
    tracks_presence = False
    formats_markdown = False
    allows_editing = False
    allows_reactions = False
    allows_mentions = False
    indexes_words = False
    allows_files = False
    keeps_by_days = False
    max_messages: ClassVar[int] = MAX_ANONYMOUS_MESSAGES

    def path(self, room_id: int, key: str) -> str:
        return path_for(self.route, chat=room_id)

    def title(self, seat: Seat) -> Text:
        return seat.other.display_name if seat.other else STRANGER

    def refusal(self, seat: Seat) -> Text:
        if seat.room.locked_at:
            return CHAT_ENDED
        return CHAT_FULL if seat.room.last_number >= self.max_messages else ""

    async def check_post(self, room: RoomRow, author_id: int, number: int) -> None:
        if number > self.max_messages:
            raise Forbidden(CHAT_FULL)
        # The two may have become friends meanwhile: then it is a direct chat, under their own names.
        if room.kind is not self or room.locked_at:
            raise Forbidden(CHAT_ENDED)


PUBLIC, PRIVATE, GROUP, DIRECT, ANONYMOUS = Public(), Private(), Group(), Direct(), Anonymous()
# By what the column `room.kind` holds. A new kind is a class above, and a name here.
BY_NAME: dict[str, Kind] = {kind.stored: kind for kind in (PUBLIC, PRIVATE, GROUP, DIRECT, ANONYMOUS)}


def of(room: HasKind) -> Kind:
    return BY_NAME[room.kind]


def of_stored(name: str) -> Kind:
    """Return the kind that the column `room.kind` names."""
    return BY_NAME[name]


def names(has_fact: Callable[[Kind], bool]) -> list[str]:
    """Return what `room.kind` holds for the kinds with this fact."""
    return [name for name, kind in BY_NAME.items() if has_fact(kind)]


def sql_names(has_fact: Callable[[Kind], bool]) -> str:
    """Return the same as it stands in a query, as in `kind IN ('public')`."""
    return ", ".join(f"'{name}'" for name in names(has_fact)) or "NULL"
