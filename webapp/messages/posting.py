"""Storing messages: in the order in which they arrive, each once, and those that wait together in one transaction."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from webapp import settings
from webapp.conversations import kinds, members
from webapp.conversations.models import Membership
from webapp.conversations.seats import MEMBER, RoomRow, Seat
from webapp.core.clock import to_site_time
from webapp.core.errors import Invalid, NotFound, Problem
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.db.group_commit import GroupCommit, RetryWithout
from webapp.files import claims, sending_queries
from webapp.files.sending_queries import SentFile
from webapp.messages import index, mentions
from webapp.messages.drafts import Draft
from webapp.messages.mentions import MAX_UNASKED, Unconfirmed
from webapp.messages.models import new_nonce
from webapp.messages.new_rows import NewRow, StoredMessage
from webapp.messages.queries import StoredRow, stored_before
from webapp.messages.slow_mode import Pace

GROUPING_WINDOW = timedelta(minutes=5)


class _Before(NamedTuple):
    """What is stored that matters to posts: the last message, what has their nonces, which originals are there."""

    last: StoredRow | None
    known: dict[tuple[int | None, str | None], StoredRow]
    # Each with its author.
    originals: dict[int, int | None]
    # Of what has the nonces, by number.
    files: dict[int, list[SentFile]]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a post: its room's version and its number, whether it was stored before, a word to its author."""

    version: int
    number: int
    is_repeat: bool
    word: Text = ""
    # What was stored; None of a repeat.
    message: StoredMessage | None = field(default=None, compare=False, repr=False)


async def post(
    seat: Seat,
    typed: str,
    nonce: str,
    reply_to: int | None = None,
    may_call_everyone: bool = False,
    codes: Sequence[str] = (),
) -> Posted:
    """
    Store a message and take the room's next version and number; raise Problem. Who is not in the room joins.

    The author's files of these `codes` go with it, all or none: where one is not there, the post is refused.

    Raises Unconfirmed where it calls everyone in a large room, unless the author has said that this is meant.
    """
    draft = await Draft.validated(seat, typed, nonce, reply_to, codes)
    if draft.calls_everyone and seat.room.member_count > MAX_UNASKED and not may_call_everyone:
        raise Unconfirmed(seat.room.member_count)
    posted = await submit(draft)
    return replace(posted, word=mentions.word(seat, draft.body, draft.html, draft.meant))


async def submit(draft: Draft) -> Posted:
    """SQLite has one writer at a time, so what waits for any room shares its transaction; elsewhere a room's do."""
    return await _group.submit(None if settings.ON_SQLITE else draft.room_id, draft)


async def _store_by_room(drafts: Sequence[Draft]) -> list[Posted]:
    """Store messages of any rooms, each room's in their order, within a transaction; raises RetryWithout."""
    places = defaultdict[int, list[int]](list)
    for place, draft in enumerate(drafts):
        places[draft.room_id].append(place)
    posted: dict[int, Posted] = {}
    decided: dict[int, object] = {}
    for theirs in places.values():
        try:
            posted |= zip(theirs, await store([drafts[place] for place in theirs]), strict=True)
        except RetryWithout as some:
            # On to the next room all the same: of many rooms that refuse something, all are known after one try.
            decided |= {theirs[place]: outcome for place, outcome in some.outcomes.items()}
        except NotFound as gone:
            decided |= dict.fromkeys(theirs, gone)
    if decided:
        raise RetryWithout(decided)
    return [posted[place] for place in range(len(drafts))]


async def store(drafts: Sequence[Draft]) -> list[Posted]:
    """Store messages of one room in their order, within a transaction; raise NotFound, and RetryWithout."""
    room = await _lock_room(drafts)
    first = Posted(room.version - len(drafts) + 1, room.last_number - len(drafts) + 1, is_repeat=False)
    now = datetime.now(UTC)  # under the lock: the order of the numbers is that of the times
    last: NewRow | StoredRow | None
    before = await _stored_before(drafts, first.number, room.first_number)
    last, drafts = before.last, _without_repeats(drafts, before)
    posted = [Posted(first.version + place, first.number + place, is_repeat=False) for place in range(len(drafts))]
    await _admit(room, drafts, posted, now)
    drafts = await _calling_everyone_once(room, drafts)
    messages: list[NewRow] = []
    stored: list[StoredMessage] = []
    for draft, one in zip(drafts, posted, strict=True):
        before_at, last = last and last.created_at, _message(draft, one, now, last)
        messages.append(last)
        stored.append(StoredMessage(room, draft.seat.viewer, last, before_at))
    ids = await insert_rows(messages)
    if room.kind.indexes_words:
        await index.write([index.Row(ids[row.number], 0, row.body, row.html, row.file_count) for row in messages])
    await _attach(drafts, [ids[one.number] for one in posted])
    originals = [before.originals.get(draft.reply_to) if draft.reply_to else None for draft in drafts]
    called = zip(drafts, posted, originals, strict=True)
    await mentions.insert(room.id, [call for draft, one, author in called for call in draft.calls(one.number, author)])
    return [replace(one, message=message) for one, message in zip(posted, stored, strict=True)]


async def _calling_everyone_once(room: RoomRow, drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts, of which one at most calls everyone, and none where another message just did."""
    is_used = any(draft.calls_everyone for draft in drafts) and await mentions.was_everyone_called(room.id)
    found: list[Draft] = []
    for draft in drafts:
        found.append(draft.without_everyone() if draft.calls_everyone and is_used else draft)
        is_used = is_used or draft.calls_everyone
    return found


_RETURNED = "key, version, first_number, last_number, locked_at, kind, name, low, high, who_posts, slow_seconds"


async def _lock_room(drafts: Sequence[Draft]) -> RoomRow:
    """
    Lock the room, and take a version and a number for each of the drafts; return the room as it is then.

    Lists show the last message.
    """
    count, newest = len(drafts), drafts[-1]
    taken = await sql.execute(
        "UPDATE room SET version = version + ?, last_number = last_number + ?, last_at = ?, last_line = ?, "
        f"is_last_removed = FALSE, last_author = ? WHERE id = ? AND closed_at IS NULL RETURNING {_RETURNED}",
        count, count, sql.to_db(datetime.now(UTC)), newest.line, newest.author_id,
        newest.room_id,
    )  # fmt: skip
    if not taken:
        raise NotFound(_("The room has been deleted."))
    row = taken[0]
    locked_at = sql.from_db(row["locked_at"]) if row["locked_at"] else None
    return replace(newest.seat.room, **dict(row) | {"kind": kinds.of_stored(row["kind"]), "locked_at": locked_at})


async def _stored_before(drafts: Sequence[Draft], number: int, first_number: int) -> _Before:
    """
    Return what is stored of the message before this number, the drafts' nonces, and what they answer.

    What is before the room's first number has expired, whether or not it is deleted already.
    """
    originals = {draft.reply_to for draft in drafts if draft.reply_to}
    identities = [draft.identity for draft in drafts]
    stored = await stored_before(drafts[0].room_id, [number - 1, *originals], identities)
    left = [row for row in stored if row.number >= first_number]
    last = next((row for row in left if row.number == number - 1), None)
    said = [row for row in left if row.number in originals and not row.notice]
    there = {row.number: row.author_id for row in said if not row.removed_at}
    known = {(row.author_id, row.nonce): row for row in stored}
    with_files = [known[one].number for one in identities if one in known and known[one].file_count]
    files = await sending_queries.files_by_number(drafts[0].room_id, with_files) if with_files else {}
    return _Before(last, known, there, files)


def _without_repeats(drafts: Sequence[Draft], before: _Before) -> list[Draft]:
    """
    Return the drafts that are no repeats; what answers a message that was removed meanwhile is a plain message.

    Those whose nonce is known with the same body, files and original have been stored before: the first counts.
    """
    rows = [before.known.get(draft.identity) for draft in drafts]
    plain = [draft if draft.reply_to in before.originals else draft._replace(reply_to=None) for draft in drafts]
    repeats = {
        place: Posted(row.version, row.number, is_repeat=True)
        for place, (draft, row) in enumerate(zip(drafts, rows, strict=True))
        # Its original may have been removed before the first was stored, or since.
        if row
        and (row.body == draft.body and claims.are_same(before.files.get(row.number, []), draft.files))
        and row.reply_to in (draft.reply_to, plain[place].reply_to)
    }
    if repeats:
        raise RetryWithout(repeats)
    # The browser's back button revived a form that was used: another text is another message.
    return [draft._replace(nonce=new_nonce()) if row else draft for draft, row in zip(plain, rows, strict=True)]


async def _admit(room: RoomRow, drafts: Sequence[Draft], posted: Sequence[Posted], now: datetime) -> None:
    """
    Refuse what its author may not post any more, and let those join who are not in the room, where the kind does.

    Checked here, under the lock: since their seats were found, the author may have left or been kicked, or the room
    been locked.
    """
    refused: dict[int, Problem] = {}
    numbers = {draft.author_id: one.number for draft, one in zip(drafts, posted, strict=True)}
    roles = await Membership.advance_read_numbers(room.id, numbers)
    pace = await Pace.read(room, numbers, roles)
    for place, draft in enumerate(drafts):
        try:
            # By the kind that the seat was found in: a chat of masks may have become one of friends meanwhile.
            await draft.seat.kind.check_post(room, draft.author_id, posted[place].number)
            if draft.author_id not in roles:
                await members.join_by_post(room, draft.author_id, draft.seat.membership is not None)
                roles[draft.author_id] = MEMBER
            pace.admit(draft.author_id, now)
        except Problem as problem:
            refused[place] = problem
    if refused:
        raise RetryWithout(refused)


def _message(draft: Draft, posted: Posted, now: datetime, last: NewRow | StoredRow | None) -> NewRow:
    """The row of a message that comes after this one."""
    is_same_day = last is not None and to_site_time(last.created_at).date() == to_site_time(now).date()
    return NewRow(
        draft.room_id, posted.number, posted.version, posted.version, draft.author_id, draft.body, draft.html,
        continues=is_same_day and not draft.reply_to and _continues(last, draft.author_id, now),
        opens_day=not is_same_day, created_at=now, removed_at=None, nonce=draft.nonce, reply_to=draft.reply_to,
        file_count=len(draft.files),
    )  # fmt: skip


def _continues(last: NewRow | StoredRow | None, author_id: int, now: datetime) -> bool:
    """Return whether it is shown with the one before, of the same day: the same author, minutes apart."""
    if last is None or last.author_id != author_id or last.removed_at:
        return False
    return now - last.created_at < GROUPING_WINDOW


async def _attach(drafts: Sequence[Draft], ids: Sequence[int]) -> None:
    """Attach the drafts' files to their messages; raise RetryWithout for those of which one is not there."""
    refused: dict[int, object] = {}
    for place, (draft, message_id) in enumerate(zip(drafts, ids, strict=True)):
        if draft.files and not await claims.claim(message_id, draft.room_id, draft.author_id, draft.files):
            refused[place] = Invalid(file=claims.NOT_SENT)
    if refused:
        raise RetryWithout(refused)


async def insert_rows(messages: list[NewRow]) -> dict[int, int]:
    """Store messages of one room; their ids by their numbers."""
    values = [value for message in messages for value in (*message[:9], sql.to_db(message.created_at), *message[10:])]
    rows = ", ".join([f"({sql.placeholders(NewRow._fields)})"] * len(messages))
    columns = ", ".join(NewRow._fields)
    stored = await sql.execute(f"INSERT INTO message ({columns}) VALUES {rows} RETURNING number, id", *values)
    return {row["number"]: row["id"] for row in stored}


def _conflict_key(draft: Draft) -> object:
    """In a chat of two each is alone in its group: only mark_delivered locks both memberships."""
    return draft.room_id, draft.seat.kind.is_between_two or draft.identity


_group = GroupCommit(_store_by_room, _conflict_key)
