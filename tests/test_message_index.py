"""The index of the words of messages: written with the message, gone with it, and nothing of chats with strangers."""

import asyncio

import pytest

from tests.conftest import Person
from tests.indexed import found, marked, size
from tests.people import post_as, who
from tests.search_cases import CASES
from webapp import settings
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.messages import index, words
from webapp.messages.models import Message


async def test_the_index_holds_what_the_rule_says_on_this_engine(alice: Person, room: Room) -> None:
    """Of all cases at once: each query finds the messages that the rule says, and no others."""
    stored = [(await post_as(who(alice), room, case[1]), case[1])[1] for case in CASES]
    cut = {
        body: words.words_of(body).split(" ")
        for body in await Message.all().order_by("id").values_list("body", flat=True)
    }
    assert len(stored) == len(CASES)
    for name, _, typed, _ in CASES:
        if phrases := words.phrases(typed):
            wanted = [
                body for body, one in cut.items() if all(list(words.find_phrase(one, phrase)) for phrase in phrases)
            ]
            assert list(dict.fromkeys(await found(typed))) == wanted, name


async def test_posts_that_share_a_transaction_are_all_found(alice: Person, bob: Person, room: Room) -> None:
    await asyncio.gather(*(post_as(who(one), room, f"together {n}") for n in range(20) for one in (alice, bob)))
    assert sorted(await found("together")) == sorted([f"together {n}" for n in range(20)] * 2)


async def test_an_edit_is_found_by_its_new_words_alone(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "green tea")
    await alice.post(f"{room.path}/messages/1/edit", {"body": "black [coffee](https://example.com)"})
    assert await found("tea") == []
    assert await found("coffee") == ["black [coffee](https://example.com)"]
    assert await marked(index.LINK) == ["black [coffee](https://example.com)"]
    await alice.post(f"{room.path}/messages/1/edit", {"body": "cocoa"})
    assert await marked(index.LINK) == []
    assert await size() == 1


async def test_a_link_is_marked_and_a_name_is_none(alice: Person, bob: Person, room: Room) -> None:
    for body in ("see https://example.com", "hello @bob", "write to mailto:a@example.com", "`https://example.com`"):
        await post_as(who(alice), room, body)
    assert await marked(index.LINK) == ["see https://example.com", "write to mailto:a@example.com"]


async def test_what_is_removed_has_no_words_at_once(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "a secret")
    await post_as(who(alice), room, "no")
    await alice.post(f"{room.path}/messages/1/remove")
    assert await size() == 1
    # A message without words, only of a file, is removed without a change of its body.
    await Message.filter(number=2).update(body="")
    message = await Message.get(number=2)
    await message.remove()
    assert await size() == 0


async def test_a_repeat_is_in_the_index_once(alice: Person, room: Room) -> None:
    for _ in range(2):
        await post_as(who(alice), room, "once", nonce="same")
    assert await size() == 1


async def test_a_message_that_is_undone_leaves_no_words(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("between the words and the end of the transaction")

    monkeypatch.setattr("webapp.messages.mentions.insert", fail)
    with pytest.raises(RuntimeError):
        await post_as(who(alice), room, "never")
    assert (await size(), await Message.all().count()) == (0, 0)


async def test_what_is_deleted_takes_its_words_along(alice: Person, room: Room) -> None:
    for n in range(3):
        await post_as(who(alice), room, f"number {n}")
    await Message.filter(number=2).delete()
    assert await found("number") == ["number 0", "number 2"]
    await Room.filter(id=room.id).delete()
    assert await size() == 0


async def test_a_chat_with_a_stranger_has_no_words_until_it_is_one_of_friends(alice: Person, charlie: Person) -> None:
    for one in (alice, charlie):
        await one.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
    for one in (alice, charlie, alice):
        chat = (await one.get("/strangers")).headers.get("Location", "")
    await alice.post(f"{chat}/messages", {"body": "I know a good bakery"})
    await charlie.post(f"{chat}/messages", {"body": "Where"})
    assert await size() == 0
    await alice.post("/strangers/keep")
    await charlie.post("/strangers/keep")
    assert await found("bakery") == ["I know a good bakery"]
    room = await Room.get(kind="direct")
    await post_as(who(alice), room, "At the bakery's")
    assert await found("bakery") == ["I know a good bakery", "At the bakery's"]
    if settings.ON_SQLITE:
        assert await marked(index.author_word(who(alice).id)) == ["I know a good bakery", "At the bakery's"]
        assert await marked(index.author_word(who(charlie).id)) == ["Where"]
        assert len(await marked(index.room_word(room.id))) == 3


async def test_who_leaves_is_no_longer_the_author_in_the_index(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(bob), room, "stays here")
    await Message.filter(room_id=room.id).update(author_id=None)
    assert await marked(index.author_word(who(bob).id)) == []
    assert await found("stays here") == ["stays here"]


async def test_words_that_an_older_process_changed_are_stale(alice: Person, room: Room) -> None:
    """It knows nothing of the index: what it changes is not found by its old words."""
    await post_as(who(alice), room, "before")
    await Message.filter(number=1).update(body="after", html="<p>after</p>", edited_version=7)
    assert await found("before") == []
    assert await marked(index.STALE) == ["after"]


async def test_words_are_not_written_for_a_message_that_has_changed_meanwhile(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "now")
    [message] = await Message.all()
    await index.write_texts([(message.id, 99, "then" if settings.ON_SQLITE else "'then':1")])
    assert await found("then") == []
    assert await found("now") == ["now"]


async def test_the_index_of_sqlite_is_whole(alice: Person, room: Room) -> None:
    for n in range(40):
        await post_as(who(alice), room, f"word{n} {'語' * n}")
    await Message.filter(number__lt=20).delete()
    await Message.filter(number__lt=30).update(author_id=None)
    await Message.filter(number__lt=35).update(body="other")
    if settings.ON_SQLITE:
        await sql.execute("INSERT INTO message_words(message_words) VALUES('integrity-check')")
    assert await size() == 21
