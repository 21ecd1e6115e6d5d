"""What is reported, looked up as its reporter may see it, and written down as it is at that moment."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from webapp.accounts.audit import LEFT, REMOVED
from webapp.accounts.viewer import Viewer
from webapp.conversations import access
from webapp.conversations.kinds import DELETED_ACCOUNT
from webapp.conversations.seats import Seat
from webapp.core import text
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import Text, _
from webapp.files.models import Attachment
from webapp.http.urls import path_for
from webapp.messages.models import Message
from webapp.messages.queries import QUOTE_LENGTH
from webapp.messages.reaction_queries import reactors
from webapp.relationships.queries import Relationship, find_person
from webapp.strangers.masks import account_behind, latest_chat, transcript
from webapp.strangers.models import Stranger

# How much around a message is stored: in a chat what was written before says more than in a room of many.
CONTEXT_SIZE, AROUND_IN_CHAT = 5, 20
# What a report is about that names the stranger of the current chat.
ABOUT_MASK = "stranger"


# What stands around is shortened, so that a report stays a few dozen kilobytes.
MAX_CONTEXT_LENGTH = 1000
# Of those who reacted to what is reported so many are named for each kind.
MAX_NAMED = 20
NOT_FOUND = _("This does not exist, or it is not for you.")


class EvidenceLine(NamedTuple):
    """One message as text, with its author's name at that time; `is_it` marks the reported one."""

    # The names of these fields are stored with every report.
    name: str
    code: str
    at: str
    said: str
    is_it: bool = False
    # Whom it answers, and what was said, as it was then.
    quoted: str = ""
    # How many reacted with which kind; to what is reported itself, also who.
    reacted: str = ""
    # The names of its files.
    files: str = ""

    def as_stored(self) -> dict[str, object]:
        """Return its fields; a process of the version before knows nothing of some."""
        return {
            name: value for name, value in self._asdict().items() if name not in ("quoted", "reacted", "files") or value
        }

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.at)


class Evidence(NamedTuple):
    """
    `about` names the thing for good, `person_id` is whom a decision is about, None when they have left.

    `block` is the address of the form that blocks them, empty where there is none.
    """

    about: str
    person_id: int | None
    name: Text
    code: str
    place: Text
    path: str
    block: str
    lines: list[EvidenceLine]
    # Whose files are copied, 0 for none.
    message_id: int = 0

    @property
    def excerpt(self) -> str:
        """What was reported itself, in a few words."""
        found = next((line.said or line.files for line in self.lines if line.is_it), "")
        return text.shorten(found, 301)


async def collect(user: Viewer, about: str) -> Evidence:
    """The thing of that name as the person may see it; raises NotFound, and Forbidden about oneself."""
    kind, _, rest = about.partition(":")
    if kind == "message":
        key, _, number = rest.rpartition(":")
        if number.isascii() and number.isdigit() and len(number) < 18:
            return await _message(user, key, int(number))
    if kind == "person":
        return await _person(user, rest)
    if about == ABOUT_MASK:
        return await _stranger(user)
    raise NotFound(NOT_FOUND)


async def _message(user: Viewer, key: str, number: int) -> Evidence:
    seat = await access.by_key(user, key)
    room = seat.room
    around = AROUND_IN_CHAT if seat.kind.is_between_two else CONTEXT_SIZE
    first = max(number - around, room.first_number)
    near = Message.filter(room_id=room.id, number__gte=first, number__lte=number + around, notice="")
    found = {message.number: message for message in await near.order_by("number").select_related("author")}
    reported = found.get(number)
    if reported is None or reported.removed_at:
        raise NotFound(_("This message does not exist any more, or it is not for you."))
    if reported.author_id == user.id:
        raise Forbidden(_("You wrote that yourself. You can change or remove it."))
    author = reported.author
    answered = [message.reply_to for message in found.values()]
    quotes = await _quotes(room.id, [original for original in answered if (original or 0) >= room.first_number])
    # Also those whom the reporter has blocked: it is for who decides.
    named = await reactors(reported.id, viewer_id=0)
    files = await _file_names([message.id for message in found.values() if message.file_count])
    return Evidence(
        about=f"message:{room.id}:{number}",
        person_id=reported.author_id,
        name=author.display_name if author else DELETED_ACCOUNT,
        code=author.code if author else "",
        place=_place(seat),
        path="" if seat.kind.is_private else reported.path(room),
        block=path_for("block", code=author.code) if author else "",
        lines=[
            evidence_line(message, message.number == number, quotes.get(message.reply_to or 0, ""))._replace(
                reacted=_reacted(message, named if message is reported else {}), files=files.get(message.id, "")
            )
            for message in found.values()
        ],
        message_id=reported.id if reported.file_count else 0,
    )


def _place(seat: Seat) -> Text:
    """Return where it was said, in what administrators may know of that: of a private room a number, and no name."""
    if seat.kind.is_between_two:
        return _("in a chat with %(name)s", name=seat.viewer.display_name)
    if seat.kind.is_group:
        return _("in group %(number)s", number=str(seat.room.id))
    if seat.kind.is_private:
        return _("in private room %(number)s", number=str(seat.room.id))
    return _("in %(room)s", room=seat.room.name)


async def _quotes(room_id: int, numbers: Iterable[int | None]) -> dict[int, str]:
    """Return who said what in these messages of the room, in a line each."""
    wanted = {number for number in numbers if number}
    originals = await Message.filter(room_id=room_id, number__in=wanted).select_related("author") if wanted else []
    return {message.number: _quoted(message) for message in originals}


async def _file_names(messages: list[int]) -> dict[int, str]:
    """Return the names of the files of these messages, in a line each."""
    found = Attachment.filter(message_id__in=messages).order_by("message_id", "place") if messages else None
    names: dict[int, list[str]] = {}
    for file in await found if found else ():
        name = f"{file.name} ({file.description})" if file.description else file.name
        names.setdefault(int(file.message_id or 0), []).append(name)
    return {message: ", ".join(several) for message, several in names.items()}


def _quoted(message: Message) -> str:
    said = REMOVED if message.removed_at else text.shorten(" ".join(message.body.split()), QUOTE_LENGTH)
    return f"{message.author.display_name if message.author else LEFT}: {said}"


def _reacted(message: Message, named: dict[str, list[tuple[str, str]]]) -> str:
    """Return the reactions in a line, with the newest of those who are named."""
    chips = [line.split(" ")[:2] for line in message.reactions.splitlines()]
    people = {kind: ", ".join(f"{name} {code}" for code, name in some[:MAX_NAMED]) for kind, some in named.items()}
    return "; ".join(f"{kind} {count}" + (f": {people[kind]}" if kind in people else "") for kind, count in chips)


def evidence_line(message: Message, is_it: bool = False, quoted: str = "") -> EvidenceLine:
    """A message that was read with its author, frozen."""
    author, said = message.author, REMOVED if message.removed_at else message.body
    said = said if is_it else text.shorten(said, MAX_CONTEXT_LENGTH + 1)
    name, code = (author.display_name, author.code) if author else (LEFT, "")
    return EvidenceLine(name, code, message.created_at.isoformat(), said, is_it, quoted)


async def _person(user: Viewer, code: str) -> Evidence:
    person, tie = await find_person(user, code)
    if tie is Relationship.SELF:
        raise Forbidden(_("That is you."))
    said = f"{person.display_name}\n{person.bio}".strip()
    line = EvidenceLine(person.display_name, person.code, person.created_at.isoformat(), said, is_it=True)
    return Evidence(
        about=f"person:{person.id}",
        person_id=person.id,
        name=person.display_name,
        code=person.code,
        place=_("the profile"),
        path=person.path,
        block=path_for("block", code=person.code),
        lines=[line],
    )


async def _stranger(user: Viewer) -> Evidence:
    """Return the chat that the person is in or has just left; it is about the account behind the other mask."""
    seat = await latest_chat(user.id)
    if seat is None or seat.other is None:
        raise NotFound(_("You are in no chat any more, and the last one is forgotten."))
    room, mask = seat.room, seat.other
    person = await account_behind(mask.id)
    lines = await transcript(room.id)
    quotes = await _quotes(room.id, [one["reply_to"] for one in lines])
    is_there = await Stranger.exists(person=user.id, room_id=room.id)
    return Evidence(
        about=f"stranger:{room.id}",
        person_id=person.id if person else None,
        name=mask.display_name,
        code=mask.code,
        place=_("a chat with a stranger"),
        path="",
        block=path_for("block_stranger") if is_there else "",
        lines=[_frozen(one, mask.code, quotes) for one in lines],
    )


def _frozen(one: dict[str, Any], theirs: str, quotes: dict[int, str]) -> EvidenceLine:
    name, code, at = one["name"] or LEFT, one["code"] or "", one["created_at"].isoformat()
    return EvidenceLine(
        name, code, at, text.shorten(one["body"], MAX_CONTEXT_LENGTH + 1), is_it=code == theirs,
        quoted=quotes.get(one["reply_to"] or 0, ""),
    )  # fmt: skip
