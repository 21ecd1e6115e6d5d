"""What people of the sample data send each other besides words: pictures, a recording and a table."""

import asyncio
import secrets
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from webapp.cli.demo.drawings import draw_scene
from webapp.cli.demo.sounds import hum
from webapp.cli.demo.words import ROTA, SENT_IN_CHAT, SENT_IN_ROOM, Sent
from webapp.conversations.kinds import DIRECT, PUBLIC
from webapp.conversations.models import Membership, Room
from webapp.db import transaction
from webapp.files.models import FILE, PICTURE, SOUND, Attachment
from webapp.media.files import FileStore
from webapp.media.images import process_photo
from webapp.messages.markdown import render_markdown
from webapp.messages.models import Message
from webapp.ops.stores import open_file_store

# In a chat of the first person, and in the fourth of their rooms: what happens to messages of the others is elsewhere.
ROOM_PLACE = 3
# So many messages before the end of the log the first of them stands.
DISTANCE = 8


async def write_attachments(me: int) -> None:
    """Attach files to messages of the first person and of those whom they talk to, where there are enough."""
    store = open_file_store()
    for kind, place, sent in ((DIRECT, 0, SENT_IN_CHAT), (PUBLIC, ROOM_PLACE, SENT_IN_ROOM)):
        mine = Membership.filter(user_id=me, room__kind=kind.stored, room__last_number__gt=DISTANCE)
        found = await mine.order_by("room_id").offset(place).first().prefetch_related("room")
        if found:
            await _write(store, found.room, sent)


async def _write(store: FileStore, room: Room, sent: Iterable[Sent]) -> None:
    for place, one in enumerate(sent):
        message = await Message.get(room_id=room.id, number=room.last_number - DISTANCE + place)
        rows = [await _stored(store, name, description) for name, description in one.files]
        await transaction.transact(_attach, message, one.words, rows)


async def _attach(message: Message, words: str, rows: list[dict[str, Any]]) -> None:
    shared = {"room_id": message.room_id, "message_id": message.id, "author_id": message.author_id}
    for place, row in enumerate(rows):
        values = shared | row | {"place": place, "received": row["size"]}
        made = await Attachment.create(**values)
        await Attachment.filter(id=made.id).update(created_at=message.created_at)
    values = {"body": words, "html": render_markdown(words), "file_count": len(rows)}
    await Message.filter(id=message.id).update(**values)


async def _stored(store: FileStore, name: str, description: str) -> dict[str, Any]:
    """Store a file, and return what its row says of it."""
    code = secrets.token_urlsafe(16)
    row: dict[str, Any] = {"code": code, "name": name, "description": description}
    if name.endswith(".webp"):
        return row | await _store_picture(store, code, draw_scene(name.removesuffix(".webp")))
    content, kind, type = (hum(), SOUND, "audio/wav") if name.endswith(".wav") else (ROTA.encode(), FILE, "text/csv")
    await store.put_bytes(code, content)
    return row | {"kind": kind, "type": type, "size": len(content)}


async def _store_picture(store: FileStore, code: str, drawn: bytes) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        source = Path(folder) / "drawn"
        await asyncio.to_thread(source.write_bytes, drawn)
        photo = await process_photo(source)
    await store.put_bytes(code, photo.whole)
    await store.put_bytes(f"{code}-thumb.webp", photo.thumb)
    return {
        "kind": PICTURE,
        "type": "image/webp",
        "size": len(photo.whole),
        "width": photo.width,
        "height": photo.height,
        "thumb_width": photo.thumb_width,
        "thumb_height": photo.thumb_height,
        "thumb_size": len(photo.thumb),
    }
