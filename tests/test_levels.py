"""How much of a room or a chat one wants to hear: everything, mentions or nothing."""

import pytest

from tests.conftest import Person
from tests.engine import by_hand, told  # noqa: F401  by_hand is a fixture
from tests.message_pages import message
from tests.page import Page, words
from tests.people import befriend, post_as, who, write
from tests.query_cost import cost
from tests.query_recorder import record_queries
from tests.window import Window
from webapp import settings
from webapp.conversations.levels import LEVELS, level_of
from webapp.conversations.models import Membership, Room
from webapp.db import sql
from webapp.messages.mentions import ANSWERED, EVERYONE, NAMED
from webapp.messages.models import Mention
from webapp.sidebar import layout
from webapp.sidebar import queries as sidebars


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


async def test_script_is_answered_what_is_wanted_most_often_and_no_page(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    path = f"{room.path}/settings"
    page = Page(await bob.get(room.path))
    assert page.one("a[data-card]").attributes["href"] == path
    card = await bob.get(path, HX_Request="true")
    assert "<html" not in card.text
    assert Page(card).actions("#room-card") == [path, "/search"]
    links = [one.attributes["href"] for one in Page(card).all("#room-card a")]
    assert links == [f"{path}#invite", f"{room.path}/people", path]
    assert not Page(await charlie.get(path, HX_Request="true")).all("#level"), "who is not in it has no level"
    await befriend(alice, bob)
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    path = f"{chat.path}/settings"
    card = await bob.get(path, HX_Request="true")
    links = [one.attributes["href"] for one in Page(card).all("#room-card a")]
    assert links == [f"/groups/new?code={who(alice).code}", path]
    assert Page(card).actions("#room-card") == [path, "/search"]
    assert (await charlie.get(path, HX_Request="true")).status_code == 404


# Who is called: by name, by an answer, or with everyone. At two of the levels that is counted apart.


async def call(room: Room, one: Person | None, number: int, kind: str = NAMED) -> None:
    said = await message(room, number)
    user_id = who(one).id if one else None
    await Mention.create(user_id=user_id, room_id=room.id, message_id=said.id, number=number, kind=kind)


@pytest.mark.parametrize(
    ("name", "marks", "shown_title"),
    [("all", "@1 mentions 2 unread", "(1 @1) "), ("mentions", "@1 mentions", "(@1) "), ("nothing", "muted", "Rooms")],
)
async def test_a_call_is_counted_apart_at_every_level_but_nothing(
    alice: Person, bob: Person, room: Room, name: str, marks: str, shown_title: str
) -> None:
    await choose(bob, room, name)
    await alice.say(room, "one")
    await alice.say(room, "two")
    await call(room, bob, 2)
    assert (await entry(bob)).endswith(f"two {marks}")
    assert (await title(bob)).startswith(shown_title)
    await bob.read(room)
    assert "@" not in await entry(bob) + await title(bob)


async def test_what_is_asked_for_a_hidden_tab_counts_calls_where_the_page_can_show_them(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    for place in (room, soup):
        await alice.say(place, "Bob?")
        await call(place, bob, 2 if place is soup else 1)
    await choose(bob, soup, "mentions")
    assert (await bob.get("/sidebar/unread?calls")).text.strip() == "1 @2"
    assert (await bob.get("/sidebar/unread")).text.strip() == "1", "what a page of the version before asks for"
    assert "1 has something new." in words(await bob.get("/lobby"))
    await choose(bob, room, "mentions")
    assert (await bob.get("/sidebar/unread?calls")).text.strip() == "@2"
    page = await bob.get("/lobby")
    assert "2 messages are for you." in words(page)
    assert [Page(page).one(place).text() for place in ("#unread-count", "#call-count")] == ["", "2"]


async def test_an_answer_and_a_call_of_everyone_count_like_a_name_and_one_message_once(
    alice: Person, bob: Person, room: Room
) -> None:
    await choose(bob, room, "mentions")
    for body in ("one", "two", "three"):
        await alice.say(room, body)
    await call(room, bob, 1, ANSWERED)
    await call(room, None, 2, EVERYONE)
    assert "@2 mentions" in await entry(bob)
    await call(room, bob, 2)
    assert "@2 mentions" in await entry(bob)
    await alice.post(f"{room.path}/messages/1/remove")
    assert "@1 mentions" in await entry(bob)


async def test_a_call_of_everyone_is_not_heard_by_its_author_nor_by_who_has_blocked_them(
    alice: Person, bob: Person, room: Room
) -> None:
    await choose(alice, room, "mentions")
    await choose(bob, room, "mentions")
    await alice.say(room, "Tea")
    await call(room, None, 1, EVERYONE)
    assert "@1 mentions" in await entry(bob)
    await alice.post(f"{room.path}/settings", {"do": "unread", "number": "1"})
    assert "@" not in await entry(alice)
    await bob.post(f"{who(alice).path}/block")
    assert "@" not in await entry(bob)


async def test_in_a_chat_of_two_calls_are_counted_where_messages_are_not(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    await call(chat, bob, 1, ANSWERED)
    for name, marks in (("all", "1 unread"), ("mentions", "@1 mentions"), ("nothing", "muted")):
        await choose(bob, chat, name)
        assert (await entry(bob)).endswith(f"Hello {marks}")


async def test_calls_beyond_the_first_page_are_in_the_title_too(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebars, "PAGE_SIZE", 1)
    monkeypatch.setattr(layout, "PAGE_SIZE", 1)
    await choose(bob, room, "mentions")
    await call(room, bob, 1)
    await call(soup, bob, 1)
    for path in ("/lobby", "/lobby?page=2"):
        page = Page(await bob.get(path))
        assert page.one("title").text().startswith("(1 @2) "), path
        badge = page.one("#unread-count")
        on_page = len(page.all("#entries [data-calls]"))
        assert (badge.text(), badge.attributes["data-calls"]) == ("1", str(2 - on_page))
        assert page.one("#call-count").text() == "2"


async def test_open_pages_count_calls_as_they_come_and_nothing_of_them_where_the_room_is_open(
    alice: Person, bob: Person, room: Room
) -> None:
    await choose(bob, room, "mentions")
    windows = [await Window.open(bob), await Window.open(bob, framing="html")]
    await alice.say(room, "plain")
    await told()
    for window in windows:
        window.look()
        assert "unread" not in window.text
        assert "plain" in window.text
    await alice.say(room, "Bob?")
    await call(room, bob, 2)
    await told()
    for window in windows:
        window.look()
        assert ">@1\n" in window.text.replace("\ndata: ", "\n") or ">@1<" in window.text
    here = await Window.open(bob, room=room)
    assert "@1" not in "".join(here.entries.values())


async def test_calls_that_are_read_cost_nothing_for_who_is_in_two_hundred_rooms(bob: Person, room: Room) -> None:
    rooms = [Room(key=f"r{n}", name=f"R{n}", folded=f"r{n}", last_number=100, last_author=1) for n in range(200)]
    await Room.bulk_create(rooms)
    ids = [one.id for one in await Room.filter(last_number=100)]
    half = {"muted": True, "level": "mentions"}
    memberships = [
        Membership(room_id=one, user_id=who(bob).id, read_number=80, **(half if one % 2 else {})) for one in ids
    ]
    await Membership.bulk_create(memberships)
    await post_as(who(bob), room, "a message for them to hang on")
    said = await message(room, 1)

    async def write(numbers: range) -> None:
        calls = [
            Mention(user_id=who(bob).id, room_id=one, message_id=said.id, number=n, kind=NAMED)
            for one in ids
            for n in numbers
        ]
        await Mention.bulk_create(calls, batch_size=1000)
        if not settings.ON_SQLITE:
            await sql.connection().execute_script("ANALYZE mention; ANALYZE membership; ANALYZE room")

    async def read() -> tuple[int, int]:
        costs = [await cost(query) for query in await record_queries(sidebars.list_entries(who(bob).id))]
        return len(costs), sum(costs)

    await write(range(79, 83))
    assert (await sidebars.list_entries(who(bob).id)).unread() == (100, 400)
    few = await read()
    await write(range(20, 79))
    many = await read()
    assert many[0] == few[0] == 1
    assert many[1] < 1.3 * few[1]


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
