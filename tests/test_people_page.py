"""The page of a person, which script opens as a card: the rooms that both are in."""

import pytest

from tests.conftest import Person, person
from tests.page import Page, words
from tests.people import make_room, roles, who, write
from webapp.accounts.viewer import PERMANENT
from webapp.conversations import access, members
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import MAX_IN_COMMON
from webapp.relationships.models import Block


async def join(room: Room, *people: Person) -> None:
    for one in people:
        await members.join(await access.by_key(who(one), room.key))


async def in_common(one: Person, other: Person) -> list[str]:
    """The rooms that the person's page names as those of both, and that the card names too."""
    page, card = Page(await one.get(who(other).path)), Page(await one.get(who(other).path, HX_Request="true"))
    assert page.texts(".profile__rooms a") == card.texts(".profile__rooms a")
    return page.texts(".profile__rooms a")


async def test_the_rooms_that_both_are_in_stand_on_the_page_latest_message_first(
    app: object, alice: Person, charlie: Person
) -> None:
    dora = await person(app, "dora")
    garden, books, choir = [await make_room(who(alice), name) for name in ("Garden", "Books", "Choir")]
    await join(garden, charlie)
    await join(books, charlie)
    await join(choir, dora)
    await alice.say(garden, "Water the roses")
    assert await in_common(alice, charlie) == ["Garden", "Books"]
    assert await in_common(charlie, alice) == ["Garden", "Books"]
    assert await in_common(dora, charlie) == []
    assert Page(await alice.get(who(charlie).path)).all(".profile__rooms a")[0].attributes["href"] == garden.path


async def test_of_many_rooms_five_are_named_and_the_others_counted(alice: Person, charlie: Person) -> None:
    for number in range(MAX_IN_COMMON + 3):
        await join(await make_room(who(alice), f"Room {number}"), charlie)
    assert await in_common(alice, charlie) == ["Room 7", "Room 6", "Room 5", "Room 4", "Room 3"]
    assert "and 3 more" in words(Page(await alice.get(who(charlie).path)).one(".profile__rooms"))


@pytest.mark.parametrize("kicked", ["alice", "charlie"])
async def test_a_room_that_one_was_kicked_from_is_not_in_common(
    app: object, alice: Person, charlie: Person, kicked: str
) -> None:
    owner = await person(app, "owner")
    room = await make_room(who(owner), "Garden")
    await join(room, alice, charlie)
    is_out = who({"alice": alice, "charlie": charlie}[kicked]).id
    await Membership.filter(room_id=room.id, user_id=is_out).update(role="kicked", kicked_until=PERMANENT)
    assert (await roles(room))[kicked] == "kicked"
    assert await in_common(alice, charlie) == []
    assert await in_common(charlie, alice) == []


async def test_chats_and_deleted_rooms_are_not_in_common(alice: Person, charlie: Person) -> None:
    await write(alice, charlie)
    room = await make_room(who(alice), "Garden")
    await join(room, charlie)
    await Room.close(room.id)
    assert await in_common(alice, charlie) == []


async def test_no_rooms_are_named_of_a_blocked_person_nor_of_oneself(alice: Person, charlie: Person) -> None:
    await join(await make_room(who(alice), "Garden"), charlie)
    assert await in_common(alice, alice) == []
    await Block.add(who(alice), who(charlie))
    assert await in_common(alice, charlie) == []
    assert (await charlie.get(who(alice).path)).status_code == 404


async def test_on_the_page_of_a_person_one_is_at_people(alice: Person, charlie: Person) -> None:
    for path in ("/people", "/friends", who(charlie).path):
        [tab] = Page(await alice.get(path)).all(".tabs [aria-current]")
        assert tab.attributes["href"] == "/people", path
    assert not Page(await alice.get("/lobby")).all(".tabs [aria-current][href='/people']")


async def test_a_press_anywhere_on_a_row_leads_to_the_person(alice: Person, charlie: Person) -> None:
    for path in ("/people?q=ch", "/search?q=ch"):
        row = Page(await alice.get(path)).one("#found .row")
        assert [link.attributes["href"] for link in row.css(".row__press")] == [who(charlie).path], path
