"""What is for one person in the sample data: whom messages call, unseen reactions, saved and pinned messages."""

from datetime import UTC, datetime, timedelta

from webapp.accounts.models import User
from webapp.cli.demo import words
from webapp.cli.demo.rows import write_rows
from webapp.conversations.kinds import PUBLIC
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import OWNER
from webapp.db import sql, transaction
from webapp.messages.markdown import person_link, render_markdown
from webapp.messages.mentions import ANSWERED, NAMED
from webapp.messages.models import Message, Pin, Reaction, Saved, store_pin_count

# Of the reactions to what a person said they have not seen so many.
NEW_REACTIONS = 2
# The first person is named in the second of their rooms, so many messages before its end.
NAMED_DISTANCE = 2
# Of so many rooms the first person has saved a message, and so many are pinned in one that is theirs.
SAVED_ROOMS, PINNED = 3, 2


async def write_inboxes(me: int) -> None:
    """Call all who were answered, and the first person by name; note how far everybody has read reactions."""
    named = await _name(me)
    await sql.execute(
        "INSERT INTO mention (user_id, room_id, message_id, number, kind) "
        "SELECT called.user_id, message.room_id, message.id, message.number, called.kind FROM ("
        f"SELECT answer.id, said.author_id AS user_id, '{ANSWERED}' AS kind FROM message AS answer "
        "JOIN message AS said ON said.room_id = answer.room_id AND said.number = answer.reply_to "
        "JOIN membership ON membership.room_id = said.room_id AND membership.user_id = said.author_id "
        "WHERE said.author_id <> answer.author_id AND answer.id <> ? "
        f"UNION ALL SELECT id, CAST(? AS INT), '{NAMED}' FROM message WHERE id = ?"
        ") AS called JOIN message ON message.id = called.id ORDER BY message.created_at, message.id",
        named, me, named,
    )  # fmt: skip
    await transaction.transact(_order_reactions, me)
    await sql.execute(
        'UPDATE "user" SET reactions_read = COALESCE((SELECT reaction.id FROM reaction '
        'WHERE reaction.to_user_id = "user".id ORDER BY reaction.id DESC LIMIT 1 OFFSET ?), 0)',
        NEW_REACTIONS,
    )


async def _order_reactions(me: int) -> None:
    """Number the reactions to the person by their times: they were written room by room."""
    columns = "message_id, user_id, to_user_id, kind, created_at"
    rows = await sql.fetch_all(f"SELECT {columns} FROM reaction WHERE to_user_id = ? ORDER BY created_at, id", me)
    if rows:
        await Reaction.filter(to_user_id=me).delete()
        await write_rows("reaction", columns, [tuple(row) for row in rows])


async def _name(me: int) -> int:
    """Name the person in one of the last messages of a room, which they have not read; return its id, 0 if none."""
    rooms = Membership.filter(user_id=me, room__kind=PUBLIC.stored).order_by("room_id").offset(1)
    mine = await rooms.first().prefetch_related("room")
    if mine is None:
        return 0
    recent = Message.filter(room_id=mine.room_id, number__lte=mine.room.last_number - NAMED_DISTANCE)
    message = await recent.exclude(author_id=me).order_by("-number").first()
    if message is None:
        return 0
    user = await User.get(id=me)
    body = words.MENTION.format(name=user.username)
    html = render_markdown(body, {str(user.username): person_link(user.code)})
    await Message.filter(id=message.id).update(body=body, html=html)
    await Membership.filter(id=mine.id).update(read_number=message.number - 1)
    return int(message.id)


async def write_saved(me: int) -> None:
    """Save for the first person what they might look for again, and pin messages in a room that is theirs."""
    rooms = await Room.filter(memberships__user_id=me, kind=PUBLIC.stored).order_by("id").limit(SAVED_ROOMS)
    now = datetime.now(UTC)
    for place, room in enumerate(reversed(rooms)):
        linked = Message.filter(room_id=room.id, body__contains="https://")
        if found := await linked.order_by("-number").first():
            await Saved.create(user_id=me, message_id=found.id, saved_at=now - timedelta(hours=SAVED_ROOMS - place))
    owned = Membership.filter(user_id=me, role=OWNER, room__kind=PUBLIC.stored).order_by("room_id")
    # The second of theirs: in the first everybody is, whose page is what is weighed.
    if mine := await owned.offset(1).first():
        latest = await Message.filter(room_id=mine.room_id, body__contains="**").order_by("-number").limit(PINNED)
        for message in reversed(latest):
            await Pin.create(
                room_id=message.room_id,
                message_id=message.id,
                number=message.number,
                pinned_by_id=me,
                pinned_at=min(now, message.created_at + timedelta(minutes=5)),
            )
        await store_pin_count(mine.room_id)
