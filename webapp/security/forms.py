"""Reading the forms that people send: what was typed, and the file in it, up to what is taken."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from webapp import settings

# 4,000 characters of four bytes each are 48,000 bytes in a form; the rest is room for names.
MAX_BODY_BYTES = 128 * 1024
MAX_UPLOAD_BYTES = settings.MAX_UPLOAD_MB * 2**20 + MAX_BODY_BYTES
MAX_FIELDS = 30
URLENCODED = "application/x-www-form-urlencoded"


class Upload(NamedTuple):
    """A file as it was sent: its name and type as the browser tells them, and no more of it than is taken."""

    name: str
    declared: str
    size: int
    content: bytes


async def form(request: Request, *names: str) -> dict[str, str]:
    """The named fields of the form that was sent; what is missing is empty. A form with a file can't be read."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == URLENCODED:
        return _typed(request, _decoded(await request.body()), names)
    return _typed(request, await request.form(max_fields=MAX_FIELDS, max_files=0), names)


async def form_with_file(request: Request, field: str, *names: str) -> tuple[dict[str, str], Upload | None]:
    """The same for a form that may have one file, in that field: None when no file was chosen."""
    async with request.form(max_fields=MAX_FIELDS, max_files=1, max_part_size=MAX_BODY_BYTES) as sent:
        typed = _typed(request, sent, names)
        files = {name: value for name, value in sent.items() if isinstance(value, UploadFile)}
        file = files.pop(field, None)
        if files:
            raise HTTPException(400)
        if file is None or not (file.filename or file.size):
            return typed, None
        content = await file.read(MAX_UPLOAD_BYTES)
        return typed, Upload(_whole(file.filename or ""), file.content_type or "", file.size or 0, content)


def _decoded(body: bytes) -> dict[str, str]:
    """What a form in the usual coding says: Starlette's parser is made for files, and takes ten times as long."""
    try:
        pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return dict(pairs)


def _typed(request: Request, sent: Mapping[str, Any], names: Collection[str]) -> dict[str, str]:
    values = {name: sent.get(name) for name in names}
    typed = {name: _whole(value) if isinstance(value, str) else "" for name, value in values.items()}
    request.state.typed = typed  # for the page of an error, which must not lose it
    return typed


def _whole(text: str) -> str:
    """The text without half surrogates, which some charsets (utf-7) can smuggle in, and nothing can store."""
    return text.encode(errors="ignore").decode()
