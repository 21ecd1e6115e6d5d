"""How much is unread: rooms, and messages that call a member by a mention or an answer."""

from typing import NamedTuple

from webapp.conversations.levels import ALL, NOTHING, level_of

# From so many on, the badge shows the same.
MAX_CALLS = 100


class Unread(NamedTuple):
    """How many rooms and chats have something unread that counts, and how many messages call the viewer."""

    rooms: int
    calls: int

    def __bool__(self) -> bool:
        return any(self)

    def __str__(self) -> str:
        return " ".join([str(self.rooms)] * bool(self.rooms) + [f"@{self.calls}"] * bool(self.calls))


NO_UNREAD = Unread(0, 0)


def count_calls(membership: str, room: str) -> str:
    """
    Return the SQL of how many messages call the member of this membership and are unread: both are names of tables.
    None that went when its time had come.

    Who wants to hear nothing of the room is called by nothing. In a chat of two, where every message is for the
    other, calls are counted only when messages are not. Everyone is called by one row, which its own author
    and who has blocked them do not hear. Both halves are ranges of one index, (user, room, number).
    """
    unread = f"mention.room_id = {membership}.room_id AND mention.number > {membership}.read_number"
    unread += f" AND mention.number >= {room}.first_number"
    blocked = f"SELECT blocked_id FROM block WHERE blocker_id = {membership}.user_id"
    return f"""
CASE WHEN {membership}.read_number >= {room}.last_number OR {level_of(membership)} = '{NOTHING}'
    OR ({room}.low IS NOT NULL AND {level_of(membership)} = '{ALL}') THEN 0
ELSE (SELECT COUNT(*) FROM (
    SELECT mention.number FROM mention WHERE mention.user_id = {membership}.user_id AND {unread}
    UNION SELECT mention.number FROM mention JOIN message ON message.id = mention.message_id
    WHERE mention.user_id IS NULL AND {unread} AND message.author_id <> {membership}.user_id
        AND message.author_id NOT IN ({blocked})
    LIMIT {MAX_CALLS}) AS calls)
END"""
