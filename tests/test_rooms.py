"""Rooms: the list and its search, making one, joining and leaving."""

import asyncio
from datetime import UTC, datetime
from html import unescape

import pytest

from tests.conftest import Person, person
from tests.page import main, words
from tests.people import make_room, roles, who
from tests.room_acts import assert_counted, enter, kick, listed, names, statuses
from webapp.accounts.models import User
from webapp.conversations import access, queries
from webapp.conversations.models import Room
from webapp.conversations.queries import PAGE_SIZE
from webapp.conversations.seats import MEMBER, OWNER, Seat
from webapp.messages.retention import delete_closed_rooms

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
    assert 'Found for “"><script>alert(1)</script>”' in unescape(page.text)
    assert "<script>alert" not in page.text


async def test_the_list_counts_people_as_they_come_and_go(alice: Person, charlie: Person, room: Room) -> None:
    assert listed(await charlie.get("/rooms")) == [("Tea & Cake", "1 person · 0 messages")]
    await charlie.post(f"{room.path}/join")
    assert listed(await alice.get("/rooms")) == [("Tea & Cake", "2 people · 0 messages")]
    await charlie.post(f"{room.path}/leave")
    assert listed(await alice.get("/rooms")) == [("Tea & Cake", "1 person · 0 messages")]
    await charlie.say(room, "back again")
    assert listed(await alice.get("/rooms")) == [("Tea & Cake", "2 people · 1 message")]
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


async def test_a_new_room_belongs_to_its_creator(alice: Person) -> None:
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


async def test_a_room_that_is_deleted_while_it_is_joined_is_created_again(
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
    assert "Charlie" in words(await alice.get(f"{room.path}/people"))
    await assert_counted(room, {"alice": OWNER, "charlie": MEMBER})


async def test_messages_from_before_joining_are_not_unread(alice: Person, charlie: Person, room: Room) -> None:
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


async def test_a_member_who_leaves_is_not_listed_and_may_still_read(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "so long")
    assert f'href="{room.path}"' in (await bob.get("/lobby")).text.partition('id="main"')[0]
    answer = await bob.post(f"{room.path}/leave")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lobby")
    assert f'href="{room.path}"' not in (await bob.get("/lobby")).text.partition('id="main"')[0]
    assert "Bob" not in words(main(await alice.get(f"{room.path}/settings")))
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
    assert "Make someone else an owner, then you can leave." in words(await alice.get(f"{room.path}/settings"))
    refused = await alice.post(f"{room.path}/leave", {"close": "1"})
    assert refused.status_code == 403
    assert "Make someone else its owner first, or delete it." in words(refused)
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


async def test_the_owner_who_is_alone_is_asked_and_closes_the_room(alice: Person, bob: Person, room: Room) -> None:
    await bob.post(f"{room.path}/leave")
    page = await alice.get(f"{room.path}/settings")
    assert "You are the only one here. When you leave, the room is deleted." in words(page)
    question = await alice.post(f"{room.path}/leave")
    assert question.status_code == 200
    assert "Leave Tea & Cake ?" in words(question)
    await assert_counted(room, {"alice": OWNER})
    await bob.post(f"{room.path}/join")
    assert (await alice.post(f"{room.path}/leave", {"close": "1"})).status_code == 403, "somebody came meanwhile"
    await bob.post(f"{room.path}/leave")
    answer = await alice.post(f"{room.path}/leave", {"close": "1"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lobby")
    for one in (alice, bob):
        assert (await one.get(room.path)).status_code == 404


async def test_leaving_without_having_come_changes_nothing(charlie: Person, room: Room) -> None:
    assert (await charlie.post(f"{room.path}/leave")).status_code == 303
    await assert_counted(room, {"alice": OWNER})


@pytest.mark.parametrize("way", ["join", "leave"])
async def test_join_and_leave_accept_only_signed_in_same_origin_posts(
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
