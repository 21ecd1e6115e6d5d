"""The content of an export: a page that needs no network, and the pictures and files beside it."""

import asyncio
import contextlib
import contextvars
import os
import time
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, ParamSpec, TypeVar

from markupsafe import Markup

from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import Person
from webapp.conversations import access, kinds
from webapp.conversations.models import Room
from webapp.conversations.seats import KICKED, Kind, Seat
from webapp.core.clock import to_site_time
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.exports.files import ExportedFiles, has_room
from webapp.http import render
from webapp.invitations.queries import made_by
from webapp.media.files import file_store
from webapp.media.images import LARGE
from webapp.media.store import picture_path, picture_store
from webapp.messages import queries as messages
from webapp.messages.queries import MessageRow
from webapp.messages.reaction_queries import reactions_after, read_until
from webapp.messages.saved_queries import list_saved
from webapp.relationships.queries import contacts

P = ParamSpec("P")
T = TypeVar("T")

# Small, so that messages flow meanwhile: a page takes some milliseconds.
BATCH_SIZE = 100
# Small rows; each page looks through all that the person has.
REACTIONS_BATCH_SIZE = 1000
# As often as the page of progress is refreshed, twice.
PROGRESS_INTERVAL_SECONDS = 1.0
COUNTING_SECONDS = 60.0
MAX_SESSIONS = MAX_INVITATIONS = 1000
STYLES = "exports/export.css"

# Rendering and packing, which take the time: away from the event loop, one at a time, and in order.
_thread = ThreadPoolExecutor(1, "export")


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    here = contextvars.copy_context()  # with the language in it
    return await asyncio.get_running_loop().run_in_executor(_thread, lambda: here.run(work, *args, **kwargs))


class Archive:
    """A zip that grows on the disk, readable by nobody else, and that never is in memory as a whole."""

    _file: IO[bytes]
    _zip: zipfile.ZipFile
    _page: IO[bytes]

    def __init__(self, path: Path) -> None:
        self._path = path
        self._to_close: list[IO[bytes] | zipfile.ZipFile] = []

    async def open(self) -> None:
        await _in_thread(self._open)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.fdopen(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b")
        self._zip = zipfile.ZipFile(self._file, "w")
        self._page = self._zip.open(_entry("index.html", zipfile.ZIP_DEFLATED), "w", force_zip64=True)
        self._to_close = [self._page, self._zip, self._file]

    async def add(self, template: str, **context: object) -> None:
        """Write on in the page."""
        await _in_thread(self._add, template, context)

    def _add(self, template: str, context: dict[str, object]) -> None:
        self._page.write(render.fragment(template, **context).encode())

    async def add_file(self, entry: str, name: str) -> None:
        """Put a file of the store beside the page, piece by piece, unless it was deleted meanwhile."""
        pieces = file_store().read(name)
        try:
            piece = await anext(pieces, b"")
        except NotFound:
            return
        part = await _in_thread(self._open_file, entry)
        try:
            while piece:
                await _in_thread(part.write, piece)
                piece = await anext(pieces, b"")
        finally:
            await _in_thread(part.close)

    def _open_file(self, entry: str) -> IO[bytes]:
        self._page.close()  # one after the other
        part = self._zip.open(_entry(entry, zipfile.ZIP_STORED), "w", force_zip64=True)
        self._to_close.insert(0, part)
        return part

    async def close(self, pictures: set[str]) -> int:
        """Put the pictures beside the page, and all of it on the disk; how large it is."""
        return await _in_thread(self._close, pictures)

    def _close(self, pictures: set[str]) -> int:
        self._page.close()
        for digest in sorted(pictures):
            if content := picture_store().load(digest):
                name = picture_path(digest, LARGE).lstrip("/")
                self._zip.writestr(_entry(name, zipfile.ZIP_STORED), content)
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._path.stat().st_size

    async def discard(self) -> None:
        """Nothing of it is left, however far it was."""
        await _in_thread(self._drop)

    def _drop(self) -> None:
        self._path.unlink(missing_ok=True)
        for part in self._to_close:
            with contextlib.suppress(OSError):  # closing may fail on a full disk
                part.close()


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, to_site_time(datetime.now(UTC)).timetuple()[:6])
    entry.compress_type = compression
    entry.external_attr = 0o600 << 16
    return entry


class ExportRoom(NamedTuple):
    """A room or chat, and how many messages of it go into the file."""

    key: str
    is_whole: bool
    size: int


def _is_whole(kind: Kind) -> bool:
    """Return whether the file has all that was said, and not the person's own words alone: between two, in groups."""
    return kind.is_between_two or kind.is_group


async def rooms_to_export(user: Person) -> list[ExportRoom]:
    """
    The person's chats and rooms, and the public rooms that they have left but wrote in; the latest first.

    How much they wrote is read from an index alone; of a chat or a group everything is theirs to read.
    """
    query = "SELECT room_id, count(*) AS n FROM message WHERE author_id = ? GROUP BY room_id"
    counted = await sql.fetch_limited(query, user.id, seconds=COUNTING_SECONDS)
    wrote = {row["room_id"]: int(row["n"]) for row in counted}
    mine = Room.filter(memberships__user_id=user.id, memberships__role__not=KICKED, closed_at=None)
    rows = await mine.values("id", "key", "kind", "first_number", "last_number", "last_at")
    left = sorted(set(wrote) - {row["id"] for row in rows})
    open_kinds = kinds.names(lambda kind: not kind.is_private)
    for start in range(0, len(left), BATCH_SIZE):
        others = Room.filter(id__in=left[start : start + BATCH_SIZE], kind__in=open_kinds, closed_at=None)
        rows += await others.values("id", "key", "kind", "first_number", "last_number", "last_at")
    rows.sort(key=lambda row: row["last_at"], reverse=True)
    return [
        ExportRoom(row["key"], is_whole, _count(row) if is_whole else wrote.get(row["id"], 0))
        for row in rows
        for is_whole in [_is_whole(kinds.of_stored(row["kind"]))]
    ]


def _count(room: Mapping[str, Any]) -> int:
    return int(room["last_number"] - room["first_number"] + 1)


class ExportWriter:
    """Writes everything that is one person's into an archive, a page of rows at a time, and reports its progress."""

    def __init__(self, user: User, archive: Archive, tell: Callable[[int, int], Awaitable[None]]) -> None:
        self.user, self.archive, self._tell = user, archive, tell
        self.pictures: set[str] = set()
        self.files = ExportedFiles(is_room=False)
        self.done = self.total = 0
        self._told = 0.0

    async def write(self) -> None:
        found = await rooms_to_export(self.user)
        self.total = sum(place.size for place in found)
        self.files = ExportedFiles(await has_room(self.user.id))
        await self._tell(0, self.total)
        await self._about()
        for id, title, is_whole in (("chats", _("Chats"), True), ("rooms", _("Rooms"), False)):
            some = [place for place in found if place.is_whole == is_whole]
            await self.archive.add("exports/_file_part.html", id=id, title=title, count=len(some))
            for place in some:
                await self._place(place)
        await self._reactions()
        await self._saved()
        await self._invitations()
        await self.archive.add("exports/_file_end.html")
        for code, entry in self.files.entries.items():
            await self.archive.add_file(entry, code)
            await self._tell(self.done, self.total)

    async def _about(self) -> None:
        people = await contacts(self.user)
        sessions = await Session.filter(user_id=self.user.id).order_by("-used_at").limit(MAX_SESSIONS)
        self._see(self.user, *people.requests_received, *people.requests_sent, *people.friends, *people.blocked)
        about: dict[str, Any] = {
            "styles": Markup(f"<style>\n{render.fragment(STYLES)}</style>"),  # noqa: S704  a file of ours
            "person": self.user,
            "sessions": sessions,
            "zone": str(settings.SITE_TIMEZONE),
            "now": datetime.now(UTC),
            "has_room_for_files": self.files.is_room,
            "reactions_read": await read_until(self.user.id, self.user.reactions_read),
        }
        await self.archive.add("exports/_file_about.html", **about, **people._asdict())

    def _see(self, *people: Person | None) -> None:
        self.pictures |= {person.picture for person in people if person and person.picture}

    async def _seat(self, room_key: str) -> Seat | None:
        try:
            seat = await access.by_key(self.user.as_viewer(session_id=0), room_key)
        except (NotFound, Forbidden):
            return None  # it was deleted meanwhile, or they were kicked
        # Not to be seen anywhere else either.
        return None if seat.is_request and seat.is_blocked else seat

    async def _reactions(self) -> None:
        """What they reacted with, to which messages: not the words, which are others'."""
        titles: dict[str, Text | None] = {}
        given = await reactions_after(self.user.id, 0, REACTIONS_BATCH_SIZE)
        await self.archive.add("exports/_file_part.html", id="reactions", title=_("Reactions"), count=len(given))
        while given:
            for key in {one.room_key for one in given} - titles.keys():
                seat = await self._seat(key)
                titles[key] = seat.title if seat else None
            shown = [(one, titles[one.room_key]) for one in given if titles[one.room_key]]
            await self.archive.add("exports/_file_reactions.html", reactions=shown)
            given = await reactions_after(self.user.id, given[-1].id, REACTIONS_BATCH_SIZE)

    async def _saved(self) -> None:
        """Which messages they have saved, and may read still: not the words, which are others'."""
        found = await list_saved(self.user.id, limit=REACTIONS_BATCH_SIZE)
        await self.archive.add("exports/_file_part.html", id="saved", title=_("Saved messages"), count=len(found))
        while found:
            await self.archive.add("exports/_file_saved.html", saved=found)
            found = await list_saved(self.user.id, found[-1].id, REACTIONS_BATCH_SIZE)

    async def _invitations(self) -> None:
        """The invitations that they made: of a room that they read no more they have their own note, and no name."""
        made = await made_by(self.user.id, MAX_INVITATIONS)
        seats = {key: await self._seat(key) for key in {one.room_key for one in made} if key}
        shown = [(one, seat.title if (seat := seats.get(one.room_key or "")) else "") for one in made]
        await self.archive.add("exports/_file_part.html", id="invitations", title=_("Invitations"), count=len(made))
        await self.archive.add("exports/_file_invitations.html", invitations=shown)

    async def _place(self, place: ExportRoom) -> None:
        seat = await self._seat(place.key)
        if seat is None:
            return
        self._see(seat.other)
        await self.archive.add("exports/_file_room.html", seat=seat, count=place.size)
        await self._messages(seat, author_id=None if _is_whole(seat.kind) else self.user.id)
        await self.archive.add("exports/_file_room_end.html")

    async def _messages(self, seat: Seat, author_id: int | None) -> None:
        number, day = 0, date.min
        while lines := await messages.list_after(seat.room, number, BATCH_SIZE, author_id):
            shown, day = _by_day(lines, day)
            for file in [file for line in lines if line.author_code == self.user.code for file in line.files]:
                self.files.add(file)
            context = {"is_whole": _is_whole(seat.kind), "entries": self.files.entries}
            await self.archive.add("exports/_file_messages.html", messages=shown, **context)
            number = lines[-1].number
            self.done += len(lines)
            if time.monotonic() - self._told > PROGRESS_INTERVAL_SECONDS:
                self._told = time.monotonic()
                await self._tell(self.done, self.total)


def _by_day(lines: list[MessageRow], day: date) -> tuple[list[tuple[MessageRow, bool]], date]:
    """The messages, each with whether it is the first of its day after that one; and the day of the last."""
    days = [day, *(line.day for line in lines)]
    return [(line, line.day != before) for line, before in zip(lines, days, strict=False)], days[-1]
