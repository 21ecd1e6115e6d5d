"""Messages that can't be taken: what is refused, and that what was written is never lost by it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tortoise.exceptions import OperationalError

from tests.conftest import Person, bodies, person
from tests.message_pages import draft, nonce_in, said
from tests.page import words
from tests.people import assert_gapless, now, who
from webapp import settings
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.db import sql, transaction
from webapp.messages import posting
from webapp.messages.models import MAX_LENGTH, new_nonce

FORM = "application/x-www-form-urlencoded"


async def send(one: Person, room: Room, content: Any, kind: str = FORM, **headers: str) -> httpx2.Response:
    """A post with these very bytes as its body."""
    return await one.client.post(f"{room.path}/messages", content=content, headers={"Content-Type": kind, **headers})


async def raw(one: Person, room: Room, body: str, **headers: str) -> httpx2.Response:
    """A post from a browser that does not say where it comes from, but for these headers."""
    request = one.client.build_request("POST", f"{room.path}/messages", data={"body": body}, headers=headers)
    if "Sec-Fetch-Site" not in headers:
        del request.headers["Sec-Fetch-Site"]
    return await one.client.send(request)


@pytest.fixture
async def gone(app: object) -> Person:
    """A person whose session has ended."""
    gone = await person(app, "gone")
    await gone.session.delete()
    return gone


# What can't be taken.


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "\n\n \t\r\n",
            "\u200b",
            "\u200d\u200c",
            "\ufeff",
            "\u202e\u2066",
            "\x00\x01\x7f",
            "\u00ad",
            "\u00a0",
        ),
        *("\u2028", "\u3000", "\u0301", "\ufe0f", "\U000e0041", "\u3164"),
    ],
)
async def test_a_message_that_nobody_can_see_is_refused(bob: Person, room: Room, text: str) -> None:
    nonce = new_nonce()
    page = await bob.say(room, text, nonce)
    fragment = await bob.say(room, text, nonce, HX_Request="true")
    framed = await bob.post(f"{room.path}/messages", {"body": text, "nonce": nonce, "framed": "1"})
    for answer in (page, fragment, framed):
        assert answer.status_code == 422
        assert "Write something first." in words(answer)
        assert nonce_in(answer) == nonce
    assert await bodies(room) == []
    assert (await bob.say(room, f"{text}.", nonce)).status_code == 303
    await assert_gapless(room, 1)


async def test_a_message_that_is_too_long_comes_back_with_its_text(bob: Person, room: Room) -> None:
    assert MAX_LENGTH == 4000
    for fits in ("x" * 4000, "🎉" * 4000, "\r\n" * 3 + "é" * 4000 + " " * 100, "y" * 1999 + "\r\n" + "y" * 2000):
        assert (await bob.say(room, fits)).status_code == 303, fits[:3]
    assert [len(body) for body in await bodies(room)] == [4000, 4000, 4000, 4000]
    long, nonce = "<b>" + "x" * 3998, new_nonce()
    page = await bob.say(room, long, nonce)
    framed = await bob.post(f"{room.path}/messages", {"body": long, "nonce": nonce, "framed": "1"})
    fragment = await bob.say(room, long, nonce, HX_Request="true")
    for answer in (page, framed, fragment):
        assert answer.status_code == 422
        assert "That is 4,001 characters; 4,000 fit in a message." in words(answer)
        assert nonce_in(answer) == nonce
    assert draft(page) == draft(framed) == long
    assert page.text.count("<html") == framed.text.count("<html") == 1
    assert said(page).keys() == {1, 2, 3, 4}
    assert 'id="log"' not in framed.text
    assert fragment.text.startswith('<div id="sending"')
    await assert_gapless(room, 4)
    assert (await bob.say(room, long[1:], nonce)).status_code == 303


async def test_harmful_characters_are_removed_and_the_rest_is_stored(bob: Person, room: Room) -> None:
    await bob.say(room, "a\x00b\x08c\x1b[31m\u202ed\u2066e\ufefff\x7f\u0085")
    await bob.say(room, "one\r\ntwo\rthree\n\n\n\n\n\nfour\ttab  ")
    await bob.say(room, "👩\u200d👩\u200d👧 🏳️\u200d🌈 می\u200cخواهم e\u0301")
    stored = await bodies(room)
    assert stored[0] == "abcdef"
    assert stored[1] == "one\ntwo\nthree\n\n\nfour\ttab"
    assert stored[2] == "👩\u200d👩\u200d👧 🏳️\u200d🌈 می\u200cخواهم é"
    assert said(await bob.get(room.path))[1] == "abcdef"


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b"body=%FF%FEhello&nonce=n", "\ufffd\ufffdhello"),
        (b"body=caf%C3%A9&nonce=%FF", "café"),
        (b"body=%ED%A0%80half", "\ufffd\ufffd\ufffdhalf"),
        (b"body=%F0%9F%8E%89&body=", ""),
        (b"body=first&nonce=a&nonce=b", "first"),
        (b"body=a%zzb", "a%zzb"),
        (b"&&&body=plus+and%26&&", "plus and&"),
    ],
)
async def test_bytes_that_are_no_text_become_text(bob: Person, room: Room, content: bytes, stored: str) -> None:
    answer = await send(bob, room, content)
    assert answer.status_code == (303 if stored else 422)
    assert await bodies(room) == ([stored] if stored else [])
    assert list(said(await bob.get(room.path)).values()) == ([stored] if stored else [])


async def test_script_is_shown_as_it_was_typed(alice: Person, bob: Person, room: Room) -> None:
    typed = "<script>alert(1)</script> <img src=x onerror=alert(2)> &lt; \"'"
    await bob.say(room, typed)
    page = await alice.get(room.path)
    assert said(page) == {1: typed}
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert await bodies(room) == [typed]
    assert draft(await bob.get(f"{room.path}/messages/1/edit")) == typed


async def test_a_draft_of_script_is_shown_as_it_was_typed(bob: Person, room: Room) -> None:
    typed = "</textarea><script>alert(1)</script>" + "x" * 4000
    page = await bob.say(room, typed, '"><script>alert(2)</script>')
    assert page.status_code == 422
    assert draft(page) == typed
    assert "<script>alert" not in page.text


async def test_a_body_of_megabytes_is_refused(bob: Person, room: Room) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"body="
        for _ in range(100):
            yield b"x" * 100_000

    assert (await send(bob, room, b"body=" + b"x" * 4000)).status_code == 303
    for content in (b"body=" + b"x" * 10_000_000, chunks()):
        refused = await send(bob, room, content)
        assert refused.status_code == 413
        assert "too large to send" in words(refused)
    assert len(await bodies(room)) == 1


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "nonsense", "application/xml"])
async def test_a_body_that_is_no_form_is_refused(bob: Person, room: Room, kind: str) -> None:
    assert (await send(bob, room, b"body=hello")).status_code == 303
    refused = await send(bob, room, b'{"body": "hello"}', kind)
    assert refused.status_code == 422
    assert "Write something first." in words(refused)
    assert await bodies(room) == ["hello"]


async def test_a_form_with_parts_is_taken_unless_it_is_broken_or_holds_a_file(bob: Person, room: Room) -> None:
    def parts(disposition: str, end: str = "--x--\r\n") -> bytes:
        return f'--x\r\nContent-Disposition: form-data; name="body"{disposition}\r\n\r\nhello\r\n{end}'.encode()

    kind = "multipart/form-data; boundary=x"
    assert (await send(bob, room, parts(""), kind)).status_code == 303
    for content in (parts('; filename="body.txt"'), b"garbage", b""):
        refused = await send(bob, room, content, kind)
        assert refused.status_code in (400, 422)
        assert words(refused)
    assert await bodies(room) == ["hello"]


async def test_a_form_with_very_many_fields_is_refused(bob: Person, room: Room) -> None:
    assert (await send(bob, room, b"a=1&body=hello")).status_code == 303
    refused = await send(bob, room, b"&".join(b"a=1" for _ in range(1000)) + b"&body=hello")
    assert refused.status_code == 400
    assert "The request could not be read." in words(refused)
    assert await bodies(room) == ["hello"]


async def test_a_post_from_another_site_is_refused_and_nothing_is_stored(
    alice: Person, bob: Person, room: Room
) -> None:
    assert (await raw(bob, room, "from here", Origin="http://localhost")).status_code == 303
    assert (await raw(bob, room, "from here too", Referer="http://localhost/rooms/tea-cake")).status_code == 303
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/localhost"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ):
        refused = await raw(bob, room, "from there", **headers)
        assert refused.status_code == 403, headers
        assert re.search(
            r"This came from another site|This form came from \S+, but reached this server", words(refused)
        )
    assert await bodies(room) == ["from here", "from here too"]


async def test_a_browser_without_fetch_metadata_posts_with_the_token_of_its_page(bob: Person, room: Room) -> None:
    [token] = set(re.findall(r'name="token" value="([^"]+)"', (await bob.get(room.path)).text))
    request = bob.client.build_request("POST", f"{room.path}/messages", data={"body": "from w3m", "token": token})
    del request.headers["Sec-Fetch-Site"]
    assert (await bob.client.send(request)).status_code == 303
    request = bob.client.build_request("POST", f"{room.path}/messages", data={"body": "forged", "token": token[::-1]})
    del request.headers["Sec-Fetch-Site"]
    assert (await bob.client.send(request)).status_code == 403
    assert await bodies(room) == ["from w3m"]


# The draft is kept.


async def test_a_post_after_the_session_ended_gives_the_draft_back(gone: Person, visitor: Person, room: Room) -> None:
    for one in (gone, visitor):
        page = await one.say(room, "a <long> thought")
        assert page.status_code == 401
        assert draft(page) == "a <long> thought"
        assert '<a class="button" href="/login">Sign in</a>' in page.text
        fragment = await one.say(room, "a <long> thought", "my nonce", HX_Request="true")
        assert fragment.status_code == 401
        assert fragment.text.startswith('<div id="sending"')
        assert nonce_in(fragment) == "my nonce"
        assert "You are signed out. Sign in and send it again." in words(fragment)
    assert await bodies(room) == []


async def test_a_room_that_is_not_there_gives_the_draft_back(bob: Person, room: Room) -> None:
    assert (await bob.say(room, "hello")).status_code == 303
    page = await bob.post("/rooms/nowhere/messages", {"body": "a <long> thought"})
    assert page.status_code == 404
    assert draft(page) == "a <long> thought"
    assert "There is no such room. It may have been deleted." in words(page)
    fragment = await bob.post("/rooms/nowhere/messages", {"body": "a <long> thought"}, HX_Request="true")
    assert fragment.status_code == 404
    assert fragment.text.startswith('<div id="sending"')


async def test_posting_to_a_room_that_was_left_a_moment_ago_joins_it_again(bob: Person, room: Room) -> None:
    await bob.say(room, "hello")
    await bob.post(f"{room.path}/leave")
    assert (await now(room)).member_count == 1
    assert (await bob.say(room, "one more thing")).status_code == 303
    await assert_gapless(room, 2)
    assert (await now(room)).member_count == 2


async def test_a_post_that_is_on_its_way_when_one_leaves_joins_again(bob: Person, room: Room) -> None:
    held = await access.by_key(who(bob), room.key)
    assert held.membership
    await bob.post(f"{room.path}/leave")
    await posting.post(held, "one more thing", new_nonce())
    assert (await Membership.get(room_id=room.id, user_id=who(bob).id)).read_number == 1
    await assert_gapless(room, 1)


async def test_posting_very_often_is_slowed_down_and_loses_nothing(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    texts = [f"line {number}" for number in range(100)]
    answers = await asyncio.gather(*(bob.say(room, text) for text in texts))
    stored = [text for text, answer in zip(texts, answers, strict=True) if answer.status_code == 303]
    refused = {text: answer for text, answer in zip(texts, answers, strict=True) if answer.status_code == 429}
    assert len(stored) + len(refused) == 100
    assert len(stored) >= 20
    assert refused
    assert sorted(await bodies(room)) == sorted(stored)
    await assert_gapless(room, len(stored))
    for text, answer in refused.items():
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
        assert draft(answer) == text
        assert "Too many attempts. Wait" in words(answer)
    assert (await alice.say(room, "others are not slowed down")).status_code == 303


@pytest.mark.parametrize("way", ["page", "framed", "fragment"])
async def test_a_throttled_post_comes_back_with_its_nonce(
    bob: Person, room: Room, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    for number in range(20):
        assert (await bob.say(room, f"line {number}")).status_code == 303
    headers = {"HX_Request": "true"} if way == "fragment" else {}
    fields = {"body": "once more", "nonce": "my nonce", "framed": "1" if way == "framed" else ""}
    refused = await bob.post(f"{room.path}/messages", fields, **headers)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"].isdigit()
    assert nonce_in(refused) == "my nonce"
    assert draft(refused) == (None if way == "fragment" else "once more")
    assert "Too many attempts." in words(refused)


@pytest.mark.parametrize("error", [OperationalError("gone"), ConnectionRefusedError()], ids=["database", "network"])
async def test_while_the_database_is_away_the_draft_comes_back(
    bob: Person, room: Room, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    for target, name in ((transaction, "transact_here"), (access, "for_reading")):
        with monkeypatch.context() as away:
            away.setattr(target, name, fail)
            page = await bob.say(room, "a <long> thought", "my nonce")
            fields = {"body": "a <long> thought", "nonce": "my nonce", "framed": "1"}
            framed = await bob.post(f"{room.path}/messages", fields)
            fragment = await bob.say(room, "a <long> thought", "my nonce", HX_Request="true")
        for answer in (page, framed, fragment):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
            assert "Parley can't read or keep anything right now." in words(answer)
            assert nonce_in(answer) == "my nonce"
        assert fragment.text.startswith('<div id="sending"')
        for answer in (page, framed):  # from where it can be sent again
            assert draft(answer) == "a <long> thought"
            assert f'action="{room.path}/messages"' in answer.text
    assert await bodies(room) == []
    assert (await bob.say(room, "a <long> thought", "my nonce")).status_code == 303


async def test_while_sessions_can_not_be_read_the_draft_comes_back(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(sql, "fetch_inline", fail)
    page = await bob.say(room, "a <long> thought")
    assert page.status_code == 503
    assert draft(page) == "a <long> thought"
    fragment = await bob.say(room, "a <long> thought", "my nonce", HX_Request="true")
    assert fragment.status_code == 503
    assert nonce_in(fragment) == "my nonce"
