"""Reads forms: their fields, and a file up to its largest size."""

import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from webapp import settings
from webapp.http.client import client

# 4,000 characters of four bytes each are 48,000 bytes in a form; the rest is room for names.
MAX_BODY_BYTES = 128 * 1024
MAX_UPLOAD_BYTES = settings.MAX_UPLOAD_MB * 2**20 + MAX_BODY_BYTES
MAX_FIELDS = 30
URLENCODED, MULTIPART = b"application/x-www-form-urlencoded", b"multipart/form-data"
MAX_TYPE_LENGTH = 300
# RFC 2046, 5.1.1.
BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{1,70}")


class Upload(NamedTuple):
    """An uploaded file, cut at MAX_UPLOAD_BYTES. Its name and type are the sender's claims, and are not stored."""

    size: int
    content: bytes


async def read_form(request: Request, *names: str) -> dict[str, str]:
    """Return the named fields, empty where they are missing; raise HTTPException for a form with a file."""
    sent = await parsed(request)
    if any(isinstance(value, UploadFile) for _, value in sent.multi_items()):
        raise HTTPException(400)
    return _fields(request, sent, names)


async def read_repeated(request: Request, name: str) -> list[str]:
    """Return all values of the field that are not empty: a form has at most MAX_FIELDS of any name."""
    values = [value for value in (await parsed(request)).getlist(name) if isinstance(value, str) and value]
    request.state.repeated = {name: values}  # for the page of an error, as with _fields
    return values


async def read_form_with_file(request: Request, field: str, *names: str) -> tuple[dict[str, str], Upload | None]:
    """Return the named fields and the file in `field`, None where none was chosen; raise HTTPException for others."""
    sent = await parsed(request)
    form = _fields(request, sent, names)
    files = {name: value for name, value in sent.items() if isinstance(value, UploadFile)}
    file = files.pop(field, None)
    if files:
        raise HTTPException(400)
    if file is None or not (file.filename or file.size):
        return form, None
    content = await file.read(MAX_UPLOAD_BYTES)
    return form, Upload(file.size or 0, content)


async def read_form_with_files(
    request: Request, field: str, about: str, *names: str
) -> tuple[dict[str, str], list[tuple[UploadFile, str]]]:
    """
    Return the named fields, and the files in `field` that were chosen, each with what was typed about it.

    That is the next field after it whose name begins with `about`. Raises HTTPException for files in other fields.
    """
    sent = await parsed(request)
    files: list[tuple[UploadFile, str]] = []
    is_next = False
    for name, value in sent.multi_items():
        if isinstance(value, UploadFile):
            if name != field:
                raise HTTPException(400)
            # An empty field is sent too, without a name.
            is_next = bool(value.filename or value.size)
            if is_next:
                files.append((value, ""))
        elif is_next and name.startswith(about):
            files[-1] = files[-1][0], value
            is_next = False
    return _fields(request, sent, names), files


async def parsed(request: Request) -> FormData:
    """
    Read the form, once: the check of the origin needs its token, the view its fields.

    No other place reads a body. A body that is no form counts as one without fields, and is not read.
    """
    known: FormData | None = getattr(request.state, "form", None)
    if known is None:
        known = request.state.form = await _parsed(request)
    return known


async def read_prefixed(request: Request, prefix: str, names: Collection[str]) -> dict[str, str]:
    """Return the values of the fields that have this before one of the names, by what is behind it."""
    sent = await parsed(request)
    values = {name: sent.get(prefix + name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def read_fields(request: Request) -> dict[str, str]:
    """Return the fields that the view has read of the form; empty where it has read none."""
    fields: dict[str, str] = getattr(request.state, "fields", {})
    return fields


def repeated_fields(request: Request, name: str) -> list[str]:
    """Return what the view has read of the field with many values; none where it has read none."""
    fields: dict[str, list[str]] = getattr(request.state, "repeated", {})
    return fields.get(name, [])


async def close(request: Request) -> None:
    """Delete the temporary files of a form that was read."""
    if form := getattr(request.state, "form", None):
        await form.close()


def is_multipart(request: Request) -> bool:
    return _type(request)[0] == MULTIPART


def takes_file(request: Request) -> bool:
    return client(request).kind.takes_file and is_multipart(request)


def _type(request: Request) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_options_header(request.headers.get("content-type", "")[:MAX_TYPE_LENGTH])


async def _parsed(request: Request) -> FormData:
    kind, options = _type(request)
    if kind == URLENCODED:
        return _decoded(await _body(request))
    if kind == MULTIPART:
        return await _parts(request, options.get(b"boundary", b""))
    return FormData()


async def _body(request: Request) -> bytes:
    """Return the body: Starlette's way through a generator is for bodies that are not read whole."""
    chunks, has_more = list[bytes](), True
    while has_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        has_more = message.get("more_body", False)
    return b"".join(chunks)


def _decoded(body: bytes) -> FormData:
    """
    Return the fields of an urlencoded body: Starlette's parser is made for files, and takes ten times as long.

    As `urllib.parse.parse_qsl` reads one of valid UTF-8, with blank values, in half the time.
    """
    if body.count(b"&") >= MAX_FIELDS:
        raise HTTPException(400)
    pairs: list[tuple[str, str | UploadFile]] = []
    for field in body.split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            pairs.append((_unquoted(name), _unquoted(value)))
    return FormData(pairs)


def _unquoted(text: bytes) -> str:
    """By the standard of browsers (WHATWG, URL): invalid UTF-8 is replaced."""
    text = text.replace(b"+", b" ")
    return (unquote_to_bytes(text) if b"%" in text else text).decode(errors="replace")


async def _parts(request: Request, boundary: bytes) -> FormData:
    """
    Return the parts of a multipart form.

    Starlette's parser takes the codec from the request, and a client that names `punycode` stops the event loop for
    seconds. So the parser is given a Content-Type of ours, with a codec that changes nothing.
    """
    if not BOUNDARY.fullmatch(boundary):
        raise HTTPException(400)
    ours = b'multipart/form-data; charset=latin-1; boundary="%b"' % boundary
    headers = [one for one in request.scope["headers"] if one[0] != b"content-type"]
    scope = {**request.scope, "headers": [*headers, (b"content-type", ours)]}
    most_files = client(request).kind.max_files if takes_file(request) else 0
    sent = await Request(scope, request.receive).form(
        max_fields=MAX_FIELDS, max_files=most_files, max_part_size=MAX_BODY_BYTES
    )
    pairs: list[tuple[str, str | UploadFile]] = []
    for name, value in sent.multi_items():
        if isinstance(value, UploadFile):
            value.filename = _utf8(value.filename or "")
        pairs.append((_utf8(name), _utf8(value) if isinstance(value, str) else value))
    return FormData(pairs)


def _utf8(text: str) -> str:
    """Return the text of bytes that were read as latin-1; invalid UTF-8 is replaced."""
    return text.encode("latin-1").decode(errors="replace")


def _fields(request: Request, sent: FormData, names: Collection[str]) -> dict[str, str]:
    values = {name: sent.get(name) for name in names}
    form = {name: value if isinstance(value, str) else "" for name, value in values.items()}
    request.state.fields = form  # for the page of an error, which shows it again
    return form
