"""Messages: posting them once, many at the same moment, and cut short at any."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from tortoise.exceptions import OperationalError

from tests.conftest import Person, bodies, person
from tests.message_pages import fill, log, message, nonce_in, said
from tests.page import Page, words
from tests.people import assert_gapless, make_room, now, post_as, who
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.db import transaction
from webapp.messages import posting, rendering
from webapp.messages.models import Message, new_nonce
from webapp.messages.posting import Posted

# Posting.


async def test_a_message_is_seen_by_everybody(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    answer = await bob.say(room, "Who has *cake*?")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}#composer")
    assert answer.headers["Cache-Control"] == "no-store"
    for one in (alice, bob, charlie):
        page = await one.get(room.path)
        assert said(page) == {1: "Who has cake ?"}
        assert f'data-author="{who(bob).code}"' in log(page)[1]
        assert Page(page).one("#log .message__author").attributes["href"] == f"/people/{who(bob).code}"
        assert Page(page).texts("#log .message__author") == ["Bob"]
        assert "<em>cake</em>" in log(page)[1]
    stored = await message(room)
    assert (stored.number, stored.version, stored.posted_version) == (1, 1, 1)
    assert (stored.body, stored.author_id) == ("Who has *cake*?", who(bob).id)
    assert stored.html == "<p>Who has <em>cake</em>?</p>"
    assert timedelta(0) <= datetime.now(UTC) - stored.created_at < timedelta(minutes=1)


async def test_with_htmx_the_answer_is_a_fresh_nonce_and_nothing_else(bob: Person, room: Room) -> None:
    nonce = nonce_in(await bob.get(room.path))
    answer = await bob.say(room, "hello", nonce, HX_Request="true")
    assert answer.status_code == 200
    assert answer.text.startswith('<div id="sending"')
    assert nonce_in(answer) not in ("", nonce)
    assert words(answer) == ""
    assert "<html" not in answer.text
    assert await bodies(room) == ["hello"]


async def test_from_the_framed_composer_one_comes_back_to_it(bob: Person, room: Room) -> None:
    framed = await bob.get(f"{room.path}/composer")
    assert '<input type="hidden" name="framed" value="1">' in framed.text
    fields = {"body": "hello", "nonce": nonce_in(framed), "framed": "1"}
    answer = await bob.post(f"{room.path}/messages", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}/composer#text")
    assert nonce_in(await bob.get(f"{room.path}/composer")) != fields["nonce"]
    assert await bodies(room) == ["hello"]


async def test_posting_joins(alice: Person, charlie: Person, room: Room) -> None:
    assert not await Membership.exists(room_id=room.id, user_id=who(charlie).id)
    await charlie.say(room, "hello")
    await charlie.say(room, "again")
    membership = await Membership.get(room_id=room.id, user_id=who(charlie).id)
    assert (membership.role, membership.read_number) == ("member", 2)
    assert "Charlie" in words(await alice.get(f"{room.path}/settings"))
    assert 'class="unread"' not in (await charlie.get("/lobby")).text
    await assert_gapless(room, 2)


async def test_what_one_says_is_read_by_oneself_and_unread_by_others(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "one")
    await alice.say(room, "two")
    assert '<span class="unread" title="Unread">2<' in (await bob.get("/lobby")).text
    assert 'class="unread"' not in (await alice.get("/lobby")).text
    await bob.get(room.path)
    assert '<span class="unread" title="Unread">2<' in (await bob.get("/lobby")).text
    await bob.read(room, 1)
    assert '<span class="unread" title="Unread">1<' in (await bob.get("/lobby")).text
    await bob.read(room)
    assert 'class="unread"' not in (await bob.get("/lobby")).text


@pytest.mark.parametrize("path", ["messages", "messages/1/remove"])
async def test_writing_takes_a_form(bob: Person, room: Room, path: str) -> None:
    await bob.say(room, "hello")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        if (method, path) == ("GET", "messages"):  # the address of a page with what could not be posted
            assert (await bob.get(f"{room.path}/{path}?edit=1")).headers["Location"] == f"{room.path}?edit=1"
            continue
        wrong = await bob.client.request(method, f"{room.path}/{path}")
        assert (wrong.status_code, "can't be done here in this way" in words(wrong)) == (405, True)
    assert await bodies(room) == ["hello"]


# The nonce: what is sent twice is posted once.


async def test_script_is_answered_with_its_message_as_it_stands_in_the_log(bob: Person, room: Room) -> None:
    await bob.say(room, "before")
    form = {"body": "by <b>script", "nonce": "n", "author": who(bob).code}
    first, second = [await bob.post(f"{room.path}/messages", form, HX_Request="true") for _ in range(2)]
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "no-store"
    assert first.text == second.text
    assert f'<li id="message-{room.id}-2" class="message message--continues ' in first.text
    assert first.text in (await bob.get(room.path)).text
    assert await bodies(room) == ["before", "by <b>script"]


async def test_script_of_the_version_before_is_answered_as_before(bob: Person, room: Room) -> None:
    """Its composer takes a nonce in the place of #sending. Gone in 0.3."""
    answer = await bob.say(room, "hello", HX_Request="true")
    assert '<div id="sending"' in answer.text
    assert "<li" not in answer.text


async def test_what_waited_is_not_sent_by_who_has_signed_in_since(bob: Person, charlie: Person, room: Room) -> None:
    form = {"body": "by bob", "nonce": "n", "author": who(bob).code}
    answer = await charlie.post(f"{room.path}/messages", form, HX_Request="true")
    assert answer.status_code == 401
    assert "You are signed out" in answer.text
    assert await bodies(room) == []


@pytest.mark.parametrize("is_fragment", [False, True])
async def test_sending_the_same_form_twice_posts_once(bob: Person, room: Room, is_fragment: bool) -> None:
    headers = {"HX_Request": "true"} if is_fragment else {}
    nonce = new_nonce()
    first, second = [await bob.say(room, "hello", nonce, **headers) for _ in range(2)]
    assert first.status_code == second.status_code == (200 if is_fragment else 303)
    assert first.headers.get("Location") == second.headers.get("Location")
    assert await bodies(room) == ["hello"]
    await assert_gapless(room, 1)


async def test_sending_the_same_form_many_times_at_once_posts_once(bob: Person, charlie: Person, room: Room) -> None:
    for one in (bob, charlie):
        nonce = new_nonce()
        answers = await asyncio.gather(*(one.say(room, "hello", nonce) for _ in range(8)))
        assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {
            (303, f"{room.path}#composer")
        }
    await assert_gapless(room, 2)


async def test_a_repeated_post_says_where_the_first_one_is(bob: Person, room: Room) -> None:
    await bob.say(room, "something before")
    first = await post_as(who(bob), room, "hello", "nonce")
    await bob.say(room, "something after")
    assert first == Posted(2, 2, is_repeat=False)
    assert await post_as(who(bob), room, "hello \r\n", "nonce") == Posted(2, 2, is_repeat=True)


async def test_a_used_form_with_other_words_is_another_message(bob: Person, room: Room) -> None:
    nonce = new_nonce()
    for text in ("hello", "goodbye"):
        assert (await bob.say(room, text, nonce)).status_code == 303
    assert await bodies(room) == ["hello", "goodbye"]
    await assert_gapless(room, 2)


async def test_a_nonce_belongs_to_one_person_in_one_room(alice: Person, bob: Person, room: Room) -> None:
    other = await make_room(who(alice), "Another")
    for one, where in ((alice, room), (bob, room), (bob, other)):
        assert (await one.say(where, "hello", "the same")).status_code == 303
    assert await bodies(room) == ["hello", "hello"]
    assert await bodies(other) == ["hello"]


@pytest.mark.parametrize("nonce", ["", "\x00", "x" * 5000, "\ud83c\udf89" * 40, "'; DROP TABLE message; --"])
async def test_a_nonce_of_any_kind_posts(bob: Person, room: Room, nonce: str) -> None:
    nonce = nonce.encode("utf-16", "surrogatepass").decode("utf-16")
    for text in ("one", "two"):
        answer = await bob.post(f"{room.path}/messages", {"body": text, "nonce": nonce})
        assert answer.status_code == 303
    assert await bodies(room) == ["one", "two"]


# Many at once, and in the middle of something.


async def test_many_posts_at_once_are_numbered_without_gaps(app: object, alice: Person, room: Room) -> None:
    crowd = [await person(app, f"person{number}") for number in range(5)]
    answers = await asyncio.gather(*(one.say(room, f"{text}") for text in range(8) for one in crowd))
    assert {answer.status_code for answer in answers} == {303}
    await assert_gapless(room, 40)
    assert (await now(room)).member_count == 6
    page = await alice.get(room.path)
    assert list(said(page)) == list(range(1, 41))
    assert sorted(said(page).values()) == sorted(str(text) for text in range(8) for _ in crowd)
    times = list(await Message.filter(room_id=room.id).order_by("number").values_list("created_at", flat=True))
    assert times == sorted(times)


async def test_posts_edits_and_removals_at_once_take_versions_without_gaps(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 10)
    changes: list[Coroutine[Any, Any, httpx2.Response]] = []
    for number in range(1, 6):
        changes += [
            bob.say(room, "more"),
            bob.post(f"{room.path}/messages/{number}/edit", {"body": "changed"}),
            alice.post(f"{room.path}/messages/{number + 5}/remove"),
        ]
    assert {answer.status_code for answer in await asyncio.gather(*changes)} == {303}
    rows = await Message.filter(room_id=room.id).values_list("number", "version")
    assert sorted(number for number, _ in rows) == list(range(1, 16))
    assert sorted(version for _, version in rows) == list(range(11, 26))
    assert ((await now(room)).version, (await now(room)).last_number) == (25, 15)


@pytest.mark.parametrize("error", [OperationalError("disk full"), RuntimeError("a bug")])
async def test_a_post_that_fails_leaves_nothing_behind(
    bob: Person, charlie: Person, room: Room, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bob.say(room, "before")
    insert = posting.insert_rows

    async def fail(messages: list[Any]) -> None:
        await insert(messages)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert_rows", fail)
        for one in (bob, charlie):
            assert (await one.say(room, "lost")).status_code in (500, 503)
    assert await bodies(room) == ["before"]
    assert not await Membership.exists(room_id=room.id, user_id=who(charlie).id)
    await assert_gapless(room, 1)
    for one in (bob, charlie):
        assert (await one.say(room, "after")).status_code == 303
    await assert_gapless(room, 3)


def moments() -> list[int]:
    """After how many turns of the event loop something is cancelled: each of the first, then now and then."""
    found = [0]
    while found[-1] < 1500:
        found.append(found[-1] + 1 + found[-1] // 25)
    return found


async def cancel_at_every_moment(start: Callable[[int], Coroutine[Any, Any, object]]) -> int:
    """Begin it again and again, each time cancelled a moment later, until one is done before; how many those were."""
    for count, ticks in enumerate(moments(), 1):
        task = asyncio.create_task(start(ticks))
        for _ in range(ticks):
            await asyncio.sleep(0)
        is_done = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await transaction.drain()
        if is_done:
            return count
    # On a machine with other work the database may take longer than all these turns: then it is left in peace.
    async with asyncio.timeout(30):
        await start(moments()[-1] + 1)
    return len(moments())


async def test_a_post_that_is_cancelled_at_any_moment_harms_nobody(alice: Person, charlie: Person, room: Room) -> None:
    async def post(ticks: int) -> None:
        found = await access.by_key(who(charlie), room.key)
        await posting.post(found, f"perhaps {ticks}", new_nonce())

    attempts = await cancel_at_every_moment(post)
    assert attempts > 3
    assert (await alice.say(room, "and the next works")).status_code == 303
    found = await bodies(room)
    assert found[-2:] == [next(text for text in reversed(found) if "perhaps" in text), "and the next works"]
    assert len(set(found)) == len(found) <= attempts + 1
    await assert_gapless(room, len(found))


async def test_after_every_post_that_is_cancelled_the_next_one_works(alice: Person, bob: Person, room: Room) -> None:
    async def post(ticks: int) -> None:
        await post_as(who(bob), room, f"perhaps {ticks}", new_nonce())

    for ticks in range(12):
        task = asyncio.create_task(post(ticks))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            assert (await alice.say(room, f"sure {ticks}")).status_code == 303
    await transaction.drain()
    found = await bodies(room)
    assert [text for text in found if "sure" in text] == [f"sure {ticks}" for ticks in range(12)]
    await assert_gapless(room, len(found))


async def test_a_request_that_is_cancelled_at_any_moment_harms_nobody(
    alice: Person, charlie: Person, room: Room
) -> None:
    async def post(ticks: int) -> None:
        assert (await charlie.say(room, f"perhaps {ticks}")).status_code == 303

    assert await cancel_at_every_moment(post) > 3
    async with asyncio.timeout(10):
        assert (await alice.say(room, "and the next works")).status_code == 303
    found = await bodies(room)
    assert found[-1] == "and the next works"
    await assert_gapless(room, len(found))


async def test_an_edit_and_a_removal_that_are_cancelled_at_any_moment_are_whole_or_not_at_all(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)

    async def edit(ticks: int) -> None:
        await (await message(room)).edit(f"changed {ticks}")

    async def remove(ticks: int) -> None:
        await post_as(who(bob), room, f"to go {ticks}", new_nonce())
        await (await message(room, (await now(room)).last_number)).remove()

    await cancel_at_every_moment(edit)
    first = await message(room)
    assert first.html == f"<p>{first.body}</p>"
    assert first.version == (await now(room)).version
    await cancel_at_every_moment(remove)
    for row in await Message.filter(room_id=room.id):
        assert (row.body == "") == (row.html == "") == (row.removed_at is not None)
    found = await now(room)
    rows = await Message.filter(room_id=room.id).values_list("number", "version")
    assert sorted(number for number, _ in rows) == list(range(1, found.last_number + 1))
    assert max(version for _, version in rows) == found.version
    assert (await alice.say(room, "and the next works")).status_code == 303


# Who speaks for the site.


async def test_an_administrator_bears_a_mark_wherever_they_are_named(
    admin: Person, alice: Person, bob: Person, room: Room
) -> None:
    assert admin.user
    assert bob.user
    await admin.say(room, "Welcome")
    await bob.say(room, "Thanks")
    mark = re.compile(r'(\w+) <span class="message__role">Administrator</span>')
    assert mark.findall((await alice.get(room.path)).text) == ["Ada"]
    members = (await alice.get(f"{room.path}/people")).text
    assert members.count('<span class="badge">Administrator</span>') == 1
    assert ">Administrator<" in (await alice.get(admin.user.path)).text
    assert ">Administrator<" not in (await alice.get(bob.user.path)).text
    # What was rendered before follows.
    await User.filter(id=bob.user.id).update(is_admin=True)
    rendering.clear(bob.user.code)
    assert mark.findall((await alice.get(room.path)).text) == ["Ada", "Bob"]
    await User.filter(id=bob.user.id).update(is_admin=False)
    rendering.clear(bob.user.code)
    assert mark.findall((await alice.get(room.path)).text) == ["Ada"]
