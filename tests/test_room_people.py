"""The people of a room: who sees them, in which order, how they are found, and what may be done about each."""

import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from limits import parse
from tortoise.transactions import in_transaction

from tests.conftest import Person, account, introduce, person
from tests.page import Page, words
from tests.people import befriend, make_room, who, write
from tests.room_acts import put_out
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations import access, members
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import MEMBERS_BESIDE, room_by_id
from webapp.db import sql
from webapp.people.queries import PAGE_SIZE, members_after
from webapp.presence.queries import NO_ROOM
from webapp.presence.tracker import tracker
from webapp.relationships.models import Block, VeiledBlock


async def join(room: Room, *people: Person | User) -> None:
    for one in people:
        await members.join(await access.by_key(one if isinstance(one, User) else who(one), room.key))


async def opened(one: Person, room: int) -> None:
    """They have a page open that shows this room, or none."""
    tracker().stream_opened(who(one).id, room)
    await tracker().write_changes()


def listed(answer: httpx2.Response) -> tuple[list[str], list[str], list[str]]:
    """Who is here, who is online, and everybody else on the page."""
    assert answer.status_code == 200
    page = Page(answer)
    here, online, others = (page.texts(f"#people-{name} .row__name") for name in ("here", "online", "members"))
    return here, online, others


@pytest.fixture
async def garden(alice: Person, bob: Person) -> Room:
    room = await make_room(who(alice), "Garden")
    await join(room, bob)
    return room


async def test_who_is_here_stands_first_then_who_is_online_then_all_others_by_name(
    app: object, alice: Person, bob: Person, charlie: Person, garden: Room
) -> None:
    zoe, emile, outside = await person(app, "zoe"), await person(app, "emile"), await person(app, "outside")
    await introduce(who(emile), "Émile")
    await join(garden, charlie, zoe, emile)
    await opened(zoe, garden.id)
    await opened(emile, NO_ROOM)
    await opened(outside, NO_ROOM)
    assert listed(await alice.get(f"{garden.path}/people")) == (["Zoe"], ["Émile"], ["Alice", "Bob", "Charlie"])


async def test_a_reader_who_is_no_member_sees_and_is_seen_while_they_are_here(
    alice: Person, bob: Person, charlie: Person, garden: Room
) -> None:
    assert listed(await charlie.get(f"{garden.path}/people")) == ([], [], ["Alice", "Bob"])
    await opened(charlie, garden.id)
    assert listed(await alice.get(f"{garden.path}/people")) == (["Charlie"], [], ["Alice", "Bob"])


async def test_outsiders_of_a_chat_find_no_people_in_it(alice: Person, bob: Person, charlie: Person) -> None:
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    for one in (alice, bob):
        assert listed(await one.get(f"{chat.path}/people"))[2] == ["Alice", "Bob"]
    assert (await charlie.get(f"{chat.path}/people")).status_code == 404
    assert (await charlie.get("/rooms/nothing/people")).status_code == 404


async def test_in_a_chat_nobody_learns_who_has_it_open(alice: Person, bob: Person) -> None:
    await User.all().update(presence_for="friends")
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    await opened(bob, chat.id)
    assert listed(await alice.get(f"{chat.path}/people")) == ([], [], ["Alice", "Bob"])


async def test_a_room_of_strangers_has_no_list_of_people(alice: Person, garden: Room) -> None:
    await Room.filter(id=garden.id).update(kind="stranger")
    assert (await alice.get(f"{garden.path}/people")).status_code == 404


async def test_a_visitor_is_led_to_sign_in_and_a_kicked_member_is_refused(
    visitor: Person, bob: Person, garden: Room
) -> None:
    assert (await visitor.get(f"{garden.path}/people")).headers["location"].startswith("/login")
    await put_out(garden, bob)
    assert (await bob.get(f"{garden.path}/people")).status_code == 403


async def test_kicked_banned_and_blocked_people_are_not_listed(
    app: object, alice: Person, bob: Person, garden: Room
) -> None:
    kicked, banned, blocks, blocked, veiled = [
        await person(app, name) for name in ("kicked", "banned", "blocks", "blocked", "veiled")
    ]
    await join(garden, kicked, banned, blocks, blocked, veiled)
    await User.filter(id=who(banned).id).update(banned_until=datetime.now(UTC) + timedelta(days=1))
    await put_out(garden, kicked)
    await Block.add(who(blocks), who(alice))
    await Block.add(who(alice), who(blocked))
    await VeiledBlock.put(who(veiled), who(alice))
    await VeiledBlock.all().update(everywhere=True)
    for one in (kicked, banned, blocks, blocked, veiled):
        await opened(one, garden.id)
    assert listed(await alice.get(f"{garden.path}/people")) == ([], [], ["Alice", "Bob"])
    assert listed(await bob.get(f"{garden.path}/people"))[0] == ["Blocked", "Blocks", "Veiled"]


@pytest.mark.parametrize(
    ("shows", "to", "as_here", "as_online"),
    [(True, "everyone", True, True), (True, "friends", True, False), (False, "friends", False, False)],
)
async def test_who_shows_friends_alone_is_seen_in_the_room_but_not_elsewhere(
    alice: Person, bob: Person, charlie: Person, garden: Room, shows: bool, to: str, as_here: bool, as_online: bool
) -> None:
    await User.filter(id=who(bob).id).update(shows_presence=shows, presence_for=to)
    await befriend(charlie, bob)
    await opened(bob, NO_ROOM)
    assert (listed(await alice.get(f"{garden.path}/people"))[1] == ["Bob"]) is as_online
    assert (listed(await charlie.get(f"{garden.path}/people"))[1] == ["Bob"]) is shows
    await opened(bob, garden.id)
    assert (listed(await alice.get(f"{garden.path}/people"))[0] == ["Bob"]) is as_here


async def test_a_member_is_found_by_name_and_user_name_and_nobody_else(
    app: object, alice: Person, bob: Person, garden: Room
) -> None:
    zoe, zora = await person(app, "gardener77"), await person(app, "zora")
    await introduce(who(zoe), "Zoë van Gogh")
    await User.filter(id=who(zoe).id).update(found_by="code")
    await join(garden, zoe)
    for typed in ("zoe", "Van", "gardener", "GARDENER77"):
        assert listed(await alice.get(f"{garden.path}/people?q={typed}"))[2] == ["Zoë van Gogh"], typed
    assert who(zora).display_name == "Zora"
    assert listed(await alice.get(f"{garden.path}/people?q=zo"))[2] == ["Zoë van Gogh"]
    assert "Nobody here is called that." in words(await alice.get(f"{garden.path}/people?q=nobody"))
    assert "Type at least two letters." in words(await alice.get(f"{garden.path}/people?q=z"))


async def test_script_gets_the_list_alone_as_one_types(alice: Person, bob: Person, garden: Room) -> None:
    page = Page(await alice.get(f"{garden.path}/people"))
    field = page.one("#main input[name=q]")
    assert field.attributes["hx-get"] == f"{garden.path}/people"
    assert "delay:300ms" in (field.attributes["hx-trigger"] or "")
    answer = await alice.get(f"{garden.path}/people?q=bo", HX_Request="true")
    assert answer.text.lstrip().startswith('<div id="found"')
    assert Page(answer).texts(".row__name") == ["Bob"]


@pytest.mark.parametrize("asked", ["", "q=member"])
async def test_pages_of_a_large_room_go_on_by_key_and_nobody_is_missed(
    alice: Person, bob: Person, garden: Room, asked: str
) -> None:
    crowd = [await account(f"member{number:03}") for number in range(2 * PAGE_SIZE + 3)]
    await Membership.bulk_create([Membership(room_id=garden.id, user_id=one.id) for one in crowd])
    seen: list[str] = []
    path = f"{garden.path}/people?{asked}"
    while path:
        page = Page(await alice.get(path))
        assert len(page.all("li.person")) <= PAGE_SIZE
        seen += page.texts("#people-members .row__name")
        following = page.all("a[rel=next]")
        path = following[0].attributes["href"] or "" if following else ""
    everybody = [one.display_name for one in crowd] if asked else ["Alice", "Bob", *(one.display_name for one in crowd)]
    assert seen == sorted(everybody)


async def test_a_member_is_listed_by_their_name_also_where_an_old_process_wrote_the_membership(
    alice: Person, bob: Person, charlie: Person, garden: Room
) -> None:
    """Also by a process of the version before, which does not know the column."""
    columns = "room_id, user_id, role, read_number, delivered_number, muted, joined_at"
    now = sql.to_db(datetime.now(UTC))
    values = garden.id, who(charlie).id, "member", 0, 0, False, now
    await sql.execute(f"INSERT INTO membership ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
    assert listed(await alice.get(f"{garden.path}/people"))[2] == ["Alice", "Bob", "Charlie"]
    await introduce(who(bob), "Zoë")
    assert listed(await alice.get(f"{garden.path}/people"))[2] == ["Alice", "Charlie", "Zoë"]
    names = await Membership.filter(room_id=garden.id).order_by("sort_name").values_list("sort_name", flat=True)
    assert names == ["alice", "charlie", "zoe"]


async def test_a_page_of_members_is_a_range_of_an_index(
    alice: Person, bob: Person, garden: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain = "EXPLAIN QUERY PLAN" if settings.ON_SQLITE else "EXPLAIN (VERBOSE)"
    steps: list[sql.Row] = []

    async def explained(query: str, *values: object, seconds: float) -> list[sql.Row]:
        steps.extend(await sql.fetch_all(f"{explain} {query}", *values))
        return []

    row = await room_by_id(garden.id)
    assert row
    monkeypatch.setattr(sql, "fetch_limited", explained)
    async with in_transaction("default") as connection:
        if not settings.ON_SQLITE:
            await connection.execute_script("ANALYZE membership")
            # It reads and sorts two people by choice.
            for way in ("seqscan", "bitmapscan", "sort"):
                await connection.execute_script(f"SET LOCAL enable_{way} = off")
        await members_after(who(alice), row, ("b", who(bob).code))
    how = "\n".join(str(dict(step)) for step in steps)
    if settings.ON_SQLITE:
        assert "membership USING INDEX idx_membership_by_name (room_id=? AND sort_name>?)" in how
        assert "RIGHT PART OF ORDER BY" in how or "LAST TERM OF ORDER BY" in how
    else:
        assert re.search(r"Index Scan using idx_membership_by_name", how), how
        assert re.search(r"Index Cond[^,]*room_id[^,]*sort_name[^,]*>=", how), how


async def test_each_row_leads_to_the_person_and_to_the_chat_with_them(alice: Person, bob: Person, garden: Room) -> None:
    page = Page(await alice.get(f"{garden.path}/people"))
    mine, theirs = page.all("#people-members li")
    assert {link.attributes["href"] for link in theirs.css("a")} == {who(bob).path, f"/chat/{who(bob).code}"}
    assert {link.attributes["href"] for link in mine.css("a")} == {who(alice).path}
    assert [badge.text() for badge in mine.css(".badge")] == ["owner", "you"]


async def offered(one: Person, room: Room) -> list[list[str | None]]:
    """What can be done with each of the people, as the page offers it."""
    rows = Page(await one.get(f"{room.path}/people")).all("#people-members li")
    return [[button.attributes["value"] for button in row.css("button[name=act]")] for row in rows]


async def test_each_is_offered_what_they_may_do(alice: Person, bob: Person, charlie: Person, garden: Room) -> None:
    acts = ["make_owner", "make_moderator", "remove", "ban"]
    assert await offered(alice, garden) == [[], acts]
    for one in (bob, charlie):
        assert await offered(one, garden) == [[], []]
    await Membership.filter(room_id=garden.id, user_id=who(bob).id).update(role="mod")
    assert await offered(bob, garden) == [[], ["make_member"]]
    page = Page(await alice.get(f"{garden.path}/people"))
    assert page.texts("#people-members .badge") == ["owner", "you", "moderator"]


async def test_the_people_are_one_press_from_the_room(alice: Person, garden: Room) -> None:
    room = Page(await alice.get(garden.path))
    # Relative to the room, as open pages of it are sent it.
    press = room.one("#people > a").attributes["href"]
    assert (await alice.get(f"{garden.path}{press}")).headers["location"] == f"{garden.path}/people"
    assert Page(await alice.get(f"{garden.path}/people")).one(".back a").attributes["href"] == garden.path


def beside(page: httpx2.Response) -> list[str]:
    """Who is named in the column beside the conversation, besides those who are here."""
    return [name.lstrip("· ") for name in Page(page).texts(".members a")]


async def test_beside_the_conversation_stand_members_who_are_not_here_by_name(
    app: object, alice: Person, bob: Person, charlie: Person, garden: Room
) -> None:
    zoe, emile, banned = await person(app, "zoe"), await person(app, "emile"), await account("banned")
    await join(garden, charlie, zoe, emile, banned)
    await introduce(who(emile), "Émile")
    await User.filter(id=banned.id).update(banned_until=datetime.now(UTC) + timedelta(days=1))
    await opened(bob, garden.id)
    assert beside(await alice.get(garden.path)) == ["Charlie", "Émile", "Zoe"]
    assert beside(await zoe.get(garden.path)) == ["Alice", "Charlie", "Émile"]
    await Block.add(who(charlie), who(alice))
    await put_out(garden, zoe)
    assert beside(await alice.get(garden.path)) == ["Émile"]
    assert beside(await emile.get(garden.path)) == ["Alice", "Charlie"]
    # A chat has none beside it.
    await befriend(alice, bob)
    await write(alice, bob)
    assert beside(await alice.get(f"/chat/{who(bob).code}")) == []


async def test_no_more_members_stand_beside_a_conversation_than_a_dozen(alice: Person, garden: Room) -> None:
    crowd = [await account(f"member{number:02}") for number in range(MEMBERS_BESIDE + 5)]
    await join(garden, *crowd)
    assert beside(await alice.get(garden.path)) == ["Bob", *(one.display_name for one in crowd[: MEMBERS_BESIDE - 1])]


async def test_the_list_has_the_rates_of_the_directory_and_of_typing(
    alice: Person, garden: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_DIRECTORY", parse("1/minute"))
    monkeypatch.setattr(settings, "RATE_TYPEAHEAD", parse("1/minute"))
    asked = [f"{garden.path}/people{query}" for query in ("", "?q=al", "", "?q=al")]
    assert [(await alice.get(path)).status_code for path in asked] == [200, 200, 429, 429]
