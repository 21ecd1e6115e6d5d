"""Rooms: finding and making them, coming and going, and what their owner may do."""

import asyncio
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx2
import pytest

from tests.conftest import Person, bodies, person
from tests.page import words
from tests.people import make_room, who
from tests.readers import reader as open_reader
from webapp.accounts.models import User
from webapp.conversations import access, members, queries
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import PAGE_SIZE
from webapp.conversations.seats import KICKED, MEMBER, OWNER, Seat
from webapp.core.errors import Forbidden, NotFound
from webapp.live import hub
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.messages.retention import delete_closed_rooms
from webapp.rooms import settings_views

# What the owner does, with the fields of the form. `who` is filled in with a member's code.
ACTIONS: dict[str, dict[str, str]] = {
    "topic": {"topic": "Scones, mostly"},
    "lock": {},
    "unlock": {},
    "kick": {"who": "bob", "minutes": "10"},
    "pardon": {"who": "bob"},
    "hand_over": {"who": "bob"},
    "delete": {"name": "Tea & Cake"},
}


def listed(page: httpx2.Response) -> list[tuple[str, str]]:
    """The rooms of a list: name and counts."""
    found = re.findall(r'rooms__name"[^>]*>([^<]*)<.*?rooms__count">([^<]*)<', page.text, re.DOTALL)
    return [(unescape(name), count) for name, count in found]


async def names(one: Person, search: str) -> list[str]:
    page = await one.client.get("/rooms", params={"q": search})
    assert page.status_code == 200
    return [name for name, _ in listed(page)]


async def enter(one: Person, name: str, topic: str = "") -> httpx2.Response:
    return await one.post("/rooms", {"name": name, "topic": topic})


async def change(one: Person, room: Room, do: str, **fields: str) -> httpx2.Response:
    return await one.post(f"{room.path}/settings", {"do": do, **fields})


async def act(one: Person, room: Room, do: str, member: Person) -> httpx2.Response:
    """One of ACTIONS, about the member."""
    fields = {name: who(member).code if name == "who" else value for name, value in ACTIONS[do].items()}
    return await change(one, room, do, **fields)


async def kick(owner: Person, room: Room, member: Person, minutes: str = "10") -> httpx2.Response:
    return await change(owner, room, "kick", who=who(member).code, minutes=minutes)


async def now(room: Room) -> Room:
    """The room's row as it is."""
    return await Room.get(id=room.id)


async def roles(room: Room) -> dict[str, str]:
    rows = await Membership.filter(room_id=room.id).values_list("user__username", "role")
    return {str(name): str(role) for name, role in rows}


async def assert_counted(room: Room, expected: dict[str, str]) -> None:
    """These people are in the room with these roles, and the count of its members is right."""
    assert await roles(room) == expected
    assert (await now(room)).member_count == len([role for role in expected.values() if role != KICKED])


async def serve_time(room: Room, member: Person) -> None:
    """The time that somebody was kept out for is over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert await Membership.filter(room_id=room.id, user_id=who(member).id).update(kicked_until=past)


def statuses(answers: Collection[httpx2.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


# The list, and searching it.


async def test_a_room_is_found_by_any_part_of_its_name_in_any_case(alice: Person, charlie: Person) -> None:
    for name in ("Garden Tools", "The Secret Garden", "Kitchen"):
        await enter(alice, name)
    assert sorted(await names(charlie, "garden")) == ["Garden Tools", "The Secret Garden"]
    assert sorted(await names(charlie, "GARDEN")) == ["Garden Tools", "The Secret Garden"]
    assert await names(charlie, "ret  gar") == ["The Secret Garden"]
    assert await names(charlie, "itche") == ["Kitchen"]


async def test_a_search_reads_the_latest_rooms_and_a_whole_name_opens_any(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.conversations.queries.MAX_SEARCHED", 2)
    rooms = [await make_room(who(alice), f"Tea {number}") for number in range(4)]
    await Room.filter(id=rooms[3].id).update(closed_at=datetime.now(UTC))
    assert [room.name for room in await queries.search_rooms("tea")] == ["Tea 2", "Tea 1"]
    await alice.say(rooms[0], "news")
    assert [room.name for room in await queries.search_rooms("tea")] == ["Tea 0", "Tea 2"]
    assert (await make_room(who(alice), "tea 1")).id == rooms[1].id


async def test_accents_are_found_however_they_are_written(alice: Person, charlie: Person) -> None:
    await enter(alice, "Café Müller")
    for written in ("Café Müller", "CAFÉ MÜLLER", "Cafe\u0301", "mu\u0308ll", "ＣＡＦÉ"):
        assert await names(charlie, written) == ["Café Müller"], written


async def test_a_search_that_finds_nothing_says_so_and_offers_to_make_the_room(alice: Person, room: Room) -> None:
    page = await alice.get("/rooms?q=submarines")
    assert "No room has that in its name. You can make it." in words(page)
    assert '<input id="name" name="name" type="text" value="submarines"' in page.text
    assert listed(page) == []


async def test_signs_of_the_database_are_searched_for_as_they_are(alice: Person) -> None:
    for name in ("100% cotton", "snake_case", "snakeXcase", "back\\slash", 'the "best"', "it's", "100 wool"):
        await enter(alice, name)
    assert await names(alice, "%") == ["100% cotton"]
    assert await names(alice, "_") == ["snake_case"]
    assert await names(alice, "snake_c") == ["snake_case"]
    assert await names(alice, "\\") == ["back\\slash"]
    assert await names(alice, '"best"') == ['the "best"']
    assert await names(alice, "it's") == ["it's"]
    assert await names(alice, "' OR 1=1 --") == []


async def test_what_was_searched_for_is_shown_and_harmless(alice: Person) -> None:
    page = await alice.client.get("/rooms", params={"q": '"><script>alert(1)</script>'})
    assert 'Rooms with “"><script>alert(1)</script>”' in unescape(page.text)
    assert "<script>alert" not in page.text


async def test_the_list_counts_people_as_they_come_and_go(alice: Person, charlie: Person, room: Room) -> None:
    assert listed(await charlie.get("/rooms")) == [("Tea & Cake", "1 person · 0 messages")]
    await charlie.post(f"{room.path}/join")
    assert listed(await alice.get("/rooms")) == [("Tea & Cake", "2 people · 0 messages")]
    await charlie.post(f"{room.path}/leave")
    assert listed(await alice.get("/rooms")) == [("Tea & Cake", "1 person · 0 messages")]
    await charlie.say(room, "back again")
    assert listed(await alice.get("/lobby")) == [("Tea & Cake", "2 people · 1 message")]
    await kick(alice, room, charlie)
    assert listed(await alice.get("/rooms")) == [("Tea & Cake", "1 person · 1 message")]


async def test_the_room_that_spoke_last_is_first(alice: Person) -> None:
    rooms = [await make_room(who(alice), name) for name in ("One", "Two", "Three")]
    await alice.say(rooms[0], "hello")
    assert [name for name, _ in listed(await alice.get("/rooms"))] == ["One", "Three", "Two"]


async def test_thirty_one_rooms_are_two_pages(alice: Person, charlie: Person) -> None:
    for number in range(PAGE_SIZE + 1):
        await make_room(who(alice), f"Room {number:02}")
    first, second = await charlie.get("/rooms"), await charlie.get("/rooms?page=2")
    assert len(listed(first)) == PAGE_SIZE
    assert 'rel="next" href="/rooms?q=&amp;page=2"' in first.text
    assert 'rel="prev"' not in first.text
    assert len(listed(second)) == 1
    assert 'rel="prev" href="/rooms?q=&amp;page=1"' in second.text
    assert 'rel="next"' not in second.text
    assert len({name for name, _ in listed(first) + listed(second)}) == PAGE_SIZE + 1


@pytest.mark.parametrize("page", ["0", "-1", "abc", "", "99999999999999999999", "9" * 5000, "²"])
async def test_a_page_that_cannot_be_is_no_accident(alice: Person, room: Room, page: str) -> None:
    for path in ("/rooms", f"{room.path}/settings"):
        answer = await alice.client.get(path, params={"page": page})
        assert answer.status_code == 200, path


async def test_a_visitor_is_asked_to_sign_in(alice: Person, visitor: Person, room: Room) -> None:
    for path in ("/rooms", "/lobby", room.path, f"{room.path}/settings"):
        assert (await alice.get(path)).status_code == 200
        answer = await visitor.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/login?next={path.replace('/', '%2F')}")
        assert (await visitor.get(path, HX_Request="true")).status_code == 401


# Making a room, or joining the one that has the name.


async def test_a_new_room_belongs_to_whoever_named_it(alice: Person) -> None:
    answer = await enter(alice, "Book Club", "One chapter a week")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/rooms/book-club")
    page = words(await alice.get("/rooms/book-club"))
    assert "Book Club" in page
    assert "One chapter a week" in page
    assert "This is where it begins." in page
    room = await Room.get(key="book-club")
    assert (room.name, room.topic, room.version, room.last_number) == ("Book Club", "One chapter a week", 0, 0)
    await assert_counted(room, {"alice": OWNER})


@pytest.mark.parametrize(
    "again",
    ["Café Müller", "Cafe\u0301 Mu\u0308ller", "CAFÉ MÜLLER", " café  müller ", "café\u00a0müller", "ＣＡＦÉ müller"],
)
async def test_a_name_written_differently_leads_to_the_same_room(alice: Person, charlie: Person, again: str) -> None:
    first = await enter(alice, "Café Müller", "Dancing")
    second = await enter(charlie, again, "Something else")
    assert second.status_code == 303
    assert second.headers["Location"] == first.headers["Location"] == "/rooms/caf%C3%A9-m%C3%BCller"
    [room] = await Room.all()
    assert (room.name, room.topic) == ("Café Müller", "Dancing")
    await assert_counted(room, {"alice": OWNER, "charlie": MEMBER})


async def test_names_of_any_script_have_an_address(alice: Person, charlie: Person) -> None:
    for name in ("日本語", "Пиво", "हिन्दी", "ไทย", "العربية"):
        answer = await enter(alice, name)
        page = await charlie.get(answer.headers["Location"])
        assert page.status_code == 200, name
        assert name in words(page)
        assert await names(charlie, name) == [name]


async def test_names_that_differ_in_their_signs_are_rooms_of_their_own(alice: Person) -> None:
    answers = [await enter(alice, name) for name in ("a/b", "a b", "a-b", "a_b", "A/B")]
    ways = [answer.headers["Location"] for answer in answers]
    assert len(set(ways)) == 4
    assert ways[0] == ways[4]
    assert sorted(room.name for room in await Room.all()) == ["a b", "a-b", "a/b", "a_b"]
    for way, name in zip(ways, ("a/b", "a b", "a-b", "a_b"), strict=False):
        assert f"<title>{name} ·" in (await alice.get(way)).text


async def test_names_of_only_signs_are_rooms_and_there_may_be_many(alice: Person) -> None:
    signs = ["🎉", "...", "!?", "🏳️‍🌈", "/", "..", "#", "%", "&", "<b>", *"★☆♠♣♥♦♪♫☀☁☂☃☎☕☘☠"]
    ways = {(await enter(alice, name)).headers.get("Location") for name in signs}
    assert None not in ways
    assert len(ways) == len(signs)
    for way in ways:
        assert (await alice.get(str(way))).status_code == 200
    assert await Room.all().count() == len(signs)


async def test_no_key_of_a_room_with_a_name_looks_like_a_random_one(alice: Person) -> None:
    for name in ("~abc", "~", "~~~~~~~~", "k7q2~m9xd", "\uff5etea"):
        assert (await enter(alice, name)).status_code == 303
    keys = await Room.all().values_list("key", flat=True)
    assert len(keys) == 5
    assert not [key for key in keys if "~" in str(key)]


async def test_a_name_has_sixty_characters_at_most(alice: Person) -> None:
    assert (await enter(alice, "x" * 60)).status_code == 303
    assert (await enter(alice, "👨‍👩‍👧‍👦" * 30)).status_code == 303
    assert (await enter(alice, "🎉" * 60)).status_code == 303
    refused = await enter(alice, "y" * 61, "All about y")
    assert refused.status_code == 422
    assert "Use at most 60 characters." in words(refused)
    assert f'value="{"y" * 61}"' in refused.text
    assert 'value="All about y"' in refused.text
    assert await Room.all().count() == 3


async def test_a_name_that_grows_when_it_is_compared_is_refused_in_words(alice: Person) -> None:
    assert (await enter(alice, "ﷺ")).status_code == 303
    refused = await enter(alice, "ﷺ" * 60)
    assert refused.status_code == 422
    assert "Use at most 60 characters." in words(refused)


@pytest.mark.parametrize("name", ["", "   ", "\u200b\u200d", "\u202e", "\x00", "\n\n", "\u00a0", "\u0301"])
async def test_a_name_that_nobody_can_see_is_refused_with_the_form(alice: Person, name: str) -> None:
    refused = await enter(alice, name, "About nothing")
    assert refused.status_code == 422
    assert "Write a name for the room." in words(refused)
    assert 'value="About nothing"' in refused.text
    assert await Room.all().count() == 0


async def test_what_cannot_be_seen_in_a_name_is_left_out(alice: Person) -> None:
    for name in ("T\u202ee\x00a", "T\u2066ea", "\ufeffTea\u200b", "Te\x07a"):
        assert (await enter(alice, name)).headers["Location"] == "/rooms/tea"
    [room] = await Room.all()
    assert room.name == "Tea"


async def test_a_name_and_a_topic_are_shown_as_they_were_typed(alice: Person) -> None:
    answer = await enter(alice, "<script>alert(1)</script>", "<b>bold</b> & 'so'")
    for path in (answer.headers["Location"], "/rooms", "/lobby", f"{answer.headers['Location']}/settings"):
        page = await alice.get(path)
        assert "<script>alert(1)</script>" in words(page).replace("< ", "<") or "&lt;script&gt;" in page.text
        assert "<script>alert" not in page.text
        assert "<b>bold" not in page.text


async def test_people_who_make_a_room_at_the_same_moment_meet_in_it(app: object) -> None:
    crowd = [await person(app, f"person{number}") for number in range(8)]
    answers = await asyncio.gather(*(enter(one, "Stammtisch") for one in crowd))
    assert statuses(answers) == [303] * 8
    assert {answer.headers["Location"] for answer in answers} == {"/rooms/stammtisch"}
    [room] = await Room.all()
    found = await roles(room)
    assert sorted(found.values()) == [MEMBER] * 7 + [OWNER]
    await assert_counted(room, found)
    for one in crowd:
        assert "Stammtisch" in words(await one.get("/lobby"))


async def test_names_that_would_share_an_address_get_their_own_at_the_same_moment(app: object) -> None:
    written = ["a/b", "a b", "a-b", "a.b", "a+b", "a:b"]
    crowd = [await person(app, f"person{number}") for number in range(len(written))]
    answers = await asyncio.gather(*(enter(one, name) for one, name in zip(crowd, written, strict=True)))
    assert statuses(answers) == [303] * len(written)
    assert len({answer.headers["Location"] for answer in answers}) == len(written)
    for room in await Room.all():
        assert room.member_count == 1
        assert list((await roles(room)).values()) == [OWNER]


async def test_a_room_that_is_deleted_while_somebody_enters_is_made_anew(
    charlie: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = access.by_key

    async def find_too_late(user: User, key: str) -> Seat:
        seat = await find(user, key)
        if seat.room.id == room.id:
            await Room.close(room.id)
            await delete_closed_rooms()
        return seat

    monkeypatch.setattr(access, "by_key", find_too_late)
    answer = await enter(charlie, "Tea & Cake")
    assert answer.status_code == 303
    [anew] = await Room.all()
    assert anew.id != room.id
    await assert_counted(anew, {"charlie": OWNER})


# Joining and leaving.


async def test_joining_shows_the_room_in_the_sidebar_and_others_see_it(
    alice: Person, charlie: Person, room: Room
) -> None:
    page = await charlie.get(room.path)
    assert f'action="{room.path}/join"' in page.text
    assert "You are in no room yet." in words(page)
    answer = await charlie.post(f"{room.path}/join")
    assert (answer.status_code, answer.headers["Location"]) == (303, room.path)
    page = await charlie.get(room.path)
    assert f'action="{room.path}/join"' not in page.text
    assert f'class="entry" href="{room.path}"' in page.text
    assert "Charlie" in words(await alice.get(f"{room.path}/settings"))
    await assert_counted(room, {"alice": OWNER, "charlie": MEMBER})


async def test_what_was_said_before_one_joined_is_not_unread(alice: Person, charlie: Person, room: Room) -> None:
    await alice.say(room, "hello")
    await charlie.post(f"{room.path}/join")
    assert 'class="unread"' not in (await charlie.get("/lobby")).text
    await alice.say(room, "and welcome")
    assert '<span class="unread" title="Unread">1<' in (await charlie.get("/lobby")).text


async def test_joining_twice_is_joining_once_also_at_the_same_moment(charlie: Person, room: Room) -> None:
    assert statuses(await asyncio.gather(*(charlie.post(f"{room.path}/join") for _ in range(6)))) == [303] * 6
    assert (await charlie.post(f"{room.path}/join")).status_code == 303
    assert (await enter(charlie, "tea & cake")).status_code == 303
    await assert_counted(room, {"alice": OWNER, "charlie": MEMBER})


async def test_whoever_leaves_is_gone_and_may_still_read(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "so long")
    assert f'href="{room.path}"' in (await bob.get("/lobby")).text.partition('id="main"')[0]
    answer = await bob.post(f"{room.path}/leave")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lobby")
    assert f'href="{room.path}"' not in (await bob.get("/lobby")).text.partition('id="main"')[0]
    assert "Bob" not in words(await alice.get(f"{room.path}/settings"))
    page = await bob.get(room.path)
    assert "so long" in words(page)
    assert f'action="{room.path}/join"' in page.text
    await assert_counted(room, {"alice": OWNER})


async def test_leaving_twice_is_leaving_once_also_at_the_same_moment(bob: Person, room: Room) -> None:
    assert statuses(await asyncio.gather(*(bob.post(f"{room.path}/leave") for _ in range(6)))) == [303] * 6
    assert (await bob.post(f"{room.path}/leave")).status_code == 303
    await assert_counted(room, {"alice": OWNER})


async def test_coming_and_going_at_the_same_moment_is_counted_right(bob: Person, room: Room) -> None:
    ways = ["leave", "join"] * 5
    assert set(statuses(await asyncio.gather(*(bob.post(f"{room.path}/{way}") for way in ways)))) == {303}
    found = await roles(room)
    assert found in ({"alice": OWNER}, {"alice": OWNER, "bob": MEMBER})
    await assert_counted(room, found)


async def test_the_owner_cannot_leave(alice: Person, bob: Person, room: Room) -> None:
    assert f'action="{room.path}/leave"' in (await bob.get(f"{room.path}/settings")).text
    assert f'action="{room.path}/leave"' not in (await alice.get(f"{room.path}/settings")).text
    assert (await bob.post(f"{room.path}/leave")).status_code == 303
    refused = await alice.post(f"{room.path}/leave")
    assert refused.status_code == 403
    assert "Make someone else its owner first, or delete it." in words(refused)
    await assert_counted(room, {"alice": OWNER})


async def test_leaving_without_having_come_changes_nothing(charlie: Person, room: Room) -> None:
    assert (await charlie.post(f"{room.path}/leave")).status_code == 303
    await assert_counted(room, {"alice": OWNER})


@pytest.mark.parametrize("way", ["join", "leave"])
async def test_coming_and_going_take_a_form_of_somebody_who_is_signed_in(
    alice: Person, bob: Person, visitor: Person, room: Room, way: str
) -> None:
    wrong = await alice.get(f"{room.path}/{way}")
    assert (wrong.status_code, "can't be done here in this way" in words(wrong)) == (405, True)
    assert (await visitor.post(f"{room.path}/{way}")).headers["Location"] == "/login?next=%2Flobby"
    assert (await visitor.post(f"{room.path}/{way}", HX_Request="true")).status_code == 401
    foreign = await bob.post(f"{room.path}/{way}", Sec_Fetch_Site="cross-site")
    assert foreign.status_code == 403
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})
    assert (await bob.post(f"{room.path}/{way}")).status_code == 303


@pytest.mark.parametrize("key", ["nowhere", "%00", "..%2Flobby", "a" * 300, "~abcdef", "%FF%FE", "TEA-CAKE"])
async def test_a_room_that_never_was_is_nowhere(alice: Person, room: Room, key: str) -> None:
    assert room.key == "tea-cake"
    assert (await alice.get(room.path)).status_code == 200
    for path in ("", "/settings", "/composer", "/events", "/messages/1", "/messages/1/edit"):
        assert (await alice.get(f"/rooms/{key}{path}")).status_code == 404, path
    for path in ("/join", "/leave", "/messages", "/settings", "/messages/1/edit", "/messages/1/remove"):
        assert (await alice.post(f"/rooms/{key}{path}")).status_code == 404, path


# What the owner may do: each action works, for an administrator too, and for nobody else.


async def assert_done(do: str, room: Room) -> None:
    found = await now(room)
    everybody = await roles(room)
    done = {
        "topic": found.topic == "Scones, mostly",
        "lock": found.locked_at is not None,
        "unlock": found.locked_at is None,
        "kick": everybody.get("bob") == KICKED,
        "pardon": "bob" not in everybody,
        "hand_over": (everybody.get("bob"), everybody["alice"]) == (OWNER, MEMBER),
        "delete": found.closed_at is not None,
    }
    assert done[do]


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted rooms are erased only when the test says so."""

    async def later() -> None:
        return

    monkeypatch.setattr(settings_views, "delete_closed_rooms", later)


async def prepare(do: str, owner: Person, room: Room) -> None:
    """What must be so that the action changes something."""
    if do == "unlock":
        await Room.set_locked(room.id, True)
    if do == "pardon":
        await members.kick(room.id, await Membership.get(room_id=room.id, user__username="bob"), 10)


@pytest.mark.parametrize("do", ACTIONS)
async def test_the_owner_may(alice: Person, bob: Person, room: Room, do: str, unhurried: None) -> None:
    await prepare(do, alice, room)
    answer = await act(alice, room, do, bob)
    assert answer.status_code == 303
    way = "/lobby" if do == "delete" else f"{room.path}/settings?done={do}"
    assert answer.headers["Location"] == way
    assert (
        do == "delete"
        or f'class="done" role="status">{settings_views.SUCCESS_MESSAGES[do]}<' in (await alice.get(way)).text
    )
    await assert_done(do, room)


@pytest.mark.parametrize("do", ACTIONS)
async def test_an_administrator_may(admin: Person, bob: Person, room: Room, do: str, unhurried: None) -> None:
    await prepare(do, admin, room)
    assert (await act(admin, room, do, bob)).status_code == 303
    await assert_done(do, room)


@pytest.mark.parametrize("do", ACTIONS)
async def test_nobody_else_may(
    alice: Person, bob: Person, charlie: Person, visitor: Person, room: Room, do: str, unhurried: None
) -> None:
    await prepare(do, alice, room)
    before, everybody = await Room.filter(id=room.id).values(), await roles(room)
    for one in (charlie,) if do == "pardon" else (bob, charlie):
        refused = await act(one, room, do, bob)
        assert refused.status_code == 403
        assert "Only the owner of the room can do that." in words(refused)
    assert (await act(visitor, room, do, bob)).headers["Location"] == "/login?next=%2Flobby"
    foreign = await alice.post(f"{room.path}/settings", {"do": do}, Sec_Fetch_Site="cross-site")
    assert foreign.status_code == 403
    assert (await Room.filter(id=room.id).values(), await roles(room)) == (before, everybody)
    assert (await act(alice, room, do, bob)).status_code == 303
    await assert_done(do, room)


@pytest.mark.parametrize("do", ACTIONS)
async def test_doing_it_twice_at_once_is_doing_it_once(
    alice: Person, bob: Person, room: Room, do: str, unhurried: None
) -> None:
    await prepare(do, alice, room)
    found = statuses(await asyncio.gather(*(act(alice, room, do, bob) for _ in range(4))))
    assert 303 in found
    assert set(found) <= {303, 403, 404}
    await assert_done(do, room)
    await assert_counted(room, await roles(room))


async def test_something_that_an_owner_cannot_do_is_said_so(alice: Person, room: Room) -> None:
    assert (await change(alice, room, "topic", topic="Tea")).status_code == 303
    for do in ("", "explode", "__class__"):
        refused = await change(alice, room, do)
        assert refused.status_code == 422, do
        assert "This can't be done here." in words(refused)


async def test_others_see_who_is_here_but_nothing_to_do_about_it(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    assert 'value="kick"' in (await alice.get(f"{room.path}/settings")).text
    for one in (bob, charlie):
        page = await one.get(f"{room.path}/settings")
        assert page.status_code == 200
        assert "Alice owner" in words(page)
        assert "What goes with what" in words(page)
        assert set(re.findall(r'name="do" value="(\w+)"', page.text)) <= {"mute"}


async def test_many_members_are_several_pages(alice: Person, room: Room) -> None:
    crowd = [await User.create_hashed(f"member{n:02}", f"Member {n:02}", "no hash", False) for n in range(PAGE_SIZE)]
    for one in crowd:
        await members.join(await access.by_key(one, room.key))
    first = await alice.get(f"{room.path}/settings")
    second = await alice.get(f"{room.path}/settings?page=2")
    assert (first.text.count('class="member"'), second.text.count('class="member"')) == (PAGE_SIZE, 1)
    assert f'href="{room.path}/settings?page=2">More people' in first.text
    assert "More people" not in second.text
    assert "Member 29" in words(second)


# Topic.


async def test_a_topic_is_seen_by_others_as_it_was_typed(alice: Person, bob: Person, room: Room) -> None:
    await change(alice, room, "topic", topic="  <b>Cake</b>  &\x00 \u202etea ")
    for path in (room.path, "/rooms", f"{room.path}/settings"):
        page = await bob.get(path)
        assert "&lt;b&gt;Cake&lt;/b&gt; &amp; tea" in page.text, path
        assert "<b>Cake" not in page.text
    assert (await now(room)).topic == "<b>Cake</b> & tea"


async def test_a_topic_has_two_hundred_characters_at_most(alice: Person, room: Room) -> None:
    assert (await change(alice, room, "topic", topic="x" * 200)).status_code == 303
    refused = await change(alice, room, "topic", topic="y" * 201)
    assert refused.status_code == 422
    assert "Use at most 200 characters." in words(refused)
    assert f'value="{"y" * 201}"' in refused.text
    assert (await now(room)).topic == "x" * 200
    refused = await enter(alice, "Another", "z" * 201)
    assert refused.status_code == 422
    assert "Use at most 200 characters." in words(refused)
    assert 'value="Another"' in refused.text
    assert await Room.all().count() == 1


async def test_a_topic_may_be_taken_away(alice: Person, bob: Person, room: Room) -> None:
    assert 'class="about__topic"' in (await bob.get(room.path)).text
    assert (await change(alice, room, "topic", topic=" ")).status_code == 303
    assert 'class="about__topic"' not in (await bob.get(room.path)).text


# Locking.


async def test_in_a_locked_room_only_the_owner_writes(alice: Person, bob: Person, admin: Person, room: Room) -> None:
    assert (await bob.say(room, "before")).status_code == 303
    assert 'id="composer"' in (await bob.get(room.path)).text
    await change(alice, room, "lock")
    page = await bob.get(room.path)
    assert "Tea & Cake is locked. You can read, but not write." in words(page)
    assert "before" in words(page)
    assert 'id="composer"' not in page.text
    for one, text in ((alice, "from the owner"), (admin, "from the administrator")):
        assert 'id="composer"' in (await one.get(room.path)).text
        assert (await one.say(room, text)).status_code == 303
    assert (await bob.say(room, "me too")).status_code == 403
    assert await bodies(room) == ["before", "from the owner", "from the administrator"]
    await change(alice, room, "unlock")
    assert (await bob.say(room, "after")).status_code == 303


async def test_what_was_written_while_the_room_was_locked_stays_on_the_page(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await change(alice, room, "lock")
    for one in (bob, charlie):
        page = await one.say(room, "a <long> thought")
        assert page.status_code == 403
        assert "is locked. You can read, but not write." in words(page)
        assert re.search(r"<textarea[^>]*>a &lt;long&gt; thought</textarea>", page.text)
        framed = await one.post(f"{room.path}/messages", {"body": "a <long> thought", "framed": "1"})
        assert framed.status_code == 403
        assert re.search(r"<textarea[^>]*>a &lt;long&gt; thought</textarea>", framed.text)
        assert "is locked. You can read, but not write." in words(framed)
        fragment = await one.say(room, "a <long> thought", HX_Request="true")
        assert fragment.status_code == 403
        assert fragment.text.startswith('<div id="sending"')
        assert "is locked. You can read, but not write." in words(fragment)
    assert (await charlie.get(f"{room.path}/composer")).status_code == 403
    assert await bodies(room) == []
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


# Sending away, for a time.


async def test_whoever_is_sent_away_is_out_at_once_and_told_until_when(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "rude words")
    assert (await bob.get(room.path)).status_code == 200
    await kick(alice, room, bob, "60")
    until = (await Membership.get(room_id=room.id, user_id=who(bob).id)).kicked_until
    assert until
    assert timedelta(minutes=58) < until - datetime.now(UTC) <= timedelta(minutes=60)
    told = f"You are kicked from this room until {until.day} {until:%B %Y, %H:%M}."
    for path in ("", "/settings", "/composer", "/events", "/live", "/messages/1", "/messages/1/edit"):
        refused = await bob.get(f"{room.path}{path}")
        assert refused.status_code == 403, path
        assert told in words(refused).replace(" .", "."), path
    for path in ("/join", "/leave", "/settings", "/messages", "/messages/1/edit", "/messages/1/remove"):
        refused = await bob.post(f"{room.path}{path}", {"body": "more of it"})
        assert refused.status_code == 403, path
        assert told in words(refused).replace(" .", "."), path
    assert (await enter(bob, "Tea & Cake")).status_code == 403
    assert f'href="{room.path}"' not in (await bob.get("/lobby")).text.partition('id="main"')[0]
    assert await bodies(room) == ["rude words"]
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})


async def test_the_open_page_of_whoever_is_sent_away_ends(alice: Person, bob: Person, room: Room) -> None:
    pages = {
        one: open_reader(room.id, 0, "sse", room.path, session=one.session.id, user=who(one).id) for one in (alice, bob)
    }
    for page in pages.values():
        hub().join(page)
    assert not pages[bob].outbox.is_closed
    await kick(alice, room, bob)
    assert pages[bob].outbox.is_closed
    assert not pages[alice].outbox.is_closed
    told = b"".join([chunk async for chunk in pages[bob].outbox])
    assert b"The owner of the room has kicked you for a while." in told


async def test_what_was_written_when_one_was_sent_away_is_kept_on_the_answer(
    alice: Person, bob: Person, room: Room
) -> None:
    await kick(alice, room, bob)
    page = await bob.say(room, "my side of it")
    assert page.status_code == 403
    assert re.search(r"<textarea[^>]*>my side of it</textarea>", page.text)


async def test_a_post_that_is_on_its_way_when_one_is_sent_away_does_not_arrive(
    alice: Person, bob: Person, room: Room
) -> None:
    assert (await bob.say(room, "in time")).status_code == 303
    found = await access.by_key(who(bob), room.key)  # the post has passed the door ...
    await kick(alice, room, bob)
    with pytest.raises(Forbidden, match="kicked from this room"):
        await posting.post(found, "too late", "")
    assert await bodies(room) == ["in time"]
    assert (await now(room)).last_number == 1
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})


async def test_when_the_time_is_over_one_may_come_back(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob)
    assert (await bob.get(room.path)).status_code == 403
    await serve_time(room, bob)
    page = await bob.get(room.path)
    assert page.status_code == 200
    assert f'action="{room.path}/join"' in page.text
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})
    assert (await bob.say(room, "sorry")).status_code == 303
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})
    assert await bodies(room) == ["sorry"]


async def test_coming_back_at_the_same_moment_in_two_ways_counts_once(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob)
    await serve_time(room, bob)
    answers = await asyncio.gather(
        bob.post(f"{room.path}/join"), bob.say(room, "hi"), enter(bob, "Tea & Cake"), bob.post(f"{room.path}/join")
    )
    assert statuses(answers) == [303] * 4
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


async def test_the_owner_may_let_somebody_back_in(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob)
    page = await alice.get(f"{room.path}/settings")
    assert "Kicked for now Bob until" in words(page)
    assert (await change(alice, room, "pardon", who=who(bob).code)).status_code == 303
    assert "Kicked for now" not in words(await alice.get(f"{room.path}/settings"))
    assert (await bob.post(f"{room.path}/join")).status_code == 303
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


async def test_letting_in_somebody_who_is_in_changes_nothing(alice: Person, bob: Person, room: Room) -> None:
    assert (await change(alice, room, "pardon", who=who(bob).code)).status_code == 303
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


async def test_sending_away_again_gives_a_new_time(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob, "10")
    await serve_time(room, bob)
    assert (await bob.get(room.path)).status_code == 200
    assert (await kick(alice, room, bob, "10")).status_code == 303
    assert (await bob.get(room.path)).status_code == 403
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})


async def test_the_owner_cannot_be_sent_away(alice: Person, admin: Person, bob: Person, room: Room) -> None:
    assert (await kick(admin, room, bob)).status_code == 303
    for one in (admin, alice):
        refused = await kick(one, room, alice)
        assert refused.status_code == 403
        assert "The owner can't be kicked." in words(refused)
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})


async def test_an_administrator_cannot_be_sent_away(alice: Person, admin: Person, room: Room) -> None:
    await admin.post(f"{room.path}/join")
    refused = await kick(alice, room, admin)
    assert refused.status_code == 403
    assert "administrator can't be kicked" in words(refused)
    await assert_counted(room, {"alice": OWNER, "ada": MEMBER})


async def test_whoever_is_not_in_the_room_cannot_be_sent_away(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await bob.post(f"{room.path}/leave")
    for code in (who(bob).code, who(charlie).code, "", "0000-0000", "\x00", "x" * 10_000):
        for do in ("kick", "hand_over", "pardon"):
            refused = await change(alice, room, do, who=code, minutes="10")
            assert refused.status_code == 404, (do, code)
            assert "That person is not in this room." in words(refused)
    await assert_counted(room, {"alice": OWNER})


@pytest.mark.parametrize(
    ("minutes", "least", "most"),
    [
        ("0", 0.9, 1),
        ("-5", 59, 60),
        ("", 59, 60),
        ("soon", 59, 60),
        ("1440", 1439, 1440),
        ("99999999999999999999", 43_199, 43_200),
        ("9" * 5000, 59, 43_200),
    ],
)
async def test_a_time_that_cannot_be_becomes_one_that_can(
    alice: Person, bob: Person, room: Room, minutes: str, least: float, most: float
) -> None:
    assert (await kick(alice, room, bob, minutes)).status_code == 303
    until = (await Membership.get(room_id=room.id, user_id=who(bob).id)).kicked_until
    assert until
    assert least < (until - datetime.now(UTC)).total_seconds() / 60 <= most


async def test_leaving_and_being_sent_away_at_the_same_moment_counts_once(
    alice: Person, bob: Person, room: Room
) -> None:
    answers = await asyncio.gather(bob.post(f"{room.path}/leave"), kick(alice, room, bob))
    assert set(statuses(answers)) <= {303, 403, 404}
    found = await roles(room)
    assert found in ({"alice": OWNER}, {"alice": OWNER, "bob": KICKED})
    await assert_counted(room, found)


# Handing over.


async def test_the_new_owner_owns_and_the_old_one_may_leave(alice: Person, bob: Person, room: Room) -> None:
    await change(alice, room, "hand_over", who=who(bob).code)
    assert "Bob owner" in words(await alice.get(f"{room.path}/settings"))
    assert (await change(alice, room, "topic", topic="mine")).status_code == 403
    assert (await change(bob, room, "topic", topic="mine")).status_code == 303
    assert (await bob.post(f"{room.path}/leave")).status_code == 403
    assert (await alice.post(f"{room.path}/leave")).status_code == 303
    await assert_counted(room, {"bob": OWNER})


async def test_a_room_is_not_handed_over_to_somebody_who_left_at_that_moment(
    alice: Person, bob: Person, room: Room
) -> None:
    member = await Membership.get(room_id=room.id, user_id=who(bob).id)
    await bob.post(f"{room.path}/leave")
    with pytest.raises(Forbidden, match="They have just left the room"):
        await members.transfer_ownership(room.id, member)
    await assert_counted(room, {"alice": OWNER})


async def test_a_room_is_not_handed_over_to_somebody_who_is_kept_out(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob)
    refused = await change(alice, room, "hand_over", who=who(bob).code)
    assert refused.status_code == 403
    assert "They have just left the room." in words(refused)
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})


async def test_handing_over_to_oneself_changes_nothing(alice: Person, room: Room) -> None:
    assert (await change(alice, room, "hand_over", who=who(alice).code)).status_code == 303
    await assert_counted(room, {"alice": OWNER})


async def test_handing_over_to_several_at_the_same_moment_leaves_one_owner(app: object, alice: Person) -> None:
    for attempt in range(5):
        room = await make_room(who(alice), f"Room {attempt}")
        heirs = [await person(app, f"heir{attempt}{number}") for number in range(4)]
        for heir in heirs:
            await heir.post(f"{room.path}/join")
        ways = [change(alice, room, "hand_over", who=who(heir).code) for heir in heirs]
        answers = await asyncio.gather(*ways, heirs[0].post(f"{room.path}/leave"))
        assert set(statuses(answers)) <= {303, 403, 404}
        found = await roles(room)
        assert sorted(found.values()).count(OWNER) == 1
        await assert_counted(room, found)


# Deleting.


async def test_a_room_is_deleted_by_its_name_only(alice: Person, room: Room) -> None:
    await alice.say(room, "keep me")
    for name in ("", "Tea", "Tea & Cakes"):
        refused = await change(alice, room, "delete", name=name)
        assert refused.status_code == 422
        assert "That is not the name of this room." in words(refused)
        assert '<input id="topic" name="topic" type="text" value="What goes with what"' in refused.text
        assert f'<input id="name" name="name" type="text" value="{name.replace("&", "&amp;")}"' in refused.text
        assert (await alice.get(room.path)).status_code == 200
    assert (await now(room)).closed_at is None
    assert (await change(alice, room, "delete", name=" tea  & CAKE ")).status_code == 303
    assert (await alice.get(room.path)).status_code == 404


async def test_a_deleted_room_is_gone_for_everybody(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room, unhurried: None
) -> None:
    await bob.say(room, "anybody here?")
    await change(alice, room, "delete", name="Tea & Cake")
    for one in (alice, bob, charlie, admin):
        for path in ("", "/settings", "/composer", "/events", "/live", "/messages/1", "/messages/1/edit"):
            assert (await one.get(f"{room.path}{path}")).status_code == 404, path
        for path in ("/join", "/leave", "/settings", "/messages/1/edit", "/messages/1/remove"):
            assert (await one.post(f"{room.path}{path}", {"do": "topic"})).status_code == 404, path
        assert "Tea & Cake" not in words(await one.get("/lobby"))
        assert await names(one, "tea") == []
        page = await one.say(room, "what I wanted to say")
        assert page.status_code == 404
        assert "There is no such room. It may have been deleted." in words(page)
        assert re.search(r"<textarea[^>]*>what I wanted to say</textarea>", page.text)
    assert await bodies(room) == ["anybody here?"]


async def test_the_open_pages_of_a_deleted_room_end(alice: Person, bob: Person, room: Room) -> None:
    page = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=who(bob).id)
    hub().join(page)
    await change(alice, room, "delete", name="Tea & Cake")
    assert page.outbox.is_closed
    assert b"This room has been deleted." in b"".join([chunk async for chunk in page.outbox])


async def test_what_was_in_a_deleted_room_is_erased(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.db.sql.DELETE_BATCH_SIZE", 2)
    other = await make_room(who(alice), "Another")
    for number in range(5):
        await bob.say(room, f"secret {number}")
    await bob.say(other, "this stays")
    assert len(await bodies(room)) == 5
    await change(alice, room, "delete", name="Tea & Cake")
    await delete_closed_rooms()
    assert await Message.filter(room_id=room.id).count() == 0
    assert await Membership.filter(room_id=room.id).count() == 0
    assert await Room.filter(id=room.id).count() == 0
    assert await bodies(other) == ["this stays"]
    await assert_counted(other, {"alice": OWNER, "bob": MEMBER})


@pytest.mark.parametrize("is_erased", [False, True])
async def test_the_name_of_a_deleted_room_is_free_again(
    alice: Person, bob: Person, room: Room, unhurried: None, is_erased: bool
) -> None:
    await alice.say(room, "long ago")
    await change(alice, room, "delete", name="Tea & Cake")
    if is_erased:
        await delete_closed_rooms()
    answer = await enter(bob, "Tea & Cake")
    page = await bob.get(answer.headers["Location"])
    assert page.status_code == 200
    assert "long ago" not in words(page)
    assert "Nothing has been said here yet." in words(page)
    anew = await Room.get(name="Tea & Cake", closed_at=None)
    assert anew.id != room.id
    await assert_counted(anew, {"bob": OWNER})
    await bob.say(anew, "a fresh start")
    await delete_closed_rooms()
    assert await bodies(anew) == ["a fresh start"]


async def test_a_room_that_is_deleted_while_people_write_and_join_is_missing_not_broken(
    app: object, alice: Person, bob: Person, room: Room
) -> None:
    crowd = [await person(app, f"person{number}") for number in range(4)]
    answers = await asyncio.gather(
        *(one.say(room, "hello") for one in crowd),
        change(alice, room, "delete", name="Tea & Cake"),
        *(one.say(room, "still there?") for one in crowd),
        *(one.post(f"{room.path}/join") for one in crowd),
        bob.post(f"{room.path}/leave"),
    )
    assert set(statuses(answers)) <= {303, 404}
    await delete_closed_rooms()
    assert await Room.filter(id=room.id).count() == 0
    assert await Message.all().count() == 0


async def test_joining_a_room_that_has_just_been_erased_finds_nothing(alice: Person, charlie: Person) -> None:
    for is_erased in (False, True):
        found = await access.by_key(who(charlie), (await make_room(who(alice), f"Room {is_erased}")).key)
        await Room.close(found.room.id)
        if is_erased:
            await delete_closed_rooms()
        with pytest.raises(NotFound):
            await members.join(found)
        assert not await Membership.exists(room_id=found.room.id, user_id=who(charlie).id)
