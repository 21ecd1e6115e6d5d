"""The directory: everybody who may be found, as one viewer may see them, in plain SQL."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.accounts.queries import CODE_PATTERN, person_columns, person_from
from webapp.accounts.viewer import EVERYONE, Person, PersonRow
from webapp.db import sql
from webapp.presence.queries import IS_ALIVE, is_online, shows_everyone
from webapp.relationships.queries import not_blocked

PAGE_SIZE = 30
# Those who are online stand first, the first of them by name; of a crowd so many open pages are looked at.
MAX_ONLINE = 60
MAX_VISITS = 2000
# Before everybody.
START = ("", "")


class ListedRow(NamedTuple):
    """A person in the directory: `is_online` as they show it to the viewer."""

    person: PersonRow
    bio: str
    sort_name: str
    is_friend: bool
    is_online: bool

    @property
    def key(self) -> str:
        """Where the page after this person begins."""
        return f"{self.sort_name}.{self.person.code}"


def parse_key(typed: str) -> tuple[str, str]:
    """Return the name and the code after which a page begins; START where it is no key."""
    name, _, code = typed.rpartition(".")
    return (name, code) if CODE_PATTERN.fullmatch(code) else START


_IS_FRIEND = (
    '"user".id IN (SELECT high_id FROM friendship WHERE low_id = ? AND accepted_at IS NOT NULL '
    "UNION ALL SELECT low_id FROM friendship WHERE high_id = ? AND accepted_at IS NOT NULL)"
)
_SHOWS = f"({shows_everyone()} OR {_IS_FRIEND})"
# Banned people, those who leave and guests are in no list, nor is anybody blocked either way.
_LISTED = f"""
SELECT {person_columns()}, "user".bio, "user".sort_name, {_IS_FRIEND} AS is_friend,
    {_SHOWS} AND {is_online()} AS is_online
FROM "user"
WHERE "user".found_by = '{EVERYONE}' AND NOT "user".is_guest AND "user".id <> ?
    AND ("user".banned_until IS NULL OR "user".banned_until < ?) AND {not_blocked('"user".id')} AND """
# By process, so that no visit is read of one that has died, and no more than so many.
_ONLINE = (
    f'{_LISTED} "user".id IN (SELECT visit.user_id FROM process CROSS JOIN visit '
    f"WHERE visit.process_id = process.id AND {IS_ALIVE} LIMIT {MAX_VISITS}) "
    f'AND "user".shows_presence AND {_SHOWS} ORDER BY "user".sort_name, "user".code LIMIT {MAX_ONLINE}'
)
_BY_NAME = (
    f'{_LISTED} ("user".sort_name, "user".code) > (?, ?) AND "user".id NOT IN ({{others}}) '
    f'ORDER BY "user".sort_name, "user".code LIMIT {PAGE_SIZE + 1}'
)


async def online_people(viewer: Person) -> list[ListedRow]:
    """Return who is online and shows it to the viewer, by name; of more than MAX_ONLINE the first."""
    return await _listed(_ONLINE, viewer, *[viewer.id] * 2)


async def people_after(viewer: Person, after: tuple[str, str], others: Collection[int] = ()) -> list[ListedRow]:
    """Return a page of people by name, and one more where there are more; the others are left out."""
    return await _listed(_BY_NAME.format(others=sql.placeholders(others) or "0"), viewer, *after, *others)


async def _listed(query: str, viewer: Person, *values: object) -> list[ListedRow]:
    own = viewer.id
    now = sql.to_db(datetime.now(UTC))
    rows = await sql.fetch_inline(query, *[own] * 4, own, now, *[own] * 4, *values)
    return [_row(row) for row in rows]


def _row(row: sql.Row) -> ListedRow:
    return ListedRow(person_from(row), row["bio"], row["sort_name"], bool(row["is_friend"]), bool(row["is_online"]))


class DotRow(NamedTuple):
    """Whether a person who shows everyone is online."""

    id: int
    code: str
    is_online: bool


async def public_dots(users: Collection[int], hidden: Collection[int] = ()) -> list[DotRow]:
    """Return those of the users whom everybody may find and see online, and of the hidden, who were until now, all."""
    marks, more = sql.placeholders(users), sql.placeholders(hidden) or "0"
    public = f'"user".found_by = \'{EVERYONE}\' AND NOT "user".is_guest AND {shows_everyone()}'
    rows = await sql.fetch_inline(
        f'SELECT id, code, {public} AND {is_online()} AS is_online FROM "user" '
        f"WHERE id IN ({marks}) AND ({public} OR id IN ({more}))",
        *users, *hidden,
    )  # fmt: skip
    return [DotRow(row["id"], row["code"], bool(row["is_online"])) for row in rows]
