"""A viewer's seat in a room, the rows that it is made of, and what a kind of room is asked about it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from webapp import settings
from webapp.accounts.viewer import PERMANENT, Person, Viewer
from webapp.conversations import roles, rules
from webapp.conversations.faces import RoomFace
from webapp.conversations.group_people import GroupFace, GroupPeople

# By these names for all who ask a seat: they are in it.
from webapp.conversations.roles import KICKED as KICKED
from webapp.conversations.roles import MEMBER as MEMBER
from webapp.conversations.roles import MEMBERS as MEMBERS
from webapp.conversations.roles import MODERATOR as MODERATOR
from webapp.conversations.roles import MODERATORS as MODERATORS
from webapp.conversations.roles import OWNER as OWNER
from webapp.conversations.roles import OWNERS as OWNERS
from webapp.conversations.roles import Act
from webapp.core.clock import LazyDatetime
from webapp.core.errors import Forbidden
from webapp.core.i18n import Text, _
from webapp.http.urls import path_for

# Every key that can't be guessed begins with it: no slug of a name does.
RANDOM_KEY_PREFIX = "~"


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room as a query has read it; `low` and `high` are the pair of a direct chat."""

    id: int
    key: str
    kind: "Kind"
    name: str
    topic: str
    face: str
    version: int
    last_number: int
    last_at: datetime
    member_count: int
    low: int | None
    high: int | None
    last_author: int | None
    locked_at: datetime | None
    created_at: datetime
    removed_count: int = 0
    pin_count: int = 0
    first_number: int = 1
    who_posts: str = MEMBERS
    who_invites: str = OWNERS
    slow_seconds: int = 0
    keep_days: int = 0
    next_keep_days: int | None = None
    keep_changes_at: datetime | None = None

    @property
    def path(self) -> str:
        return self.kind.path(self.id, self.key)

    @property
    def rules(self) -> list[Text]:
        """What holds here besides what everybody expects, a sentence each."""
        said = (
            rules.retention(self.kept_days),
            rules.next_retention(self.next_keep_days, self.keep_changes_at),
            rules.slow_mode(self.slow_seconds),
            rules.ONLY_MODERATORS if self.who_posts == MODERATORS else "",
        )
        return [rule for rule in said if rule]

    @property
    def tile(self) -> RoomFace:
        return RoomFace.of(self.id, self.name, self.face)

    @property
    def message_count(self) -> int:
        """How many messages there are: without those that went when their time had come."""
        return self.last_number - self.first_number + 1

    @property
    def kept_days(self) -> int:
        """After how many days messages go, 0 for never: as the room or the site has it, whichever is shorter."""
        days = kept_days(self.keep_days, self.next_keep_days, self.keep_changes_at)
        return within_site(days) if self.kind.keeps_by_days else 0


def kept_days(days: int, next_days: int | None, changes_at: datetime | None) -> int:
    """Return after how many days a room's messages go now, 0 for never: what waited may have taken effect."""
    is_due = next_days is not None and changes_at is not None and changes_at <= datetime.now(UTC)
    return next_days if is_due and next_days is not None else days


def within_site(days: int) -> int:
    """Return so many days, or as many as the site sets where that is less; 0 is for never."""
    return min(filter(None, (days, settings.KEEP_MESSAGES_DAYS)), default=0)


def is_asked(role: str, is_request: bool, kicked_until: datetime | None) -> bool:
    """Return whether a person was added by one who is no friend, and has not answered: they are not in yet."""
    return role == KICKED and is_request and kicked_until is None


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """A membership of a room as a query has read it."""

    id: int
    user_id: int
    role: str
    read_number: int
    delivered_number: int
    level: str
    is_request: bool
    joined_at: datetime
    kicked_until: datetime | None
    inviter: int | None = None

    @property
    def is_asked(self) -> bool:
        return is_asked(self.role, self.is_request, self.kicked_until)


@dataclass(frozen=True, slots=True)
class Seat:
    """
    One viewer in one room, and what they may do there.

    `membership` is theirs, None where they are not in the room. Between two, `other` is whom they talk to, None when
    that account was deleted; `is_blocked` says that one of the two has blocked the other.
    """

    room: RoomRow
    viewer: Viewer
    membership: MembershipRow | None = None
    other: Person | None = None
    other_membership: MembershipRow | None = None
    is_blocked: bool = False
    # Of a chat that nobody has written in: whether the first message is none that the other has to accept.
    begins_freely: bool = False
    # Of a group: everybody in it.
    group: GroupPeople = ()

    @property
    def kind(self) -> "Kind":
        return self.room.kind

    @property
    def path(self) -> str:
        """The room's address; before a direct chat is stored, that of the page where it begins."""
        return self.room.path if self.room.key else self.first_path

    @property
    def first_path(self) -> str:
        """The address at which a direct chat with the other begins; empty elsewhere."""
        return path_for("chat", code=self.other.code) if self.other and self.room.low is not None else ""

    @property
    def title(self) -> Text:
        return self.kind.title(self)

    @property
    def tile(self) -> RoomFace | GroupFace:
        return self.kind.tile(self)

    @property
    def states(self) -> frozenset[str]:
        """The live states that the page shows: where nobody reads besides the viewer there are no receipts."""
        has_other = self.other is not None and not self.is_notes
        return self.kind.states if has_other else self.kind.states - {"receipts"}

    @property
    def refusal(self) -> Text:
        """Why the viewer can't post here, in a sentence; empty when they can."""
        return self.kind.refusal(self)

    @property
    def can_post(self) -> bool:
        """Whether the page has a composer: a message request is answered first."""
        return not self.is_request and not self.refusal

    @property
    def is_bound(self) -> bool:
        """Whether the rules of the room hold for the viewer: when the room is closed to them, they get no composer."""
        return self.kind.has_owner and not self.is_moderator

    @property
    def slow_mode(self) -> Text:
        """How long the viewer waits between two messages, in words; empty where they do not."""
        return rules.slow_mode(self.room.slow_seconds) if self.is_bound else ""

    @property
    def is_live(self) -> bool:
        """Whether the page has a stream: not before a request is answered, nor when a block stands between the two."""
        return bool(self.room.key) and not self.is_request and not self.is_blocked

    @property
    def takes_files(self) -> bool:
        """Whether the viewer's messages may have files: none from guests, none in a request until it is answered."""
        is_settled = self.room.low is None or self.is_answered or self.begins_freely
        return self.kind.allows_files and is_settled and not self.viewer.is_guest

    @property
    def authority(self) -> str:
        """As what the viewer acts here: their role, or an owner's; empty where nobody owns or they are no member."""
        role = self.membership.role if self.membership else ""
        return roles.authority(role, self.viewer.is_admin, self.kind.is_private) if self.kind.has_owner else ""

    @property
    def can_invite(self) -> bool:
        """Whether the viewer makes links that bring people here."""
        return roles.may(self, Act.INVITE)

    @property
    def is_owner(self) -> bool:
        """Whether the viewer may change the room and its people's roles; an administrator may in public ones."""
        return roles.may(self, Act.OWN)

    @property
    def is_moderator(self) -> bool:
        """Whether the viewer may remove what others wrote, and them: an owner may, too."""
        return roles.may(self, Act.MODERATE)

    @property
    def is_request(self) -> bool:
        """Whether the other wants to write to the viewer, or to have them in a room, and they have not answered."""
        return self.membership is not None and self.membership.is_request

    @property
    def is_answered(self) -> bool:
        """Whether the viewer may write to the other as much as they like."""
        return self.is_notes or (self.other_membership is not None and not self.other_membership.is_request)

    @property
    def is_pending(self) -> bool:
        """Whether the viewer has asked to write to the other, who has not answered; not once that was cancelled."""
        has_asked = self.room.low is not None and self.membership is not None and not self.is_request
        can_answer = self.other is not None and not self.is_answered and not self.is_blocked
        return has_asked and can_answer and self.room.message_count > self.room.removed_count

    @property
    def is_notes(self) -> bool:
        return self.room.low is not None and self.room.low == self.room.high

    def require_can_post(self) -> None:
        """Raise Forbidden where the viewer may not post (locked, blocked, unanswered, full)."""
        if refusal := self.refusal:
            raise Forbidden(refusal)


class Kind(ABC):
    """What differs between kinds of rooms; kinds.py has one stateless object of each."""

    # What `room.kind` holds, the named route of the page, its template, and the live states that it shows.
    stored: ClassVar[str]
    route: ClassVar[str] = "room"
    template: ClassVar[str] = "messages/room.html"
    states: ClassVar[frozenset[str]] = frozenset({"people", "about", "typing", "pins"})
    # What stands before its topic, so that nobody takes it for one that everybody reads.
    mark: ClassVar[Text] = ""
    # Whether it stands in the list of rooms, and is found by its name.
    is_listed: ClassVar[bool] = False
    is_searchable: ClassVar[bool] = False
    is_between_two: ClassVar[bool] = False
    # Whether it has no name of its own, and is called by its people's.
    is_group: ClassVar[bool] = False
    # Whether only members read it: then a stream ends with the membership.
    is_private: ClassVar[bool] = True
    # Whether who posts becomes a member.
    joins_on_post: ClassVar[bool] = False
    has_owner: ClassVar[bool] = False
    # Whether others see who has it open.
    tracks_presence: ClassVar[bool] = True
    formats_markdown: ClassVar[bool] = True
    allows_editing: ClassVar[bool] = True
    allows_reactions: ClassVar[bool] = True
    # Whether messages call people: by name, and whose message they answer.
    allows_mentions: ClassVar[bool] = True
    # Whether messages are found by their words.
    indexes_words: ClassVar[bool] = True
    allows_files: ClassVar[bool] = True
    # Whether messages go after the days that the room or the site sets; where not, the whole room goes.
    keeps_by_days: ClassVar[bool] = True
    max_messages: ClassVar[int | None] = None
    # Whether the last one who leaves takes it along.
    ends_empty: ClassVar[bool] = False
    # What the ways to its page, to its settings and to its search are called.
    back_label: ClassVar[Text] = _("Back to the room")
    about_label: ClassVar[Text] = _("About this room")
    search_label: ClassVar[Text] = _("Search in this room")

    @abstractmethod
    def path(self, room_id: int, key: str) -> str:
        """Return the address of the room's page."""

    def title(self, seat: Seat) -> Text:
        """Return what the viewer reads as the room's name."""
        return seat.room.name

    def tile(self, seat: Seat) -> RoomFace | GroupFace:
        """Return what stands beside that name."""
        return seat.room.tile

    def can_read(self, seat: Seat) -> bool:
        is_member = seat.membership is not None and seat.membership.role != KICKED
        return is_member or not self.is_private

    def can_join(self, seat: Seat) -> bool:
        """Whether the viewer may become a member by themselves."""
        return not self.is_private

    def refusal(self, seat: Seat) -> Text:
        """Return why the viewer can't post, by what the seat knows; empty when they can."""
        return "" if seat.is_moderator else room_refusal(seat.room)

    def reaction_refusal(self, seat: Seat) -> Text:
        """Return why the viewer can't react, which many may where few write; empty when they can."""
        return self.refusal(seat)

    @abstractmethod
    async def check_post(self, room: RoomRow, author_id: int, number: int) -> None:
        """
        Raise Forbidden where the author can't post the message of that number.

        Called within the transaction that holds the room's lock, with the room as it is there: what was true when
        the author was let in may have changed.
        """

    async def check_reaction(self, room: RoomRow, user_id: int) -> None:
        """Raise Forbidden where the user can't react, as check_post does."""
        await self.check_post(room, user_id, 0)


def room_refusal(room: RoomRow) -> Text:
    """Return why those can't post who do not moderate the room; empty where everybody can."""
    if room.locked_at:
        return _("%(name)s is locked. You can read, but not write.", name=room.name)
    return rules.ONLY_MODERATORS if room.who_posts == MODERATORS else ""


def require_not_kicked(kicked_until: datetime | None) -> None:
    """Raise Forbidden until a ban from the room is over, where that ever is."""
    if kicked_until and kicked_until >= PERMANENT:
        raise Forbidden(_("You are banned from this room."))
    if kicked_until and kicked_until > datetime.now(UTC):
        raise Forbidden(_("You are banned from this room until %(until)s.", until=LazyDatetime(kicked_until)))
