"""Files of messages in tests that are not about sending them: put where they belong, and counted afterwards."""

import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.files.models import PICTURE, Attachment
from webapp.media import files
from webapp.media.files import file_store
from webapp.messages.models import Message


async def attach(
    room: Room,
    author: User | None,
    number: int | None,
    name: str = "photo.webp",
    content: bytes = b"whole",
    description: str = "",
) -> Attachment:  # fmt: skip
    """Attach a picture to the message of that number, None for a composer: its row, and its two files in the store."""
    message = await Message.get(room_id=room.id, number=number) if number else None
    code = secrets.token_urlsafe(16)
    place = await Attachment.filter(message_id=message.id).count() if message else None
    row = await Attachment.create(
        code=code, room=room, message_id=message and message.id, author=author, place=place, kind=PICTURE,
        type="image/webp", name=name, description=description, size=len(content), received=len(content),
        width=40, height=30, thumb_width=4, thumb_height=3, thumb_size=5,
    )  # fmt: skip
    await file_store().put_bytes(code, content)
    await file_store().put_bytes(f"{code}-thumb.webp", b"thumb")
    if message:
        await Message.filter(id=message.id).update(file_count=(place or 0) + 1)
    return row


def stored() -> set[str]:
    """The names of all files that are in the store."""
    return {path.name for path in files.FOLDER.rglob("*") if path.is_file()}


def names(*rows: Attachment) -> set[str]:
    """What the store calls these files and their thumbnails."""
    return {name for row in rows for name in (row.code, f"{row.code}-thumb.webp")}


async def named() -> set[str]:
    """What rows of messages and composers name."""
    return names(*await Attachment.all())


async def sweep_later() -> None:
    """Sweep as of two hours later."""
    for path in files.FOLDER.rglob("*"):
        os.utime(path, (time.time() - 7200,) * 2)
    await file_store().sweep()


class Killed(Exception):
    """The process ends here."""


class _Counted(logging.Handler):
    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__()
        self._before = before

    def emit(self, record: logging.LogRecord) -> None:
        self._before()


@contextmanager
def killed_at(step: int) -> Iterator[list[int]]:
    """Within the block the work is killed before its nth statement or deletion of a file; how many steps there were."""
    done, plain = [0], os.unlink

    def before() -> None:
        done[0] += 1
        if done[0] == step:
            raise Killed

    def unlink(path: str | Path, **options: int) -> None:
        if files.FOLDER in Path(path).parents:
            before()
        plain(path, **options)

    logger, handler = logging.getLogger("tortoise.db_client"), _Counted(before)
    level, propagate = logger.level, logger.propagate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(handler)
        try:
            yield done
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


async def kill_at_every_step(set_up: Callable[[], Awaitable[None]], work: Callable[[], Awaitable[object]]) -> int:
    """
    Kill the work before each of its steps, from its beginning each time; return how often.

    Whenever that is: no row names a file that is not there, and after a sweep there is no file that no row names.
    """
    for step in range(1, 200):
        await set_up()
        with killed_at(step) as done, suppress(Killed):
            await work()
        assert await named() <= stored(), f"a row without its file, killed at step {step}"
        await sweep_later()
        assert stored() == await named(), f"a file without its row, killed at step {step}"
        if done[0] < step:
            return step - 1
    raise AssertionError
