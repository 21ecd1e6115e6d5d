"""One-to-one chats: the one of each pair, requests, blocks, and that nobody else can tell that one exists."""

import asyncio
import re
from collections.abc import Collection
from dataclasses import replace
from html import unescape
from typing import Any

import httpx2
import pytest
from limits import parse
from starlette.routing import Route

from tests.conftest import Person, account, bodies, person
from tests.page import words
from tests.people import befriend, chat_of, who, write
from tests.readers import CHAT
from tests.readers import reader as open_reader
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.viewer import EVERYONE
from webapp.app import app as the_app
from webapp.conversations import broadcasts
from webapp.conversations.access import by_key
from webapp.conversations.endings import BLOCKED
from webapp.conversations.kinds import CANNOT_WRITE, DIRECT, UNANSWERED
from webapp.conversations.models import Membership, Room
from webapp.core.i18n import use_language
from webapp.live import Frame, Reader, hub
from webapp.live.stream import Stream
from webapp.messages import receipts
from webapp.messages.models import Message, new_nonce
from webapp.presence.tracker import tracker
from webapp.relationships.models import Block
from webapp.sidebar.queries import list_entries as sidebar_entries

NOBODY = "0000-0000"


def sidebar(page: httpx2.Response) -> list[str]:
    """What a person reads in each entry of the sidebar."""
    side = page.text.partition('id="sidebar"')[2].partition("</nav>")[0]
    found = re.findall(r'<a class="entry[ "].*?</a>', side, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in found]


async def block(one: Person, other: Person) -> None:
    await Block.add(who(one), who(other))
    await broadcasts.blocked(who(one).id, who(other).id)


async def membership(one: Person, room: Room) -> Membership | None:
    return await Membership.get_or_none(room_id=room.id, user_id=who(one).id)


@pytest.fixture
async def chat(alice: Person, bob: Person) -> Room:
    """Alice and Bob are friends, and have talked."""
    await befriend(alice, bob)
    assert (await write(alice, bob, "Hello Bob")).status_code == 303
    assert (await write(bob, alice, "Hello Alice")).status_code == 303
    return await Room.get(kind=DIRECT.stored)


@pytest.fixture
async def request_of_charlie(alice: Person, charlie: Person) -> Room:
    """Charlie, who is no friend of hers, has written to Alice."""
    assert (await write(charlie, alice, "Do you know me?")).status_code == 303
    return await Room.get(kind=DIRECT.stored)


# Opening one.


async def test_a_chat_in_which_nothing_was_said_is_an_empty_page_and_no_row(alice: Person, bob: Person) -> None:
    before = await Room.all().count(), await Membership.all().count()
    page = await alice.get(chat_of(bob))
    assert page.status_code == 200
    assert "You have not talked to Bob yet." in words(page)
    assert "<title>Bob ·" in page.text
    assert f'action="{chat_of(bob)}/messages"' in page.text
    assert f'href="/people/{who(bob).code}"' in page.text
    assert "/events?after" not in page.text
    assert "/settings" not in page.text.partition('id="main"')[2]
    assert before == (await Room.all().count(), await Membership.all().count())


async def test_the_code_of_the_other_may_be_written_in_any_case(alice: Person, bob: Person) -> None:
    assert (await alice.get(chat_of(bob).lower().replace("/chat", "/chat"))).status_code == 200


async def test_the_first_message_makes_the_room_and_leads_to_it(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    answer = await write(alice, bob, "Hello Bob")
    room = await Room.get(kind=DIRECT.stored)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}#composer")
    assert re.fullmatch(r"~[\w-]{22}", room.key)
    assert (room.low, room.high) == tuple(sorted([who(alice).id, who(bob).id]))
    assert (room.member_count, room.version, room.last_number) == (2, 1, 1)
    assert await bodies(room) == ["Hello Bob"]
    for one, other in ((alice, bob), (bob, alice)):
        page = await one.get(room.path)
        assert "Hello Bob" in words(page)
        assert f"<title>{who(other).display_name} ·" in page.text
        assert f'href="/people/{who(other).code}"' in page.text
        assert 'id="join"' not in page.text
        assert "/events" in page.text
        seen = await one.get(chat_of(other))
        assert (seen.status_code, seen.headers["Location"]) == (303, room.path)


async def test_more_is_said_in_the_same_room_by_either_address(alice: Person, bob: Person, chat: Room) -> None:
    await alice.say(chat, "by the room")
    await write(bob, alice, "by the person")
    assert await bodies(chat) == ["Hello Bob", "Hello Alice", "by the room", "by the person"]
    assert await Room.filter(kind=DIRECT.stored).count() == 1


async def test_the_answer_to_a_script_in_a_chat_is_the_same_as_in_a_room(alice: Person, chat: Room) -> None:
    answer = await alice.say(chat, "hi", HX_Request="true")
    assert answer.status_code == 200
    assert 'name="nonce"' in answer.text


@pytest.mark.parametrize("body", ["", "   ", "x" * 4001])
async def test_a_first_message_that_cannot_be_taken_makes_nothing(alice: Person, bob: Person, body: str) -> None:
    answer = await write(alice, bob, body)
    assert answer.status_code == 422
    assert f'action="{chat_of(bob)}/messages"' in answer.text
    assert body in unescape(answer.text)
    assert not await Room.exists(kind=DIRECT.stored)


async def test_nobody_has_that_code(alice: Person) -> None:
    for code in (NOBODY, "x", "~", "%00", "A" * 300):
        assert (await alice.get(f"/chat/{code}")).status_code == 404
        answer = await alice.post(f"/chat/{code}/messages", {"body": "anybody?", "nonce": "1"})
        assert answer.status_code == 404
        assert "anybody?" in answer.text  # what was written is not lost
    assert not await Room.exists(kind=DIRECT.stored)


async def test_a_visitor_is_asked_to_sign_in(alice: Person, visitor: Person) -> None:
    answer = await visitor.get(chat_of(alice))
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=%2Fchat%2F")
    assert (await visitor.get(chat_of(alice), HX_Request="true")).status_code == 401
    answer = await write(visitor, alice, "let me in")
    assert answer.status_code == 401
    assert "let me in" in answer.text
    assert not await Room.exists(kind=DIRECT.stored)


async def test_other_methods_are_refused(alice: Person, bob: Person) -> None:
    assert (await alice.post(chat_of(bob))).status_code == 405
    assert (await alice.get(f"{chat_of(bob)}/messages")).status_code == 405


async def test_another_site_cannot_write_to_anybody(alice: Person, bob: Person) -> None:
    assert (await write(alice, bob, Sec_Fetch_Site="cross-site")).status_code == 403
    assert not await Room.exists(kind=DIRECT.stored)


async def test_chats_are_begun_only_so_often(
    app: object, alice: Person, bob: Person, chat: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_FRIEND", parse("1/minute"))
    crowd = [await person(app, f"person{number}") for number in range(2)]
    answers = [await write(alice, one, "Buy now") for one in crowd]
    assert [answer.status_code for answer in answers] == [303, 429]
    assert "Buy now" in answers[1].text
    assert (await write(alice, bob, "not the first")).status_code == 303


# At the same moment.


async def test_two_who_write_first_at_the_same_moment_end_in_one_room(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    answers = await asyncio.gather(write(alice, bob, "from Alice"), write(bob, alice, "from Bob"))
    assert [answer.status_code for answer in answers] == [303, 303]
    [room] = await Room.filter(kind=DIRECT.stored)
    assert {answer.headers["Location"] for answer in answers} == {f"{room.path}#composer"}
    assert sorted(await bodies(room)) == ["from Alice", "from Bob"]
    assert (room.member_count, room.version, room.last_number) == (2, 2, 2)
    assert await Membership.filter(room_id=room.id).count() == 2


async def test_strangers_who_write_first_at_the_same_moment_have_answered_each_other(app: object) -> None:
    for number in range(5):
        one, other = await person(app, f"one{number}"), await person(app, f"other{number}")
        await asyncio.gather(*(write(*two, body) for body in "ab" for two in ((one, other), (other, one))))
        room = (await Room.filter(kind=DIRECT.stored).order_by("-id"))[0]
        assert sorted(await bodies(room)) == ["a", "a", "b", "b"]
        assert not await Membership.exists(room_id=room.id, is_request=True)
    assert await Room.filter(kind=DIRECT.stored).count() == 5


async def test_the_first_message_sent_twice_is_one(alice: Person, bob: Person) -> None:
    first = await write(alice, bob, "Hello", "the nonce")
    again = await write(alice, bob, "Hello", "the nonce")
    assert first.headers["Location"] == again.headers["Location"]
    [room] = await Room.filter(kind=DIRECT.stored)
    assert await bodies(room) == ["Hello"]


async def test_the_first_message_sent_many_times_at_once_is_one(alice: Person, bob: Person) -> None:
    answers = await asyncio.gather(*(write(alice, bob, "Hello", "the nonce") for _ in range(6)))
    assert [answer.status_code for answer in answers] == [303] * 6
    [room] = await Room.filter(kind=DIRECT.stored)
    assert await bodies(room) == ["Hello"]


# With oneself.


async def test_a_chat_with_oneself_is_a_notebook(alice: Person, bob: Person) -> None:
    page = await alice.get(chat_of(alice))
    assert page.status_code == 200
    assert "Only you can read this." in words(page)
    assert (await write(alice, alice, "Buy milk")).status_code == 303
    for number in range(5):
        await write(alice, alice, f"and {number}")
    [room] = await Room.filter(kind=DIRECT.stored)
    assert room.low == room.high == who(alice).id
    assert room.member_count == 1
    assert await Membership.filter(room_id=room.id).count() == 1
    assert len(await bodies(room)) == 6
    page = await alice.get(room.path)
    assert "Buy milk" in words(page)
    assert "/events" in page.text
    assert (await bob.get(room.path)).status_code == 404
    assert sidebar(await alice.get("/lobby"))[0].startswith("Notes to yourself")


async def test_two_first_notes_at_the_same_moment_are_in_one_notebook(alice: Person) -> None:
    await asyncio.gather(write(alice, alice, "one"), write(alice, alice, "two"))
    [room] = await Room.filter(kind=DIRECT.stored)
    assert sorted(await bodies(room)) == ["one", "two"]


# Who may write first.


async def test_a_stranger_asks_with_the_first_message(alice: Person, charlie: Person, request_of_charlie: Room) -> None:
    theirs, own = await membership(alice, request_of_charlie), await membership(charlie, request_of_charlie)
    assert theirs
    assert own
    assert (theirs.is_request, own.is_request) == (True, False)
    assert sidebar(await alice.get("/lobby")) == ["Charlie wants to write to you"]
    [entry] = sidebar(await charlie.get("/lobby"))
    assert entry.startswith("Alice")
    assert entry.endswith("You: Do you know me?")
    page = await alice.get(request_of_charlie.path)
    assert "Do you know me?" in words(page)
    assert "Charlie wants to write to you." in words(page)
    assert "<textarea" not in page.text
    assert "/events?after" not in page.text


async def test_before_the_answer_nothing_of_the_recipient_is_shown(
    alice: Person, charlie: Person, request_of_charlie: Room
) -> None:
    await alice.get(request_of_charlie.path)
    assert (await alice.get(f"{request_of_charlie.path}/events")).status_code == 403
    assert (await alice.get(f"{request_of_charlie.path}/live")).status_code == 403
    page = words(await charlie.get(request_of_charlie.path))
    assert "Alice (" not in page
    assert "here · Alice" not in page


@pytest.mark.parametrize("setting", [EVERYONE, "friend"])
async def test_friends_write_at_once_and_so_does_everybody_to_who_likes_that(
    alice: Person, charlie: Person, setting: str
) -> None:
    if setting == EVERYONE:
        await User.filter(id=who(alice).id).update(written_by=EVERYONE)
    else:
        await befriend(alice, charlie)
    for number in range(5):
        assert (await write(charlie, alice, f"{number}")).status_code == 303
    room = await Room.get(kind=DIRECT.stored)
    assert not await Membership.exists(room_id=room.id, is_request=True)
    assert "<textarea" in (await alice.get(room.path)).text


async def test_three_messages_fit_before_an_answer(alice: Person, charlie: Person, request_of_charlie: Room) -> None:
    assert (await charlie.say(request_of_charlie, "two")).status_code == 303
    assert (await write(charlie, alice, "three")).status_code == 303
    for answer in (await charlie.say(request_of_charlie, "four"), await write(charlie, alice, "four")):
        assert answer.status_code == 403
        assert str(UNANSWERED) in words(answer)
        assert "four" in answer.text
    assert len(await bodies(request_of_charlie)) == 3
    assert str(UNANSWERED) in words(await charlie.get(request_of_charlie.path))
    await alice.say(request_of_charlie, "I do")
    assert (await charlie.say(request_of_charlie, "four")).status_code == 303


async def test_three_messages_fit_also_when_ten_come_at_once(alice: Person, charlie: Person) -> None:
    answers = await asyncio.gather(*(write(charlie, alice, f"{number}") for number in range(10)))
    assert sorted(answer.status_code for answer in answers) == [303] * 3 + [403] * 7
    [room] = await Room.filter(kind=DIRECT.stored)
    assert (room.last_number, len(await bodies(room))) == (3, 3)


async def test_a_request_is_accepted_by_its_button(alice: Person, charlie: Person, request_of_charlie: Room) -> None:
    answer = await alice.post(f"{request_of_charlie.path}/join")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{request_of_charlie.path}#composer")
    page = await alice.get(request_of_charlie.path)
    assert "<textarea" in page.text
    assert "wants to write to you" not in page.text
    for number in range(4):
        assert (await charlie.say(request_of_charlie, f"{number}")).status_code == 303


async def test_a_request_is_accepted_by_writing(alice: Person, charlie: Person, request_of_charlie: Room) -> None:
    assert (await write(alice, charlie, "I do")).status_code == 303
    assert not await Membership.exists(room_id=request_of_charlie.id, is_request=True)


async def test_becoming_friends_accepts_it(alice: Person, charlie: Person, request_of_charlie: Room) -> None:
    await befriend(alice, charlie)
    assert not await Membership.exists(room_id=request_of_charlie.id, is_request=True)


async def test_an_ignored_request_is_not_reported_to_its_sender(
    alice: Person, charlie: Person, request_of_charlie: Room
) -> None:
    await charlie.get(request_of_charlie.path)
    await tracker().write_changes()
    shown = words(await charlie.get(request_of_charlie.path))
    assert (await alice.post(f"{request_of_charlie.path}/leave")).status_code == 303
    assert sidebar(await alice.get("/lobby")) == []
    assert (await alice.get(request_of_charlie.path)).status_code == 404
    assert words(await charlie.get(request_of_charlie.path)) == shown
    assert (await charlie.say(request_of_charlie, "two")).status_code == 303
    assert (await charlie.say(request_of_charlie, "three")).status_code == 303
    assert (await charlie.say(request_of_charlie, "four")).status_code == 403
    assert sidebar(await alice.get("/lobby")) == []


async def test_who_has_ignored_a_request_may_write_all_the_same(
    alice: Person, charlie: Person, request_of_charlie: Room
) -> None:
    await alice.post(f"{request_of_charlie.path}/leave")
    assert "You have not talked to Charlie yet." in words(await alice.get(chat_of(charlie)))
    answer = await write(alice, charlie, "On second thought")
    assert answer.headers["Location"] == f"{request_of_charlie.path}#composer"
    assert await bodies(request_of_charlie) == ["Do you know me?", "On second thought"]
    assert (await Room.get(id=request_of_charlie.id)).member_count == 2
    assert (await charlie.say(request_of_charlie, "Good")).status_code == 303


async def test_becoming_friends_brings_back_what_was_ignored(
    alice: Person, charlie: Person, request_of_charlie: Room
) -> None:
    await alice.post(f"{request_of_charlie.path}/leave")
    await befriend(alice, charlie)
    assert sidebar(await alice.get("/lobby"))[0].startswith("Charlie")
    assert (await Room.get(id=request_of_charlie.id)).member_count == 2


async def test_a_chat_cannot_be_left(alice: Person, chat: Room) -> None:
    assert (await alice.post(f"{chat.path}/leave")).status_code == 403
    assert (await alice.get(chat.path)).status_code == 200


# A block.


@pytest.mark.parametrize("is_blocker", [True, False])
async def test_across_a_block_no_chat_can_be_opened_or_begun(alice: Person, bob: Person, is_blocker: bool) -> None:
    await block(*((alice, bob) if is_blocker else (bob, alice)))
    nobody = await alice.get(f"/chat/{NOBODY}")
    blocked = await alice.get(chat_of(bob))
    assert (blocked.status_code, words(blocked)) == (404, words(nobody))
    assert (await write(alice, bob, "please")).status_code == 404
    assert not await Room.exists(kind=DIRECT.stored)


@pytest.mark.parametrize("is_blocker", [True, False])
async def test_a_block_in_the_middle_leaves_the_history_and_ends_the_rest(
    alice: Person, bob: Person, chat: Room, is_blocker: bool
) -> None:
    await block(*((alice, bob) if is_blocker else (bob, alice)))
    page = await alice.get(chat.path)
    assert page.status_code == 200
    assert "Hello Bob" in words(page)
    assert str(CANNOT_WRITE) in words(page)
    assert "<textarea" not in page.text
    assert "/events?after" not in page.text
    for way in ("events", "live"):
        assert (await alice.get(f"{chat.path}/{way}")).status_code == 403
    for answer in (
        await alice.say(chat, "please"),
        await alice.say(chat, "please", HX_Request="true"),
        await alice.get(f"{chat.path}/composer"),
        await alice.post(f"{chat.path}/messages/1/edit", {"body": "Hello again"}),
    ):
        assert answer.status_code == 403
        assert str(CANNOT_WRITE) in words(answer)
    assert (await alice.get(chat_of(bob))).status_code == 404
    assert await bodies(chat) == ["Hello Bob", "Hello Alice"]
    assert (await alice.post(f"{chat.path}/messages/1/remove")).status_code == 303  # what is theirs stays theirs


async def test_neither_of_two_learns_who_blocked(alice: Person, bob: Person, chat: Room) -> None:
    await block(alice, bob)
    await alice.get(chat.path)
    pages = [words(await one.get(chat.path)) for one in (alice, bob)]
    named = [page.replace("Alice", "X").replace("Bob", "X") for page in pages]
    assert str(CANNOT_WRITE) in named[0]
    assert named[0].partition("This is where it begins.")[2] == named[1].partition("This is where it begins.")[2]


async def test_unblocking_restores(alice: Person, bob: Person, chat: Room) -> None:
    await block(alice, bob)
    await Block.remove(who(alice), who(bob))
    assert (await alice.say(chat, "again")).status_code == 303
    assert "/events" in (await bob.get(chat.path)).text


async def opened(one: Person, room: Room) -> Reader:
    """A stream of the room as the view opens it."""
    seen = await by_key(who(one), room.key)
    reader = open_reader(seen.room.id, 0, "sse", room.path, states=CHAT, session=one.session.id, user=who(one).id)
    hub().join(reader)
    return reader


async def test_the_streams_of_the_two_end_with_a_block_and_no_others(
    alice: Person, bob: Person, charlie: Person, chat: Room
) -> None:
    await befriend(alice, charlie)
    await write(alice, charlie)
    another = (await Room.filter(kind=DIRECT.stored).order_by("-id"))[0]
    ended = [await opened(alice, chat), await opened(bob, chat)]
    kept = [await opened(alice, another), await opened(charlie, another)]
    await broadcasts.blocked(who(bob).id, who(alice).id)
    for reader in ended:
        assert reader.outbox.is_closed
        assert str(CANNOT_WRITE).encode() in b"".join([chunk async for chunk in reader.outbox]).replace(b"&#39;", b"'")
    assert not any(reader.outbox.is_closed for reader in kept)
    for reader in ended + kept:
        hub().leave(reader)


async def test_a_block_that_was_made_elsewhere_is_found_by_the_heartbeat(
    alice: Person, bob: Person, charlie: Person, chat: Room, room: Room
) -> None:
    readers = [await opened(alice, chat), await opened(bob, chat), await opened(alice, room)]
    assert await hub().providers.check_access(readers) == []
    await Block.add(who(alice), who(charlie))
    assert await hub().providers.check_access(readers) == []
    await Block.add(who(alice), who(bob))
    assert sorted(await hub().providers.check_access(readers), key=lambda one: one[0].opened_at) == [
        (readers[0], BLOCKED),
        (readers[1], BLOCKED),
    ]
    for reader in readers:
        hub().leave(reader)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[Reader]:
    """The readers of the streams that the views open."""
    readers: list[Reader] = []
    begin = Stream.__init__

    def remember(self: Stream, reader: Reader, *args: Any, **kwargs: Any) -> None:
        readers.append(reader)
        begin(self, reader, *args, **kwargs)

    monkeypatch.setattr(Stream, "__init__", remember)
    return readers


async def test_the_page_of_a_chat_shows_receipts_and_not_who_is_here(
    alice: Person, bob: Person, chat: Room, streams: list[Reader]
) -> None:
    for way in ("events", "live"):
        assert (await alice.client.head(f"{chat.path}/{way}")).status_code == 200
    assert [reader.states for reader in streams] == [
        {"typing", "receipts", "pins", "entries", "online", "chat_typing"},
        {"typing", "receipts", "pins", "days"},
    ]
    assert [reader.labels for reader in streams] == [{"session": alice.session.id, "user": who(alice).id}] * 2


async def test_the_request_of_a_blocked_person_is_hidden(
    alice: Person, charlie: Person, request_of_charlie: Room
) -> None:
    await block(alice, charlie)
    assert sidebar(await alice.get("/lobby")) == []
    assert (await alice.post(f"{request_of_charlie.path}/messages", {"body": "x", "nonce": "1"})).status_code == 403


async def test_messages_of_a_deleted_account_stay_in_the_chat(alice: Person, bob: Person, chat: Room) -> None:
    await User.filter(id=who(bob).id).delete()
    page = await alice.get(chat.path)
    assert page.status_code == 200
    assert "Deleted account" in words(page)
    assert "Hello Alice" in words(page)
    assert "<textarea" not in page.text
    assert (await alice.say(chat, "are you there?")).status_code == 403
    assert sidebar(await alice.get("/lobby"))[0].startswith("Deleted account")


# That nobody else can tell.

ROUTES = [
    (route.path, method)
    for route in the_app.routes
    if isinstance(route, Route) and "{key}" in route.path
    for method in sorted((route.methods or set()) - {"HEAD"})
]


async def asked(one: Person, method: str, path: str) -> httpx2.Response:
    fields = {"body": "hello", "nonce": "1", "do": "mute", "number": "1", "about": "x"}
    return await (one.get(path) if method == "GET" else one.client.request(method, path, data=fields))


def test_the_map_has_routes_to_try() -> None:
    assert len(ROUTES) > 12
    assert ("/rooms/{key}", "GET") in ROUTES
    assert ("/rooms/{key}/messages", "POST") in ROUTES


@pytest.mark.parametrize(("route", "method"), ROUTES)
async def test_no_address_of_a_chat_reveals_it_to_others(
    alice: Person, charlie: Person, admin: Person, visitor: Person, chat: Room, route: str, method: str
) -> None:
    def path(key: str) -> str:
        filled = re.sub(r"{code[^}]*}", "A" * 22, route.replace("{key}", key))
        return re.sub(r"{(number|id)[^}]*}", "1", filled)

    none = "~" + "x" * 22
    before = await Room.get(id=chat.id)
    for one in (charlie, admin):
        real, made_up = await asked(one, method, path(chat.key)), await asked(one, method, path(none))
        assert real.status_code == made_up.status_code == 404
        assert words(real) == words(made_up)
    real, made_up = await asked(visitor, method, path(chat.key)), await asked(visitor, method, path(none))
    assert real.status_code == made_up.status_code
    # A file is not there for who may not have it, for whatever reason.
    assert real.status_code in ((404,) if method == "GET" and "/files/" in route else (303, 401))
    assert words(real) == words(made_up)
    assert await bodies(chat) == ["Hello Bob", "Hello Alice"]
    after = await Room.get(id=chat.id)
    assert (before.version, before.member_count) == (after.version, after.member_count)
    assert (await alice.get(chat.path)).status_code == 200


async def test_the_frame_around_the_live_log_is_the_same_for_any_key(charlie: Person, chat: Room) -> None:
    real, made_up = [await charlie.get(f"/rooms/{key}/live?frame=a") for key in (chat.key, "~nothing")]
    assert real.status_code == made_up.status_code == 200
    assert real.text.replace(chat.key, "") == made_up.text.replace("~nothing", "")


async def test_a_chat_is_in_no_list_search_or_count(alice: Person, charlie: Person, admin: Person, chat: Room) -> None:
    for one in (alice, charlie, admin):
        for path in ("/rooms", "/rooms?q=bob", "/rooms?q=~", "/rooms?q=hello"):
            page = await one.get(path)
            shown = page.text if one is not alice else page.text.partition('id="main"')[2]
            assert chat.key not in shown
            assert "Hello Alice" not in shown
    for one in (charlie, admin):
        for path in ("/lobby", "/sidebar", f"/people/{who(alice).code}"):
            assert chat.key not in (await one.get(path)).text
            assert "Hello Alice" not in (await one.get(path)).text


async def test_an_administrator_in_a_chat_of_their_own_owns_nothing_of_it(admin: Person, alice: Person) -> None:
    await befriend(admin, alice)
    await write(alice, admin, "Dear administrator")
    room = await Room.get(kind=DIRECT.stored)
    assert (await admin.post(f"{room.path}/messages/1/remove")).status_code == 404
    for do in ("lock", "topic", "delete", "kick"):
        answer = await admin.post(f"{room.path}/settings", {"do": do, "name": "", "who": who(alice).code})
        assert answer.status_code == 403
    page = words(await admin.get(f"{room.path}/settings"))
    assert "People in this room" not in page
    assert "Delete" not in page


# The sidebar.


async def test_a_chat_is_listed_by_the_other_with_the_first_line_of_what_was_said_last(
    alice: Person, bob: Person, chat: Room
) -> None:
    await alice.say(chat, "**Look** at\n\nthis <b>one</b>")
    [mine] = [line for line in sidebar(await alice.get("/lobby")) if "Bob" in line]
    [theirs] = [line for line in sidebar(await bob.get("/lobby")) if "Alice" in line]
    assert mine.endswith("You: Look at")
    assert theirs.endswith("Look at 1 unread")
    assert "You:" not in theirs


async def test_rooms_and_chats_are_one_list_by_the_last_message(
    alice: Person, bob: Person, charlie: Person, chat: Room, room: Room
) -> None:
    await bob.say(room, "in the room")
    first, second = sidebar(await alice.get("/lobby"))
    assert first.startswith("Tea & Cake")
    assert first.endswith("in the room 1 unread")
    assert second.startswith("Bob")
    await bob.say(chat, "in the chat")
    assert sidebar(await alice.get("/lobby"))[0].startswith("Bob")


async def test_the_line_follows_when_the_newest_is_edited_or_removed(alice: Person, bob: Person, chat: Room) -> None:
    async def line(language: str = "en") -> str:
        entries = (await sidebar_entries(who(alice).id)).entries
        [entry] = [entry for entry in entries if entry.room_id == chat.id]
        with use_language(language):
            return str(entry.line)

    assert await line() == "Hello Alice"
    await alice.post(f"{chat.path}/messages/1/edit", {"body": "Not the newest"})
    assert await line() == "Hello Alice"
    await bob.post(f"{chat.path}/messages/2/edit", {"body": "Hello, *Alice*\nhow are you?"})
    assert await line() == "Hello, Alice"
    await bob.post(f"{chat.path}/messages/2/remove")
    assert (await line(), await line("de")) == ("Message removed", "Nachricht entfernt")
    await bob.say(chat, "Message removed")
    assert (await line(), await line("de")) == ("Message removed", "Message removed")
    await alice.say(chat, "x" * 300)
    assert len(await line()) == 120


async def test_the_last_line_of_a_room_is_hidden_where_its_author_is_blocked(
    alice: Person, bob: Person, room: Room
) -> None:
    await bob.say(room, "rude words")
    assert "rude words" in sidebar(await alice.get("/lobby"))[0]
    await Block.add(who(alice), who(bob))
    assert "rude words" not in sidebar(await alice.get("/lobby"))[0]


# What everybody decides for themselves.


async def change(one: Person, room: Room, do: str, **fields: str) -> httpx2.Response:
    return await one.post(f"{room.path}/settings", {"do": do, **fields})


async def test_what_is_new_since_the_last_visit_has_a_line_above_it(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "one")
    await bob.read(room)
    await alice.say(room, "two")
    await alice.say(room, "three")
    page = await bob.get(room.path)
    await bob.read(room)
    assert words(page).index("one") < words(page).index("New since your last visit") < words(page).index("two")
    assert page.text.count('id="new"') == 1
    assert 'id="new"' not in (await bob.get(room.path)).text
    assert 'id="new"' not in (await alice.get(room.path)).text


async def test_the_line_of_new_messages_stands_above_no_removed_message(alice: Person, bob: Person, room: Room) -> None:
    for number in range(1, 4):
        await alice.say(room, f"number {number}")
    await bob.read(room, 1)
    await alice.post(f"{room.path}/messages/2/remove")
    page = words(await bob.get(room.path))
    await Membership.filter(user_id=who(bob).id).update(read_number=1)
    # At the end: the sidebar has the last message too.
    assert page.rindex("Removed") < page.rindex("New since your last visit") < page.rindex("number 3")
    await alice.post(f"{room.path}/messages/3/remove")
    assert 'id="new"' not in (await bob.get(room.path)).text


async def test_who_is_not_in_the_room_has_no_such_line(alice: Person, charlie: Person, room: Room) -> None:
    await alice.say(room, "one")
    assert 'id="new"' not in (await charlie.get(room.path)).text


@pytest.mark.parametrize(("number", "unread"), [("2", 2), ("3", 1), ("1", 3), ("0", 3), ("999", 0), ("", 1), ("x", 1)])
async def test_unread_from_here(alice: Person, bob: Person, room: Room, number: str, unread: int) -> None:
    for body in ("one", "two", "three"):
        await alice.say(room, body)
    await bob.get(room.path)
    answer = await change(bob, room, "unread", number=number)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}/settings?done=unread")
    page = await bob.get("/lobby")
    assert (f"{unread} unread" in sidebar(page)[0]) is (unread > 0)


async def test_a_muted_room_shows_no_count(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "one")
    assert "1 unread" in sidebar(await bob.get("/lobby"))[0]
    assert (await change(bob, room, "mute")).headers["Location"] == f"{room.path}/settings?done=mute"
    assert "unread" not in sidebar(await bob.get("/lobby"))[0]
    assert "Only mentions of you are counted here." in words(await bob.get(f"{room.path}/settings?done=mute"))
    await change(bob, room, "unmute")
    assert "1 unread" in sidebar(await bob.get("/lobby"))[0]


async def test_a_level_and_marking_unread_are_for_members_only(charlie: Person, visitor: Person, room: Room) -> None:
    for do in ("level", "mute", "unmute", "unread"):
        assert (await change(charlie, room, do, number="1", level="all")).status_code == 403
        assert (await change(visitor, room, do, number="1", level="all")).status_code == 303


async def test_a_chat_has_them_too_and_nothing_else(alice: Person, bob: Person, chat: Room) -> None:
    page = await alice.get(f"{chat.path}/settings")
    assert "People in this room" not in words(page)
    assert "Leave" not in words(page)
    assert set(re.findall(r'name="do" value="(\w+)"', page.text)) == {"level", "unread"}
    assert (await change(alice, chat, "level", level="nothing")).status_code == 303
    assert (await change(alice, chat, "unread", number="1")).status_code == 303


async def test_the_unique_pair_is_the_databases_own_rule(alice: Person, bob: Person, chat: Room) -> None:
    from tortoise.exceptions import IntegrityError

    with pytest.raises(IntegrityError):
        await Room.create(key="~another", kind=DIRECT.stored, name="", low=chat.low, high=chat.high)


async def test_a_code_that_no_account_has_is_like_one_that_left(alice: Person) -> None:
    dora = await account("dora")
    await User.filter(id=dora.id).delete()
    assert (await alice.get(f"/chat/{dora.code}")).status_code == 404


async def test_posting_in_a_chat_is_one_message_in_its_log(alice: Person, bob: Person, chat: Room) -> None:
    nonce = new_nonce()
    await asyncio.gather(*(alice.say(chat, "once", nonce) for _ in range(4)))
    assert (await bodies(chat)).count("once") == 1
    assert await Message.filter(room_id=chat.id).count() == 3


# How far a message has come.


def receipt(page: httpx2.Response) -> str:
    [found] = re.findall(r'<p id="receipt"[^>]*>(.*?)</p>', page.text)
    return str(found)


async def shown(one: Person, room: Room) -> str:
    """What an open page of theirs says of the newest message, and whose it is."""
    reader = await opened(one, room)
    while not reader.outbox.is_empty or reader not in hub().channels[f"room:{room.id}"].readers:
        await asyncio.sleep(0)
        reader.outbox.take()
    frame = (await receipts.receipts([room.id]))[room.id].in_language("en")
    hub().leave(reader)
    [(code, number, said)] = re.findall(
        r'<p id="receipt" class="receipt" data-author="([^"]*)" data-number="(\d+)">(.*?)</p>', frame.sse.decode()
    )
    assert frame.html.decode() == f'<li class="receipt" data-author="{code}" data-number="{number}">{said}</li>'
    return f"{code}: {said}"


async def test_a_message_is_sent_then_delivered_then_seen(alice: Person, bob: Person, chat: Room) -> None:
    code = who(alice).code
    await alice.say(chat, "still there?")
    assert receipt(await alice.get(chat.path)) == "Sent"
    assert await shown(alice, chat) == f"{code}: Sent"
    await bob.get("/lobby")
    assert receipt(await alice.get(chat.path)) == "Delivered"
    assert await shown(alice, chat) == await shown(bob, chat) == f"{code}: Delivered"
    await bob.get(chat.path)
    assert receipt(await alice.get(chat.path)) == "Delivered"
    await bob.read(chat)
    assert receipt(await alice.get(chat.path)) == "Seen"
    assert await shown(bob, chat) == f"{code}: Seen"
    assert receipt(await bob.get(chat.path)) == ""
    await bob.say(chat, "yes")
    assert receipt(await alice.get(chat.path)) == ""


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_who_hides_receipts_sees_none_and_shows_none(alice: Person, bob: Person, chat: Room, name: str) -> None:
    await alice.say(chat, "still there?")
    await User.filter(username=name).update(shows_receipts=False)
    await bob.read(chat)
    assert receipt(await alice.get(chat.path)) == ""
    assert await shown(alice, chat) == ": "


async def test_a_request_has_no_receipt(alice: Person, charlie: Person, request_of_charlie: Room) -> None:
    for path in ("/lobby", request_of_charlie.path):
        await alice.get(path)
        assert receipt(await charlie.get(request_of_charlie.path)) == ""
        assert await shown(charlie, request_of_charlie) == ": "
    await alice.post(f"{request_of_charlie.path}/leave")
    assert receipt(await charlie.get(request_of_charlie.path)) == ""
    assert await shown(charlie, request_of_charlie) == ": "


async def test_what_is_written_to_an_endless_document_is_seen(alice: Person, bob: Person, chat: Room) -> None:
    await bob.read(chat)
    version = (await Room.get(id=chat.id)).version
    seen = await by_key(who(bob), chat.key)
    assert seen.other
    reader = open_reader(chat.id, version, "html", chat.path, states=CHAT, session=bob.session.id, user=who(bob).id)
    chunks = Stream(reader, b"<!doctype html>", "text/html").chunks()
    assert await anext(chunks) == b"<!doctype html>"
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.wait_for(waiting, 5)
    mine = await membership(bob, chat)
    assert mine
    assert mine.read_number == 2
    waiting = asyncio.ensure_future(anext(chunks))
    await alice.say(chat, "look")
    while b"look" not in await asyncio.wait_for(waiting, 5):
        waiting = asyncio.ensure_future(anext(chunks))
    waiting = asyncio.ensure_future(anext(chunks))
    for _ in range(100):
        mine = await membership(bob, chat)
        assert mine
        if mine.read_number == 3:
            break
        await asyncio.sleep(0.02)
    assert mine.read_number == 3
    assert receipt(await alice.get(chat.path)) == "Seen"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    hub().leave(reader)


async def test_in_a_room_of_many_there_are_no_receipts(
    alice: Person, bob: Person, room: Room, streams: list[Reader]
) -> None:
    await alice.say(room, "hello")
    assert 'id="receipt"' not in (await alice.get(room.path)).text
    for way in ("events", "live"):
        assert (await alice.client.head(f"{room.path}/{way}")).status_code == 200
    assert ["receipts" in reader.states for reader in streams] == [False, False]


async def test_a_state_that_no_page_shows_is_not_read(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()

    async def read(rooms: Collection[int]) -> dict[int, Frame]:
        asked.extend(rooms)
        return {}

    states = {"room": {"people": read, "receipts": read}}
    monkeypatch.setattr(hub(), "providers", replace(hub().providers, states=states))
    reader = open_reader(room.id, 0, "sse", states=set(), session=alice.session.id, user=who(alice).id)
    hub().join(reader)
    for state in ("people", "receipts"):
        hub().refresh(f"room:{room.id}", state)
    await hub().heartbeat.reconcile()
    assert asked == []
    reader.states = {"people"}
    await hub().heartbeat.reconcile()
    # More than once where the hub itself reconciles at the same moment.
    assert set(asked) == {room.id}
    hub().leave(reader)
