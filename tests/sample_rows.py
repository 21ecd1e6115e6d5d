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


async def insert(table: str, row: dict[str, object]) -> None:
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    await sql.connection().execute_insert(
        sql.for_engine(f'INSERT INTO "{table}" ({columns}) VALUES ({marks}) RETURNING *'), list(row.values())
    )
