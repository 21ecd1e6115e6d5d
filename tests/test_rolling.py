"""
An upgrade is rolled out process by process: one of the version before runs beside one of this, and both are one site.

What the two say to each other is frozen here, as the version before sends it: this one sends the same and follows it.
To change a ring, first teach a release to follow both. `.ci/full` runs the tests of several processes beside one that
has the older code.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Person
from tests.people import who
from tests.readers import reader as open_reader
from webapp import settings
from webapp.accounts import broadcasts as accounts
from webapp.accounts.models import PERMANENT, User
from webapp.conversations import broadcasts as conversations
from webapp.conversations import kinds
from webapp.conversations.models import Room
from webapp.conversations.seats import RoomRow
from webapp.http import cookie
from webapp.live import Frame, hub
from webapp.live.providers import LogSource
from webapp.messages import changes, typing
from webapp.moderation import broadcasts as moderation
from webapp.presence import broadcasts as presence
from webapp.relationships import broadcasts as relationships
from webapp.strangers import broadcasts as strangers

AT = datetime(2026, 1, 2, tzinfo=UTC)
TEA = RoomRow(12, "tea", kinds.PUBLIC, "Tea", "", "", 345, 9, AT, 3, None, None, None, None, AT)
ADA = User(id=9, code="K7Q2-M9XD", display_name="Ada \u00e4 \u201cx\u201d")

# What happens in room 12, to the people 7 and 9, the sessions 5 and 6, the masks 3 and 4; and what is sent of it.
RINGS: list[tuple[Callable[[], object], list[str]]] = [
    (lambda: changes.log_changed(12, 345), ["12 345"]),
    (lambda: conversations.details_changed(12), ["12 about"]),
    (lambda: conversations.looks_changed(12), ["12 about", '{"news": "room", "room": 12}']),
    (lambda: presence.rooms_changed([12]), ["12 people"]),
    (lambda: hub().refresh("room:12", "receipts"), ["12 receipts"]),
    (lambda: conversations.put_out(TEA, 9, AT + timedelta(days=1)), ['{"channel": 12, "user": 9}']),
    (lambda: conversations.group_changed(12), ['{"news": "room", "room": 12}']),
    (lambda: conversations.room_deleted(12), ['{"channel": 12}', '{"news": "room", "room": 12}']),
    (
        lambda: conversations.membership_changed(12, 7, 9),
        ['{"news": "place", "user": 7, "room": 12}', '{"news": "place", "user": 9, "room": 12}'],
    ),
    (lambda: accounts.sessions_ended(5, 6), ['{"session": 5}', '{"session": 6}']),
    (lambda: accounts.renewed(5), ['{"session": 5}']),
    (lambda: accounts.person_changed(ADA), ['{"news": "person", "code": "K7Q2-M9XD"}']),
    (lambda: relationships.relationships_changed(ADA), ['{"news": "ties", "user": 9}']),
    (lambda: moderation.banned(9), ['{"user": 9}']),
    (lambda: presence.changed([9, 7]), ['{"news": "presence", "users": "7,9"}']),
    (lambda: strangers.moved([3, 4]), ['{"news": "moved", "masks": "3 4"}']),
    (lambda: strangers.left(12, 3), ["12 company", '{"user": 3, "channel": 12}']),
    (
        lambda: typing.started(12, ADA),
        ['{"news": "typing", "room": 12, "code": "K7Q2-M9XD", "name": "Ada \\u00e4 \\u201cx\\u201d"}'],
    ),
    (lambda: typing.stopped(12, ADA), ['{"news": "typing", "room": 12, "code": "K7Q2-M9XD", "name": ""}']),
]
# News that the version before does not know, and drops with a line in its log: it has no page that shows them.
NEW = {"reacted", "unlisted", "chat_typing"}
NEWS = [text for _, texts in RINGS for text in texts if '"news"' in text]


def read(text: str) -> object:
    """What a ring says; in JSON the order says nothing."""
    return json.loads(text) if text.startswith("{") else text


@pytest.mark.parametrize(("act", "expected"), RINGS)
async def test_what_is_sent_to_other_processes_is_what_the_version_before_sends(
    app: object, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], expected: list[str]
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(hub().bridge, "send", lambda text, key="", channel="": sent.append(text))
    act()
    assert list(map(read, sent)) == list(map(read, expected))


async def test_the_row_beside_a_version_is_a_state_that_no_page_shows_to_the_version_before(
    app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(hub().bridge, "send", lambda text, key="", channel="": sent.append(text))
    monkeypatch.setattr(type(hub().bridge), "is_shared", True)
    changes.log_changed(12, 345, 'signature ["A","row"]')
    row, plain = sent
    assert plain == "12 345"
    channel, _, what = row.partition(" ")
    assert channel == "12"
    assert not what.isdigit()
    assert not any(what.startswith(state) for state in hub().providers.states["room"])


async def test_every_kind_of_news_is_frozen_or_new(app: object) -> None:
    assert {json.loads(text)["news"] for text in NEWS} == hub().providers.news.keys() - NEW


@pytest.mark.parametrize("text", NEWS)
async def test_news_of_the_version_before_reach_their_domain_with_all_facts(
    app: object, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    heard: list[tuple[str, dict[str, object]]] = []

    def record(kind: str) -> Callable[..., None]:
        return lambda **facts: heard.append((kind, facts))

    news = {kind: record(kind) for kind in hub().providers.news}
    monkeypatch.setattr(hub(), "providers", replace(hub().providers, news=news))
    hub().bridge.on_message(text)
    facts = json.loads(text)
    assert heard == [(facts.pop("news"), facts)]


@pytest.mark.parametrize("text", NEWS)
async def test_news_of_the_version_before_can_be_read_by_their_domain(
    app: object, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    hub().bridge.on_message(text)
    assert "could not be read" not in caplog.text


async def test_a_version_and_a_state_of_the_version_before_are_followed(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    source = hub().providers.logs["room"]

    async def read_log(number: int, cursors: object) -> object:
        asked.append(f"{number} log")
        return 345, dict.fromkeys(cursors, Frame(b"x", b"x"))  # type: ignore[call-overload]

    async def read_state(numbers: object) -> dict[int, Frame]:
        asked.extend(f"{number} about" for number in numbers)  # type: ignore[attr-defined]
        return {}

    logs = {"room": LogSource(read_log, source.versions, source.deleted)}  # type: ignore[arg-type]
    states = {"room": {"about": read_state}}
    monkeypatch.setattr(hub(), "providers", replace(hub().providers, logs=logs, states=states))
    reader = open_reader(room.id, 344, "sse", states={"about"}, session=alice.session.id, user=who(alice).id)
    hub().join(reader)
    async with asyncio.timeout(5):
        while sorted(asked) != [f"{room.id} about", f"{room.id} log"]:
            await asyncio.sleep(0)
        asked.clear()
        hub().bridge.on_message(f"{room.id} 346")
        hub().bridge.on_message(f"{room.id} about")
        while not {f"{room.id} about", f"{room.id} log"} <= set(asked):
            await asyncio.sleep(0)
    hub().leave(reader)


@pytest.mark.parametrize("ring", ['{{"session": {session}}}', '{{"user": {user}}}', '{{"channel": {room}}}'])
async def test_rights_that_ended_at_the_version_before_end_here(
    alice: Person, bob: Person, room: Room, ring: str
) -> None:
    reader = open_reader(room.id, 0, "sse", session=bob.session.id, user=who(bob).id)
    hub().join(reader)
    if "session" in ring:
        await bob.session.delete()
    elif "user" in ring:
        await User.filter(id=who(bob).id).update(banned_until=PERMANENT)
    else:
        await Room.close(room.id)
    hub().bridge.on_message(ring.format(session=bob.session.id, user=who(bob).id, room=room.id))
    async with asyncio.timeout(5):
        while not reader.outbox.is_closed:
            await asyncio.sleep(0)
    hub().leave(reader)


def test_processes_of_both_versions_share_their_cookies_and_their_channel() -> None:
    """All are made of the secret: another value here signs everybody out, or parts the two."""
    assert settings.installation() == "parley:148aaf5fe020"
    assert (cookie.name("http"), cookie.name("https")) == ("session-af5fe020", "__Host-session-af5fe020")
    assert cookie.read_token("t0ken.H2OAUQ25h_CYY0x79K2t2BRNLUU") == "t0ken"
    assert cookie.form_token("t0ken") == "TBzL0kdOswta6C9Xb2_qGPOJPLg"
    assert cookie.digest("t0ken") == "b46c09677343261f0b439a472422225e3a230c9c094d6ab16762e2036b597053"
