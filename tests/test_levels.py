"""How much of a room or a chat one wants to hear: everything, mentions or nothing."""

import pytest

from tests.conftest import Person
from tests.page import Page, words
from tests.people import befriend, who, write
from webapp.conversations.levels import LEVELS, level_of
from webapp.conversations.models import Membership, Room
from webapp.db import sql


async def choose(one: Person, room: Room, level: str, **headers: str) -> None:
    answer = await one.post(f"{room.path}/settings", {"do": "level", "level": level}, **headers)
    assert answer.status_code in (200, 303), answer.text


async def level(one: Person, room: Room) -> str:
    """Return the level as every query reads it."""
    query = f"SELECT {level_of('membership')} AS level FROM membership WHERE user_id = ? AND room_id = ?"
    [row] = await sql.fetch_all(query, who(one).id, room.id)
    return str(row["level"])


async def chosen(one: Person, room: Room) -> str:
    """Return the level as the room's page of settings shows it."""
    page = Page(await one.get(f"{room.path}/settings"))
    [checked] = page.all("input[name=level][checked]")
    return checked.attributes["value"] or ""


async def entry(one: Person) -> str:
    """Return the words of the first entry at the side."""
    return words(Page(await one.get("/lobby")).all("#entries > li")[0])


async def title(one: Person) -> str:
    return Page(await one.get("/rooms")).one("title").text()


@pytest.mark.parametrize(("name", "counts"), [("all", True), ("mentions", False), ("nothing", False)])
async def test_a_level_decides_whether_plain_messages_count_at_the_side_and_in_the_title(
    alice: Person, bob: Person, room: Room, name: str, counts: bool
) -> None:
    await choose(bob, room, name)
    await alice.say(room, "one")
    assert await chosen(bob, room) == name
    assert ("1 unread" in await entry(bob)) is counts
    assert (await title(bob)).startswith("(1) ") is counts
    assert ((await bob.get("/sidebar/unread")).text.strip() == "1") is counts
    assert await chosen(alice, room) == "all", "it is each member's own"


async def test_a_level_that_does_not_exist_is_refused(bob: Person, room: Room) -> None:
    await choose(bob, room, "mentions")
    for typed in ("", "ALL", "everything", "muted", "\0"):
        answer = await bob.post(f"{room.path}/settings", {"do": "level", "level": typed})
        assert answer.status_code == 422
        assert "Choose one of the three." in words(answer)
    assert await chosen(bob, room) == "mentions"


async def test_who_can_not_read_a_room_chooses_nothing_there(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    answer = await charlie.post(f"{chat.path}/settings", {"do": "level", "level": "nothing"})
    assert answer.status_code == 404


async def test_a_level_that_script_sends_is_answered_with_a_sentence(bob: Person, room: Room) -> None:
    answer = await bob.post(f"{room.path}/settings", {"do": "level", "level": "nothing"}, HX_Request="true")
    assert (answer.status_code, words(answer)) == (200, "Saved.")
    assert await chosen(bob, room) == "nothing"


# Pages and processes of the version before, which know nothing but muted or not.


@pytest.mark.parametrize("before", LEVELS)
async def test_an_open_page_of_the_version_before_mutes_and_unmutes(bob: Person, room: Room, before: str) -> None:
    for do, after in (("mute", "mentions"), ("unmute", "all")):
        await choose(bob, room, before)
        answer = await bob.post(f"{room.path}/settings", {"do": do})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{room.path}/settings?done={do}")
        assert await level(bob, room) == await chosen(bob, room) == after


@pytest.mark.parametrize(("name", "is_muted"), [("all", False), ("mentions", True), ("nothing", True)])
async def test_a_process_of_the_version_before_finds_less_than_everything_muted(
    bob: Person, room: Room, name: str, is_muted: bool
) -> None:
    for other in LEVELS:
        await choose(bob, room, other)
        await choose(bob, room, name)
        assert (await Membership.get(user_id=who(bob).id, room_id=room.id)).muted is is_muted


@pytest.mark.parametrize(
    ("before", "is_muted", "after"),
    [
        ("all", True, "mentions"),
        ("all", False, "all"),
        ("mentions", True, "mentions"),
        ("mentions", False, "all"),
        ("nothing", True, "nothing"),
        ("nothing", False, "all"),
    ],
)
async def test_what_is_chosen_at_a_process_of_the_version_before_holds(
    bob: Person, room: Room, before: str, is_muted: bool, after: str
) -> None:
    await choose(bob, room, before)
    query = "UPDATE membership SET muted = ? WHERE user_id = ? AND room_id = ? RETURNING id"
    await sql.execute(query, is_muted, who(bob).id, room.id)
    assert await level(bob, room) == await chosen(bob, room) == after


async def test_who_joins_at_a_process_of_the_version_before_hears_everything(charlie: Person, room: Room) -> None:
    query = (
        "INSERT INTO membership (room_id, user_id, role, read_number, delivered_number, muted, joined_at) "
        "SELECT id, ?, 'member', 0, 0, FALSE, created_at FROM room WHERE id = ? RETURNING id"
    )
    await sql.execute(query, who(charlie).id, room.id)
    assert await level(charlie, room) == await chosen(charlie, room) == "all"
