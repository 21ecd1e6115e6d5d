"""A message that was just stored is shown from its row, here and in other processes, where that is all that changed."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from tests.conftest import Person
from tests.people import chat_of_two, make_private, make_room, post_as, who
from tests.query_recorder import recorded_queries
from tests.readers import reader as open_reader
from tests.readers import until_sent
from webapp import settings
from webapp.conversations.models import Room
from webapp.conversations.queries import room_by_id
from webapp.http import cookie
from webapp.live import Reader, hub, rings
from webapp.live.channel import LogChannel
from webapp.messages import changes, new_rows
from webapp.messages.models import Message
from webapp.messages.posting import Posted
from webapp.messages.queries import changes_since

READS = "FROM message"


@pytest.fixture
async def page(alice: Person, room: Room) -> Reader:
    """A page of the room, which holds all of it."""
    await post_as(who(alice), room, "first")
    return await opened(room, alice)


async def opened(room: Room, person: Person, language: str = "en") -> Reader:
    page = open_reader(
        room.id, 0, "sse", language=language, states=set(), session=person.session.id, user=who(person).id
    )
    hub().join(page)
    await until_sent(page, "<")
    return page


def row_of(posted: Posted) -> str:
    return posted.message.ring_text if posted.message else ""


async def sent_and_read(page: Reader, part: str, ring: Callable[[], object]) -> tuple[str, int]:
    """Return what the page was sent, and how often the changes of a room were read for it."""
    with recorded_queries() as queries:
        before = hub().counts.log_reads
        ring()
        sent = await until_sent(page, part)
        reads = hub().counts.log_reads - before
        assert any(READS in query for query, _values in queries) == (reads > 0)
        return sent, reads


async def test_a_post_is_shown_without_a_reading(alice: Person, room: Room, page: Reader) -> None:
    posted = await post_as(who(alice), room, "*second*")
    sent, reads = await sent_and_read(page, "second", lambda: changes.log_changed(room.id, 2, row_of(posted)))
    assert reads == 0
    assert f"id: {posted.version}\n" in sent


async def test_a_post_is_shown_where_it_was_stored_without_a_text_of_it(
    alice: Person, room: Room, page: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = await post_as(who(alice), room, "*second*")
    assert posted.message
    message = posted.message
    monkeypatch.setattr(new_rows, "hmac", None)
    sent, reads = await sent_and_read(page, "<em>second", lambda: changes.log_changed(room.id, 2, message))
    assert reads == 0
    assert f"id: {posted.version}\n" in sent


async def test_of_many_at_once_each_is_shown_once_and_in_order(alice: Person, room: Room, page: Reader) -> None:
    all_posted = await asyncio.gather(*(post_as(who(alice), room, f"of{count}.") for count in range(16)))

    def ring() -> None:
        for posted in reversed(all_posted):
            changes.log_changed(room.id, posted.version, row_of(posted))

    sent, reads = await sent_and_read(page, "-17", ring)
    assert reads == 0
    numbers = [part.split('"')[0] for part in sent.split(f'<li id="message-{room.id}-')[1:]]
    assert numbers == [str(number) for number in range(2, 18)]


@pytest.mark.parametrize("kind", ["public", "private", "chat"])
@pytest.mark.parametrize("words", ["plain", "**bold** and https://example.com/x", "<&> \u2028 \u00e4 \U0001f44d\nline"])
async def test_what_a_row_says_is_what_the_database_says(
    alice: Person, bob: Person, room: Room, kind: str, words: str
) -> None:
    if kind == "private":
        room = await make_private(alice, bob)
    elif kind == "chat":
        room = await chat_of_two(alice, bob)
    found = await room_by_id(room.id)
    assert found
    for person in (alice, alice, bob):
        posted = await post_as(who(person), room, words)
        [line] = await changes_since(found, posted.version - 1)
        [rung] = new_rows.read(room.id, [(posted.version, row_of(posted))]) or []
        assert rung.line == line
        assert rung.kind is found.kind
        assert posted.message
        assert new_rows.read(room.id, [(posted.version, posted.message)]) == [rung]


async def test_a_gap_is_read(alice: Person, room: Room, page: Reader) -> None:
    await post_as(who(alice), room, "not rung")
    posted = await post_as(who(alice), room, "rung")
    sent, reads = await sent_and_read(page, "-3", lambda: changes.log_changed(room.id, 3, row_of(posted)))
    assert reads == 1
    assert "not rung" in sent


async def test_words_that_were_removed_before_a_page_was_given_them_stay_away(
    alice: Person, room: Room, page: Reader
) -> None:
    posted = await post_as(who(alice), room, "a secret")
    version = await (await Message.get(room_id=room.id, number=2)).remove()

    def ring() -> None:
        changes.log_changed(room.id, posted.version, row_of(posted))
        changes.log_changed(room.id, version)

    sent, reads = await sent_and_read(page, f"id: {version}\n", ring)
    assert reads == 1
    assert "a secret" not in sent


async def test_versions_that_leap_as_after_a_restore_are_read(alice: Person, room: Room, page: Reader) -> None:
    await Room.filter(id=room.id).update(version=10**12)
    posted = await post_as(who(alice), room, "after the restore")
    assert posted.version == 10**12 + 1
    ring = row_of(posted)
    sent, reads = await sent_and_read(page, "after the restore", lambda: changes.log_changed(room.id, 10**12 + 1, ring))
    assert reads == 1
    assert 'hx-target="#log"' in sent


async def test_an_answer_and_a_long_message_are_read(alice: Person, room: Room, page: Reader) -> None:
    for number, (words, reply_to) in enumerate([("an answer", 1), ("x" * new_rows.MAX_BYTES, None)], 2):
        posted = await post_as(who(alice), room, words, reply_to=reply_to)
        assert not row_of(posted)
        ring = partial(changes.log_changed, room.id, posted.version, row_of(posted))
        _sent, reads = await sent_and_read(page, f"-{number}", ring)
        assert reads == 1


async def test_a_repeat_has_no_row_and_shows_nothing_again(alice: Person, room: Room, page: Reader) -> None:
    assert row_of(await post_as(who(alice), room, "once", "nonce"))
    repeated = await post_as(who(alice), room, "once", "nonce")
    assert repeated.is_repeat
    assert not row_of(repeated)


async def test_a_refused_post_brings_nothing(alice: Person, room: Room, page: Reader) -> None:
    answer = await alice.post(f"{room.path}/messages", {"body": " ", "nonce": "n"})
    assert answer.status_code == 422
    await Room.close(room.id)
    assert (await alice.post(f"{room.path}/messages", {"body": "late", "nonce": "n"})).status_code == 404
    assert not page.outbox.pending


@pytest.mark.parametrize("harm", ["words", "version", "room", "unsigned", "foreign"])
async def test_a_row_that_is_none_of_ours_is_not_believed(alice: Person, room: Room, page: Reader, harm: str) -> None:
    row = row_of(await post_as(who(alice), room, "second"))
    signature, _, text = row.partition(" ")
    if harm == "words":
        row = f"{signature} {text.replace('second', '<script>')}"
    elif harm == "version":
        row = row_of(await post_as(who(alice), room, "another"))
    elif harm == "room":
        other = await make_room(who(alice), "Other")
        await post_as(who(alice), other, "first")
        row = row_of(await post_as(who(alice), other, "of another room"))
    elif harm == "unsigned":
        row = text
    else:
        row = f"{cookie.signer('row').get_signature(text.encode()).decode()} {text}"
    ring = rings.row_text(f"room:{room.id}", 2, row)
    sent, reads = await sent_and_read(page, "second", lambda: hub().bridge.on_message(ring))
    assert reads == 1
    assert "<script>" not in sent
    assert "of another" not in sent


async def test_a_ring_with_a_row_from_another_process_is_followed_once(alice: Person, room: Room, page: Reader) -> None:
    posted = await post_as(who(alice), room, "from elsewhere")
    channel = f"room:{room.id}"
    texts = [rings.version_text(channel, 2), rings.row_text(channel, 2, row_of(posted))]

    def ring() -> None:
        for text in texts * 2:
            hub().bridge.on_message(text)

    sent, reads = await sent_and_read(page, "from elsewhere", ring)
    assert reads == 0
    for text in texts:
        hub().bridge.on_message(text)
    posted = await post_as(who(alice), room, "next")
    more, _reads = await sent_and_read(page, "next", lambda: changes.log_changed(room.id, 3, row_of(posted)))
    assert (sent + more).count("from elsewhere") == 1


async def test_while_a_right_may_have_ended_elsewhere_nothing_is_shown_from_rows(
    alice: Person, room: Room, page: Reader
) -> None:
    posted = await post_as(who(alice), room, "second")
    channel = hub().channels[f"room:{room.id}"]
    assert isinstance(channel, LogChannel)
    channel.tail.doubts.add(object())
    _sent, reads = await sent_and_read(page, "second", lambda: changes.log_changed(room.id, 2, row_of(posted)))
    assert reads == 1
    await hub().heartbeat.reconcile()
    posted = await post_as(who(alice), room, "third")
    _sent, reads = await sent_and_read(page, "third", lambda: changes.log_changed(room.id, 3, row_of(posted)))
    assert reads == 0


async def test_days_begin_in_another_zone_as_where_the_log_is_read(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "first")
    page = await opened(room, alice, "en Pacific/Kiritimati")
    posted = await post_as(who(alice), room, "second")
    sent, reads = await sent_and_read(page, "second", lambda: changes.log_changed(room.id, 2, row_of(posted)))
    assert reads == 0
    assert "message__day" not in sent
    # Where the time of the message before is not known, it is read.
    posted = await post_as(who(alice), room, "third")
    assert posted.message
    unknown = posted.message._replace(before_at=None).ring_text
    _sent, reads = await sent_and_read(page, "third", lambda: changes.log_changed(room.id, 3, unknown))
    assert reads == 1
    hub().leave(page)


@pytest.mark.parametrize("is_on", [True, False])
async def test_redis_sees_messages_where_the_setting_allows_it(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, is_on: bool
) -> None:
    posted = await post_as(who(alice), room, "for Redis")
    texts: list[str] = []
    monkeypatch.setattr(settings, "REDIS_MESSAGES", is_on)
    monkeypatch.setattr(type(hub().bridge), "is_shared", True)
    monkeypatch.setattr(hub().bridge, "send", lambda text, key="", channel="": texts.append(text))
    changes.log_changed(room.id, posted.version, row_of(posted))
    assert texts[-1] == f"{room.id} {posted.version}"
    assert [text for text in texts if "for Redis" in text] == texts[:-1]
    assert len(texts) == 1 + is_on
