"""Answers to messages: what is quoted, when that changes, and for whom it is hidden."""

import re

import httpx2
import pytest

from tests.conftest import Person, bodies
from tests.message_pages import fill, log, message, said
from tests.page import Page, words
from tests.people import befriend, now, post_as, who
from webapp.conversations.models import Room
from webapp.conversations.queries import room_by_id
from webapp.http import render
from webapp.live import Frame
from webapp.live.frames import RELOAD_DOCUMENT
from webapp.messages import changes
from webapp.messages.models import Message
from webapp.messages.queries import list_after
from webapp.moderation import evidence
from webapp.moderation.evidence import EvidenceLine
from webapp.relationships.models import Block


async def reply(one: Person, room: Room, to: object, body: str = "Indeed", nonce: str = "") -> httpx2.Response:
    return await one.post(f"{room.path}/messages", {"body": body, "nonce": nonce, "reply_to": str(to)})


async def frames(room: Room, cursor: int) -> Frame:
    """Return what an open page is sent that holds this version."""
    found = await changes.log(room.id, {cursor})
    assert found
    return found[1][cursor].in_language("en")


def quote(page: httpx2.Response, number: int) -> str:
    """Return what message `number` of the page quotes, as it is read; empty for nothing."""
    found = Page(log(page)[number]).all(".message__body > .said")
    assert len(found) <= 1
    return words(found[0]) if found else ""


# Posting and the page.


async def test_an_answer_quotes_its_original_and_leads_to_it(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(alice), room, "Is there **cake** left?\nOr not?")
    assert (await reply(bob, room, 1, "A slice")).status_code == 303
    page = await alice.get(room.path)
    assert said(page)[2] == "Alice Is there cake left? A slice"
    link = Page(log(page)[2]).one(".message__body > a.said:first-child")
    assert link.attributes["href"] == f"{room.path}/messages/1"
    assert link.attributes["data-author"] == who(alice).code
    assert await bodies(room) == ["Is there **cake** left?\nOr not?", "A slice"]
    assert [(row.reply_to, row.html) for row in await Message.filter(room_id=room.id).order_by("number")] == [
        (None, (await message(room)).html),
        (1, "<p>A slice</p>"),
    ]


async def test_a_quote_has_no_more_than_eighty_characters(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(alice), room, "cake and tea " * 100)
    await reply(bob, room, 1)
    shown = quote(await bob.get(room.path), 2).removeprefix("Alice ")
    assert 70 < len(shown) <= 80
    assert shown.endswith("…")


async def test_a_quote_is_letters_whatever_was_written(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(alice), room, "<b>&amp; https://example.org/ <script>")
    await reply(bob, room, 1)
    page = await bob.get(room.path)
    assert quote(page, 2) == "Alice <b>&amp; https://example.org/ <script>"
    assert len(Page(log(page)[2]).all(".said a, .said script")) == 0


async def test_an_answer_never_continues_a_group(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    await reply(bob, room, 1)
    await post_as(who(bob), room, "and more")
    continues = await Message.filter(room_id=room.id).order_by("number").values_list("continues", flat=True)
    assert list(continues) == [False, True, False, True]


@pytest.mark.parametrize("to", ["3", "0", "-1", "x", "9" * 30, "1.0", "٣"])
async def test_what_answers_no_message_of_the_room_is_refused_with_its_words(
    bob: Person, room: Room, soup: Room, to: str
) -> None:
    await fill(room, bob, 1)
    before = await bodies(room)
    refused = await reply(bob, room, to, "kept words")
    assert refused.status_code == 422
    assert "The message that you answer is not in this room." in words(refused)
    assert "kept words" in refused.text
    assert await bodies(room) == before


async def test_what_answers_a_removed_message_is_a_plain_one(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    await (await message(room, 1)).remove()
    assert (await reply(bob, room, 1)).status_code == 303
    assert (await message(room, 3)).reply_to is None
    assert quote(await alice.get(room.path), 3) == ""


async def test_what_answers_a_deleted_row_is_a_plain_one(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    await Message.filter(room_id=room.id, number=1).delete()
    assert (await reply(bob, room, 1)).status_code == 303
    assert (await message(room, 3)).reply_to is None


async def test_the_first_message_of_a_chat_answers_nothing(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    path = f"/chat/{who(bob).code}/messages"
    refused = await alice.post(path, {"body": "Hello", "nonce": "n", "reply_to": "1"})
    assert refused.status_code == 422
    assert (await alice.post(path, {"body": "Hello", "nonce": "n", "reply_to": ""})).status_code == 303
    chat = await Room.get(kind="direct")
    assert (await alice.post(path, {"body": "Hello?", "nonce": "m", "reply_to": "1"})).status_code == 303
    assert quote(await bob.get(chat.path), 2) == "Alice Hello"


# Repeats.


async def test_a_nonce_is_a_repeat_only_with_the_same_original(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    for to in ("1", "1", "2", "", "2"):
        assert (await reply(bob, room, to, "same", "nonce")).status_code == 303
    rows = (
        await Message.filter(room_id=room.id, author_id=who(bob).id)
        .order_by("number")
        .values_list("reply_to", flat=True)
    )
    # What came as another message has another nonce: sent once more, it is one more.
    assert list(rows) == [1, 2, None, 2]


async def test_a_repeat_is_known_though_its_original_was_removed_meanwhile(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 2)
    await reply(bob, room, 1, "before", "one")
    await (await message(room, 1)).remove()
    await reply(bob, room, 1, "before", "one")
    await reply(bob, room, 1, "after", "two")
    await reply(bob, room, 1, "after", "two")
    assert await bodies(room) == ["", "line 2", "before", "after"]


# When the original changes.


async def test_an_edit_reaches_all_quotes_in_the_same_frame(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    await reply(bob, room, 1, "first")
    await reply(alice, room, 1, "second")
    await reply(bob, room, 2, "of another")
    version = await (await message(room, 1)).edit("better words")
    assert version == (await now(room)).version == 6
    versions = await Message.filter(room_id=room.id).order_by("number").values_list("version", flat=True)
    assert list(versions) == [6, 2, 6, 6, 5]
    frame = await frames(room, 5)
    assert frame.sse.startswith(b"id: 6\n")
    assert frame.sse.count(b"better words") == frame.html.count(b"better words") == 3
    assert b"line 1" not in frame.sse + frame.html
    assert [int(n) for n in re.findall(r'hx-target="#message-\d+-(\d+)"', frame.sse.decode())] == [1, 3, 4]
    assert quote(await bob.get(room.path), 3) == "Alice better words"


async def test_a_removal_reaches_all_quotes_in_the_same_frame(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    await reply(bob, room, 1, "first")
    await reply(bob, room, 1, "second")
    await (await message(room, 1)).remove()
    frame = await frames(room, 4)
    assert frame.sse.count(b"Message removed") == frame.html.count(b"Message removed") == 2
    assert b"line 1" not in frame.sse + frame.html
    page = await alice.get(room.path)
    assert quote(page, 3) == quote(page, 4) == "Message removed"
    # Nothing tells who had said it.
    assert "data-author" not in Page(log(page)[3]).one(".said").attributes


async def test_the_quote_of_a_deleted_row_says_that_it_was_removed(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    await reply(bob, room, 1)
    await Message.filter(room_id=room.id, number=1).delete()
    assert quote(await bob.get(room.path), 3) == "Message removed"


async def test_a_removed_answer_quotes_nothing_and_stays_as_it_is(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    await reply(bob, room, 1)
    removed = await (await message(room, 2)).remove()
    assert said(await alice.get(room.path))[2] == "Removed"
    await (await message(room, 1)).edit("other words")
    assert (await message(room, 2)).version == removed


async def test_an_edit_is_not_refused_because_what_it_answers_was_edited(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 1)
    await reply(bob, room, 1, "my answer")
    form = Page(await bob.get(f"{room.path}/messages/2/edit"))
    began_at = form.one("form.act--edit [name=version]").attributes["value"] or ""
    await (await message(room, 1)).edit("other words")
    path = f"{room.path}/messages/2/edit"
    assert (await bob.post(path, {"body": "my better answer", "version": began_at})).status_code == 303
    assert (await bob.post(path, {"body": "from an old page", "version": began_at})).status_code == 409
    assert (await message(room, 2)).body == "my better answer"
    assert quote(await alice.get(room.path), 2) == "Alice other words"


async def test_an_edit_of_what_has_600_answers_sends_the_newest_page(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    for _ in range(600):
        await post_as(who(bob), room, "again", reply_to=1)
    await (await message(room, 1)).edit("better words")
    frame = await frames(room, 601)
    assert b'hx-target="#log" hx-swap="innerHTML"' in frame.sse
    assert frame.sse.count(b"better words") == frame.sse.count(b'<a class="said') == 50
    assert frame.html == RELOAD_DOCUMENT
    assert list(log(await alice.get(room.path))) == list(range(552, 602))


async def test_an_author_who_was_renamed_or_deleted_their_account_is_so_in_quotes(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 1)
    await reply(bob, room, 1)
    await alice.post("/settings/profile", {"display_name": "Alicia", "bio": ""})
    assert quote(await bob.get(room.path), 2) == "Alicia line 1"
    await Message.filter(room_id=room.id, number=1).update(author_id=None)
    await bob.post(f"{room.path}/messages", {"body": "news", "nonce": ""})
    assert quote(await bob.get(room.path), 2) == "Deleted account line 1"


# Who sees it.


async def test_quotes_of_whom_one_has_blocked_are_hidden(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    await reply(charlie, room, 1, "as he said")
    await Block.add(who(alice), who(bob))
    page = await alice.get(room.path)
    assert quote(page, 2) == "Message of somebody you blocked."
    assert "line 1" not in log(page)[2]
    assert who(bob).code not in log(page)[2]
    css = (await alice.get("/me.css")).text
    assert f'.said[data-author="{who(bob).code}"]' in css
    assert quote(await bob.get(room.path), 2) == "Bob line 1"
    assert ".said[" not in (await bob.get("/me.css")).text


async def test_two_readers_are_sent_the_same_bytes(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    for _ in range(3):
        await reply(bob, room, 1)
    assert log(await alice.get(room.path)) == log(await bob.get(room.path))


# Writing.


def answered(page: httpx2.Response) -> str:
    """Return what the composer of the page answers, as it is read; empty for nothing."""
    return words(Page(page).one("#composer #answered"))


@pytest.mark.parametrize("path", ["", "/composer"])
async def test_a_composer_answers_the_message_that_its_address_names(
    alice: Person, bob: Person, room: Room, path: str
) -> None:
    await fill(room, alice, 2)
    page = await bob.get(f"{room.path}{path}?reply=1")
    assert answered(page) == "Reply to Alice line 1 Not a reply after all"
    assert Page(page).one("#composer [name=reply_to]").attributes["value"] == "1"
    back = Page(page).one("#answered a.round").attributes["href"] or ""
    assert answered(await bob.get(back)) == ""


async def test_without_script_an_answer_is_written_in_the_page_and_all_else_in_its_frame(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 1)
    frame, hidden = f'src="{room.path}/composer"', "composer with-script"
    plain, answering = (await bob.get(room.path)).text, (await bob.get(f"{room.path}?reply=1")).text
    assert (frame in plain, hidden in plain) == (True, True)
    assert (frame in answering, hidden in answering) == (False, False)


async def test_script_is_given_the_part_with_the_quote_alone(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    part = await bob.get(f"{room.path}/composer?reply=1", HX_Request="true")
    assert part.text.strip().startswith('<div id="answered"')
    assert "textarea" not in part.text
    await (await message(room, 1)).remove()
    gone = await bob.get(f"{room.path}/composer?reply=1", HX_Request="true")
    assert gone.status_code == 404
    assert answered(await bob.get(f"{room.path}?reply=1")) == ""
    assert (await bob.get(f"{room.path}?reply=99")).status_code == 200
    assert (await bob.get(f"{room.path}?reply=x")).status_code == 404


async def test_what_was_refused_comes_back_as_the_answer_that_it_was(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    for framed in ("", "1"):
        fields = {"body": " ", "nonce": "n", "reply_to": "1", "framed": framed}
        refused = await bob.post(f"{room.path}/messages", fields)
        assert refused.status_code == 422
        assert answered(refused).startswith("Reply to Alice line 1")


async def test_each_message_but_a_removed_one_has_a_way_to_answer(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 2)
    await (await message(room, 2)).remove()
    page = log(await bob.get(room.path))
    assert len(Page(page[1]).all(".tray a[href='?reply=1']")) == 1
    assert "reply" not in page[2]
    about = await bob.get(f"{room.path}/messages/1/edit")
    assert len(Page(about).all(f"a[href='{room.path}?reply=1#composer']")) == 1


# What answers a message.


async def test_the_page_of_a_message_lists_what_answers_it(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, alice, 2)
    for to, body in ((1, "one"), (2, "of another"), (1, "two"), (1, "three")):
        await reply(bob, room, to, body)
    await (await message(room, 5)).remove()
    for one in (alice, charlie):
        page = Page(await one.get(f"{room.path}/messages/1/more"))
        assert [words(item).partition(" Today")[0] for item in page.all(".replies a")] == ["Bob one", "Bob three"]
        assert [item.attributes["href"] for item in page.all(".replies a")] == [
            f"{room.path}/messages/3",
            f"{room.path}/messages/6",
        ]
        assert page.texts("main h2") == ["2 replies"]
    about = Page(await charlie.get(f"{room.path}/messages/1/edit"))
    assert about.one(f"a[href='{room.path}/messages/1/more']").text() == "2 replies"
    assert (await charlie.get(f"{room.path}/messages/99/more")).status_code == 404
    assert (await charlie.get("/rooms/none/messages/1/more")).status_code == 404


async def test_many_answers_come_a_page_at_a_time(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    for number in range(60):
        await post_as(who(bob), room, f"answer {number}", reply_to=1)
    page = await alice.get(f"{room.path}/messages/1/more")
    found = [words(item) for item in Page(page).all(".replies a")]
    rest = Page(page).one(f"a[href^='{room.path}/messages/1/more?after=']").attributes["href"] or ""
    page = await alice.get(rest)
    found += [words(item) for item in Page(page).all(".replies a")]
    assert found == [f"Bob answer {number}" for number in range(60)]
    assert Page(page).all("a[href*='more?after=']") == []


async def test_answers_of_whom_one_has_blocked_are_listed_without_their_words(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 1)
    await reply(bob, room, 1, "his words")
    await Block.add(who(alice), who(bob))
    page = await alice.get(f"{room.path}/messages/1/more")
    assert [words(item) for item in Page(page).all(".replies a")] == ["Message of somebody you blocked."]
    assert "his words" not in page.text


# Kept by others: reports and exports.


async def test_a_report_stores_what_was_quoted_as_it_was_then(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    await reply(bob, room, 1, "an insult")
    found = await evidence.collect(who(alice), f"message:{room.key}:2")
    assert [(line.said, line.quoted) for line in found.lines] == [("line 1", ""), ("an insult", "Alice: line 1")]
    assert sorted(found.lines[0].as_stored()) == ["at", "code", "is_it", "name", "said"]
    stored = [EvidenceLine(**line.as_stored()) for line in found.lines]  # type: ignore[arg-type]
    assert stored == found.lines
    assert found.excerpt == "an insult"


async def test_an_export_says_what_was_answered_and_in_a_room_not_in_whose_words(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 1)
    await reply(bob, room, 1, "my answer")
    found = await list_after(await room_by_id(room.id), 0, 10, who(bob).id)  # type: ignore[arg-type]
    for is_whole in (True, False):
        html = render.fragment("exports/_file_messages.html", messages=[(found[0], True)], is_whole=is_whole)
        assert "my answer" in words(html)
        assert ("line 1" in words(html)) is is_whole
        assert "Reply to Alice" in words(html)
