"""Whatever version a page says that it holds, what it is sent makes it show the log: with the real one."""

from random import Random

import httpx2
import pytest

from tests.conftest import Person
from tests.live_page import Event, LivePage
from tests.people import make_room, post_as
from webapp.conversations.models import Room
from webapp.live import Frame
from webapp.messages import changes
from webapp.messages.models import Message
from webapp.messages.queries import PAGE_SIZE

STORIES = 25
MOST_CHANGES = 15
Shown = dict[int, str]
# A page needs a client, but these are never connected.
NOBODY = httpx2.AsyncClient()


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("webapp.messages.queries.MAX_CHANGES", "webapp.messages.changes.MAX_CHANGES"):
        monkeypatch.setattr(name, MOST_CHANGES)


async def change(person: Person, room: Room, chance: Random) -> None:
    """Something happens to the log: mostly a message, sometimes another word, or one less."""
    assert person.user
    what = chance.choice(("post", "post", "post", "edit", "remove"))
    messages = await Message.filter(room_id=room.id, removed_at=None)
    reply_to = chance.choice(messages).number if messages and chance.random() < 0.5 else None
    if what == "post" or not messages:
        await post_as(person.user, room, f"said {chance.random()}", "", reply_to)
    elif what == "edit":
        await chance.choice(messages).edit(f"rather {chance.random()}")
    else:
        await chance.choice(messages).remove()


async def shown(room: Room) -> Shown:
    """What a page shows that holds all of the log."""
    rows = {row.number: row for row in await Message.filter(room_id=room.id).select_related("author")}
    return {
        number: "Removed" if row.removed_at else quoted(rows.get(row.reply_to or 0)) + row.body
        for number, row in sorted(rows.items())
    }


def quoted(original: Message | None) -> str:
    """What an answer to this message says before its own words."""
    if original is None:
        return ""
    assert original.author
    return "Message removed" if original.removed_at else f"{original.author.display_name} {original.body}"


def after(before: Shown, frame: Frame) -> LivePage:
    """A page that showed something, after a frame."""
    page = LivePage(NOBODY, "")
    page.log = dict(before)
    for block in filter(None, frame.sse.decode().split("\n\n")):
        fields = [line.partition(": ") for line in block.split("\n")]
        data = "\n".join(value for name, _, value in fields if name == "data")
        page.dispatch(Event(data, id=next(int(value) for name, _, value in fields if name == "id")))
    return page


async def test_from_every_version_a_page_comes_to_show_the_log(alice: Person, room: Room) -> None:
    assert alice.user
    for seed in range(STORIES):
        chance, history = Random(seed), list[Shown]()
        room = await make_room(alice.user, f"Room {seed}")
        history.append({})
        for _ in range(chance.randint(1, 30)):
            await change(alice, room, chance)
            history.append(await shown(room))
        newest = len(history) - 1
        found = await changes.log(room.id, {None, newest + 1, newest + 10**15, *range(len(history))})
        assert found
        version, frames = found
        assert version == newest, seed
        for cursor, told in frames.items():
            frame = told.in_language("en")
            is_held = cursor is not None and newest - MOST_CHANGES <= cursor <= newest
            page = after(history[cursor] if cursor is not None and cursor <= newest else {9: "of another time"}, frame)
            assert page.repeated == [], (seed, cursor)
            assert page.log == history[-1], (seed, cursor)
            assert list(page.log) == sorted(page.log), (seed, cursor)
            assert page.ids == ([] if cursor == newest else [newest]), (seed, cursor)
            assert is_held or b'hx-target="#log"' in frame.sse, (seed, cursor)


async def test_many_changes_of_one_message_are_many_changes(alice: Person, room: Room) -> None:
    """How far a page is behind is told by the versions alone, so that a leap of them is one as well."""
    assert alice.user
    await post_as(alice.user, room, "first", "")
    for number in range(MOST_CHANGES):
        await (await Message.get(room_id=room.id, number=1)).edit(f"word {number}")
    found = await changes.log(room.id, {0, 1})
    assert found
    assert b'hx-target="#log"' in found[1][0].in_language("en").sse
    assert b'hx-target="#message-' in found[1][1].in_language("en").sse


@pytest.mark.parametrize("leap", [MOST_CHANGES + 1, 10**12])
async def test_after_a_leap_of_the_versions_every_page_gets_the_whole_log(alice: Person, room: Room, leap: int) -> None:
    """What a restore from a backup does: pages hold versions that were lost, and must not keep what they show."""
    assert alice.user
    for number in range(PAGE_SIZE + 5):
        await post_as(alice.user, room, f"kept {number}", "")
    kept = await shown(room)
    lost = kept | {PAGE_SIZE + 6: "lost", PAGE_SIZE + 7: "lost too"}
    await Room.filter(id=room.id).update(version=PAGE_SIZE + 5 + 2 + leap)
    for posted in range(3):
        cursors = (None, 1, PAGE_SIZE + 5, PAGE_SIZE + 6, PAGE_SIZE + 7)
        found = await changes.log(room.id, cursors)
        assert found
        for cursor in cursors:
            page = after(lost, found[1][cursor].in_language("en"))
            assert page.log == dict(list((await shown(room)).items())[-PAGE_SIZE:]), (posted, cursor)
            assert page.last_id == PAGE_SIZE + 5 + 2 + leap + posted
        await post_as(alice.user, room, "new", "")
