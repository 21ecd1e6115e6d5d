"""Strangers: coming in, being brought together, talking, leaving, keeping in touch; and that nobody is recognised."""

import asyncio
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from limits import parse
from tortoise.exceptions import OperationalError

from tests.conftest import COOKIE, Person, bodies, person
from tests.page import Page, words
from tests.readers import masked_reader
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.conversations.kinds import ANONYMOUS, DIRECT
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import room_by_id
from webapp.db import sql
from webapp.deletion import steps as leaving
from webapp.http import cookie
from webapp.live import hub
from webapp.messages import new_rows, posting
from webapp.messages.models import Message
from webapp.messages.queries import changes_since
from webapp.relationships.models import Block, Friendship, VeiledBlock
from webapp.relationships.queries import friendship_between
from webapp.strangers import conduct, masks, models, queries, retention
from webapp.strangers.company import watch
from webapp.strangers.models import Met, Stranger

WISHES = {"interests": "", "language": "en", "rules": "1"}


async def find(who: Person, **wishes: str) -> str:
    """Press "Find someone": where that leads in the end."""
    answer = await who.post("/strangers/find", WISHES | wishes)
    assert answer.status_code == 303, answer.text
    return await where(who)


async def where(who: Person) -> str:
    path = "/strangers"
    for _ in range(2):  # who is matched by this very look is led back here, and then on
        answer = await who.get("/strangers")
        path = answer.headers.get("Location", path)
    return path


async def stranger(who: Person) -> Stranger:
    """Whoever the person's browser is among strangers."""
    found = await Stranger.of((await session_of(who)).user_id)
    assert found
    return found


async def session_of(who: Person) -> Session:
    token = cookie.signer("session").unsign(who.client.cookies[COOKIE]).decode()
    return await Session.get(digest=cookie.digest(token))


async def chat_of(who: Person) -> Room:
    seat = await (await stranger(who)).current_chat()
    assert seat
    return await Room.get(id=seat.room.id)


@pytest.fixture
async def guest(app: object) -> Person:
    """A visitor who is about to come in."""
    return Person(app)


@pytest.fixture
async def other(app: object) -> Person:
    """Another one."""
    return Person(app)


@pytest.fixture
async def chat(guest: Person, other: Person) -> str:
    """The address of the chat of the two."""
    await find(guest)
    return await find(other)


# Coming in.


async def test_the_door_says_what_it_is_and_asks_for_the_rules(guest: Person) -> None:
    page = await guest.get("/strangers")
    assert page.status_code == 200
    assert "Talk to a stranger" in page.text
    assert "I am 18 or older and accept the rules" in page.text
    assert await User.all().count() == 0


async def test_the_front_page_and_the_lobby_lead_there(visitor: Person, alice: Person) -> None:
    assert 'href="/strangers"' in (await visitor.get("/")).text
    assert 'href="/strangers"' in (await alice.get("/lobby")).text


async def test_nobody_comes_in_without_accepting_the_rules(guest: Person) -> None:
    answer = await guest.post("/strangers/find", {"interests": "jazz", "language": "de"})
    assert answer.status_code == 422
    assert "18 years" in answer.text
    assert 'value="jazz"' in answer.text
    assert '<option value="de" selected>' in answer.text
    assert await Stranger.all().count() == 0


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"interests": "a b c d e f"}, "at most 5 words"),
        ({"interests": "x" * 25}, "at most 24 letters"),
        ({"language": "xx"}, "Choose one of these"),
    ],
)
async def test_invalid_interests_are_refused_beside_the_field(guest: Person, wishes: dict[str, str], said: str) -> None:
    answer = await guest.post("/strangers/find", WISHES | wishes)
    assert answer.status_code == 422
    assert said in answer.text


async def test_interests_are_the_same_however_they_are_written(guest: Person) -> None:
    await find(guest, interests=" #Jazz, CHESS,  jazz ﬁlm!")
    assert (await stranger(guest)).interests == "jazz chess film"


async def test_the_language_is_the_browsers(guest: Person) -> None:
    page = await guest.get("/strangers", Accept_Language="xx,tr;q=0.9,de;q=0.8")
    assert '<option value="tr" selected>' in page.text


async def test_a_visitor_becomes_a_guest_by_pressing_find(guest: Person) -> None:
    assert await find(guest) == "/strangers"
    mask = (await stranger(guest)).mask
    assert mask.is_guest
    assert mask.username is None
    assert re.fullmatch(r"\w+ \w+", mask.display_name)
    page = await guest.get("/strangers")
    assert mask.display_name in page.text
    assert "Nobody else is waiting right now" in page.text
    assert '<meta http-equiv="refresh" content="3">' in page.text


async def test_guests_of_one_address_are_limited(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    answers = [await Person(app).post("/strangers/find", WISHES) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [303] * 20 + [429]
    assert "Retry-After" in answers[-1].headers


async def test_a_new_guest_who_is_refused_stays_a_guest(guest: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_FIND", parse("0/hour"))
    refused = await guest.post("/strangers/find", WISHES)
    assert refused.status_code == 429
    token = re.search(r'name="token" value="([^"]+)"', refused.text)
    assert token
    del guest.client.headers["Sec-Fetch-Site"]
    again = await guest.post("/strangers/find", WISHES | {"token": token[1]})
    assert again.status_code == 429, "the form is of the session that was made for them"
    assert await User.filter(is_guest=True).count() == 1


async def test_a_new_guest_has_a_cookie_also_when_the_database_fails_then(
    guest: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(Stranger, "set_preferences", away)
        assert (await guest.post("/strangers/find", WISHES)).status_code == 503
    assert (await guest.post("/strangers/find", WISHES)).status_code == 303
    assert await User.filter(is_guest=True).count() == 1


@pytest.mark.parametrize("path", ["/lobby", "/rooms", "/friends", "/settings/profile", "/people", "/settings/sessions"])
async def test_a_guest_sees_the_strangers_and_nothing_else(guest: Person, path: str) -> None:
    await find(guest)
    page = await guest.get(path)
    assert (page.status_code, page.headers.get("Location")) == (303, "/strangers")
    assert (await guest.get(path, HX_Request="true")).status_code == 404


async def test_a_guest_finds_no_room(guest: Person, room: Room) -> None:
    await find(guest)
    for path in (room.path, f"{room.path}/settings"):
        assert (await guest.get(path)).headers["Location"] == "/strangers"
    assert (await guest.get(f"{room.path}/events")).status_code == 404
    assert (await guest.post(f"{room.path}/messages", {"body": "hi"})).status_code == 404
    assert await bodies(room) == []


async def test_a_guest_is_deleted_after_a_day(guest: Person) -> None:
    await find(guest)
    await Session.all().update(created_at=datetime.now(UTC) - timedelta(hours=25))
    assert "I am 18 or older" in (await guest.get("/strangers")).text
    await User.all().update(created_at=datetime.now(UTC) - timedelta(hours=25))
    await retention.delete_expired()
    assert await User.all().count() == 0
    assert await Session.all().count() == 0


# Waiting.


async def test_two_who_want_the_same_meet_at_once(guest: Person, other: Person) -> None:
    assert await find(guest) == "/strangers"
    path = await find(other)
    assert path.startswith("/strangers/chat/")
    assert await where(guest) == path
    room = await Room.get(kind=ANONYMOUS.stored)
    assert await Membership.filter(room_id=room.id).count() == 2
    assert await Stranger.filter(since__not_isnull=True).count() == 0


async def test_a_mask_that_stops_waiting_is_not_matched(guest: Person, other: Person) -> None:
    await find(guest)
    assert (await guest.post("/strangers/stop")).status_code == 303
    assert await find(other) == "/strangers"
    assert "I am 18 or older" in (await guest.get("/strangers")).text


async def test_a_mask_whose_page_has_closed_is_not_matched(guest: Person, other: Person) -> None:
    await find(guest)
    await Stranger.all().update(here_until=0)
    assert await find(other) == "/strangers"


async def test_one_who_presses_find_twice_waits_once(guest: Person) -> None:
    await find(guest)
    await asyncio.gather(*(guest.post("/strangers/find", WISHES) for _ in range(4)))
    assert await Stranger.all().count() == 1
    assert await where(guest) == "/strangers"


async def test_an_account_in_two_windows_is_one_stranger(alice: Person) -> None:
    await asyncio.gather(*(alice.post("/strangers/find", WISHES) for _ in range(4)))
    assert await Stranger.all().count() == 1
    assert await User.filter(is_guest=True).count() == 1


async def test_a_mask_in_a_chat_does_not_wait(guest: Person, chat: str) -> None:
    assert await find(guest) == chat
    assert not (await stranger(guest)).is_waiting


async def test_friends_and_blocked_people_never_meet(alice: Person, charlie: Person) -> None:
    assert alice.user
    assert charlie.user
    await Block.add(alice.user, charlie.user)
    await find(alice)
    assert await find(charlie) == "/strangers"
    await Block.remove(alice.user, charlie.user)
    await Friendship.request(alice.user, charlie.user)
    await Friendship.request(charlie.user, alice.user)
    assert await find(charlie) == "/strangers"
    await Friendship.remove(alice.user, charlie.user)
    await VeiledBlock.put(charlie.user, alice.user)
    assert await find(charlie) == "/strangers"
    await VeiledBlock.all().delete()
    assert (await find(charlie)).startswith("/strangers/chat/")


async def test_the_page_of_one_who_waits_becomes_the_chat(guest: Person, other: Person) -> None:
    await find(guest)
    mask = await stranger(guest)
    reader = masked_reader(None, None, "sse", session=(await session_of(guest)).id, user=mask.mask_id)
    hub().join(reader)
    path = await find(other)
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            if b"event: moved" in chunk:
                break
    answer = await guest.get("/strangers", HX_Request="true")
    assert answer.headers["HX-Redirect"] == path


async def test_a_ring_that_was_lost_is_made_up_for(
    guest: Person, other: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.strangers.company.moved", lambda masks: None)
    await find(guest)
    mask = await stranger(guest)
    reader = masked_reader(None, None, "sse", session=(await session_of(guest)).id, user=mask.mask_id)
    hub().join(reader)
    await watch().check()
    await find(other)
    await watch().check()
    heard = b""
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            heard += chunk
            if b"event: moved" in chunk:
                break
    assert b"#wait" in heard


# Talking.


async def test_strangers_talk_as_in_any_chat(guest: Person, other: Person, chat: str) -> None:
    sent = await guest.post(f"{chat}/messages", {"body": "Hello **there** https://example.org", "nonce": "a"})
    assert sent.status_code == 303
    page = (await other.get(chat)).text
    assert "Hello **there** https://example.org" in page
    assert '<a href="https://example.org' not in page
    assert (await stranger(guest)).mask.display_name in page
    assert "Delivered" not in (await guest.get(chat)).text
    await other.post(f"{chat}/read", {"number": "1"})
    assert "Seen" in (await guest.get(chat)).text


async def test_words_cannot_be_changed_and_say_so_nowhere(guest: Person, other: Person, chat: str) -> None:
    await guest.post(f"{chat}/messages", {"body": "hello"})
    assert "/edit" not in (await guest.get(chat)).text
    assert (await guest.get(f"{chat}/messages/1/edit")).status_code == 404
    room = await Room.get(kind=ANONYMOUS.stored)
    reader = masked_reader(room.id, 0, "sse", user=(await stranger(other)).mask_id)
    hub().join(reader)
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            assert b"/edit" not in chunk
            if b"hello" in chunk:
                break


async def test_common_interests_are_named(guest: Person, other: Person) -> None:
    await find(guest, interests="jazz chess")
    path = await find(other, interests="chess film jazz")
    assert "You both like chess, jazz" in (await guest.get(path)).text


async def test_an_outsider_finds_no_chat(chat: str, charlie: Person, admin: Person, visitor: Person) -> None:
    room = await Room.get(kind=ANONYMOUS.stored)
    for who in (charlie, admin, visitor):
        assert (await who.get(chat)).headers["Location"] == "/strangers"
        assert (await who.get(chat, HX_Request="true")).status_code == 404
        assert (await who.post(f"{chat}/messages", {"body": "hi"})).status_code == 404
        for path in ("typing", "composer", "live"):
            answer = await (who.post if path == "typing" else who.get)(f"{chat}/{path}")
            assert answer.status_code in (303, 404)
    for who in (charlie, admin):
        assert (await who.get(f"/rooms/{room.key}")).status_code == 404
    assert await bodies(room) == []


async def test_the_rooms_addresses_do_not_work_for_strangers_who_have_an_account(alice: Person, other: Person) -> None:
    await find(alice)
    await find(other)
    room = await Room.get(kind=ANONYMOUS.stored)
    for path in ("", "/settings", "/composer", "/messages/1"):
        assert (await alice.get(f"/rooms/{room.key}{path}")).status_code == 404
    assert (await alice.post(f"/rooms/{room.key}/messages", {"body": "hi"})).status_code == 404
    assert room.key not in (await alice.get("/lobby")).text


async def test_a_mask_is_nobodys_profile(alice: Person, chat: str, guest: Person) -> None:
    mask = (await stranger(guest)).mask
    assert (await alice.get(f"/people/{mask.code}")).status_code == 404
    assert (await alice.get(f"/chat/{mask.code}")).status_code == 404
    found = await alice.get(f"/people?q={mask.display_name}")
    assert "Nobody was found" in found.text


async def test_typing_is_said(guest: Person, chat: str) -> None:
    assert (await guest.post(f"{chat}/typing")).status_code == 204


async def test_a_chat_has_room_for_so_many_messages(guest: Person, chat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.conversations.kinds.Anonymous.max_messages", 2)
    answers = [await guest.post(f"{chat}/messages", {"body": f"{number}"}) for number in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 403]
    room = await Room.get(kind=ANONYMOUS.stored)
    assert await bodies(room) == ["0", "1"]


# Leaving.


async def test_when_one_leaves_it_is_over_for_both(guest: Person, other: Person, chat: str) -> None:
    await guest.post(f"{chat}/messages", {"body": "bye"})
    assert (await guest.post("/strangers/leave")).status_code == 303
    assert await where(guest) == "/strangers"
    page = await other.get(chat)
    assert "Stranger has left" in page.text
    assert "bye" in page.text
    assert 'id="composer"' not in page.text
    late = await other.post(f"{chat}/messages", {"body": "wait"})
    assert late.status_code == 403
    assert "wait" in late.text
    assert await Message.all().count() == 1


async def test_the_other_learns_at_once_that_a_stranger_left(guest: Person, other: Person, chat: str) -> None:
    room = await chat_of(other)
    reader = masked_reader(
        room.id, 0, "sse", session=(await session_of(other)).id, user=(await stranger(other)).mask_id
    )
    hub().join(reader)
    await guest.post("/strangers/leave")
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            if b"Stranger has left" in chunk:
                break


async def test_a_mask_without_a_page_is_away_and_then_has_left(guest: Person, other: Person, chat: str) -> None:
    room = await chat_of(other)
    gone = await stranger(guest)
    stays = await stranger(other)
    reader = masked_reader(room.id, 0, "sse", session=(await session_of(other)).id, user=stays.mask_id)
    hub().join(reader)
    [now] = await sql.fetch_all(f"SELECT {sql.CLOCK} AS now")
    await Stranger.filter(id=gone.id).update(here_until=now["now"] - 1000)
    await watch().check()
    seen = await queries.company_in([room.id])
    assert seen[room.id] == queries.Company(False, (gone.mask.code,))
    await Stranger.filter(id=gone.id).update(here_until=now["now"] - models.GRACE_MS - 1000)
    await watch().check()
    heard = b""
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            heard += chunk
            if b"Stranger has left" in heard:
                break
    assert await where(guest) == "/strangers"
    assert await where(other) == chat


async def test_next_asks_once_when_they_have_only_just_met(guest: Person, other: Person, chat: str) -> None:
    answer = await guest.post("/strangers/next")
    assert answer.headers["Location"] == "/strangers/next"
    assert "only just met" in (await guest.get("/strangers/next")).text
    assert await where(guest) == chat
    await guest.post("/strangers/next", {"sure": "1"})
    assert (await stranger(guest)).is_waiting
    assert "Stranger has left" in (await other.get(chat)).text


async def test_the_same_two_are_not_matched_again_while_a_third_waits(
    app: object, guest: Person, other: Person, chat: str
) -> None:
    third = Person(app)
    await find(third, language="de")
    await guest.post("/strangers/next", {"sure": "1"})
    await find(other)
    assert await Stranger.filter(since__not_isnull=True).count() == 3
    await Stranger.filter(since__not_isnull=True).update(since=0)  # nobody minds any more who it is
    meeting = await where(third)
    assert meeting.startswith("/strangers/chat/")
    assert meeting in (await where(guest), await where(other))
    assert await where(guest) != await where(other)


async def test_the_same_two_meet_again_where_nobody_else_waits(guest: Person, other: Person, chat: str) -> None:
    await guest.post("/strangers/next", {"sure": "1"})
    again = await find(other)
    assert again.startswith("/strangers/chat/")
    assert again != chat
    assert await where(guest) == again


async def test_an_old_window_says_nothing_into_the_next_chat(
    app: object, guest: Person, other: Person, chat: str
) -> None:
    await guest.post("/strangers/next", {"sure": "1"})
    new = await find(Person(app))
    assert await where(guest) == new
    late = await guest.post(f"{chat}/messages", {"body": "for the one before"})
    assert late.status_code == 404
    assert "for the one before" in late.text
    assert await Message.all().count() == 0
    events = await guest.get(f"{chat}/events")
    assert "event: moved" in events.text


async def test_a_blocked_stranger_is_never_matched_again(guest: Person, other: Person, chat: str) -> None:
    assert (await guest.post("/strangers/block")).status_code == 303
    assert "Stranger has left" in (await other.get(chat)).text
    await find(guest)
    assert await find(other) == "/strangers"
    assert await VeiledBlock.all().count() == 1
    assert await Block.all().count() == 0


def facts_of(who: Person) -> list[str]:
    """What names an account."""
    assert who.user
    return [who.user.display_name, who.user.code]


@pytest.mark.parametrize("also_by_name", [False, True])
async def test_a_block_from_a_mask_names_nobody_and_can_be_lifted(
    alice: Person, charlie: Person, also_by_name: bool
) -> None:
    assert alice.user
    assert charlie.user
    await find(alice)
    await find(charlie)
    await alice.post("/strangers/block")
    friends = (await alice.get("/friends")).text
    assert "A stranger, blocked on" in friends
    assert not [fact for fact in facts_of(charlie) if fact in friends]
    profile = (await alice.get(charlie.user.path)).text
    assert f"{charlie.user.path}/block" in profile
    assert "/unblock" not in profile
    if also_by_name:  # each stands by itself, and goes by itself
        await alice.post(f"{charlie.user.path}/block")
        assert "Charlie" in (await alice.get("/friends")).text
        await alice.post(f"{charlie.user.path}/unblock")
        assert "A stranger, blocked on" in (await alice.get("/friends")).text
    assert charlie.user.code not in (await alice.get("/me.css")).text
    assert await find(alice) == await find(charlie) == "/strangers"
    # Whom it is about is not touched by it under their name.
    await alice.post(f"/friends/{charlie.user.code}/ask")
    assert "Alice" in (await charlie.get("/friends")).text
    lift = re.findall(r'action="(/friends/blocks/\d+/lift)"', friends)
    assert len(lift) == 1
    await charlie.post(lift[0])  # only for who made it
    assert await VeiledBlock.all().count() == 1
    assert (await alice.post(lift[0])).headers["location"] == "/friends"
    assert await VeiledBlock.all().count() == 0
    assert (await find(alice)).startswith("/strangers/chat/")


async def test_blocking_by_name_does_not_reveal_a_reported_stranger(alice: Person, charlie: Person) -> None:
    assert charlie.user
    await find(alice)
    await find(charlie)
    await alice.post(f"{charlie.user.path}/block")
    assert 'action="/strangers/block"' in (await alice.get("/report?about=stranger&done=1")).text


async def test_a_guest_who_registers_brings_blocks_and_conduct_along(
    guest: Person, other: Person, alice: Person
) -> None:
    assert alice.user
    await find(guest)
    await find(alice)
    await guest.post("/strangers/block")
    mask = (await stranger(guest)).person
    await conduct.Conduct.add(mask, conduct.QUESTION_AT)
    await Met.filter(low=min(mask, alice.user.id), high=max(mask, alice.user.id)).update(skipped=mask)
    await guest.post("/strangers/register", {"username": "nora", "password": "correct horse battery"})
    nora = await User.get(username="nora")
    assert await VeiledBlock.exists(blocker_id=nora.id, blocked_id=alice.user.id)
    [met] = await Met.all()
    assert (met.low, met.high) == tuple(sorted((nora.id, alice.user.id)))
    assert met.low < met.high
    assert met.skipped == nora.id
    with pytest.raises(conduct.QuestionRequired):
        await conduct.Conduct.check(nora.id)


# Keeping in touch.


async def test_when_both_press_it_they_are_friends_and_the_chat_stays(
    app: object, alice: Person, charlie: Person
) -> None:
    await find(alice)
    chat = await find(charlie)
    await alice.post(f"{chat}/messages", {"body": "I know a good bakery"})
    alone = await alice.post("/strangers/keep")
    assert alone.headers["Location"] == f"{chat}?kept=1"
    assert await Friendship.all().count() == 0
    # Also when they come back to it, and the other sees nothing of it.
    pressed, other = (await alice.get(chat)).text, (await charlie.get(chat)).text
    assert "Waiting for the same from them" in pressed
    assert 'action="/strangers/keep"' not in pressed
    assert "Waiting for the same from them" not in other
    assert 'action="/strangers/keep"' in other
    assert "press" not in other.replace("Cypress", "")  # which may be the name of one
    both = await charlie.post("/strangers/keep")
    room = await Room.get(kind=DIRECT.stored)
    assert both.headers["Location"] == room.path
    assert alice.user
    assert charlie.user
    friendship = await friendship_between(alice.user, charlie.user)
    assert friendship
    assert friendship.accepted_at
    assert await where(alice) == room.path
    page = (await charlie.get(room.path)).text
    assert "I know a good bakery" in page
    # Nothing is left of what was rendered for the two in their masks, a moment ago.
    message = page.partition('<ol id="log"')[2].partition("</ol>")[0]
    assert ">Alice</a>" in message
    assert 'href="?all=1"' in message
    assert chat not in page
    assert await where(alice) == "/strangers"


async def test_after_a_few_messages_the_log_names_the_way_to_stay_in_touch_to_both_alike(
    alice: Person, charlie: Person
) -> None:
    await find(alice)
    chat = await find(charlie)
    for number in range(1, 8):
        await alice.post(f"{chat}/messages", {"body": f"message {number}"})
    assert not Page(await alice.get(chat)).all(".message__hint")
    await charlie.post("/strangers/keep")
    await alice.post(f"{chat}/messages", {"body": "message 8"})
    await alice.post(f"{chat}/messages", {"body": "message 9"})
    hers, his = Page(await alice.get(chat)), Page(await charlie.get(chat))
    assert hers.one("#log").html == his.one("#log").html, "also when one of them has pressed it"
    [hint] = hers.all(".message__hint")
    assert "Keep in touch" in hint.text()
    assert hint.parent
    assert hint.parent.attributes["id"].endswith("-8")
    friends = await alice.post("/strangers/keep")
    assert not Page(await alice.get(friends.headers["location"])).all(".message__hint")


async def test_the_chats_of_an_account_stand_in_a_frame_beside_a_stranger_and_not_in_the_page(
    alice: Person, bob: Person, guest: Person, room: Room
) -> None:
    await find(alice)
    chat = await find(guest)
    page = Page(await alice.get(chat))
    assert page.one("iframe.sidebar").attributes["src"] == "/sidebar"
    assert room.name not in page.one("body").text()
    assert "Tea &amp; Cake" in (await alice.get("/sidebar")).text
    assert not Page(await guest.get(chat)).all("iframe.sidebar")


async def test_those_who_have_a_chat_already_are_led_to_it(alice: Person, charlie: Person) -> None:
    assert charlie.user
    await alice.post(f"/chat/{charlie.user.code}/messages", {"body": "long ago"})
    await find(alice)
    await find(charlie)
    await alice.post("/strangers/keep")
    both = await charlie.post("/strangers/keep")
    room = await Room.get(kind=DIRECT.stored)
    assert both.headers["Location"] == room.path
    assert await bodies(room) == ["long ago"]


async def test_a_guest_who_registers_stays_in_the_chat(guest: Person, alice: Person) -> None:
    await find(guest)
    chat = await find(alice)
    await guest.post(f"{chat}/messages", {"body": "hello from nobody"})
    name = (await stranger(guest)).mask.display_name
    asked = await guest.post("/strangers/keep")
    assert asked.headers["Location"] == "/strangers/register"
    why = (await guest.get("/strangers/register")).text
    assert "To keep in touch you need an account." in why
    assert '<a href="/strangers">Back to the chat</a>' in why
    assert await where(guest) == chat
    assert 'action="/strangers/keep"' in (await guest.get(chat)).text  # for it waits for the account
    made = await guest.post("/strangers/register", {"username": "nora", "password": "correct horse battery"})
    assert made.headers["Location"] == f"{chat}?kept=1"
    page = (await alice.get(chat)).text
    assert name in page
    assert "nora" not in page.lower()
    assert (await guest.get("/lobby")).status_code == 200
    await alice.post("/strangers/keep")
    room = await Room.get(kind=DIRECT.stored)
    assert await where(guest) == room.path
    assert "hello from nobody" in (await guest.get(room.path)).text


# Forgetting.


async def test_a_mask_goes_with_the_account(alice: Person, other: Person) -> None:
    await find(alice)
    chat = await find(other)
    assert alice.user
    await leaving.start_deletion(alice.user)
    assert "Stranger has left" in (await other.get(chat)).text
    assert await Stranger.filter(person=alice.user.id).count() == 0


async def test_ended_chats_are_erased(guest: Person, other: Person, chat: str) -> None:
    await guest.post(f"{chat}/messages", {"body": "secret"})
    await guest.post("/strangers/leave")
    await retention.delete_expired()
    assert await Message.all().count() == 1
    await Room.all().update(locked_at=datetime.now(UTC) - timedelta(minutes=31))
    await retention.delete_expired()
    assert await Message.all().count() == 0
    assert await Room.all().count() == 0
    assert await where(other) == "/strangers"


async def test_a_chat_that_both_have_left_ends(guest: Person, other: Person, chat: str) -> None:
    await Stranger.all().update(here_until=0)
    await retention.delete_expired()
    assert (await Room.get(kind=ANONYMOUS.stored)).locked_at is not None


async def test_past_matches_are_deleted_after_an_hour(guest: Person, chat: str) -> None:
    assert await Met.all().count() == 1
    await Met.all().update(at=0)
    await retention.delete_expired()
    assert await Met.all().count() == 0


# What is offered to those who look after decency.


async def test_the_latest_chat_and_its_words_are_found_for_a_report(guest: Person, other: Person, chat: str) -> None:
    await guest.post(f"{chat}/messages", {"body": "something bad"})
    await guest.post("/strangers/leave")
    who = await stranger(other)
    seat = await masks.latest_chat(who.person)
    assert seat
    assert seat.other
    assert seat.other.id == (await stranger(guest)).mask_id
    assert [line["body"] for line in await masks.transcript(seat.room.id)] == ["something bad"]
    await other.post("/strangers/leave")
    assert await masks.latest_chat(who.person)


@pytest.mark.parametrize("path", ["/strangers/find", "/strangers/stop", "/strangers/leave", "/strangers/keep"])
async def test_actions_are_not_pages(visitor: Person, path: str) -> None:
    assert (await visitor.get(path)).status_code == 405


@pytest.mark.parametrize("path", ["/strangers/stop", "/strangers/leave", "/strangers/keep", "/strangers/next"])
async def test_a_visitor_who_never_came_in_is_led_to_the_door(visitor: Person, path: str) -> None:
    answer = await visitor.post(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/strangers")
    assert (await visitor.post(path, HX_Request="true")).status_code == 404


# Nobody is recognised.


async def test_nothing_of_an_account_shows_among_strangers(app: object, guest: Person) -> None:
    hidden = await person(app, "xanthippe")
    assert hidden.user
    await User.filter(id=hidden.user.id).update(
        display_name="Zelda Zabriskie", bio="a bio nobody may see", picture="f" * 32
    )
    await find(guest)
    chat = await find(hidden)
    await hidden.post(f"{chat}/messages", {"body": "hello"})
    await hidden.post(f"{chat}/typing")
    room = await chat_of(guest)
    reader = masked_reader(room.id, 0, "sse", user=(await stranger(guest)).mask_id)
    hub().join(reader)
    live = masked_reader(room.id, None, "html", user=(await stranger(guest)).mask_id)
    hub().join(live)
    seen = [(await guest.get(path)).text for path in (chat, f"{chat}/composer", "/strangers/me.css")]
    seen += [(await hidden.get(path)).text for path in (chat, f"{chat}/composer", "/strangers/me.css")]
    for each in (reader, live):
        async with asyncio.timeout(5):
            async for chunk in each.outbox:
                seen.append(chunk.decode())
                if "hello" in chunk.decode():
                    break
    seen.append(chat)
    known = [
        "xanthippe", "Zelda", "Zabriskie", "bio nobody", "f" * 32, hidden.user.code, str(hidden.session.digest),
        hidden.client.cookies[COOKIE],
    ]  # fmt: skip
    for text in seen:
        assert [word for word in known if word.lower() in text.lower()] == []


# How people behave.


async def answer_of(page: str) -> tuple[str, str]:
    """What is right, and the seal that goes with it."""
    one, other = re.search(r"What is (\w+) plus (\w+)\?", page).groups()  # type: ignore[union-attr]
    seal = re.search(r'name="seal" value="([^"]+)"', page)
    assert seal
    numbers = [str(number) for number in conduct.NUMBERS]
    return str(numbers.index(one) + numbers.index(other)), seal[1]


async def meets_somebody_new(app: object, who: Person) -> str:
    """Go on, if need be, and talk to a guest who has just come in."""
    await find(Person(app))
    await who.post("/strangers/next", {"sure": "1"})
    return await where(who)


async def test_links_in_first_messages_lead_to_a_question(app: object, guest: Person, chat: str) -> None:
    await guest.post(f"{chat}/messages", {"body": "look at https://spam.example"})
    chat = await meets_somebody_new(app, guest)
    assert chat.startswith("/strangers/chat/")
    await guest.post(f"{chat}/messages", {"body": "and at spam.com"})
    asked = await guest.post("/strangers/next", {"sure": "1"})
    assert asked.headers["Location"] == "/strangers/question"
    page = (await guest.get("/strangers/question")).text
    right, seal = await answer_of(page)
    assert right not in page.split("What is")[1].split("</form>")[0].replace(seal, "")
    answered = await guest.post("/strangers/question", {"answer": right, "seal": seal})
    assert answered.headers["Location"] == "/strangers"
    assert (await stranger(guest)).is_waiting
    await conduct.Conduct.add((await stranger(guest)).person, conduct.QUESTION_AT)
    again = await guest.post("/strangers/question", {"answer": right, "seal": seal})
    assert again.status_code == 200, "an answer is good for one question, once"
    assert (await conduct.Conduct.get(person=(await stranger(guest)).person)).points >= conduct.QUESTION_AT


async def test_a_wrong_answer_begins_a_pause(guest: Person, chat: str) -> None:
    who = await stranger(guest)
    await conduct.Conduct.add(who.person, conduct.QUESTION_AT)
    await guest.post("/strangers/leave")
    assert (await guest.post("/strangers/find", WISHES)).headers["Location"] == "/strangers/question"
    _, seal = await answer_of((await guest.get("/strangers/question")).text)
    wrong = await guest.post("/strangers/question", {"answer": "99", "seal": seal})
    assert wrong.status_code == 429
    assert "short break" in wrong.text
    again = await guest.post("/strangers/find", WISHES | {"interests": "jazz"})
    assert again.status_code == 429
    assert 'value="jazz"' in again.text
    assert not (await stranger(guest)).is_waiting


async def test_an_answer_is_for_one_person(guest: Person, other: Person, chat: str) -> None:
    for who in (guest, other):
        await conduct.Conduct.add((await stranger(who)).person, conduct.QUESTION_AT)
    right, seal = await answer_of((await guest.get("/strangers/question")).text)
    assert (await other.post("/strangers/question", {"answer": right, "seal": seal})).status_code == 429


async def test_the_same_first_words_to_several_are_noticed(app: object, guest: Person, chat: str) -> None:
    for _ in range(4):
        await guest.post(f"{chat}/messages", {"body": "Hello I am looking for somebody nice"})
        chat = await meets_somebody_new(app, guest)
    assert (await conduct.Conduct.get(person=(await stranger(guest)).person)).points == 3
    assert (await guest.get("/strangers")).status_code == 200


async def test_a_greeting_may_be_the_same_to_everybody(app: object, guest: Person, chat: str) -> None:
    for _ in range(3):
        await guest.post(f"{chat}/messages", {"body": "hello"})
        chat = await meets_somebody_new(app, guest)
    assert await conduct.Conduct.all().count() == 0


async def test_whom_several_leave_within_seconds_takes_a_break(app: object, guest: Person, chat: str) -> None:
    for _ in range(3):
        skipping = await Stranger.get(room_id=(await chat_of(guest)).id, mask_id__not=(await stranger(guest)).mask_id)
        await (await Stranger.get(id=skipping.id).select_related("mask")).leave()
        await meets_somebody_new(app, guest)
    answer = await guest.post("/strangers/next", {"sure": "1"})
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers
    assert await Met.filter(skipped__not_isnull=True).count() == 0


def test_with_strangers_off_there_are_none() -> None:
    """In a process of its own, because settings are read once."""
    env = os.environ | {"STRANGERS": "off"}
    program = (
        "from webapp.app import routes; from webapp.http.render import environment;"
        "assert not [route.path for route in routes if route.path.startswith('/strangers')];"
        "assert environment.globals['strangers_open'] is False"
    )
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_a_reported_mask_answers_a_question_first(guest: Person, other: Person, chat: str) -> None:
    report = {"about": "stranger", "reason": "insult", "text": ""}
    for _ in range(2):
        assert (await other.post("/report", report)).status_code == 303
    assert (await conduct.Conduct.get(person=(await stranger(guest)).person)).points == conduct.REPORTED
    asked = await guest.post("/strangers/next", {"sure": "1"})
    assert asked.headers["Location"] == "/strangers/question"


async def test_strangers_answer_each_other_by_their_aliases(guest: Person, other: Person, chat: str) -> None:
    await guest.post(f"{chat}/messages", {"body": "Do you like tea?", "nonce": "1"})
    page = Page(await other.get(f"{chat}?reply=1"))
    assert len(page.all(".message .tray a")) == len(page.all(".message .tray a[href='?reply=1']")) == 1
    assert page.one("#composer [name=reply_to]").attributes["value"] == "1"
    await other.post(f"{chat}/messages", {"body": "I do", "nonce": "2", "reply_to": "1"})
    mask = await User.get(id=(await stranger(guest)).mask_id)
    for one in (guest, other):
        quote = Page(await one.get(chat)).one(".message .said")
        assert words(quote) == f"{mask.display_name} Do you like tea?"
        assert quote.attributes["href"] == f"{chat}/messages/1"
        assert quote.attributes["data-author"] == mask.code
        assert (await one.get(f"{chat}/messages/1")).headers["Location"].startswith(f"{chat}")
    refused = await other.post(f"{chat}/messages", {"body": "What?", "nonce": "3", "reply_to": "9"})
    assert refused.status_code == 422
    assert "What?" in refused.text


# The ring of a message.


async def test_the_row_that_a_ring_brings_is_by_the_mask(guest: Person, chat: str) -> None:
    seat = await (await stranger(guest)).current_chat()
    found = seat and await room_by_id(seat.room.id)
    assert seat
    assert found
    posted = await posting.post(seat, "hello", "nonce")
    assert posted.message
    [line] = await changes_since(found, posted.version - 1)
    [rung] = new_rows.read(found.id, [(posted.version, posted.message.ring_text)]) or []
    assert rung.line == line
