"""The queries of who is in groups, by whom groups are called."""

from collections.abc import Collection, Iterable

from webapp.conversations.group_people import GroupPeople, GroupPerson, group_title
from webapp.conversations.seats import KICKED
from webapp.core.i18n import Text
from webapp.db import sql

# What `room.kind` holds for a group.
GROUP_KIND = "group"
# So many groups of a member show a new name at once; the others with their next message.
MAX_TOLD = 1000


async def people_by_group(groups: Collection[int]) -> dict[int, GroupPeople]:
    """Return everybody in each of these groups, in one query for each 500; there is none where there is no group."""
    found: dict[int, list[GroupPerson]] = {group: [] for group in groups}
    for batch in sql.batches(found):
        rows = await sql.fetch_inline(
            'SELECT membership.room_id, "user".id, "user".code, "user".display_name, "user".picture '
            'FROM membership JOIN "user" ON "user".id = membership.user_id '
            f"WHERE membership.room_id IN ({sql.placeholders(batch)}) AND membership.role <> '{KICKED}' "
            "ORDER BY membership.room_id, membership.id",
            *batch,
        )
        for room_id, *person in rows:
            found[room_id].append(GroupPerson(*person))
    return {group: tuple(people) for group, people in found.items()}


async def group_titles(rows: Iterable[sql.Row], viewer_id: int) -> dict[int, Text]:
    """Return how the viewer reads the names of the groups among these rows, which have `room_id` and `kind`."""
    people = await people_by_group({row["room_id"] for row in rows if row["kind"] == GROUP_KIND})
    return {group: group_title(those, viewer_id) for group, those in people.items()}


async def groups_with(code: str) -> list[int]:
    """Return the groups of the person of that code: what shows them there is read again."""
    rows = await sql.fetch_inline(
        'SELECT room.id FROM "user" JOIN membership ON membership.user_id = "user".id '
        f'JOIN room ON room.id = membership.room_id WHERE "user".code = ? AND room.kind = ? LIMIT {MAX_TOLD}',
        code, GROUP_KIND,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def groups_among(rooms: Collection[int]) -> list[int]:
    """Return those of the rooms that are groups."""
    found: list[int] = []
    for batch in sql.batches(rooms):
        query = f"SELECT id FROM room WHERE id IN ({sql.placeholders(batch)}) AND kind = ?"
        found += [row["id"] for row in await sql.fetch_inline(query, *batch, GROUP_KIND)]
    return found
