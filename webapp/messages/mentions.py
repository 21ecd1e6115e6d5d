"""Whom a message calls: names that its author may mean, what is stored of them, and what the author hears of it."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from webapp.accounts.viewer import EVERYONE as FOUND_BY_EVERYONE
from webapp.conversations.seats import KICKED, Seat
from webapp.core.errors import Unsure
from webapp.core.i18n import Text, _, ngettext
from webapp.db import sql
from webapp.messages import markdown
from webapp.messages.inline import Names, called
from webapp.messages.mention_queries import has_called_everyone_since, mentions_of, named_accounts
from webapp.messages.queries import author_of
from webapp.relationships.queries import blocked_between

# What `mention.kind` holds.
NAMED, ANSWERED, EVERYONE = "mention", "reply", "everyone"
# What calls everyone in a room; nobody has these names (accounts/names.py).
EVERYONE_NAMES = ("everyone", "room")
# A message calls so many; what is named beyond stays letters. Of names that may be meant more are looked up, as
# `@ada.smith.` may be three.
MAX_NAMED, MAX_LOOKED_UP = 20, 60
EVERYONE_INTERVAL = timedelta(minutes=10)
# Where more would hear of it, their author is asked first.
MAX_UNASKED = 50


class Unconfirmed(Unsure):
    """Everyone in a large room would be called, and the author has not said yet that this is meant."""

    def __init__(self, count: int) -> None:
        super().__init__(_("This calls all %(count)s people in the room.", count=count), _("Send and call everyone"))
        self.count = count


class Named(NamedTuple):
    """An account that may be named, by its relation to the room."""

    id: int
    code: str
    name: str
    is_member: bool


class Meant(NamedTuple):
    """Whom a body may name: accounts that may see the room, and whether its author may call everyone in it."""

    people: Sequence[Named] = ()
    everyone: bool = False

    @property
    def names(self) -> Names:
        """As the renderer takes them."""
        found = {one.name: markdown.person_link(one.code) for one in self.people}
        return found | dict.fromkeys(EVERYONE_NAMES, markdown.EVERYONE) if self.everyone else found

    def of(self, html: str) -> list[Named]:
        """Return those whom the rendered body does name, and not only has in code or a link."""
        codes = set(markdown.mentioned(html))
        return [one for one in self.people if one.code in codes]


NOBODY = Meant()
_INSERT = f"""
INSERT INTO mention (user_id, room_id, message_id, number, kind)
WITH called (number, user_id, kind) AS (VALUES {{rows}})
SELECT called.user_id, message.room_id, message.id, message.number, called.kind
FROM called JOIN message ON message.room_id = ? AND message.number = called.number
WHERE called.user_id IS NULL OR called.user_id <> message.author_id AND EXISTS (
    SELECT 1 FROM membership WHERE membership.room_id = message.room_id AND membership.user_id = called.user_id
        AND membership.role <> '{KICKED}' AND NOT membership.is_request
) AND NOT {blocked_between("called.user_id", "message.author_id")}
ON CONFLICT DO NOTHING"""


async def meant_by(seat: Seat, body: str, edited: int | None = None) -> Meant:
    """
    Return whom the body may name; no query for the many without an @.

    It may be that of a message (its id) that is edited: who was not called before is named then, but everyone is only
    what they were.
    """
    found = called(body) if seat.kind.allows_mentions else []
    if not found:
        return NOBODY
    everyone = not set(EVERYONE_NAMES).isdisjoint(found) and await _may_mean_everyone(seat, edited)
    names = [name for name in found if name not in EVERYONE_NAMES][:MAX_LOOKED_UP]
    return Meant(await _accounts(seat, names) if names else [], everyone)


async def _may_mean_everyone(seat: Seat, edited: int | None) -> bool:
    if edited is not None:
        return any(row.user_id is None for row in await mentions_of(edited))
    return may_call_everyone(seat) and not await was_everyone_called(seat.room.id)


def may_call_everyone(seat: Seat) -> bool:
    return seat.is_moderator


async def was_everyone_called(room_id: int) -> bool:
    """Return whether it was a short while ago."""
    return await has_called_everyone_since(room_id, datetime.now(UTC) - EVERYONE_INTERVAL)


async def _accounts(seat: Seat, names: Sequence[str]) -> list[Named]:
    """
    Return the accounts of these names that may see the room, in the order of the names.

    In a private room these are its members, in a public one others too, where the author would find them by name.
    """
    found: dict[str, Named] = {}
    for row in await named_accounts(seat, names):
        is_member = row.role not in ("", KICKED) or row.id in (seat.room.low, seat.room.high)
        is_known = not row.role and row.found_by == FOUND_BY_EVERYONE and not row.is_blocked
        if is_member or (is_known and not seat.kind.is_private):
            found[row.name] = Named(row.id, row.code, row.name, is_member)
    return [found[name] for name in names if name in found][:MAX_NAMED]


# Storing.


class Call(NamedTuple):
    """One who is called by the message of that number; `user_id` is None for everyone in the room."""

    number: int
    user_id: int | None
    kind: str


def calls_of(number: int, html: str, meant: Meant, answered: int | None) -> list[Call]:
    """Return whom a message calls; `answered` is the author of what it answers. The first is the name, if both."""
    kinds: dict[int | None, str] = dict.fromkeys((one.id for one in meant.of(html)), NAMED)
    if answered is not None:
        kinds.setdefault(answered, ANSWERED)
    if markdown.mentions_everyone(html):
        kinds[None] = EVERYONE
    return [Call(number, user_id, kind) for user_id, kind in kinds.items()]


async def insert(room_id: int, calls: Collection[Call]) -> None:
    """
    Store who is called by messages of a room, within the transaction in which they are stored.

    Not the author, nor who is not in the room, nor across a block.
    """
    if calls:
        rows = ", ".join(["(CAST(? AS BIGINT), CAST(? AS INT), CAST(? AS VARCHAR(8)))"] * len(calls))
        await sql.execute(_INSERT.format(rows=rows), *(value for call in calls for value in call), room_id)


async def replace(room_id: int, message_id: int, number: int, reply_to: int | None, html: str, meant: Meant) -> None:
    """Store whom a message calls with its new words; the row of who was called before stays, with its place."""
    rows = await mentions_of(message_id)
    if not rows and not meant.of(html):
        return
    answered = await author_of(room_id, reply_to) if reply_to else None
    calls = {call.user_id: call for call in calls_of(number, html, meant, answered)}
    for row in rows:
        call = calls.pop(row.user_id, None)
        if call is None:
            await sql.execute("DELETE FROM mention WHERE id = ?", row.id)
        elif call.kind != row.kind:
            await sql.execute("UPDATE mention SET kind = ? WHERE id = ?", call.kind, row.id)
    await insert(room_id, [call for call in calls.values() if call.kind == NAMED])


# What the author hears of it.

NOT_FOR_YOU = _("Only owners and moderators of the room can call everyone. Nobody was called.")
TOO_SOON = _("Everyone here was called a short while ago. Nobody was called this time.")


def word(seat: Seat, body: str, html: str, meant: Meant) -> Text:
    """Return what the author should know of those whom they have named and who do not hear of it; mostly nothing."""
    absent = [] if seat.kind.is_private else [f"@{one.name}" for one in meant.of(html) if not one.is_member]
    if absent:
        return ngettext(
            "%(names)s is not in this room and does not hear of it.",
            "%(names)s are not in this room and do not hear of it.",
            len(absent),
            names=", ".join(absent),
        )
    if not seat.kind.has_owner or markdown.mentions_everyone(html) or set(EVERYONE_NAMES).isdisjoint(called(body)):
        return ""
    everyone = dict.fromkeys(EVERYONE_NAMES, markdown.EVERYONE)
    if not markdown.mentions_everyone(markdown.render_markdown(body, everyone)):
        return ""
    return TOO_SOON if may_call_everyone(seat) else NOT_FOR_YOU


async def word_on(seat: Seat, body: str, html: str) -> Text:
    """Return the same of a message that is stored."""
    return word(seat, body, html, await meant_by(seat, body))
