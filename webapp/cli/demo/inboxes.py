"""What the inboxes of the sample data hold: whom messages answer, and which reactions they have not seen."""

from webapp.db import sql
from webapp.messages.mentions import ANSWERED

# Of the reactions to what a person said they have not seen so many.
NEW_REACTIONS = 2


async def write_inboxes() -> None:
    """Call all who were answered, the latest last, and note how far everybody has read reactions."""
    await sql.execute(
        "INSERT INTO mention (user_id, room_id, message_id, number, kind) "
        f"SELECT said.author_id, message.room_id, message.id, message.number, '{ANSWERED}' "
        "FROM message JOIN message AS said ON said.room_id = message.room_id AND said.number = message.reply_to "
        "JOIN membership ON membership.room_id = said.room_id AND membership.user_id = said.author_id "
        "WHERE said.author_id <> message.author_id ORDER BY message.created_at, message.id"
    )
    await sql.execute(
        'UPDATE "user" SET reactions_read = COALESCE((SELECT reaction.id FROM reaction '
        'WHERE reaction.to_user_id = "user".id ORDER BY reaction.id DESC LIMIT 1 OFFSET ?), 0)',
        NEW_REACTIONS,
    )
