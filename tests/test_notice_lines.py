"""Lines in a log that nobody wrote: where they are shown, in whose language, and what can't be done with them."""

from datetime import UTC, datetime

import pytest

from tests.conftest import Person
from tests.engine import by_hand, told  # noqa: F401  by_hand is a fixture
from tests.page import Page, words
from tests.people import post_as, who
from tests.window import Window
from webapp.conversations.models import Membership, Room
from webapp.conversations.notice_words import sentence
from webapp.core.i18n import use_language
from webapp.db import transaction
from webapp.messages import changes, notices
from webapp.messages.models import Message, Pin, Reaction, Saved
from webapp.moderation.models import Report

AT = datetime(2026, 12, 2, 9, tzinfo=UTC)


async def note(room: Room, notice: str) -> int:
    version = await transaction.transact(notices.insert, room.id, notice)
    changes.log_changed(room.id, version)
    return version


@pytest.mark.parametrize(
    ("notice", "english", "german"),
    [
        ("private", "The room is private now.", "Der Raum ist jetzt privat."),
        (
            "retention:30",
            "From Thursday 3 December 2026 on, messages go after 30 days.",
            "Ab Donnerstag, 3. Dezember 2026 verschwinden Nachrichten nach 30 Tagen.",
        ),
        ("of-tomorrow:7", "The room was changed.", "Der Raum wurde geändert."),
    ],
)
def test_a_line_says_what_happened_in_the_language_of_the_page(notice: str, english: str, german: str) -> None:
    said = sentence(notice, AT)
    assert str(said).replace(",", "") == english.replace(",", "")
    with use_language("de"):
        assert str(said) == german


async def test_a_line_stands_wherever_messages_do(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(alice), room, "Before")
    window = await Window.open(bob, room=await Room.get(id=room.id))
    await note(room, "private")
    await told()
    assert [(one.line, one.unread) for one in window.sidebar] == [("The room is private now.", "")]
    await post_as(who(alice), room, "After")
    page = Page(await bob.get(room.path))
    assert page.texts("#log > .message .message__body p")[-3:][1].startswith("The room is private now.")
    [line] = page.all(".message--notice")
    assert not line.css(".tray, a, .message__author")
    assert "message--continues" not in (page.all("#log > .message")[-1].attributes["class"] or "")
    plain = await bob.get(f"{room.path}?plain=1", User_Agent="w3m/0.5")
    assert "The room is private now." in words(plain)
    version, frames = await changes.log(room.id, [0]) or (0, {})
    frame = frames[0].in_language("en")
    assert b"The room is private now." in frame.sse
    assert b"The room is private now." in frame.html
    assert version == 3


async def test_a_line_counts_as_news_and_is_the_last_line_of_lists(alice: Person, bob: Person, room: Room) -> None:
    await post_as(who(alice), room, "Before")
    await bob.read(room)
    await note(room, "retention:1")
    lobby = Page(await bob.get("/lobby"))
    assert "messages go after 1 day." in lobby.texts(".entry__line")[0]
    assert lobby.texts("#entries .unread") == ["1 unread"]
    catch_up = Page(await bob.get("/inbox/catch-up"))
    assert "messages go after 1 day." in catch_up.texts("article > div")[0]
    assert not catch_up.all("article b")
    await bob.read(room)
    assert not Page(await bob.get("/lobby")).all("#entries .unread")


async def test_nothing_can_be_done_with_a_line(alice: Person, bob: Person, room: Room) -> None:
    await note(room, "private")
    at = f"{room.path}/messages/1"
    for one in (alice, bob):
        for path in ("edit", "more", "reactions"):
            assert (await one.get(f"{at}/{path}")).status_code == 404, path
        for path in ("edit", "remove", "pin", "save", "reactions"):
            answer = await one.post(f"{at}/{path}", {"body": "Mine", "kind": "👍", "on": "1", "version": "1"})
            assert answer.status_code in (403, 404), path
        assert (await one.get(f"/report?about=message:{room.key}:1")).status_code == 404
        assert not Page(await one.get(f"{room.path}?reply=1")).all("[name=reply_to]")
    await bob.post(f"{room.path}/messages", {"body": "An answer", "nonce": "n" * 22, "reply_to": "1"})
    assert await Message.filter(room_id=room.id).order_by("number").values_list("body", "reply_to") == [
        ("", None),
        ("An answer", None),
    ]
    assert await Message.get(room_id=room.id, number=1).values_list("notice", "removed_at") == ("private", None)
    for rows in (Pin, Saved, Reaction, Report):
        assert not await rows.exists()
    assert not Page(await bob.get("/search?q=private")).all(".hit")
    assert (await Membership.get(room_id=room.id, user_id=who(bob).id)).read_number >= 0
