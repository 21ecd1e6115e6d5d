"""Who asks, and how people see each other: name, picture and colour."""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from zlib import crc32

from webapp.core import text
from webapp.core.errors import Banned
from webapp.core.i18n import current_language
from webapp.http.urls import path_for
from webapp.media.images import LARGE, SMALL
from webapp.media.store import picture_path

HUES = 12
# Who finds a person by name, who may write to them first, and who sees when they are online.
EVERYONE, FRIENDS, CODE, NOBODY = "everyone", "friends", "code", "nobody"
PERMANENT = datetime(9000, 1, 1, tzinfo=UTC)


class Avatar(NamedTuple):
    """Initials on one of a dozen colours, and over them the addresses of the picture in two sizes, if there is one."""

    initials: str
    hue: int
    small: str = ""
    large: str = ""

    @classmethod
    def of(cls, name: str, code: str, picture: str | None = None) -> "Avatar":
        words = [word for word in re.split(r"[\s._-]+", name) if word[:1].isalnum()] or ["?"]
        initials = "".join(text.clusters(word)[0] for word in (words if len(words) == 1 else (words[0], words[-1])))
        sizes = [picture_path(picture, size) for size in (SMALL, LARGE)] if picture else []
        return cls(initials.upper(), crc32(code.encode()) % HUES, *sizes)


class Person(Protocol):
    """A person as others see them: a user, a row of one, or the viewer."""

    @property
    def id(self) -> int: ...
    @property
    def code(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def picture(self) -> str | None: ...
    @property
    def is_admin(self) -> bool: ...
    @property
    def is_guest(self) -> bool: ...
    @property
    def shows_presence(self) -> bool: ...
    @property
    def shows_receipts(self) -> bool: ...
    @property
    def shows_typing(self) -> bool: ...
    @property
    def last_seen_at(self) -> datetime: ...
    @property
    def avatar(self) -> Avatar: ...
    @property
    def path(self) -> str: ...


class PersonFacts:
    """What every row of a person derives from its columns."""

    __slots__ = ()

    @property
    def avatar(self: Person) -> Avatar:
        return Avatar.of(self.display_name, self.code, self.picture)

    @property
    def path(self: Person) -> str:
        return path_for("person", code=self.code)


@dataclass(frozen=True, slots=True)
class PersonRow(PersonFacts):
    """A person as a query read them; the fields are the columns of PERSON_COLUMNS in queries.py, in their order."""

    id: int
    code: str
    display_name: str
    picture: str | None
    is_admin: bool
    is_guest: bool
    shows_presence: bool
    shows_receipts: bool
    shows_typing: bool
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class ProfileRow(PersonRow):
    """A person with what their profile says."""

    bio: str
    written_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Viewer(PersonRow):
    """Who asks: their user, and the session that the request came with."""

    username: str | None
    language: str
    time_zone: str
    saves_data: bool
    presence_for: str
    theme: str
    text_size: str
    # 0 for a viewer who never blocked anybody.
    blocks_version: int
    banned_until: datetime | None
    ban_reason: str
    warning: str
    session_id: int

    @property
    def stylesheet(self) -> str:
        """The address of what is decided for this viewer alone."""
        version = f"{self.code}.{self.blocks_version}.{current_language().code}"
        return f"{path_for('stranger_css' if self.is_guest else 'viewer_css')}?v={version}"

    @property
    def is_banned(self) -> bool:
        return self.banned_until is not None and self.banned_until > datetime.now(UTC)

    def require_not_banned(self) -> None:
        """Raise Banned while the viewer is banned."""
        if self.banned_until and self.is_banned:
            raise Banned(None if self.banned_until >= PERMANENT else self.banned_until, self.ban_reason)


PERSON_FIELDS, PROFILE_FIELDS, VIEWER_FIELDS = (
    tuple(field.name for field in fields(row)) for row in (PersonRow, ProfileRow, Viewer)
)
