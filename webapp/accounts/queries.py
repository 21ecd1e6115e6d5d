"""Who asks, in one query, and people as rows."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from webapp.accounts.sessions import GUEST_LIFETIME, MAX_LIFETIME, session_uses
from webapp.accounts.viewer import PERSON_FIELDS, PROFILE_FIELDS, VIEWER_FIELDS, PersonRow, ProfileRow, Viewer
from webapp.core.batches import padded
from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.db import sql
from webapp.http import cookie

CODE_PATTERN = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}")
FLAGS = {"is_admin", "is_guest", "shows_presence", "shows_receipts", "shows_typing", "saves_data"}
TIMES = {"last_seen_at", "created_at", "banned_until"}


def person_columns(table: str = '"user"') -> str:
    """Return what a query asks of the table of users, under that name, for `person_from`."""
    return ", ".join(f"{table}.{name}" for name in PERSON_FIELDS)


def _converters(names: Iterable[str]) -> list[Callable[[Any], Any] | None]:
    return [bool if name in FLAGS else sql.from_db if name in TIMES else None for name in names]


PERSON_CONVERTERS, PROFILE_CONVERTERS = _converters(PERSON_FIELDS), _converters(PROFILE_FIELDS)
VIEWER_CONVERTERS = _converters(VIEWER_FIELDS)


def _converted(row: Iterable[Any], converters: list[Callable[[Any], Any] | None]) -> Iterator[Any]:
    """The values of a row as the fields have them; columns beyond the fields are left out."""
    for value, convert in zip(row, converters, strict=False):
        yield value if convert is None or value is None else convert(value)


def person_from(row: Iterable[Any]) -> PersonRow:
    """Make a person of a row that begins with the columns of `person_columns`."""
    return PersonRow(*_converted(row, PERSON_CONVERTERS))


_PROFILE = f'SELECT {", ".join(PROFILE_FIELDS)} FROM "user" WHERE code = ? AND NOT is_guest'


async def people_by_code(*codes: str) -> list[PersonRow]:
    """Return the people with these codes, by name, as many as there are."""
    which = f"code IN ({sql.placeholders(codes)}) AND NOT is_guest ORDER BY sort_name, code"
    rows = await sql.fetch_inline(f'SELECT {person_columns()} FROM "user" WHERE {which}', *codes)
    return list(map(person_from, rows))


async def profile_by_code(code: str) -> ProfileRow:
    """Return the person with that code, which may be written in any case; raise NotFound."""
    code = code.upper()
    rows = await sql.fetch_inline(_PROFILE, code) if CODE_PATTERN.fullmatch(code) else []
    for row in rows:
        return ProfileRow(*_converted(row, PROFILE_CONVERTERS))
    raise NotFound(_("Nobody has that code."))


_VIEWER = f"""
SELECT {", ".join("session.id" if name == "session_id" else f'"user".{name}' for name in VIEWER_FIELDS)},
    session.created_at AS session_created_at, session.used_at AS session_used_at, session.digest
FROM session JOIN "user" ON "user".id = session.user_id WHERE session.digest """


async def viewer_by_token(token: str) -> Viewer | None:
    """Return who is signed in with the token, and record that the session is used; None where it has ended."""
    for row in await sql.fetch_inline(_VIEWER + "= ?", cookie.digest(token)):
        return _with_session_used(row)
    return None


async def viewers_by_token(tokens: Sequence[str]) -> list[Viewer | None]:
    """Return for each token what `viewer_by_token` does, in one query."""
    digests = list(map(cookie.digest, tokens))
    asked = padded(digests, "")
    rows = await sql.fetch_inline(f"{_VIEWER} IN ({sql.placeholders(asked)})", *asked)
    found = {row["digest"]: _with_session_used(row) for row in rows}
    return [found.get(digest) for digest in digests]


def _with_session_used(row: sql.Row) -> Viewer | None:
    viewer = Viewer(*_converted(row, VIEWER_CONVERTERS))
    age = datetime.now(UTC) - sql.from_db(row["session_created_at"])
    if age > (GUEST_LIFETIME if viewer.is_guest else MAX_LIFETIME):
        return None
    session_uses().record(viewer.session_id, sql.from_db(row["session_used_at"]))
    return viewer


class SessionRights(NamedTuple):
    """What a stream of the session may depend on."""

    is_banned: bool
    is_admin: bool


async def rights_by_session(sessions: Collection[int]) -> dict[int, SessionRights]:
    """Return those of the sessions that have not ended, and what their person may do."""
    rows = await sql.fetch_inline(
        'SELECT session.id, banned_until > ? AS is_banned, is_admin FROM session JOIN "user" ON "user".id = user_id '
        f"WHERE session.id IN ({sql.placeholders(sessions)})",
        sql.to_db(datetime.now(UTC)), *sessions,
    )  # fmt: skip
    return {row["id"]: SessionRights(bool(row["is_banned"]), bool(row["is_admin"])) for row in rows}
