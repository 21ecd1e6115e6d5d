"""The folders of an installation in the archive of a backup: pictures, and the files of messages."""

import contextlib
import io
import os
import re
import sqlite3
import tarfile
import time
from pathlib import Path

from webapp.media import files, store

PICTURES, FILES = "pictures", "files"
# What an archive has of them, as a regular expression.
MEMBER = rf"{PICTURES}/[0-9a-f]{{32}}(-\d+)?\.webp|{FILES}/{files.NAME.pattern}"
_PICTURE = re.compile(r"([0-9a-f]{32}(?:-\d+)?\.webp)(\.gone)?")


def entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry


def add(tar: tarfile.TarFile, names: dict[str, set[str]]) -> None:
    """Add what is not in it yet of each folder, and to the names. What is half sent, in `uploads/`, is left out."""
    _add_pictures(tar, names[PICTURES])
    _add_files(tar, names[FILES])


def _add_pictures(tar: tarfile.TarFile, names: set[str]) -> None:
    """Those that are not in it yet; one that is out of sight (Store.release) may yet be wanted."""
    if not store.FOLDER.is_dir():
        return
    for file in sorted(store.FOLDER.iterdir()):
        match = _PICTURE.fullmatch(file.name)
        if match and match[1] not in names:
            with contextlib.suppress(FileNotFoundError):  # its owner has just changed it
                content = file.read_bytes()
                tar.addfile(entry(f"{PICTURES}/{match[1]}", len(content)), io.BytesIO(content))
                names.add(match[1])


def _add_files(tar: tarfile.TarFile, names: set[str]) -> None:
    """Add files of messages, each piece by piece as they may be large."""
    for path in sorted(files.FOLDER.glob("??/*")):
        if files.NAME.fullmatch(path.name) and path.name not in names:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as content:  # its message was just removed
                tar.addfile(entry(f"{FILES}/{path.name}", os.fstat(content.fileno()).st_size), content)
                names.add(path.name)


def put(work: Path) -> None:
    """Move what an archive held to where it belongs."""
    _put_pictures(work / PICTURES)
    _put_files(work / FILES)


def _put_pictures(source: Path) -> None:
    """They are named by what is in them: one that is here already is the same, and what nobody uses is swept."""
    store.FOLDER.mkdir(0o700, parents=True, exist_ok=True)
    for file in source.iterdir():
        os.replace(file, store.FOLDER / file.name)


def _put_files(source: Path) -> None:
    """Each in its folder of the store: their names are made by chance, so that no other file has one."""
    for file in source.iterdir():
        target = files.FOLDER / file.name[:2]
        target.mkdir(0o700, parents=True, exist_ok=True)
        os.replace(file, target / file.name)


# A message that had nothing else was removed with its file.
_REMOVE = "UPDATE message SET removed_at = created_at WHERE id = ? AND body = '' AND file_count = 0"


def drop_lost_files(copy: Path, stored: set[str]) -> None:
    """Delete rows of files that the archive does not hold: half sent, or removed while the backup was made."""
    with contextlib.closing(sqlite3.connect(copy)) as opened, opened:
        try:
            rows = opened.execute("SELECT code, message_id FROM attachment").fetchall()
        except sqlite3.OperationalError:  # of before there were files
            return
        for code, message in rows:
            if code not in stored:
                opened.execute("DELETE FROM attachment WHERE code = ?", [code])
                opened.execute("UPDATE message SET file_count = file_count - 1 WHERE id = ?", [message])
                opened.execute(_REMOVE, [message])
