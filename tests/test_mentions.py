"""Mentions: who is called by a message, what the pages show of it, and what becomes of it later."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.conftest import Person, account, person
from tests.message_pages import draft, message, nonce_in
from tests.page import Page, words
from tests.people import befriend, make_room, now, post_as, who, write
from webapp.accounts.models import User
from webapp.conversations import access, kinds
from webapp.conversations.kinds import KeyedKind
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import KICKED, OWNER
from webapp.db import sql
from webapp.deletion import steps
from webapp.messages import changes, mentions, posting
from webapp.messages.models import Mention, Message, new_nonce
from webapp.presence.tracker import tracker
from webapp.relationships.models import Block, VeiledBlock

NOT_HERE = "is not in this room"


class Private(KeyedKind):
    """A room that only members read."""

    stored = "private"
    has_owner = True


@pytest.fixture
async def private(alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch) -> Room:
    """It is alice's, and bob is in it."""
    monkeypatch.setitem(kinds.BY_NAME, Private.stored, Private())
    room = await Room.create(key="~private", kind=Private.stored, name="Party", member_count=2)
    await Membership.create(room=room, user=who(alice), role=OWNER)
    await Membership.create(room=room, user=who(bob))
    return room


async def rows(room: Room) -> list[tuple[int, str | None, str]]:
    """What the database holds: number, user name and kind, in order."""
    found = Mention.filter(room_id=room.id).order_by("number", "user__username")
    return [tuple(row) for row in await found.values_list("number", "user__username", "kind")]


async def say(one: Person, room: Room, body: str, **fields: str) -> httpx2.Response:
    return await one.post(f"{room.path}/messages", {"body": body, "nonce": new_nonce(), **fields})


async def edit(one: Person, room: Room, body: str, number: int = 1) -> int:
    return (await one.post(f"{room.path}/messages/{number}/edit", {"body": body})).status_code


async def mentions_in(reader: Person, room: Room) -> list[tuple[str, str]]:
    """Whom the room's page mentions, and where that leads; everyone leads nowhere."""
    found = Page(await reader.get(room.path)).all(".message__body .mention")
    return [(node.text(), node.attributes.get("href") or "") for node in found]


# Who is called.


async def test_a_name_calls_who_is_in_the_room_and_is_a_link_to_them(alice: Person, bob: Person, room: Room) -> None:
    assert (await say(alice, room, "tea, @bob? `@bob`")).status_code == 303
    assert await rows(room) == [(1, "bob", "mention")]
    assert await mentions_in(alice, room) == [("@bob", who(bob).path)]
    link = Page(await bob.get(room.path)).one("a.mention")
    assert "rel" not in link.attributes
    assert "target" not in link.attributes, "it leads to a page of ours"
    assert (await bob.get(who(bob).path)).status_code == 200


@pytest.mark.parametrize(
    "body",
    ["`@bob`", "```\n@bob\n```", "[@bob](https://example.org)", "https://example.org/@bob", "bob@bob", "\\@bob", "bob"],
)
async def test_who_is_only_written_about_is_not_called(alice: Person, bob: Person, room: Room, body: str) -> None:
    await say(alice, room, body)
    assert await rows(room) == []
    assert await mentions_in(bob, room) == []


async def test_one_is_called_once_by_a_message(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob @BOB **@bob**\n> @bob")
    assert await rows(room) == [(1, "bob", "mention")]


async def test_nobody_calls_themselves(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@alice and @bob")
    assert await rows(room) == [(1, "bob", "mention")]
    assert [name for name, _ in await mentions_in(bob, room)] == ["@alice", "@bob"]


async def test_an_answer_calls_whose_message_it_answers(alice: Person, bob: Person, room: Room) -> None:
    await say(bob, room, "tea?")
    await say(alice, room, "yes", reply_to="1")
    await say(alice, room, "yes, @bob", reply_to="1")
    await say(bob, room, "good", reply_to="1")
    assert await rows(room) == [(2, "bob", "reply"), (3, "bob", "mention")]


async def test_an_answer_to_what_was_removed_calls_nobody(alice: Person, bob: Person, room: Room) -> None:
    await say(bob, room, "tea?")
    await (await message(room)).remove()
    await say(alice, room, "yes", reply_to="1")
    assert await rows(room) == []


async def test_who_left_is_not_called_by_an_answer(alice: Person, bob: Person, room: Room) -> None:
    await say(bob, room, "tea?")
    await Membership.filter(user_id=who(bob).id).delete()
    await say(alice, room, "yes", reply_to="1")
    assert await rows(room) == []


async def test_twenty_are_called_and_no_more(app: object, alice: Person, room: Room) -> None:
    people = [await account(f"guest{number:02}") for number in range(25)]
    await Membership.bulk_create([Membership(room_id=room.id, user_id=one.id) for one in people])
    await say(alice, room, " ".join(f"@guest{number:02}" for number in range(25)))
    assert len(await rows(room)) == len(await mentions_in(alice, room)) == 20
    assert (await rows(room))[-1] == (1, "guest19", "mention")


async def test_a_name_of_many_parts_is_looked_up_as_each_of_them(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob.smith.jones, or @bob-san")
    assert await rows(room) == [(1, "bob", "mention")]
    assert [name for name, _ in await mentions_in(alice, room)] == ["@bob", "@bob"]


# A block, and who is not here.


@pytest.mark.parametrize("is_mine", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
async def test_no_call_crosses_a_block(alice: Person, bob: Person, room: Room, is_mine: bool, by_name: bool) -> None:
    one, other = (alice, bob) if is_mine else (bob, alice)
    if by_name:
        await Block.add(who(one), who(other))
    else:
        await VeiledBlock.create(
            blocker_id=who(one).id, blocked_id=who(other).id, created_at=datetime.now(UTC), everywhere=True
        )
    await say(bob, room, "mine")
    answer = await say(alice, room, "@bob, look", reply_to="1")
    assert await rows(room) == []
    assert await mentions_in(alice, room) == [("@bob", who(bob).path)], "the same bytes for everybody: nothing shows"
    assert "sent=" not in answer.headers["location"]


async def test_who_is_not_in_a_public_room_is_a_link_and_the_author_hears_of_it(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    answer = await say(alice, room, "@charlie?")
    assert await rows(room) == []
    assert await mentions_in(bob, room) == [("@charlie", who(charlie).path)]
    page = await alice.get(answer.headers["location"])
    assert words(Page(page).one("#sending .done")) == "@charlie is not in this room and does not hear of it."
    assert Page(page).one("#sending .done").attributes["role"] == "status"
    assert "hear of it" not in (await alice.get(room.path)).text
    other = await bob.get(answer.headers["location"])
    assert "hear of it" not in other.text, "that is for the author"


async def test_the_word_stands_in_the_frame_of_the_composer_too(alice: Person, charlie: Person, room: Room) -> None:
    answer = await say(alice, room, "@charlie?", framed="1")
    assert answer.headers["location"] == f"{room.path}/composer?sent=1#text"
    assert NOT_HERE in (await alice.get(answer.headers["location"])).text


async def test_script_gets_the_word_beside_the_message(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    fields = {"nonce": new_nonce(), "author": who(alice).code}
    answer = await alice.post(f"{room.path}/messages", {"body": "@charlie @bob", **fields}, HX_Request="true")
    assert words(Page(answer).one(".done")) == "@charlie is not in this room and does not hear of it."
    assert len(Page(answer).all("li.message")) == 1
    quiet = {"body": "@bob", "nonce": new_nonce(), "author": who(alice).code}
    assert "done" not in (await alice.post(f"{room.path}/messages", quiet, HX_Request="true")).text


async def test_of_two_who_are_not_here_one_sentence_speaks(app: object, alice: Person, room: Room) -> None:
    for name in ("dora", "emil"):
        await account(name)
    page = await alice.get((await say(alice, room, "@emil @dora")).headers["location"])
    assert "@emil, @dora are not in this room and do not hear of it." in page.text


async def test_who_is_found_by_their_code_alone_is_not_given_away(alice: Person, charlie: Person, room: Room) -> None:
    await User.filter(id=who(charlie).id).update(found_by="code")
    answer = await say(alice, room, "@charlie?")
    assert await mentions_in(alice, room) == []
    assert "sent=" not in answer.headers["location"]
    # In the room they are there for all to see.
    await Membership.create(room_id=room.id, user_id=who(charlie).id)
    await say(alice, room, "@charlie?")
    assert await rows(room) == [(2, "charlie", "mention")]


@pytest.mark.parametrize("is_mine", [True, False])
async def test_a_block_does_not_show_in_what_is_said_of_who_is_not_here(
    alice: Person, charlie: Person, room: Room, is_mine: bool
) -> None:
    await Block.add(*((who(alice), who(charlie)) if is_mine else (who(charlie), who(alice))))
    answer = await say(alice, room, "@charlie and @nobody-at-all")
    assert await mentions_in(alice, room) == []
    assert "sent=" not in answer.headers["location"]


async def test_who_wants_to_hear_nothing_of_the_room_is_spoken_of_no_more_than_others(
    alice: Person, bob: Person, room: Room
) -> None:
    await Membership.filter(user_id=who(bob).id).update(level="nothing", muted=True)
    answer = await say(alice, room, "@bob?")
    assert "sent=" not in answer.headers["location"]
    assert await rows(room) == [(1, "bob", "mention")], "a level is asked where rows are read"


async def test_who_is_kicked_is_letters(alice: Person, bob: Person, room: Room) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    await Membership.filter(user_id=who(bob).id).update(role=KICKED, kicked_until=until)
    answer = await say(alice, room, "@bob?")
    assert await rows(room) == []
    assert await mentions_in(alice, room) == []
    assert "sent=" not in answer.headers["location"]


async def test_outsiders_of_a_private_room_are_letters_and_nothing_is_said_of_them(
    private: Room, alice: Person, bob: Person, charlie: Person
) -> None:
    answer = await say(alice, private, "@bob and @charlie")
    assert await rows(private) == [(1, "bob", "mention")]
    assert await mentions_in(alice, private) == [("@bob", who(bob).path)]
    assert "sent=" not in answer.headers["location"]


async def test_in_a_chat_the_other_may_be_called(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob, "first, @bob")
    await write(alice, bob, "@bob and @charlie, @everyone")
    chat = await Room.get(kind="direct")
    assert await rows(chat) == [(1, "bob", "mention"), (2, "bob", "mention")]
    assert await mentions_in(alice, chat) == [("@bob", who(bob).path), ("@bob", who(bob).path)]


async def test_a_request_calls_nobody(alice: Person, bob: Person) -> None:
    await write(alice, bob, "@bob, hello")
    chat = await Room.get(kind="direct")
    assert await rows(chat) == []
    assert await mentions_in(alice, chat) == [("@bob", who(bob).path)]


# Everyone.


async def test_the_owner_calls_everyone_by_one_row(alice: Person, bob: Person, room: Room) -> None:
    assert (await say(alice, room, "@everyone, tea")).status_code == 303
    assert await rows(room) == [(1, None, "everyone")]
    assert await mentions_in(bob, room) == [("@everyone", "")]


async def test_room_is_another_word_for_it_which_nobody_is_called(visitor: Person, alice: Person, room: Room) -> None:
    await say(alice, room, "@room")
    assert await rows(room) == [(1, None, "everyone")]
    for name in ("room", "Room", "r00m", "everyone"):
        fields = {"username": name, "password": "correct horse battery", "display_name": "Ro"}
        assert (await visitor.post("/register", fields)).status_code == 422


async def test_others_call_nobody_and_read_why(alice: Person, bob: Person, room: Room) -> None:
    answer = await say(bob, room, "@everyone @alice")
    assert await rows(room) == [(1, "alice", "mention")]
    assert await mentions_in(alice, room) == [("@alice", who(alice).path)]
    page = await bob.get(answer.headers["location"])
    assert (
        words(Page(page).one("#sending .done"))
        == "Only owners and moderators of the room can call everyone. Nobody was called."
    )


@pytest.mark.parametrize("body", ["`@everyone`", "everyone", "@everyones", "@everyone@example.org"])
async def test_who_only_writes_of_everyone_hears_nothing(alice: Person, bob: Person, room: Room, body: str) -> None:
    for one in (alice, bob):
        assert "sent=" not in (await say(one, room, body)).headers["location"]
    assert await rows(room) == []


async def test_an_administrator_calls_everyone_as_the_owner_does(admin: Person, room: Room) -> None:
    await say(admin, room, "@everyone")
    assert await rows(room) == [(1, None, "everyone")]


async def test_everyone_is_called_once_in_ten_minutes(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@everyone")
    answer = await say(alice, room, "@everyone and @bob")
    assert await rows(room) == [(1, None, "everyone"), (2, "bob", "mention")]
    page = await alice.get(answer.headers["location"])
    assert "Everyone here was called a short while ago. Nobody was called this time." in page.text
    await Message.filter(number=1).update(created_at=datetime.now(UTC) - timedelta(minutes=11))
    await say(alice, room, "@everyone")
    assert (await rows(room))[-1] == (3, None, "everyone")


async def test_of_two_who_call_everyone_at_once_one_does(alice: Person, admin: Person, room: Room) -> None:
    """Both were let in when nobody had been called: it is decided under the lock."""
    seats = [await access.by_key(who(one), room.key) for one in (alice, admin)]
    drafts = [await posting.Draft.validated(seat, "now @everyone", "") for seat in seats]
    assert [one.calls_everyone for one in drafts] == [True, True]
    await asyncio.gather(*(posting.submit(one) for one in drafts))
    assert await Mention.filter(room_id=room.id, kind="everyone").count() == 1
    marked = [mentions.markdown.mentions_everyone(one.html) for one in await Message.filter(room_id=room.id)]
    assert sorted(marked) == [False, True]


async def many(room: Room, count: int) -> None:
    """So many more members."""
    people = [
        User(code=f"{number:04}-{number:04}", username=f"member{number}", display_name=f"Member {number}")
        for number in range(count)
    ]
    await User.bulk_create(people, batch_size=500)
    ids = await User.filter(username__startswith="member").values_list("id", flat=True)
    await Membership.bulk_create([Membership(room_id=room.id, user_id=id) for id in ids], batch_size=500)
    await Room.filter(id=room.id).update(member_count=await Membership.filter(room_id=room.id).count())


async def test_in_a_large_room_the_author_is_asked_first(alice: Person, bob: Person, room: Room) -> None:
    await many(room, 49)
    answer = await say(alice, room, "@everyone, tea")
    assert answer.status_code == 422
    assert draft(answer) == "@everyone, tea"
    assert "This calls all 51 people in the room." in answer.text
    assert await Message.all().count() == 0
    assert words(Page(answer).one("#sending button[name=everyone]")) == "Send and call everyone"
    fields = {"body": "@everyone, tea", "nonce": nonce_in(answer), "everyone": "1"}
    assert (await alice.post(f"{room.path}/messages", fields)).status_code == 303
    assert await rows(room) == [(1, None, "everyone")]


async def test_the_question_comes_in_the_frame_and_to_script_too(alice: Person, bob: Person, room: Room) -> None:
    await many(room, 49)
    framed = await say(alice, room, "@everyone", framed="1")
    script = await alice.post(f"{room.path}/messages", {"body": "@everyone", "nonce": "n"}, HX_Request="true")
    for answer in (framed, script):
        assert answer.status_code == 422
        assert Page(answer).all("#sending button[name=everyone]")


async def test_a_room_of_fifty_is_called_without_a_question(alice: Person, bob: Person, room: Room) -> None:
    await many(room, 48)
    assert (await now(room)).member_count == 50
    assert (await say(alice, room, "@everyone")).status_code == 303


async def test_who_may_not_call_everyone_is_not_asked(alice: Person, bob: Person, room: Room) -> None:
    await many(room, 49)
    assert (await say(bob, room, "@everyone")).status_code == 303


async def test_in_a_room_of_five_thousand_one_row_is_written_and_one_frame_sent(
    alice: Person, bob: Person, room: Room
) -> None:
    await many(room, 5000)
    before = (await now(room)).version
    assert (await say(alice, room, "@everyone", everyone="1")).status_code == 303
    assert await Mention.all().count() == 1
    assert (await now(room)).version == before + 1
    found = await changes.log(room.id, {before})
    assert found
    assert found[0] == before + 1
    frame = found[1][before].in_language("en")
    assert frame.sse.count(b"<li ") == frame.html.count(b"<li ") == 1
    assert frame.sse.count(b"\n\n") == 1


# Later.


async def test_an_edit_calls_whom_it_names_and_no_more_whom_it_does_not(
    app: object, alice: Person, bob: Person, room: Room
) -> None:
    dora = await person(app, "dora")
    await Membership.create(room_id=room.id, user_id=who(dora).id)
    await say(alice, room, "@bob?")
    assert await edit(alice, room, "@dora?") == 303
    assert await rows(room) == [(1, "dora", "mention")]
    assert await mentions_in(bob, room) == [("@dora", who(dora).path)]
    await edit(alice, room, "nobody")
    assert await rows(room) == []


async def test_the_row_of_who_is_called_still_stays(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob?")
    first = await Mention.get(number=1)
    await edit(alice, room, "tea, @bob?")
    assert (await Mention.get(number=1)).id == first.id


async def test_an_edited_answer_calls_whom_it_answers_by_name_or_not(alice: Person, bob: Person, room: Room) -> None:
    await say(bob, room, "tea?")
    await say(alice, room, "yes", reply_to="1")
    await edit(alice, room, "yes, @bob", 2)
    assert await rows(room) == [(2, "bob", "mention")]
    await edit(alice, room, "yes", 2)
    assert await rows(room) == [(2, "bob", "reply")]


async def test_an_edit_calls_everyone_only_where_they_were_called_before(
    alice: Person, bob: Person, room: Room
) -> None:
    await say(alice, room, "tea")
    await edit(alice, room, "@everyone, tea")
    assert await rows(room) == []
    assert await mentions_in(bob, room) == []
    await say(alice, room, "@everyone, cake")
    await edit(alice, room, "@everyone, and tea", 2)
    assert await rows(room) == [(2, None, "everyone")]
    assert await mentions_in(bob, room) == [("@everyone", "")]
    await edit(alice, room, "not at all", 2)
    assert await rows(room) == []


async def test_an_edit_does_not_cross_a_block_either(alice: Person, bob: Person, room: Room) -> None:
    await Block.add(who(bob), who(alice))
    await say(alice, room, "tea")
    await edit(alice, room, "tea, @bob")
    assert await rows(room) == []


async def test_an_edit_that_is_refused_changes_no_call(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob")
    await edit(alice, room, "@bob!")
    fields = {"body": "nobody", "version": "1"}
    assert (await alice.post(f"{room.path}/messages/1/edit", fields)).status_code == 409
    assert await rows(room) == [(1, "bob", "mention")]


async def test_a_message_that_is_removed_calls_nobody(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob?")
    assert await rows(room) == [(1, "bob", "mention")]
    assert (await alice.post(f"{room.path}/messages/1/remove", {})).status_code == 303
    assert await rows(room) == []


async def test_who_deletes_their_account_is_called_no_more(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob?")
    await say(bob, room, "@alice!")
    await steps.start_deletion(who(bob))
    await steps.finish(who(bob))
    assert await rows(room) == [(2, "alice", "mention")]
    [(name, path), _] = await mentions_in(alice, room)
    assert name == "@bob"
    assert (await alice.get(path)).status_code == 404
    await edit(alice, room, "@bob, where are you?")
    assert [name for name, _ in await mentions_in(alice, room)] == ["@alice"]


async def test_another_shown_name_changes_nothing(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob?")
    before = (await message(room)).html
    await User.filter(id=who(bob).id).update(display_name="Robert")
    await edit(alice, room, "@bob? ")
    assert (await message(room)).html == before
    assert await mentions_in(alice, room) == [("@bob", who(bob).path)]


async def test_a_nonce_that_comes_again_calls_once(alice: Person, bob: Person, room: Room) -> None:
    for _ in range(3):
        await say(alice, room, "@bob?", nonce="the same")
    assert await rows(room) == [(1, "bob", "mention")]
    await asyncio.gather(*(post_as(who(alice), room, "@bob!", "another") for _ in range(4)))
    assert await rows(room) == [(1, "bob", "mention"), (2, "bob", "mention")]


async def test_the_same_nonce_with_other_words_is_another_call(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob?", nonce="the same")
    await say(alice, room, "@bob!", nonce="the same")
    assert await rows(room) == [(1, "bob", "mention"), (2, "bob", "mention")]


async def test_a_post_that_fails_calls_nobody(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words and calls are stored together, or neither is."""

    async def broken(*_: object) -> None:
        raise RuntimeError("a crash")

    with monkeypatch.context() as patch:
        patch.setattr(mentions, "insert", broken)
        assert (await say(alice, room, "@bob?")).status_code == 500
    assert await Message.all().count() == await Mention.all().count() == 0
    await say(alice, room, "@bob?")
    assert await rows(room) == [(1, "bob", "mention")]


async def test_many_who_post_at_once_call_each_their_own(app: object, alice: Person, bob: Person, room: Room) -> None:
    other = await make_room(who(alice), "Second room")
    await asyncio.gather(
        *(post_as(who(alice), place, f"{number} @bob" if number % 2 else f"{number}") for number in range(8)
          for place in (room, other)),
    )  # fmt: skip
    called = {row.number for row in await Message.filter(room_id=room.id, body__endswith="@bob")}
    assert {number for number, _, _ in await rows(room)} == called
    assert len(called) == 4
    assert await rows(other) == [], "bob is not in it"


# What pages show.


async def test_the_page_is_the_same_for_every_reader_and_mine_stands_out_by_my_own_styles(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    await say(alice, room, "@bob and @alice")
    found = {Page(await one.get(room.path)).one("#log .message__body").html for one in (alice, bob, admin)}
    assert len(found) == 1
    for one in (alice, bob):
        assert f'.mention[href="{who(one).path}"]' in (await one.get("/me.css")).text


async def test_the_sidebar_shows_the_letters(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "tea, @bob?")
    assert (await now(room)).last_line == "tea, @bob?"


async def test_a_message_with_a_mention_stays_small(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob?")
    assert len((await message(room)).html) - len("<p>@bob?</p>") < 60


async def test_strangers_call_nobody(alice: Person, bob: Person, room: Room) -> None:
    """Not by name, nor by an answer."""
    seat = await access.by_key(who(alice), room.key)
    seat = replace(seat, room=replace(seat.room, kind=kinds.ANONYMOUS))
    draft = await posting.Draft.validated(seat, "@bob @everyone", "", None)
    assert draft.calls(1, who(bob).id) == []
    assert "mention" not in draft.html


async def test_in_german_too(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    for one in (alice, bob):
        await User.filter(id=who(one).id).update(language="de")
    page = await alice.get((await say(alice, room, "@charlie")).headers["location"])
    assert "@charlie ist nicht in diesem Raum und bekommt es nicht mit." in page.text
    page = await bob.get((await say(bob, room, "@everyone")).headers["location"])
    assert "Alle rufen können nur, wem der Raum gehört oder wer ihn moderiert. Niemand wurde gerufen." in page.text
    await many(room, 49)
    assert "Das ruft alle 51 Leute im Raum." in (await say(alice, room, "@everyone")).text


async def test_no_call_is_left_where_a_room_is_erased(alice: Person, bob: Person, room: Room) -> None:
    await say(alice, room, "@bob")
    await sql.execute("DELETE FROM room WHERE id = ?", room.id)
    assert await Mention.all().count() == 0


# Who may be meant, while one types.


async def offered(one: Person, room: Room, typed: str) -> list[str]:
    answer = await one.get(f"{room.path}/people?call=1&q={typed}", HX_Request="true")
    assert answer.status_code == 200
    found = [node.attributes["data-name"] or "" for node in Page(answer).all("[role=option]")]
    assert words(Page(answer).one("p")) == f"{len(found)} found"
    return found


async def opens(one: Person, room: Room) -> None:
    """They have the room's page open."""
    tracker().stream_opened(who(one).id, room.id)
    await tracker().write_changes()


async def test_members_are_offered_by_the_beginning_of_their_names(
    app: object, alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    bobby = await account("bobbington")
    await Membership.create(room_id=room.id, user_id=bobby.id)
    assert await offered(alice, room, "bo") == ["bob", "bobbington"]
    assert await offered(alice, room, "bobb") == ["bobbington"]
    assert await offered(alice, room, "BOBBINGTON") == ["bobbington"]
    assert await offered(alice, room, "ali") == [], "nobody calls themselves"
    assert await offered(alice, room, "char") == [], "he is not in the room"


async def test_a_name_that_is_typed_to_its_end_comes_first(alice: Person, bob: Person, room: Room) -> None:
    other = await account("bo.b")
    await User.filter(id=other.id).update(username="bobaaa", display_name="Aaa Bob")
    await Membership.create(room_id=room.id, user_id=other.id)
    assert (await offered(alice, room, "bob"))[0] == "bob"


async def test_everyone_is_offered_to_who_may_call_them(alice: Person, bob: Person, room: Room) -> None:
    assert await offered(alice, room, "every") == ["everyone"]
    assert "everyone" in await offered(alice, room, "")
    assert await offered(bob, room, "every") == []


async def test_before_there_are_letters_those_are_offered_who_are_here(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    for one in (bob, charlie):
        await opens(one, room)
    assert await offered(alice, room, "") == ["bob", "everyone"], "charlie only looks on"
    assert await offered(alice, room, "b") == ["bob"]
    assert await offered(alice, room, "x") == []


async def test_nobody_is_offered_across_a_block(alice: Person, bob: Person, room: Room) -> None:
    await opens(bob, room)
    await Block.add(who(bob), who(alice))
    assert await offered(alice, room, "bob") == await offered(alice, room, "b") == []


async def test_outsiders_of_a_private_room_are_offered_nothing(private: Room, alice: Person, charlie: Person) -> None:
    assert await offered(alice, private, "bob") == ["bob"]
    answer = await charlie.get(f"{private.path}/people?call=1&q=bob", HX_Request="true")
    assert answer.status_code == 404
