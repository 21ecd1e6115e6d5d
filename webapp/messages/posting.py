"""How messages are stored: in the order in which they come, each once, and all that wait together."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from webapp import settings
from webapp.accounts.viewer import Person
from webapp.conversations import direct, members
from webapp.conversations.models import LINE_LENGTH, MEMBER, Membership, Room
from webapp.core import text
from webapp.core.clock import to_site_time
from webapp.core.errors import NotFound, Problem
from webapp.core.i18n import _
from webapp.db import sql
from webapp.db.group_commit import GroupCommit, RetryWithout
from webapp.messages.markdown import first_line, render_markdown, render_plain
from webapp.messages.models import new_nonce, validate_body

GROUPING_WINDOW = timedelta(minutes=5)


_Row = dict[str, Any]


class Posted(NamedTuple):
    """What became of a post: its room's version and its number, and whether it was there already."""

    version: int
    number: int
    is_repeat: bool


class Draft(NamedTuple):
    """A message that is about to be stored, and the room as its author found it."""

    room: Room
    author: Person
    body: str
    html: str
    nonce: str

    @classmethod
    def checked(cls, room: Room, author: Person, typed: str, nonce: str) -> "Draft":
        """What somebody has typed; raises Invalid."""
        body = validate_body(typed)
        html = render_plain(body) if room.is_stranger else render_markdown(body)
        return cls(room, author, body, html, text.clean_line(nonce)[:32] or new_nonce())

    @property
    def identity(self) -> tuple[int, str]:
        """What two of them have in common when one is the other again."""
        return self.author.id, self.nonce


async def post(room: Room, author: Person, typed: str, nonce: str) -> Posted:
    """Store a message and take the room's next version and number; raises Problem. Posting joins."""
    return await submit(Draft.checked(room, author, typed, nonce))


async def submit(draft: Draft) -> Posted:
    """SQLite has one writer at a time, so what waits for any room shares its transaction; elsewhere a room's do."""
    return await _waiting.submit(None if settings.ON_SQLITE else draft.room.id, draft)


async def _store_by_room(drafts: Sequence[Draft]) -> list[Posted]:
    """Store messages of any rooms, each room's in their order, within a transaction; raises RetryWithout."""
    places = defaultdict[int, list[int]](list)
    for place, draft in enumerate(drafts):
        places[draft.room.id].append(place)
    posted: dict[int, Posted] = {}
    decided: dict[int, object] = {}
    for theirs in places.values():
        try:
            posted |= zip(theirs, await _store([drafts[place] for place in theirs]), strict=True)
        except RetryWithout as some:
            # On to the next room all the same: of many rooms that refuse something, all are known after one try.
            decided |= {theirs[place]: outcome for place, outcome in some.outcomes.items()}
        except NotFound as gone:
            decided |= dict.fromkeys(theirs, gone)
    if decided:
        raise RetryWithout(decided)
    return [posted[place] for place in range(len(drafts))]


async def _store(drafts: Sequence[Draft]) -> list[Posted]:
    """Store messages of one room in their order, within a transaction; raises Missing, and Decided."""
    first = await _take_places(drafts)
    now = datetime.now(UTC)  # under the lock: the order of the numbers is that of the times
    last, known = await _previous_and_known(drafts, first.number)
    drafts = _without_repeats(drafts, known)
    posted = [Posted(first.version + place, first.number + place, is_repeat=False) for place in range(len(drafts))]
    await _admit(drafts, posted)
    messages = []
    for draft, one in zip(drafts, posted, strict=True):
        last = _message(draft, one, now, last)
        messages.append(last)
    await _insert(messages)
    return posted


async def _take_places(drafts: Sequence[Draft]) -> Posted:
    """Lock the room and take its next versions and numbers, of which this is the first. Lists show the last message."""
    count, newest = len(drafts), drafts[-1]
    taken = await sql.rows(
        "UPDATE room SET version = version + ?, last_number = last_number + ?, last_at = ?, last_line = ?, "
        "is_last_removed = FALSE, last_author = ? WHERE id = ? AND closed_at IS NULL "
        "RETURNING version, last_number, locked_at",
        count, count, sql.to_db(datetime.now(UTC)), first_line(newest.html, LINE_LENGTH), newest.author.id,
        newest.room.id,
    )  # fmt: skip
    if not taken:
        raise NotFound(_("The room has been deleted."))
    locked_at = taken[0]["locked_at"]
    for draft in drafts:
        draft.room.locked_at = sql.from_db(locked_at) if locked_at else None
    return Posted(taken[0]["version"] - count + 1, taken[0]["last_number"] - count + 1, is_repeat=False)


async def _previous_and_known(drafts: Sequence[Draft], number: int) -> tuple[_Row | None, dict[tuple[int, str], _Row]]:
    """The message before this number, and those that the authors have sent with these nonces, if there are any."""
    # The room with each of them: by anything shorter SQLite would read the whole room.
    theirs = " OR room_id = ? AND author_id = ? AND nonce = ?" * len(drafts)
    found = await sql.rows(
        "SELECT number, version, author_id, body, nonce, created_at, removed_at FROM message "
        f"WHERE room_id = ? AND number = ?{theirs}",
        drafts[0].room.id, number - 1, *itertools.chain(*((draft.room.id, *draft.identity) for draft in drafts)),
    )  # fmt: skip
    for row in found:
        row["created_at"] = sql.from_db(row["created_at"])
    last = next((row for row in found if row["number"] == number - 1), None)
    return last, {(row["author_id"], row["nonce"]): row for row in found}


def _without_repeats(drafts: Sequence[Draft], known: dict[tuple[int, str], _Row]) -> list[Draft]:
    """Those whose nonce is known with the same body have been stored before: the first one counts."""
    rows = [known.get(draft.identity) for draft in drafts]
    repeats = {
        place: Posted(row["version"], row["number"], is_repeat=True)
        for place, (draft, row) in enumerate(zip(drafts, rows, strict=True))
        if row and row["body"] == draft.body
    }
    if repeats:
        raise RetryWithout(repeats)
    # The browser's back button revived a form that was used: another text is another message.
    return [draft._replace(nonce=new_nonce()) if row else draft for draft, row in zip(drafts, rows, strict=True)]


async def _admit(drafts: Sequence[Draft], posted: Sequence[Posted]) -> None:
    """
    Let those write who still may, and let in who is not in the room.

    Asked here, under the lock, and not before: they may have left or been sent away, or the room been locked, since
    they were let in.
    """
    refused: dict[int, Problem] = {}
    numbers = {draft.author.id: one.number for draft, one in zip(drafts, posted, strict=True)}
    roles = await Membership.advance_read_numbers(drafts[0].room.id, numbers)
    for place, draft in enumerate(drafts):
        try:
            if draft.room.is_chat:
                await direct.check_post(draft.room, draft.author.id, posted[place].number)
            else:
                if draft.room.membership:
                    draft.room.membership.role = roles.get(draft.author.id, MEMBER)
                draft.room.require_can_post(draft.author)
            if draft.author.id not in roles:
                draft.room.membership = await members.join_in_transaction(draft.room, draft.author)
                roles[draft.author.id] = draft.room.membership.role
        except Problem as problem:
            refused[place] = problem
    if refused:
        raise RetryWithout(refused)


def _message(draft: Draft, posted: Posted, now: datetime, last: _Row | None) -> _Row:
    """The row of a message that comes after this one."""
    is_same_day = last is not None and to_site_time(last["created_at"]).date() == to_site_time(now).date()
    return {
        "room_id": draft.room.id, "number": posted.number, "posted_version": posted.version,
        "version": posted.version, "author_id": draft.author.id, "body": draft.body, "html": draft.html,
        "continues": is_same_day and _continues(last, draft.author, now), "opens_day": not is_same_day,
        "created_at": now, "removed_at": None, "nonce": draft.nonce,
    }  # fmt: skip


def _continues(last: _Row | None, author: Person, now: datetime) -> bool:
    """Whether it belongs to the one before, of the same day: the same author, minutes apart."""
    if last is None or last["author_id"] != author.id or last["removed_at"]:
        return False
    return bool(now - last["created_at"] < GROUPING_WINDOW)


async def _insert(messages: list[_Row]) -> None:
    values = [
        sql.to_db(value) if isinstance(value, datetime) else value for message in messages for value in message.values()
    ]
    names, rows = ", ".join(messages[0]), ", ".join([f"({sql.placeholders(messages[0])})"] * len(messages))
    await sql.rows(f"INSERT INTO message ({names}) VALUES {rows}", *values)


def _conflict_key(draft: Draft) -> object:
    """In a chat of two each goes by itself: to hold both memberships is for the one who holds many (`delivered`)."""
    return draft.room.id, draft.room.is_chat or draft.identity


_waiting = GroupCommit(_store_by_room, _conflict_key)
