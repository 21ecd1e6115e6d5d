"""How a request is read: its headers and cookies once, and the fields of its form."""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from webapp.http import forms
from webapp.http.request import COOKIES, HEADERS, FoundHeaders, SharedRequest
from webapp.http.routes import Entrances

FORM = (b"content-type", b"application/x-www-form-urlencoded")
# Other tests may run beside it.
at_ease = settings(deadline=None, database=None)
names = st.sampled_from([b"host", b"cookie", b"x-a", b"accept"])
raw_headers = st.lists(st.tuples(names, st.binary(max_size=5)), max_size=6)


def request(*headers: tuple[bytes, bytes], parts: Iterable[bytes | None] = ()) -> SharedRequest:
    """A request whose body comes in these parts; None is a browser that goes away."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        part = left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return SharedRequest({"type": "http", "method": "POST", "headers": list(headers)}, receive)


def fields(*parts: bytes | None) -> list[tuple[str, object]]:
    return list(asyncio.run(forms.parsed(request(FORM, parts=parts))).multi_items())


@at_ease
@given(raw_headers)
def test_headers_are_those_that_starlette_finds(raw: list[tuple[bytes, bytes]]) -> None:
    ours, theirs = FoundHeaders(raw), Headers(raw=raw)
    for name in ("host", "Host", "COOKIE", "x-a", "accept", "missing"):
        assert (ours.get(name), ours.get(name, "no"), name in ours) == (
            theirs.get(name),
            theirs.get(name, "no"),
            name in theirs,
        )
        assert ours.getlist(name) == theirs.getlist(name)
        if name in theirs:
            assert ours[name] == theirs[name]
        else:
            with pytest.raises(KeyError):
                ours[name]
    assert (list(ours), len(ours), ours.raw, 5 in ours) == (list(theirs), len(theirs), theirs.raw, False)


@at_ease
@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=3))
def test_cookies_are_those_that_starlette_finds(cookies: list[str]) -> None:
    raw = [(b"cookie", value.encode("latin-1")) for value in cookies]
    theirs = Request({"type": "http", "headers": raw})
    assert request(*raw).cookies == theirs.cookies


def test_all_objects_of_one_request_read_it_once_and_a_stream_does_not_hold_what_they_read() -> None:
    seen = list[SharedRequest]()

    async def view(request: Request) -> Response:
        assert isinstance(request, SharedRequest)
        seen.append(request)
        assert request.cookies == {"a": "1"}
        return Response()

    async def nobody(token: str) -> None:
        return None

    scope = request((b"host", b"localhost"), (b"cookie", b"a=1")).scope | {"method": "GET", "scheme": "http"}
    first = SharedRequest(scope)
    assert first.headers is SharedRequest(scope).headers
    assert first.cookies is SharedRequest(scope).cookies
    read = list[bool]()

    async def send(message: Any) -> None:
        read.append(HEADERS in scope or COOKIES in scope)

    address = Entrances(nobody, nobody).page("/", view, "home")
    asyncio.run(address.handle(scope, first.receive, send))
    assert seen
    assert read == [False, False]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@at_ease
@given(st.lists(st.tuples(texts, texts), max_size=8))
def test_fields_are_read_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    assert fields(urlencode(pairs).encode()) == pairs


@at_ease
@given(st.text(st.sampled_from("ab=&%+2bBcC3é漢 ;\0"), max_size=60))
def test_any_form_is_read_as_python_reads_it(text: str) -> None:
    assert fields(text.encode()) == parse_qsl(text, keep_blank_values=True, errors="replace")


@at_ease
@given(st.binary(max_size=60))
def test_no_bytes_are_more_than_a_form_of_some_letters(body: bytes) -> None:
    assert all(isinstance(value, str) for _, value in fields(body))


def test_a_form_in_parts_is_read_whole_and_one_whose_browser_went_away_not_at_all() -> None:
    assert fields(b"a=1&b", b"", b"=%C3", b"%A9") == [("a", "1"), ("b", "é")]
    with pytest.raises(ClientDisconnect):
        fields(b"a=1", None)


def test_a_form_of_too_many_fields_is_refused() -> None:
    assert len(fields(b"&".join([b"a=1"] * forms.MAX_FIELDS))) == forms.MAX_FIELDS
    with pytest.raises(HTTPException):
        fields(b"&".join([b"a=1"] * (forms.MAX_FIELDS + 1)))
    with pytest.raises(HTTPException):
        fields(b"&" * forms.MAX_FIELDS)
