"""Who types in a chat, in the list at the side of the other: over the last line, for a while, and to nobody else."""

import asyncio
import re

import pytest

from tests import engine
from tests.conftest import Person
from tests.engine import by_hand, told  # noqa: F401  by_hand is a fixture
from tests.page import Page
from tests.people import befriend, write
from tests.query_recorder import recorded_queries
from tests.window import Shown, Window
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.live import hub
from webapp.sidebar import chat_typing

pytestmark = pytest.mark.usefixtures("by_hand")


@pytest.fixture
async def chat(alice: Person, bob: Person) -> Room:
    """Two friends who have written to each other."""
    await befriend(alice, bob)
    await write(alice, bob, "hello")
    await write(bob, alice, "hi")
    return await Room.get(kind="direct")


async def type_in(one: Person, room: Room) -> None:
    assert (await one.post(f"{room.path}/typing")).status_code == 204


async def is_listed_as_typing(one: Person, path: str = "/lobby") -> bool:
    return bool(Page(await one.get(path)).all("#entries .entry__typing"))


async def test_the_other_of_a_chat_is_shown_who_types(alice: Person, bob: Person, chat: Room) -> None:
    window = await Window.open(alice)
    await type_in(bob, chat)
    window.look()
    assert f'hx-target="#entry-{chat.id} .entry:not(.entry--request) .entry__name" hx-swap="afterend"' in window.text
    assert 'class="entry__line entry__typing"> is typing</span>' in window.text
    assert window.sidebar[0] == Shown("Bob", "hi", "1"), "what was said last stays under it"


async def test_an_endless_document_fills_the_line_of_what_it_was_sent_before(
    alice: Person, bob: Person, chat: Room
) -> None:
    assert alice.user
    reader = engine.page(alice.user.id, alice.session.id, "", "html")
    await told()
    assert 'class="entry__line entry__typing"></span>' in reader.outbox.take().decode()
    await type_in(bob, chat)
    await told()
    style, _, marker = reader.outbox.take().decode().partition("<li ")
    [name] = re.findall(r'id="(typing-[0-9-]+)" hidden></li>', marker)
    assert f"#entry-{chat.id}:has(~#{name}) .entry__typing" in style
    assert 'content:"is typing"' in style
    assert f"@keyframes {name}{{" in style


async def test_nobody_else_is_sent_anything(alice: Person, bob: Person, charlie: Person, chat: Room) -> None:
    """Nor is who types, nor a page that shows the chat itself, which says it there."""
    others = [await Window.open(bob), await Window.open(charlie), await Window.open(alice, room=chat)]
    await type_in(bob, chat)
    await told()
    for window in others:
        window.look()
        assert "entry__typing" not in window.text


async def test_it_asks_the_database_nothing(alice: Person, bob: Person, chat: Room) -> None:
    windows = [await Window.open(alice) for _ in range(3)]
    with recorded_queries() as queries:
        chat_typing.on_chat_typing(user=windows[0].user.id, room=chat.id, is_typing=1)
        await told()
    assert not queries
    for window in windows:
        window.look()
        assert "entry__typing" in window.text


async def test_a_page_that_is_loaded_meanwhile_shows_it(alice: Person, bob: Person, chat: Room) -> None:
    """The list in a frame, for those without script, loads itself again and again."""
    assert not await is_listed_as_typing(alice, "/sidebar")
    await type_in(bob, chat)
    assert await is_listed_as_typing(alice, "/sidebar")
    assert await is_listed_as_typing(alice, "/lobby")
    assert not await is_listed_as_typing(alice, chat.path), "the log says it there"
    assert not await is_listed_as_typing(bob, "/sidebar")
    await write(bob, alice, "there it is")
    assert not await is_listed_as_typing(alice, "/sidebar")


async def test_it_ends_after_a_while_by_itself(
    alice: Person, bob: Person, chat: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_typing, "VISIBLE_SECONDS", -1.0)
    await type_in(bob, chat)
    assert not await is_listed_as_typing(alice, "/sidebar")


async def test_what_is_over_is_not_held(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in range(5):
        chat_typing.on_chat_typing(user=1, room=room, is_typing=1)
    assert len(chat_typing.chat_typists()) == 5
    late = asyncio.get_running_loop().time() + chat_typing.VISIBLE_SECONDS
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: late + 1)
    chat_typing.on_chat_typing(user=2, room=1, is_typing=1)
    assert list(chat_typing.chat_typists()) == [(2, 1)]


async def test_who_hides_it_is_not_shown(alice: Person, bob: Person, chat: Room) -> None:
    assert bob.user
    await User.filter(id=bob.user.id).update(shows_typing=False)
    await type_in(bob, chat)
    assert not await is_listed_as_typing(alice)


async def test_between_two_of_whom_one_has_blocked_the_other_it_is_not_said(
    alice: Person, bob: Person, chat: Room
) -> None:
    assert bob.user
    await alice.post(f"/people/{bob.user.code}/block")
    assert (await bob.post(f"{chat.path}/typing")).status_code == 403
    assert not await is_listed_as_typing(alice)


async def test_to_whom_has_not_answered_a_request_it_is_not_said(alice: Person, bob: Person) -> None:
    await write(bob, alice, "May I?")
    window = await Window.open(alice)
    await type_in(bob, await Room.get(kind="direct"))
    window.look()
    assert "entry__typing" not in window.text
    assert not await is_listed_as_typing(alice)


async def test_in_rooms_of_many_the_list_does_not_say_it(alice: Person, bob: Person, room: Room) -> None:
    window = await Window.open(alice)
    await type_in(bob, room)
    window.look()
    assert "entry__typing" not in window.text


async def test_reports_that_come_too_often_are_passed_over(
    alice: Person, bob: Person, chat: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(hub().bridge, "send", lambda text, key="", channel="": sent.append(text))
    for _ in range(10):
        await type_in(bob, chat)
    assert sum(chat_typing.STATE in text for text in sent) == 1


async def test_a_page_that_saves_data_is_not_sent_it(alice: Person, bob: Person, chat: Room) -> None:
    window = await Window.open(alice)
    window.reader.states -= {chat_typing.STATE}
    await type_in(bob, chat)
    window.look()
    assert "entry__typing" not in window.text
