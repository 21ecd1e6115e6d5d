"""The search in people and rooms: as one types, and as a page."""

import pytest
from limits import parse

from tests.conftest import Person
from tests.page import Page, words
from tests.people import befriend, chat_of, make_room, who, write
from webapp import settings
from webapp.conversations.models import Room
from webapp.relationships.models import Block


async def test_people_are_found_first_and_then_rooms_with_write_beside_each_person(
    alice: Person, charlie: Person, room: Room
) -> None:
    await Room.filter(id=room.id).update(name="Charlie's cakes", folded="charlie's cakes")
    page = Page(await alice.get("/search?q=charlie"))
    assert page.texts("#found h2") == ["People", "Rooms"]
    assert page.texts("#found .row__name") == ["Charlie", "Charlie's cakes"]
    assert page.one("#found .round").attributes["href"] == chat_of(charlie)


async def test_script_is_answered_what_was_found_alone(alice: Person, charlie: Person) -> None:
    answer = await alice.get("/search?q=ch", HX_Request="true")
    assert "<html" not in answer.text
    assert Page(answer).texts(".row__name") == ["Charlie"]


async def test_one_letter_finds_nothing_and_a_block_hides_both(alice: Person, charlie: Person) -> None:
    assert "Type at least two letters." in words(await alice.get("/search?q=c"))
    await Block.add(who(charlie), who(alice))
    assert "Nothing was found." in words(await alice.get("/search?q=charlie"))


async def test_typing_has_a_rate_of_its_own(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_TYPEAHEAD", parse("2/minute"))
    monkeypatch.setattr(settings, "RATE_SEARCH", parse("3/minute"))
    typing = [(await alice.get("/search?q=al", HX_Request="true")).status_code for _ in range(3)]
    assert typing == [200, 200, 429]
    assert [(await alice.get("/search?q=al")).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert (await alice.get("/search")).status_code == 200


async def test_the_search_of_the_sidebar_leads_there(alice: Person) -> None:
    page = Page(await alice.get("/lobby"))
    assert page.one("#sidebar form[role=search]").attributes["action"] == "/search"


async def test_the_sender_of_a_request_sees_that_it_waits_until_it_is_answered(alice: Person, charlie: Person) -> None:
    first = await write(alice, charlie)
    path = first.headers["location"].partition("#")[0]
    assert "This is a request: it waits until Charlie answers." in words(await alice.get(path))
    await charlie.post(f"{path}/join")
    assert "This is a request" not in words(await alice.get(path))


async def test_between_friends_nothing_waits(alice: Person, charlie: Person) -> None:
    await befriend(alice, charlie)
    path = (await write(alice, charlie)).headers["location"].partition("#")[0]
    assert "This is a request" not in words(await alice.get(path))


async def test_the_field_at_the_side_is_offered_the_first_of_each_as_entries(alice: Person, charlie: Person) -> None:
    for number in range(7):
        await make_room(who(alice), f"Chess {number}", "The royal game")
    found = Page(await alice.get("/search?q=ch&suggest=1", HX_Request="true"))
    assert found.texts("p") == ["6 found"]
    assert len(found.all("a.entry")) == 6
    assert found.all("a.entry")[0].attributes["href"] == f"/chat/{who(charlie).code}"
    assert {link.attributes["href"] for link in found.all("a.entry")[1:]} < {f"/rooms/chess-{n}" for n in range(7)}
    assert not Page(await alice.get("/search?q=ch&suggest=1", HX_Request="true")).all("#sidebar")
    assert Page(await alice.get("/search?q=ch&suggest=1")).all("#sidebar"), "whoever follows it gets a page"


async def test_the_field_at_the_side_says_that_nothing_was_found(alice: Person) -> None:
    found = words(await alice.get("/search?q=xyz&suggest=1", HX_Request="true"))
    assert "0 found" in found
    assert "Nothing was found." in found


@pytest.mark.parametrize("page", ["/people", "/friends", "/people?q=ch"])
async def test_people_are_found_as_one_types_on_each_page_that_lists_people(
    alice: Person, charlie: Person, page: str
) -> None:
    pane = Page(await alice.get(page))
    field = pane.one("#main input[name=q]")
    assert field.attributes["hx-get"] == "/people"
    assert pane.one(field.attributes["hx-target"] or "")
    found = await alice.get("/people?q=ch", HX_Request="true")
    assert found.text.startswith('<div id="found"')
    assert Page(found).texts(".row__name") == ["Charlie"]
    assert "Nobody was found" in words(await alice.get("/people?q=zz", HX_Request="true"))
    assert words(await alice.get("/people?q=", HX_Request="true")) == ""


async def test_the_list_of_people_is_loaded_again_as_a_page(alice: Person, charlie: Person) -> None:
    assert Page(await alice.get("/people", HX_Request="true")).one("#contacts #people-by-name")
