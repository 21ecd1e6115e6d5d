"""What `check` looks at: whether settings, secret, database, Redis and disk are fit to serve."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import click

from webapp import settings
from webapp.accounts.models import User
from webapp.core import data_folder
from webapp.db import engine, sql
from webapp.db import migrate as schema
from webapp.db.refusals import Shared, TooNew
from webapp.files.usage import total_usage
from webapp.invitations import queries as invitations
from webapp.media import files
from webapp.media.places import open_place, try_out
from webapp.messages import indexing

TIMEOUT_SECONDS = 3.0
# A store may try a request again.
MEDIA_TIMEOUT_SECONDS = 15.0
# So many of the newest are looked for.
MAX_FILES = 200
MIN_FREE_MB = 200
# Of a database that is copied to be looked at: about a million messages.
MAX_COPIED_BYTES = 2**29


class CheckFailed(Exception):
    """What is wrong, and what to do about it."""


class Doubt(str):
    """What can't be known from here, and may be wrong: printed, but no failure."""


async def run_checks() -> list[bool]:
    """Print a line for each thing that Parley stands on; whether each is all right."""
    checks = {"settings": _settings, "secret": _secret, "database": _database, "redis": _redis, "disk": _disk}
    checks |= {"messages": _messages}
    checks |= {"media": _media, "proxy": _proxy} if settings.MEDIA else {"proxy": _proxy}
    found = await asyncio.gather(*(check() for check in checks.values()), return_exceptions=True)
    are_good = [_tell(name, result) for name, result in zip(checks, found, strict=True)]
    if are_good[list(checks).index("database")]:
        for name, check in (("search", _search), ("files", _files), ("accounts", _accounts)):
            [result] = await asyncio.gather(check(), return_exceptions=True)
            are_good.append(_tell(name, result))
    return are_good


def _tell(name: str, found: str | BaseException) -> bool:
    if isinstance(found, BaseException) and not isinstance(found, CheckFailed):
        raise found
    is_good = isinstance(found, str)
    mark = "?? " if isinstance(found, Doubt) else "ok " if is_good else "bad"
    click.echo(f"{mark} {name:<9} {found}")
    return is_good


async def _settings() -> str:
    """Each alone was found usable when it was read; here, whether they go together."""
    if settings.WORKERS > 1 and settings.ON_SQLITE:
        raise CheckFailed(
            f"WORKERS is {settings.WORKERS}, but SQLite serves one process: set DATABASE_URL to PostgreSQL."
        )
    if settings.WORKERS > 1 and not settings.REDIS_URL:
        raise CheckFailed(f"WORKERS is {settings.WORKERS}, but they can't hear of each other: set REDIS_URL.")
    source = ".env and the environment" if _exists(".env") else "the environment (there is no .env here)"
    for warning in settings.WARNINGS:
        click.echo(f"    {warning}")
    return f"{settings.SITE_NAME}, for {', '.join(settings.ALLOWED_HOSTS)}; read from {source}"


async def _messages() -> str:
    days = settings.KEEP_MESSAGES_DAYS
    return f"go after {days} days, or fewer where a room says so" if days else "stay, but where a room says otherwise"


async def _proxy() -> str:
    if settings.is_local_only():
        return "not needed: for this machine alone"
    if settings.TRUSTED_PROXIES:
        return f"{', '.join(settings.TRUSTED_PROXIES)} is believed; it has to speak https to visitors"
    return Doubt(
        "none in TRUSTED_PROXIES: people come by plain http, and what they type can be read on the way; or by a proxy "
        "that is not believed, and then they all count as one address, and cookies are not marked as secure."
    )


async def _secret() -> str:
    if settings._SECRET_KEY:
        return "from SECRET_KEY"
    path = settings.DATA_DIR / "secret"
    if not _exists(path):  # asked before it is read: reading makes it
        return f"none yet: the first start makes one in {path}"
    try:
        settings.secret_key()
    except (settings.InvalidSetting, OSError) as error:
        raise CheckFailed(str(error)) from None
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise CheckFailed(f"{path} can be read by others: chmod 600 {path}")
    return f"in {path}"


async def _database() -> str:
    place = settings.DATABASE_PLACE
    if settings.ON_SQLITE and not _exists(place):
        raise CheckFailed(
            f"there is no SQLite file at {place} yet: python -m webapp migrate makes it, and so does serve."
        )
    shown = f"{'SQLite' if settings.ON_SQLITE else 'PostgreSQL'} at {place}"
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await engine.check_sessions()
            async with engine.connected():
                waiting = await schema.missing()
    except (TooNew, Shared) as error:
        raise CheckFailed(str(error)) from None
    except Exception as error:  # whatever it is, the answer is no
        raise CheckFailed(f"{shown} does not answer ({_brief(error)}). Check DATABASE_URL.") from None
    if waiting:
        raise CheckFailed(f"{shown} is not up to date (it lacks {', '.join(waiting)}): python -m webapp migrate")
    return f"{shown}, up to date"


async def _search() -> str:
    """Whether messages are found by their words; looked at when the database is known to be well."""
    is_large = settings.ON_SQLITE and _size(settings.DATABASE_PLACE) > MAX_COPIED_BYTES
    damage = await asyncio.to_thread(index_damage) if settings.ON_SQLITE and not is_large else None
    if damage:
        raise CheckFailed(f"the index is damaged ({damage}), and messages are not found: python -m webapp reindex")
    async with engine.connected():
        part = await indexing.progress()
    if part < 1:
        return f"finds {part:.0%} of the messages, the newest first; a server indexes the others by itself"
    return f"finds all messages{' (the index is too large to be looked at here)' if is_large else ''}"


async def _files() -> str:
    """How many files messages have, and whether the newest are where they should be."""
    newest = "SELECT code FROM attachment WHERE message_id IS NOT NULL ORDER BY id DESC LIMIT ?"
    async with engine.connected():
        used = await total_usage()
        rows = await sql.fetch_all(newest, MAX_FILES)
    place = open_place(files.FOLDER)
    missing = [row["code"] for row in rows if await place.size(f"{row['code'][:2]}/{row['code']}") is None]
    if missing:
        raise CheckFailed(
            f"of the newest {len(rows)} files of messages {len(missing)} are missing ({missing[0]}): restore a backup"
        )
    return f"{used.files:,} of messages, {used.bytes / 2**20:,.1f} MB"


async def _accounts() -> str:
    """Who gets a new account."""
    if settings.REGISTRATION != "invited":
        return "anybody can create one" if settings.REGISTRATION == "open" else "nobody new gets one"
    async with engine.connected():
        valid = await invitations.count_valid(room_id=None)
        has_admin = await User.exists(is_admin=True)
    if not (valid or has_admin):
        return Doubt(
            "new ones need an invitation, and nobody can make one to the site: python -m webapp createsuperuser"
        )
    return f"new ones need an invitation; {valid:,} to the site {'is' if valid == 1 else 'are'} valid"


def index_damage() -> str | None:
    """
    Return what SQLite finds wrong in its index of words; None where that is nothing.

    It looks at a copy in memory: in the file it would hold up everybody who writes, nine seconds for a million.
    """
    with (
        contextlib.closing(sqlite3.connect(settings.DATABASE_PLACE, timeout=TIMEOUT_SECONDS)) as source,
        contextlib.closing(sqlite3.connect(":memory:")) as copy,
    ):
        source.backup(copy)
        try:
            copy.execute("INSERT INTO message_words(message_words) VALUES('integrity-check')")
        except sqlite3.DatabaseError as error:
            return _brief(error)
        return None


async def _redis() -> str:
    if not settings.REDIS_URL:
        return "not set: one process"
    from redis import asyncio as redis  # here, as who has none need not wait for it

    parts = urlsplit(settings.REDIS_URL)
    place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=TIMEOUT_SECONDS)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), client:
            await client.ping()
    except Exception as error:  # whatever it is, the answer is no
        raise CheckFailed(f"{place} does not answer ({_brief(error)}). Check REDIS_URL.") from None
    return place


async def _media() -> str:
    """Pictures and files in a bucket: stores a file and deletes it."""
    place = open_place(Path("check"))
    try:
        async with asyncio.timeout(MEDIA_TIMEOUT_SECONDS):
            await try_out(place)
    except (OSError, TimeoutError) as error:
        raise CheckFailed(f"{place.name} does not take files ({_brief(error)}). Check MEDIA_URL.") from None
    return f"pictures and files in {place.name}"


async def _disk() -> str:
    folder = settings.DATA_DIR
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise CheckFailed(f"{existing} can't be written to ({error.strerror}). Check DATA_DIR.") from None
    if is_open := data_folder.open_to_others():
        raise CheckFailed(f"{is_open[0]} can be read by others: chmod go= {is_open[0]}, or start it as its owner.")
    free = shutil.disk_usage(existing).free // 2**20
    if free < MIN_FREE_MB:
        raise CheckFailed(f"{folder} has {free:,} MB left: messages will soon be refused. Make room.")
    return (
        f"{folder}, {free:,} MB free"
        if existing == folder
        else f"{folder} is made at the first start, {free:,} MB free"
    )


def _exists(path: str | Path) -> bool:
    return os.path.exists(path)


def _size(path: str) -> int:
    return os.path.getsize(path)


def _brief(error: Exception) -> str:
    """The error on one line; a timeout has no words of its own."""
    return " ".join(str(error).split()) or f"not within {TIMEOUT_SECONDS:.0f} seconds"
