"""What of a room or a person makes a difference to the sidebars of many."""

from collections.abc import Collection
from typing import NamedTuple

from webapp.conversations.group_people import GroupPeople
from webapp.conversations.group_queries import people_by_group
from webapp.conversations.kinds import of_stored
from webapp.db import sql
from webapp.presence.queries import is_online


class RoomFact(NamedTuple):
    """All of a room that makes a difference to entries, but what each person has of it for themselves."""

    name: str
    face: str
    last_number: int
    last_line: str
    is_last_removed: bool
    removed_count: int
    first_number: int
    # Of a group: who is in it.
    group: GroupPeople = ()


class PersonFact(NamedTuple):
    """All of a person that makes a difference to the pages of their friends."""

    is_online: bool
    shows_presence: bool


async def room_facts(rooms: Collection[int]) -> dict[int, RoomFact]:
    """Return the fact of each of these rooms that is not deleted, in one query, and one more where there are groups."""
    rows = await sql.fetch_inline(
        "SELECT id, kind, name, face, last_number, last_line, is_last_removed, removed_count, first_number FROM room "
        f"WHERE id IN ({sql.placeholders(rooms)}) AND closed_at IS NULL",
        *rooms,
    )
    groups = await people_by_group([row["id"] for row in rows if of_stored(row["kind"]).is_group])
    return {
        row["id"]: RoomFact(
            row["name"],
            row["face"],
            row["last_number"],
            row["last_line"],
            bool(row["is_last_removed"]),
            row["removed_count"],
            row["first_number"],
            groups.get(row["id"], ()),
        )
        for row in rows
    }


async def person_facts(people: Collection[int]) -> dict[int, PersonFact]:
    """Return the fact of each of these people, in one query."""
    rows = await sql.fetch_inline(
        f'SELECT id, shows_presence, {is_online()} AS is_online FROM "user" WHERE id IN ({sql.placeholders(people)})',
        *people,
    )
    return {row["id"]: PersonFact(bool(row["is_online"]), bool(row["shows_presence"])) for row in rows}
