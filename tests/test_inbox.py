"""The inbox: what is for one person alone, newest first, and nothing that they may not see."""

from datetime import UTC, datetime

import pytest

from tests.conftest import Person
from tests.inbox_pages import call, inbox, join, lines, react
from tests.page import words
from tests.people import befriend, make_room, now, who, write
from webapp.conversations import direct
from webapp.conversations.levels import ALL, MENTIONS, NOTHING
from webapp.conversations.models import Membership, Room
from webapp.messages.mentions import ANSWERED, EVERYONE, NAMED
from webapp.messages.models import Mention, Message
from webapp.relationships.models import Block

pytestmark = pytest.mark.anyio


async def test_an_empty_inbox_says_what_will_stand_there(charlie: Person) -> None:
    page = await inbox(charlie)
    assert page.texts("main .empty") == [
        "Nothing yet. When somebody mentions you, answers you or reacts to what you said, it stands here."
    ]
    assert page.texts("main h1") == ["For you"]


async def test_who_is_signed_out_has_none(visitor: Person) -> None:
    answer = await visitor.get("/inbox")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2Finbox")


async def test_what_calls_a_person_stands_newest_first_and_leads_to_the_message(
    alice: Person, bob: Person, room: Room
) -> None:
    first = await call(bob, room, alice, "hello @bob")
    second = await call(bob, room, alice, "no, tea", ANSWERED)
    await call(None, room, alice, "@everyone cake", EVERYONE)
    assert await lines(bob) == [
        "Alice calls everyone in Tea & Cake @everyone cake",
        "Alice answered you in Tea & Cake no, tea",
        "Alice mentions you in Tea & Cake hello @bob",
    ]
    links = [link.attributes["href"] for link in (await inbox(bob)).all(".hit a")]
    assert links[1:] == [f"{room.path}/messages/{message.number}" for message in (second, first)]
    assert (await bob.get(links[1] or "")).status_code == 303
    assert await lines(alice) == []  # who calls everyone is not called


async def test_what_is_read_stands_there_still_and_is_not_new(alice: Person, bob: Person, room: Room) -> None:
    await call(bob, room, alice, "first @bob")
    await bob.read(room)
    await call(bob, room, alice, "second @bob")
    assert (await inbox(bob)).texts("main h2") == ["New", "Earlier"]
    assert [words(line)[-11:] for line in (await inbox(bob)).all(".hit--new .hit__text")] == ["second @bob"[-11:]]


async def test_reactions_are_folded_by_message_and_kind(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    await alice.say(room, "cake is ready")
    for person in (bob, charlie, admin):
        await react(person, room, 1)
    await react(bob, room, 1, "🎉")
    await react(alice, room, 1, "🔥")  # one's own
    assert await lines(alice) == [
        "Bob reacted with 🎉 cake is ready",
        "Ada and 2 others: 👍 cake is ready",
    ]
    assert await lines(alice, "?show=reactions") == await lines(alice)
    assert await lines(alice, "?show=mentions") == []


async def test_unread_chats_and_requests_stand_among_the_lines(
    alice: Person, bob: Person, charlie: Person, admin: Person
) -> None:
    await befriend(alice, bob)
    await write(bob, alice, "one")
    await write(bob, alice, "two")
    await write(charlie, alice, "May I?")
    await direct.ask(who(admin), who(alice))
    assert await lines(alice) == [
        "Ada wants to be friends with you",
        "Charlie wants to write to you May I?",
        "Bob 2 unread messages two",
    ]
    chat = await Room.get(kind="direct", last_line="two")
    await alice.read(chat)
    await Block.add(who(alice), who(charlie))
    assert await lines(alice) == ["Ada wants to be friends with you"]


async def test_an_answer_in_a_chat_is_the_chats_line_until_it_is_read(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob, "tea?")
    chat = await Room.get(kind="direct")
    await call(alice, chat, bob, "yes", ANSWERED)
    assert await lines(alice) == ["Bob 1 unread message yes"]
    await alice.read(chat)
    assert await lines(alice) == ["Bob answered you yes"]


async def test_filters_are_links_that_show_one_kind(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "cake")
    await join(bob, room)
    await call(alice, room, bob, "@alice", NAMED)
    await call(alice, room, bob, "indeed", ANSWERED)
    await react(bob, room, 1)
    links = [link.attributes["href"] or "" for link in (await inbox(alice)).all(".filters a")]
    assert links == ["/inbox", "/inbox?show=mentions", "/inbox?show=replies", "/inbox?show=reactions"]
    assert [len(await lines(alice, link.removeprefix("/inbox"))) for link in links] == [3, 1, 1, 1]
    here = (await inbox(alice, "?show=replies")).texts(".filters [aria-current]")
    assert here == ["Replies"]


async def test_what_a_person_may_not_see_is_not_there(alice: Person, bob: Person, room: Room) -> None:
    """First it is; then not: removed words, a blocked author, a room that one was removed from, or that is gone."""
    removed = await call(bob, room, alice, "gone soon @bob")
    await call(bob, room, alice, "stays @bob")
    await bob.say(room, "mine")
    await react(alice, room, 3)
    assert len(await lines(bob)) == 3
    await alice.post(f"{room.path}/messages/{removed.number}/remove")
    assert await lines(bob) == ["Alice reacted with 👍 mine", "Alice mentions you in Tea & Cake stays @bob"]
    await Block.add(who(bob), who(alice))
    assert await lines(bob) == []
    await Block.remove(who(bob), who(alice))
    assert len(await lines(bob)) == 2
    await Membership.filter(user_id=who(bob).id, room_id=room.id).update(role="kicked", kicked_until=datetime.now(UTC))
    assert await lines(bob) == []
    await Membership.filter(user_id=who(bob).id, room_id=room.id).update(role="member")
    assert len(await lines(bob)) == 2
    await Room.close(room.id)
    assert await lines(bob) == []


async def test_who_deleted_their_account_has_left_their_words(alice: Person, bob: Person, room: Room) -> None:
    message = await call(bob, room, alice, "bye @bob")
    await Message.filter(id=message.id).update(author_id=None)
    assert await lines(bob) == ["Deleted account mentions you in Tea & Cake bye @bob"]


async def test_pages_follow_one_another_without_a_line_twice_or_lost(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await befriend(alice, bob)
    for number in range(1, 36):
        await call(bob, room, alice, f"call {number} @bob")
        await bob.say(room, f"mine {number}")
        await react(alice, room, 2 * number)
    await write(alice, bob, "in the chat")
    await direct.ask(who(charlie), who(bob))
    seen, address = list[str](), ""
    for _ in range(4):
        found = await lines(bob, address)
        assert len(found) <= 30
        seen += found
        older = (await inbox(bob, address)).all(".pager [rel=next]")
        if not older:
            break
        address = (older[0].attributes["href"] or "").removeprefix("/inbox")
    assert len(seen) == len(set(seen)) == 72
    assert seen[:3] == [
        "Charlie wants to be friends with you",
        "Alice 1 unread message in the chat",
        "Alice reacted with 👍 mine 35",
    ]


async def test_a_kind_that_was_shown_on_a_page_is_not_shown_on_the_next(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await alice.say(room, "old and loved")
    await react(bob, room, 1)
    for number in range(2, 34):
        await alice.say(room, f"message {number}")
        await react(bob, room, number)
    await react(charlie, room, 1)
    first, older = await lines(alice), (await inbox(alice)).one(".pager [rel=next]").attributes["href"] or ""
    rest = await lines(alice, older.removeprefix("/inbox"))
    assert first[0] == "Charlie and 1 other: 👍 old and loved"
    assert (len(first), len(rest)) == (30, 3)
    assert not [line for line in rest if "old and loved" in line]


@pytest.mark.parametrize("before", ["x", "1.2", "1.2.3.4", "-1.0.0", "9" * 30 + ".1.1"])
async def test_a_place_that_is_none_is_the_first(alice: Person, bob: Person, room: Room, before: str) -> None:
    await call(bob, room, alice, "hello @bob")
    assert len(await lines(bob, f"?before={before}")) == 1
    assert len(await lines(bob, "?show=nonsense")) == 1


async def test_who_is_named_where_everyone_is_called_has_one_line(alice: Person, bob: Person, room: Room) -> None:
    await call(None, room, alice, "@everyone and @bob", EVERYONE)
    assert await Mention.filter(room_id=room.id).count() == 2
    assert await lines(bob) == ["Alice mentions you in Tea & Cake @everyone and @bob"]


async def test_everyone_is_called_by_the_latest_rows_of_each_room(alice: Person, bob: Person, room: Room) -> None:
    for number in range(25):
        await call(None, room, alice, f"{number} @everyone", EVERYONE)
    other = await make_room(who(alice), "Elsewhere")
    await call(None, other, alice, "not for bob @everyone", EVERYONE)
    found = await lines(bob)
    assert [line.split()[-2] for line in found] == [str(number) for number in range(24, 4, -1)]
    assert (await now(room)).last_number == 25


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (ALL, ["Bob reacted with 👍 cake", "Bob answered you in Tea & Cake yes", "Bob 1 unread message hey"]),
        (MENTIONS, ["Bob answered you in Tea & Cake yes"]),
        (NOTHING, []),
    ],
)
async def test_the_level_of_a_room_says_what_of_it_is_shown(
    alice: Person, bob: Person, room: Room, level: str, shown: list[str]
) -> None:
    await befriend(alice, bob)
    await write(bob, alice, "hey")
    await alice.say(room, "cake")
    await call(alice, room, bob, "yes", ANSWERED)
    await react(bob, room, 1)
    for membership in await Membership.filter(user_id=who(alice).id):
        await Membership.set_level(membership.id, level)
    assert sorted(await lines(alice)) == sorted(shown)
