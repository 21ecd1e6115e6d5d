"""Files as the script of a page sends them, for tests."""

from io import BytesIO
from typing import Any

import httpx2
from PIL import Image

from tests.conftest import Person
from webapp.messages.models import new_nonce

PIECE = 512 * 1024


def photo(width: int = 60, height: int = 40, kind: str = "JPEG", **options: Any) -> bytes:
    """Return a picture as a phone stores one."""
    content = BytesIO()
    Image.new("RGB", (width, height), (180, 90, 40)).save(content, kind, **options)
    return content.getvalue()


async def begin(one: Person, place: str, name: str, size: int, **fields: str) -> httpx2.Response:
    """Begin a file at the address of a room, or of the chat with a person."""
    form = {"name": name, "size": str(size), **fields}
    return await one.post(f"{place}/files", form, HX_Request="true")


async def piece(one: Person, path: str, offset: int, content: bytes) -> httpx2.Response:
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream", "HX-Request": "true"}
    return await one.client.request("PATCH", path, content=content, headers=headers)


async def send(one: Person, place: str, name: str, content: bytes) -> str:
    """Send a whole file, and return its code."""
    begun = await begin(one, place, name, len(content))
    assert begun.status_code == 201, begun.text
    path = begun.headers["location"]
    for offset in range(0, len(content), PIECE):
        answer = await piece(one, path, offset, content[offset : offset + PIECE])
        assert answer.status_code == 204, answer.text
    return str(path.rpartition("/")[2])


async def say(one: Person, path: str, codes: list[str], body: str = "", nonce: str = "", **more: str) -> Any:
    """Send the form with these files."""
    fields: dict[str, Any] = {"body": body, "nonce": nonce or new_nonce(), "file": codes}
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return await one.client.post(f"{path}/messages", data=fields, headers=headers)
