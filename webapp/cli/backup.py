"""One file that holds an installation, made while it serves; and the way back from it."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from webapp import __version__, settings
from webapp.cli import folders
from webapp.cli.folders import FILES, PICTURES
from webapp.core import data_folder
from webapp.db import engine, sql
from webapp.db.applied import require_known
from webapp.db.refusals import TooNew
from webapp.settings.database_url import Postgres

FORMAT = 1
ABOUT, DATABASE, SECRET = "parley.json", "parley.sqlite3", "secret"
MEMBER = re.compile(rf"{re.escape(ABOUT)}|{re.escape(DATABASE)}|{SECRET}|{folders.MEMBER}")
BLOCK = 2**20
# What a file of an archive may have. The database may have what there is room for, and so may all of them together.
MAX_BYTES = {ABOUT: 2**16, SECRET: 2**12, PICTURES: 2**20}


# Making one.


def back_up(file: Path) -> list[str]:
    """
    Write the archive, readable by its owner alone, in the place of whatever is there; what to say about it.

    It appears whole or not at all. On SQLite the database is as of one moment, and nobody waits meanwhile.
    """
    file = file.resolve()
    with _problems(), tempfile.TemporaryDirectory(dir=file.parent, prefix=".parley-") as work:
        counts = _write(Path(work), Path(work) / "archive")
        os.replace(Path(work) / "archive", file)
    said = [
        f"{file} holds {'the database, ' if settings.ON_SQLITE else ''}{counts[PICTURES]} files of pictures, "
        f"{counts[FILES]} files of messages and the secret."
    ]
    if settings.MEDIA:
        said.append(f"Pictures and files are in {settings.MEDIA.place}, which is yours to save: they are not in it.")
    return [*said, *_how_to_dump(settings.POSTGRES)] if settings.POSTGRES else said


def _write(work: Path, archive: Path) -> dict[str, int]:
    """Write the archive; return how many files it has of each folder."""
    names = {PICTURES: set[str](), FILES: set[str]()}
    about = {"format": FORMAT, "version": __version__, "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
    about |= {"media": settings.MEDIA is not None}
    with (
        _created(archive) as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        # Twice: what the database says exists was there before, or has come while it was copied.
        folders.add(tar, names)
        if settings.ON_SQLITE:
            _copy_database(work / DATABASE)
            about |= {"database": _digest(work / DATABASE)}
            tar.add(work / DATABASE, DATABASE)
            folders.add(tar, names)
        if (secret := settings.DATA_DIR / SECRET).exists():
            tar.add(secret, SECRET)
        counts = {folder: len(found) for folder, found in names.items()}
        described = json.dumps(about | counts).encode()
        # Last: an archive that has it has everything.
        tar.addfile(folders.entry(ABOUT, len(described)), io.BytesIO(described))
    return counts


@contextlib.contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    """A new file of one's own, on the disk when the block has ended."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _copy_database(target: Path) -> None:
    """In one step, which in WAL mode holds up nobody who writes."""
    with (
        contextlib.closing(sqlite3.connect(f"{_sqlite().resolve().as_uri()}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


def _sqlite() -> Path:
    return Path(engine.config()["connections"]["default"]["credentials"]["file_path"])


def _how_to_dump(postgres: Postgres) -> list[str]:
    return [
        "The database is PostgreSQL's own to save. With the password in PGPASSWORD or ~/.pgpass:",
        f"  pg_dump --format=custom --file=parley.dump {shlex.quote(postgres.url())}",
    ]


# The way back.


def restore(file: Path, force: bool) -> list[str]:
    """
    Put what the archive holds in the place of what is here; what to say about it.

    The archive is checked first. With `force`, what was here is moved to a folder of its own beside it.
    """
    with _problems():
        data_folder.make()
    with _problems(), tempfile.TemporaryDirectory(dir=settings.DATA_DIR, prefix="restore-") as folder:
        work = Path(folder)
        about = _unpack(file, work)
        if (DATABASE in os.listdir(work)) != settings.ON_SQLITE:
            raise click.ClickException("The archive is of an installation with another kind of database.")
        _take_turns()
        said = [f"This is as of {about['made_at']} now."]
        if settings.ON_SQLITE:
            _leap_on_sqlite(work / DATABASE)
            if not (about.get("media") or settings.MEDIA):
                folders.drop_lost_files(work / DATABASE, set(os.listdir(work / FILES)))
            said += _move_aside(force)
            shutil.move(work / DATABASE, _sqlite())
        folders.put(work)
        if (work / SECRET).exists() and not (settings.DATA_DIR / SECRET).exists():
            shutil.move(work / SECRET, settings.DATA_DIR / SECRET)
    return said


def _unpack(file: Path, work: Path) -> dict[str, Any]:
    """The archive's files in a folder, every one of them looked at; its description."""
    for folder in (PICTURES, FILES):
        (work / folder).mkdir()
    room = shutil.disk_usage(work).free
    with tarfile.open(file, "r:gz") as tar:
        for entry in tar:
            if not (entry.isreg() and MEMBER.fullmatch(entry.name)):
                raise click.ClickException(f"{file} is no backup of Parley: it holds {entry.name!r}.")
            if entry.size > MAX_BYTES.get(entry.name.partition("/")[0], entry.size):
                raise click.ClickException(f"{file} is no backup of Parley: {entry.name} is too large.")
            if (room := room - entry.size) < 0:
                raise click.ClickException(f"There is no room in {settings.DATA_DIR} for what {file} holds.")
            content = tar.extractfile(entry)
            assert content
            with _created(work / entry.name) as copy:
                shutil.copyfileobj(content, copy, BLOCK)
    if not (work / ABOUT).exists():
        raise click.ClickException(f"{file} is not a whole backup of Parley.")
    about = _description(file, (work / ABOUT).read_bytes())
    if about["format"] != FORMAT:
        raise click.ClickException(f"{file} is of Parley {about['version']}, which is newer than this one.")
    for folder in (PICTURES, FILES):
        if about[folder] != len(os.listdir(work / folder)):
            raise click.ClickException(f"{file} is damaged: {folder} are missing.")
    if "database" in about:
        _check_copy(file, work / DATABASE, about["database"])
    return about


def _description(file: Path, content: bytes) -> dict[str, Any]:
    """What is in `parley.json`; the database's digest may be missing, and of files before there were any."""
    wanted = {"format": int, "version": str, "made_at": str, PICTURES: int, FILES: int}
    try:
        about = json.loads(content)
        if isinstance(about, dict):
            about.setdefault(FILES, 0)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or not all(isinstance(about.get(name), kind) for name, kind in wanted.items()):
        raise click.ClickException(f"{file} is damaged: {ABOUT} can't be read.")
    return about


def _check_copy(file: Path, copy: Path, digest: str) -> None:
    if not copy.exists() or _digest(copy) != digest:
        raise click.ClickException(f"{file} is damaged: the database is not as it was saved.")
    with contextlib.closing(sqlite3.connect(copy)) as opened:
        [(found,)] = opened.execute("PRAGMA quick_check(1)").fetchall()
        applied = [name for (name,) in opened.execute("SELECT name FROM tortoise_migrations").fetchall()]
    if found != "ok":
        raise click.ClickException(f"{file} is damaged: {found}.")
    try:
        require_known(applied)
    except TooNew as error:
        raise click.ClickException(f"{file} can't be restored by this Parley. {error}") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take_turns() -> None:
    if settings.ON_SQLITE and not data_folder.claim():
        raise click.ClickException(f"Parley serves the data in {settings.DATA_DIR}. Stop it first.")


def version_offset() -> int:
    """
    How far every room's version is set ahead: the pages that are open hold versions from after the backup, of which
    nothing is left, and the same numbers will soon mean other things. A page that is so far behind gets its log again.

    The time in milliseconds is more than any room's changes, and more at every restore of the same archive.
    """
    return int(time.time() * 1000)


def _leap_on_sqlite(copy: Path) -> None:
    with contextlib.closing(sqlite3.connect(copy)) as opened, opened:
        opened.execute("UPDATE room SET version = version + ?", (version_offset(),))


def _move_aside(force: bool) -> list[str]:
    """Make room for the database; what was there goes to a folder of its own."""
    current = _sqlite()
    if not current.exists():
        current.parent.mkdir(0o700, parents=True, exist_ok=True)
        return []
    if not force and _is_lived_in(current):
        raise click.ClickException(f"There are people in {current}. With --force they are put aside first.")
    aside = settings.DATA_DIR / f"before-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    aside.mkdir(mode=0o700)
    for file in (current, *(current.with_name(current.name + end) for end in ("-wal", "-shm"))):
        if file.exists():
            shutil.move(file, aside / file.name)
    return [f"What was here before is in {aside}."]


def _is_lived_in(current: Path) -> bool:
    with contextlib.closing(sqlite3.connect(current)) as opened:
        try:
            return bool(opened.execute('SELECT 1 FROM "user" UNION ALL SELECT 1 FROM room LIMIT 1').fetchone())
        except sqlite3.OperationalError:  # without tables there is nobody
            return False


async def leap_on_postgresql() -> None:
    await sql.execute("UPDATE room SET version = version + ?", version_offset())
    await sql.execute("DELETE FROM attachment WHERE message_id IS NULL AND received < size RETURNING id")


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """What the system or the archive refuses becomes a sentence."""
    try:
        yield
    except (data_folder.Unusable, OSError, EOFError, tarfile.TarError, sqlite3.Error, ValueError, KeyError) as error:
        raise click.ClickException(f"That is not possible: {error}") from None
