"""Rows of an installation that people use, by table, and how they get into a database of any migration."""

from datetime import UTC, datetime

from webapp.db import sql

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONTENT: dict[str, list[dict[str, object]]] = {
    "user": [
        {
            "code": f"AAAA-AAA{n}", "username": name, "skeleton": name, "display_name": name.title(), "bio": bio,
            "password_hash": "hash", "is_guest": False, "is_admin": n == 1, "created_at": NOW, "last_seen_at": NOW,
        }
        for n, (name, bio) in enumerate([("ada", ""), ("ben", "Hello"), ("zoë", "ñandú 🦤")], 1)
    ],
    "room": [
        {
            "key": name, "kind": "public", "name": name.title(), "folded": name, "topic": topic, "version": 20,
            "last_number": 20, "last_at": NOW, "member_count": 3, "created_at": NOW,
        }
        for name, topic in [("tea", ""), ("cake", "Which?")]
    ],
    "membership": [
        {
            "room_id": room, "user_id": user, "role": "member", "read_number": user, "delivered_number": 0,
            "muted": False, "joined_at": NOW,
        }
        for room in (1, 2) for user in (1, 2, 3)
    ],
    "message": [
        {
            "room_id": room, "number": n, "posted_version": n, "version": n, "author_id": None if n == 7 else n % 3 + 1,
            "body": f"*{n}*", "html": f"<em>{n}</em>", "continues": False, "opens_day": n == 1, "created_at": NOW,
            "nonce": f"nonce {n}",
        }
        for room in (1, 2) for n in range(1, 21)
    ],
    "session": [
        {"digest": f"digest {user}", "user_id": user, "user_agent": "", "created_at": NOW, "used_at": NOW}
        for user in (1, 2, 3)
    ],
    "process": [{"id": "here", "seen_at": 1, "renewed": 0}],
    "visit": [{"process_id": "here", "user_id": user, "room_id": 1} for user in (1, 2)],
}  # fmt: skip

# Of tables that came later, with migration LATEST_SAMPLED at the latest: who has read, saved, pinned and called what.
LATEST_SAMPLED = "0025_pins"
LATER: dict[str, list[dict[str, object]]] = {
    "reaction": [
        {"message_id": message, "user_id": 1, "to_user_id": 3, "kind": kind, "created_at": NOW}
        for message, kind in ((2, "👍"), (22, "🎉"))
    ],
    "mention": [
        {"room_id": 1, "message_id": 3, "number": 3, "user_id": user, "kind": kind}
        for user, kind in ((2, "mention"), (3, "reply"), (None, "everyone"))
    ],
    "saved": [{"user_id": user, "message_id": message, "saved_at": NOW} for user, message in ((1, 5), (3, 5), (3, 25))],
    "pin": [
        {"room_id": room, "message_id": message, "number": 4, "pinned_by_id": user, "pinned_at": NOW}
        for room, message, user in ((1, 4, 3), (2, 24, 1))
    ],
}  # fmt: skip

# Of rooms of one's own: a private one that has had a name before, a group, who came by which invitation, and a line in
# a log that nobody wrote.
OWN_ROOMS_SAMPLED = "0030_own_rooms"
OWN_ROOMS: dict[str, list[dict[str, object]]] = {
    "room": [
        {
            "key": f"~{kind}", "kind": kind, "name": name, "topic": "-", "version": 1, "last_number": 1, "last_at": NOW,
            "member_count": 3, "created_at": NOW, "keep_days": 30,
        }
        for kind, name in (("private", "Party"), ("group", ""))
    ],
    "membership": [
        {
            "room_id": room, "user_id": user, "role": role, "read_number": 0, "delivered_number": 0, "muted": False,
            "joined_at": NOW, "inviter": 1,
        }
        for room in (3, 4) for user, role in ((1, "owner" if room == 3 else "member"), (2, "member"), (3, "member"))
    ],
    "message": [
        {
            "room_id": 3, "number": 1, "posted_version": 1, "version": 1, "author_id": None, "body": "", "html": "",
            "continues": False, "opens_day": True, "created_at": NOW, "notice": "private",
        }
    ],
    "room_alias": [{"room_id": 3, "key": "party"}],
    "invitation": [
        {"room_id": room, "digest": f"digest {room}", "maker_id": 1, "note": "", "made_at": NOW, "uses": 1}
        for room in (3, None)
    ],
    "invitation_use": [{"invitation_id": 1, "user_id": user, "used_at": NOW} for user in (2, 3)],
}  # fmt: skip


async def insert(table: str, row: dict[str, object]) -> None:
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    await sql.connection().execute_insert(
        sql.for_engine(f'INSERT INTO "{table}" ({columns}) VALUES ({marks}) RETURNING *'), list(row.values())
    )
