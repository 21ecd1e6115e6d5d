"""Rows of files for tests that do not send them."""

import secrets
from typing import Any

from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.files.models import FILE, Attachment


async def attachment(user: User, room: Room, name: str = "notes.txt", **values: Any) -> Attachment:
    """Return a file of the user's that has arrived, and goes with no message yet."""
    given = {"size": 5, "received": 5, "kind": FILE, "type": "application/octet-stream"} | values
    return await Attachment.create(code=secrets.token_urlsafe(16), author=user, room=room, name=name, **given)
