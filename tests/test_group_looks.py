"""What a group is called and looks like: to each of its people by the others, wherever it is named."""

import re

import pytest

from tests.conftest import Person, background_ended, person
from tests.engine import by_hand, told  # noqa: F401  by_hand is a fixture
from tests.page import Page, main, words
from tests.people import post_as, who
from tests.query_recorder import record_queries
from tests.window import Window
from webapp.conversations import broadcasts
from webapp.conversations.group_people import GroupPerson, group_title
from webapp.conversations.models import Membership, Room
from webapp.exports.archive import rooms_to_export
from webapp.moderation.models import Report
from webapp.sidebar import queries as sidebar


async def make_group(*people: Person) -> Room:
    """Create a group of these people, in this order, who have said something."""
    room = await Room.create(key=f"~group{who(people[0]).id}", kind="group", name="", member_count=len(people))
    for one in people:
        await Membership.create(room=room, user=who(one))
    await post_as(who(people[0]), room, "Shall we go to the lake?")
    return await Room.get(id=room.id)


def person_called(number: int, name: str) -> GroupPerson:
    return GroupPerson(number, f"CODE{number}", name, None)


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["Ada"], "Only you"),
        (["Ada", "Ben King"], "Ben King"),
        (["Ada", "Ben King", "Cy Young"], "Ben, Cy"),
        (["Ada", "Ben King", "Ben Young", "Dee"], "Ben King, Ben Young, Dee"),
        (["Ada", "Ben", "Cy", "Dee", "Eve"], "Ben, Cy and 2 others"),
        (["Ada", "<b>", "Cy"], "<b>, Cy"),
    ],
)
def test_a_group_is_called_by_its_others_in_the_order_in_which_they_came(names: list[str], title: str) -> None:
    people = tuple(person_called(number, name) for number, name in enumerate(names))
    assert str(group_title(people, 0)) == title


async def test_the_pages_of_a_group_show_its_names_and_its_faces(alice: Person, bob: Person, charlie: Person) -> None:
    group = await make_group(alice, bob, charlie)
    page = Page(await bob.get(group.path))
    assert page.texts("#room-name, .details h2, .entry[aria-current] .entry__name") == ["Alice, Charlie"] * 3
    assert page.texts("title")[0].startswith("Alice, Charlie")
    assert page.texts("#about .about__topic") == ["3 people"]
    tiles = ".room__header > .avatar, .details > .avatar, .entry[aria-current] .entry__face > .avatar"
    faces = [[face.attributes["data-initials"] for face in tile.css("[data-initials]")] for tile in page.all(tiles)]
    assert faces == [["A", "C"]] * 3
    # Nobody else opens its address.
    assert not page.all("[data-copy]")
    about = await bob.get(f"{group.path}/settings")
    assert words(Page(about).one("title")).startswith("About Alice, Charlie")
    assert Page(about).texts("a.back") == ["Back to the group"]
    card = Page(await bob.get(f"{group.path}/settings", HX_Request="true"))
    assert card.texts("h1") == ["Alice, Charlie"]
    assert not card.all("[data-copy]")
    for path in (
        f"{group.path}/people",
        f"{group.path}/pins",
        f"{group.path}/composer",
        f"{group.path}/messages/1/more",
    ):
        assert "Alice, Charlie" in words(await bob.get(path)), path
    assert "Charlie, Bob" not in words(await alice.get("/lobby"))
    assert "Bob, Charlie" in words(await alice.get("/lobby"))
    assert "Bob, Charlie" in words(await alice.get("/sidebar"))


async def test_a_group_is_named_wherever_a_message_of_it_is(alice: Person, bob: Person, charlie: Person) -> None:
    group = await make_group(alice, bob, charlie)
    await post_as(who(charlie), group, "@bob there are ducks")
    await bob.post(f"{group.path}/messages/2/save")
    for path in ("/search?q=ducks", "/saved", "/inbox", "/inbox/catch-up"):
        assert "Alice, Charlie" in main(await bob.get(path)), path


async def test_open_pages_learn_who_comes_who_goes_and_who_is_called_otherwise(
    app: object, alice: Person, bob: Person, charlie: Person
) -> None:
    group = await make_group(alice, bob, charlie)
    here, lobby, hers = await Window.open(bob, room=group), await Window.open(bob), await Window.open(alice)
    dora = await person(app, "dora")

    async def looks() -> list[str]:
        await background_ended("_mark_groups")
        await told()
        shown = [window.sidebar[0].name for window in (here, lobby, hers)]
        return [*shown, *Page(here.text.replace("\ndata: ", "\n")).texts("#room-name")]

    await Membership.create(room=group, user=who(dora))
    broadcasts.group_changed(group.id)
    assert await looks() == ["Alice, Charlie, Dora"] * 2 + ["Bob, Charlie, Dora", "Alice, Charlie, Dora"]
    assert "4 people" in here.text
    assert "#about" not in lobby.text
    await dora.post("/settings/profile", {"display_name": "Dolores Ruiz", "bio": "", "language": "en"})
    assert await looks() == ["Alice, Charlie, Dolores"] * 2 + ["Bob, Charlie, Dolores", "Alice, Charlie, Dolores"]
    # A message brings the entry alone: the page has been told what it is called.
    await alice.say(group, "Hello Dolores")
    assert await looks() == ["Alice, Charlie, Dolores"] * 2 + ["Bob, Charlie, Dolores"]
    await Membership.filter(room=group, user_id__not=who(bob).id).delete()
    broadcasts.group_changed(group.id)
    await told()
    assert here.sidebar[0].name == "Only you"
    assert "4 people" not in here.text


async def test_what_leaves_a_group_names_it_to_its_people_and_to_nobody_else(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    """An export has all that was said in a group, and one's own words in a private room; a report has a number."""
    group = await make_group(alice, bob, charlie)
    await post_as(who(charlie), group, "There are ducks")
    await Room.filter(id=room.id).update(kind="private", name="Birthday", topic="The surprise", folded=None)
    private = await Room.get(id=room.id)
    for one in (alice, bob):
        await post_as(who(one), private, f"Cake of {one.user}")
    assert await rooms_to_export(who(bob)) == [(private.key, False, 1), (group.key, True, 2)]
    for place, number in ((group, 2), (private, 1)):
        about = f"message:{place.key}:{number}"
        assert (await bob.post("/report", {"about": about, "reason": "spam", "text": ""})).status_code in (200, 303)
    reports = await Report.all().order_by("id")
    assert [report.place for report in reports] == [f"in group {group.id}", f"in private room {private.id}"]
    pages = [await admin.get(path) for path in ("/moderation", *(f"/moderation/reports/{one.id}" for one in reports))]
    assert [page.status_code for page in pages] == [200] * 3
    for page in [*pages, await admin.get("/moderation/log"), await admin.get("/moderation/files")]:
        assert not re.search("Birthday|surprise|~group|Alice, ", page.text), page.url


async def test_who_is_in_no_group_asks_for_no_names(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    before = await record_queries(sidebar.list_entries(who(bob).id))
    await make_group(alice, bob, charlie)
    after = await record_queries(sidebar.list_entries(who(bob).id))
    await make_group(bob, alice, charlie)
    assert len(before) == 1
    assert len(after) == 2
    assert len(await record_queries(sidebar.list_entries(who(bob).id))) == 2
