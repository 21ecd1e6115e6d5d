"""Files of messages, as tests put them there: a row of each, and its bytes in the store."""

from datetime import UTC, datetime
from typing import Any

from webapp.conversations.models import Room
from webapp.files.models import FILE, FILM, PICTURE, SOUND, Attachment
from webapp.messages.models import Message

# As long as a code is; each is its own.
_codes = iter(range(10**6))
OF_KIND: dict[str, dict[str, Any]] = {
    PICTURE: {
        "type": "image/webp", "name": "IMG_0815.jpg", "size": 214_000, "width": 1600, "height": 1200,
        "thumb_width": 480, "thumb_height": 360, "thumb_size": 38_000,
    },
    SOUND: {"type": "audio/ogg", "name": "what I heard.ogg", "size": 52_000},
    FILM: {"type": "video/mp4", "name": "garden.mp4", "size": 12_400_000},
    FILE: {"type": "application/pdf", "name": "ladder rota.pdf", "size": 240_000},
}  # fmt: skip


def new_code() -> str:
    return f"{next(_codes):022}"


async def attach(room: Room, number: int, kind: str = PICTURE, **fields: Any) -> Attachment:
    """Attach a file to the message of that number, past its form; none is in the store."""
    message = await Message.get(room_id=room.id, number=number)
    values = {"code": new_code(), "received": 0, "created_at": datetime.now(UTC)} | OF_KIND[kind] | fields
    made = await Attachment.create(
        room_id=room.id, message_id=message.id, author_id=message.author_id, place=message.file_count, kind=kind,
        **values,
    )  # fmt: skip
    await Message.filter(id=message.id).update(file_count=message.file_count + 1)
    return made


async def without_words(room: Room, number: int) -> None:
    """The message has nothing but its files."""
    await Message.filter(room_id=room.id, number=number).update(body="", html="")
