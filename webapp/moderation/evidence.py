"""What is reported, looked up as its reporter may see it, and written down as it is at that moment."""

from datetime import datetime
from typing import Any, NamedTuple

from webapp.accounts.audit import LEFT, REMOVED
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.models import NOBODY, PUBLIC, STRANGER
from webapp.core import text
from webapp.core.errors import Missing, Refused
from webapp.core.i18n import Words, _
from webapp.messages.models import Message
from webapp.relationships.models import Tie
from webapp.relationships.queries import meet
from webapp.strangers.models import Stranger, behind, latest, transcript

# How much around a message is kept: in a chat what was said before says more than in a room of many.
AROUND, AROUND_IN_CHAT = 5, 20


# What stands around is shortened, so that a report stays a few dozen kilobytes.
SHORTENED = 1000


NOT_FOUND = _("This does not exist, or it is not for you.")


class Line(NamedTuple):
    """One thing that was said, as text, by whoever was called so then; `is_it` marks what was reported."""

    name: str
    code: str
    at: str
    said: str
    is_it: bool = False

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
    name: Words
    code: str
    place: Words
    path: str
    block: str
    lines: list[Line]

    @property
    def said(self) -> str:
        """What was reported itself, in a few words."""
        found = next((line.said for line in self.lines if line.is_it), "")
        return text.shorten(found, 301)


async def find(user: User, about: str) -> Evidence:
    """The thing of that name as the person may see it; raises Missing, and Refused about oneself."""
    kind, _, rest = about.partition(":")
    if kind == "message":
        key, _, number = rest.rpartition(":")
        if number.isascii() and number.isdigit() and len(number) < 18:
            return await _message(user, key, int(number))
    if kind == "person":
        return await _person(user, rest)
    if about == STRANGER:
        return await _stranger(user)
    raise Missing(NOT_FOUND)


async def _message(user: User, key: str, number: int) -> Evidence:
    room = await access.for_reading(user, key)
    around = AROUND_IN_CHAT if room.is_chat else AROUND
    near = Message.filter(room_id=room.id, number__gte=number - around, number__lte=number + around)
    found = {message.number: message for message in await near.order_by("number").select_related("author")}
    reported = found.get(number)
    if reported is None or reported.removed_at:
        raise Missing(_("This message does not exist any more, or it is not for you."))
    if reported.author_id == user.id:
        raise Refused(_("You wrote that yourself. You can change or remove it."))
    author = reported.author
    return Evidence(
        about=f"message:{room.id}:{number}",
        person_id=reported.author_id,
        name=author.display_name if author else NOBODY,
        code=author.code if author else "",
        place=_("in a chat with %(name)s", name=user.display_name)
        if room.is_chat
        else _("in %(room)s", room=room.name),
        path=reported.path_in(room) if room.kind == PUBLIC else "",
        block=f"{author.path}/block" if author else "",
        lines=[line_of(message, message.number == number) for message in found.values()],
    )


def line_of(message: Message, is_it: bool = False) -> Line:
    """A message that was read with its author, frozen."""
    author, said = message.author, REMOVED if message.removed_at else message.body
    said = said if is_it else text.shorten(said, SHORTENED + 1)
    name, code = (author.display_name, author.code) if author else (LEFT, "")
    return Line(name, code, message.created_at.isoformat(), said, is_it)


async def _person(user: User, code: str) -> Evidence:
    person, tie = await meet(user, code)
    if tie is Tie.SELF:
        raise Refused(_("That is you."))
    said = f"{person.display_name}\n{person.bio}".strip()
    line = Line(person.display_name, person.code, person.created_at.isoformat(), said, is_it=True)
    return Evidence(
        about=f"person:{person.id}",
        person_id=person.id,
        name=person.display_name,
        code=person.code,
        place=_("the profile"),
        path=person.path,
        block=f"{person.path}/block",
        lines=[line],
    )


async def _stranger(user: User) -> Evidence:
    """The chat that the person is in, or has just left. Whoever is behind the other's mask is whom it is about."""
    found = await latest(user.id)
    if found is None:
        raise Missing(_("You are in no chat any more, and the last one is forgotten."))
    room, mask = found
    person = await behind(mask.id)
    is_there = await Stranger.exists(person=user.id, room_id=room.id)
    return Evidence(
        about=f"stranger:{room.id}",
        person_id=person.id if person else None,
        name=mask.display_name,
        code=mask.code,
        place=_("a chat with a stranger"),
        path="",
        block="/strangers/block" if is_there else "",
        lines=[_frozen(one, mask.code) for one in await transcript(room)],
    )


def _frozen(one: dict[str, Any], theirs: str) -> Line:
    name, code, at = one["name"] or LEFT, one["code"] or "", one["created_at"].isoformat()
    return Line(name, code, at, text.shorten(one["body"], SHORTENED + 1), is_it=code == theirs)
