"""Files that go with messages: who may take which, that a post is stored once, and that nothing typed is lost."""

import asyncio
import re
from typing import Any

import pytest

from tests.conftest import Person, person
from tests.file_rows import attachment
from tests.file_sending import say
from tests.page import words
from tests.people import befriend, chat_of, now, post_as, who
from webapp.accounts.models import User
from webapp.accounts.viewer import EVERYONE
from webapp.conversations import access, direct
from webapp.conversations.models import Membership, Room
from webapp.core.errors import Invalid
from webapp.db import engine, transaction
from webapp.files.models import Attachment
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.messages.posting import Posted


async def kept(room: Room) -> list[tuple[str, int, list[str]]]:
    """What the database has of each message: its words, how many files it counts, and which."""
    return [
        (
            message.body,
            message.file_count,
            [
                str(name)
                for name in await Attachment.filter(message=message).order_by("place").values_list("name", flat=True)
            ],
        )
        for message in await Message.filter(room_id=room.id).order_by("number")
    ]


async def test_a_message_takes_its_files_in_their_order(bob: Person, room: Room) -> None:
    codes = [(await attachment(who(bob), room, f"{number}.txt")).code for number in range(10)]
    assert (await say(bob, room.path, codes[::-1], "all of them")).status_code == 303
    assert await kept(room) == [("all of them", 10, [f"{number}.txt" for number in range(9, -1, -1)])]
    assert (await now(room)).last_line == "all of them"


async def test_a_message_needs_no_words_where_it_has_a_file_and_lists_have_its_name(bob: Person, room: Room) -> None:
    name = "a&b" + "é" * 117
    codes = [(await attachment(who(bob), room, one)).code for one in (name, "second.txt")]
    assert (await say(bob, room.path, codes, " \n")).status_code == 303
    assert await kept(room) == [("", 2, [name, "second.txt"])]
    line = (await now(room)).last_line
    assert line.startswith("📎 a&béé")
    assert len(line) == 120
    assert (await say(bob, room.path, [], " \n")).status_code == 422


async def test_a_file_that_is_not_the_authors_whole_and_free_refuses_the_post(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    before = len(await kept(room))
    hers = await attachment(who(alice), room)
    elsewhere = await attachment(who(bob), soup)
    half = await attachment(who(bob), room, received=4)
    good = await attachment(who(bob), room)
    assert (await say(bob, room.path, [good.code], "first")).status_code == 303
    free = await attachment(who(bob), room, "free.txt")
    for code in (hers.code, elsewhere.code, half.code, good.code, "A" * 22, "../../../etc/passwd", "é", "x\0y"):
        answer = await say(bob, room.path, [free.code, code], "my words", HX_Request="true")
        assert (answer.status_code, "A file is not there" in words(answer)) == (422, True), code
        page = await say(bob, room.path, [free.code, code], "my words")
        assert page.status_code == 422
        assert ">my words</textarea>" in page.text
        assert re.findall(r'name="file" value="([^"]*)" checked', page.text)[:1] == [free.code]
        assert "free.txt" in words(page)
    assert [names for _, _, names in (await kept(room))[before:]] == [["notes.txt"]]
    assert (await Attachment.get(id=free.id)).message_id is None
    assert (await say(bob, room.path, [free.code], "my words")).status_code == 303


async def test_eleven_files_are_refused_and_the_same_one_twice_is_one(bob: Person, room: Room) -> None:
    codes = [(await attachment(who(bob), room)).code for _ in range(11)]
    answer = await say(bob, room.path, codes, "much", HX_Request="true")
    assert (answer.status_code, "At most 10 files" in words(answer)) == (422, True)
    assert (await say(bob, room.path, [codes[0], codes[0]])).status_code == 303
    assert await kept(room) == [("", 1, ["notes.txt"])]


async def test_the_same_form_twice_is_one_message_and_other_files_are_another(bob: Person, room: Room) -> None:
    one, two = [(await attachment(who(bob), room, name)).code for name in ("one", "two")]
    for _ in range(2):
        assert (await say(bob, room.path, [one], nonce="n")).status_code == 303
    assert await kept(room) == [("", 1, ["one"])]
    # The browser's way back, and another file: nobody would want the first to be counted as it.
    assert (await say(bob, room.path, [two], nonce="n")).status_code == 303
    assert (await say(bob, room.path, [], "words alone", nonce="n")).status_code == 303
    assert [names for _, _, names in await kept(room)] == [["one"], ["two"], []]


async def test_a_form_that_is_sent_again_with_the_same_contents_is_one_message(bob: Person, room: Room) -> None:
    first = [(await attachment(who(bob), room, name, digest=digest)).code for name, digest in (("a", "1"), ("b", "2"))]
    again = [(await attachment(who(bob), room, name, digest=digest)).code for name, digest in (("a", "1"), ("b", "2"))]
    turned = [(await attachment(who(bob), room, name, digest=digest)).code for name, digest in (("a", "1"), ("b", "3"))]
    for codes in (first, again):
        assert (await say(bob, room.path, codes, nonce="n")).status_code == 303
    assert [names for _, _, names in await kept(room)] == [["a", "b"]]
    assert (await say(bob, room.path, turned, nonce="n")).status_code == 303
    assert [names for _, _, names in await kept(room)] == [["a", "b"], ["a", "b"]]


async def test_of_posts_at_once_with_one_file_one_has_it(alice: Person, bob: Person, room: Room) -> None:
    """And who waited with them in the same transaction is not held up."""
    file = await attachment(who(bob), room)
    seats = {one: await access.by_key(who(one), room.key) for one in (alice, bob)}
    posts = [posting.post(seats[bob], f"{number}", "", codes=[file.code]) for number in range(4)]
    others = [posting.post(seats[alice], "hello", "") for _ in range(3)]
    answers = await asyncio.gather(*posts, *others, return_exceptions=True)
    assert sum(isinstance(answer, Invalid) for answer in answers) == 3
    assert sum(isinstance(answer, Posted) for answer in answers) == 4
    assert sorted(len(names) for _, _, names in await kept(room)) == [0, 0, 0, 1]
    after = await now(room)
    assert (after.version, after.last_number) == (4, 4)


async def test_words_and_files_of_a_post_are_there_again_when_the_database_was_away(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await attachment(who(bob), room)

    async def fail(*_: object) -> None:
        raise engine.DOWN[0]

    monkeypatch.setattr(posting, "submit", fail)
    answer = await say(bob, room.path, [file.code], "do not lose me")
    assert answer.status_code == 503
    assert ">do not lose me</textarea>" in answer.text
    assert f'name="file" value="{file.code}"' in answer.text


async def test_strangers_guests_and_unanswered_requests_have_no_files(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    """Who is answered has."""
    assert (
        await charlie.post(f"{chat_of(alice)}/messages", {"body": "Do you know me?", "nonce": "1"})
    ).status_code == 303
    chat = await Room.get(kind="direct")
    file = await attachment(who(charlie), chat)
    answer = await say(charlie, chat.path, [file.code], "and this?", HX_Request="true")
    assert answer.status_code == 404
    assert (await say(charlie, chat_of(bob), ["A" * 22], "and you?")).status_code == 404
    assert await Message.filter(author_id=who(charlie).id).count() == 1
    assert (await alice.say(chat, "I do")).status_code == 303
    assert (await say(charlie, chat.path, [file.code])).status_code == 303
    assert (await kept(chat))[-1] == ("", 1, ["notes.txt"])


async def begun(one: Person, other: Person) -> Room:
    """Reserve the chat of the two, as the first file that is sent to it does."""
    room = await transaction.transact(direct.reserve, who(one), who(other))
    return await Room.get(id=room.id)


async def test_the_first_message_of_a_chat_may_be_a_file(alice: Person, bob: Person, charlie: Person) -> None:
    """Of friends, and to somebody whom everyone may write to; the chat that waited for it is theirs then."""
    await befriend(alice, bob)
    await User.filter(id=who(charlie).id).update(written_by=EVERYONE)
    for other in (bob, charlie):
        chat = await begun(alice, other)
        file = await attachment(who(alice), chat)
        answer = await say(alice, chat_of(other), [file.code])
        assert answer.headers["location"] == f"{chat.path}#composer"
        assert await kept(chat) == [("", 1, ["notes.txt"])]
        found = await Membership.filter(room_id=chat.id).order_by("user_id").values_list("user_id", "is_request")
        assert sorted(found) == sorted([(who(alice).id, False), (who(other).id, False)])
        assert (await other.get(chat.path)).status_code == 200
    assert await Room.filter(kind="direct").count() == 2


async def test_a_chat_in_which_a_file_is_on_its_way_is_nowhere_until_it_has_a_message(
    alice: Person, bob: Person
) -> None:
    await befriend(alice, bob)
    pages = ["/lobby", "/sidebar", "/people", "/friends", "/inbox", "/inbox/catch-up", f"/people/{who(alice).code}"]
    pages += ["/search?q=ali", "/search?q=notes", f"/chat/{who(alice).code}", "/rooms"]
    before = {path: words(await bob.get(path)) for path in pages}
    mine = {path: words(await alice.get(path)) for path in ("/lobby", "/sidebar", "/inbox", chat_of(bob))}
    chat = await begun(alice, bob)
    await attachment(who(alice), chat)
    assert {path: words(await bob.get(path)) for path in pages} == before
    assert {path: words(await alice.get(path)) for path in mine} == mine
    for one in (alice, bob):
        for path in (chat.path, f"{chat.path}/people", f"{chat.path}/settings", f"{chat.path}/events?after=0"):
            assert (await one.get(path)).status_code == 404, path
    assert await Membership.filter(room_id=chat.id).count() == 0


async def test_words_from_either_side_start_the_chat_in_which_a_file_was_on_its_way(alice: Person, bob: Person) -> None:
    chat = await begun(alice, bob)
    file = await attachment(who(alice), chat)
    answers = await asyncio.gather(
        *(
            one.post(f"{chat_of(other)}/messages", {"body": "Hello", "nonce": "1"})
            for one, other in ((alice, bob), (bob, alice))
        )
    )
    assert {answer.headers["location"] for answer in answers} == {f"{chat.path}#composer"}
    assert [body for body, _, _ in await kept(chat)] == ["Hello", "Hello"]
    assert await Membership.filter(room_id=chat.id, is_request=False).count() == 2
    assert (await say(alice, chat.path, [file.code])).status_code == 303


async def test_becoming_friends_does_not_show_the_chat_in_which_a_file_is_on_its_way(
    alice: Person, bob: Person
) -> None:
    chat = await begun(alice, bob)
    await direct.ask(who(alice), who(bob))
    await direct.accept(who(bob), who(alice))
    assert await Membership.filter(room_id=chat.id).count() == 0
    assert (await alice.get(chat.path)).status_code == 404


async def test_the_other_of_an_invisible_chat_can_be_asked_as_ever(alice: Person, app: object) -> None:
    """A person who wants requests first gets one: the chat that waited makes no friend of anybody."""
    other = await person(app, "dora")
    chat = await begun(alice, other)
    assert (await post_as_first(alice, other)).status_code == 303
    found = await Membership.get(room_id=chat.id, user_id=who(other).id)
    assert found.is_request


async def post_as_first(one: Person, other: Person) -> Any:
    return await one.post(f"{chat_of(other)}/messages", {"body": "Hello", "nonce": "1"})


async def test_a_post_without_files_asks_the_database_no_more_than_before(bob: Person, room: Room) -> None:
    assert (await post_as(who(bob), room, "words")).number == 1
    assert await kept(room) == [("words", 0, [])]
