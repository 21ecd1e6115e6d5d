"""What the owner of a room may do: topic, lock, kicks, a new owner, deletion; and nobody else."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.conftest import Person, bodies, person
from tests.engine import told_at_last
from tests.page import Page, words
from tests.people import make_room, now, roles, who
from tests.readers import reader as open_reader
from tests.room_acts import assert_counted, change, enter, kick, names, statuses
from tests.window import Window, digest_in
from webapp.accounts.models import User
from webapp.accounts.viewer import PERMANENT
from webapp.conversations import access, members
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import KICKED, MEMBER, OWNER
from webapp.core.errors import Forbidden, NotFound
from webapp.live import hub
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.messages.retention import delete_closed_rooms
from webapp.people.queries import PAGE_SIZE
from webapp.rooms import settings_views

# What the owner does, with the fields of the form. `who` is filled in with a member's code.
ACTIONS: dict[str, dict[str, str]] = {
    "rename": {"name": "Coffee"},
    "topic": {"topic": "Scones, mostly"},
    "lock": {},
    "unlock": {},
    "kick": {"who": "bob", "minutes": "10"},
    "pardon": {"who": "bob"},
    "hand_over": {"who": "bob"},
    "delete": {"name": "Tea & Cake"},
}


async def act(one: Person, room: Room, do: str, member: Person) -> httpx2.Response:
    """One of ACTIONS, about the member."""
    fields = {name: who(member).code if name == "who" else value for name, value in ACTIONS[do].items()}
    return await change(one, room, do, **fields)


async def serve_time(room: Room, member: Person) -> None:
    """The time that somebody was kept out for is over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert await Membership.filter(room_id=room.id, user_id=who(member).id).update(kicked_until=past)


# What the owner may do: each action works, for an administrator too, and for nobody else.


async def assert_done(do: str, room: Room) -> None:
    found = await now(room)
    everybody = await roles(room)
    done = {
        "rename": (found.name, found.key) == ("Coffee", room.key),
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
        await Membership.filter(room_id=room.id, user__username="bob").update(role=KICKED, kicked_until=PERMANENT)
        await Room.filter(id=room.id).update(member_count=1)


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
        few = "owners and moderators" if do in settings_views.MODERATOR_ACTIONS else "owners"
        assert f"Only {few} of the room can do that." in words(refused)
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


async def test_members_see_the_members_without_the_owners_actions(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    assert 'value="ban"' in (await alice.get(f"{room.path}/people")).text
    for one in (bob, charlie):
        page, people = [await one.get(f"{room.path}/{name}") for name in ("settings", "people")]
        assert (page.status_code, people.status_code) == (200, 200)
        assert "Alice owner" in words(people)
        assert "What goes with what" in words(page)
        assert set(re.findall(r'name="(?:do|act)" value="(\w+)"', page.text + people.text)) <= {"level"}


async def test_many_members_are_several_pages(alice: Person, room: Room) -> None:
    crowd = [await User.create_hashed(f"member{n:02}", f"Member {n:02}", "no hash", False) for n in range(PAGE_SIZE)]
    for one in crowd:
        await members.join(await access.by_key(one, room.key))
    assert f'href="{room.path}/people"' in (await alice.get(f"{room.path}/settings")).text
    first = await alice.get(f"{room.path}/people")
    [following] = Page(first).all("a[rel=next]")
    second = await alice.get(following.attributes["href"] or "")
    assert len(Page(first).all("li.person")) == PAGE_SIZE
    assert not Page(second).all("a[rel=next]")
    # Bob, who is in the room besides, and Alice come before them.
    assert Page(second).texts(".row__name")[-1] == "Member 29"


# Name.


async def test_a_new_name_is_seen_by_others_and_links_stay(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "hello")
    assert (await change(alice, room, "rename", name="  Scones &  <b>Jam</b> ")).status_code == 303
    assert (await now(room)).name == "Scones & <b>Jam</b>"
    for path in (room.path, "/rooms", f"{room.path}/settings", "/lobby", f"{room.path}?around=1"):
        page = await bob.get(path)
        assert "Scones &amp; &lt;b&gt;Jam&lt;/b&gt;" in page.text, path
        assert "Tea &amp; Cake" not in page.text, path
    assert (await bob.get(f"{room.path}/messages/1")).headers["location"].startswith(room.path)
    assert (await enter(bob, "scones & <B>JAM</B>")).headers["location"] == room.path, "it is found by its new name"


async def test_the_name_before_is_free_for_another_room(alice: Person, bob: Person, room: Room) -> None:
    await change(alice, room, "rename", name="Coffee")
    other = await enter(bob, room.name)
    assert other.headers["location"] not in (room.path, "/rooms")
    assert (await bob.get(other.headers["location"])).status_code == 200
    assert "Another room is called that." in words(await change(alice, room, "rename", name=room.name.upper()))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (" \u200b ", "Write a name for the room."),
        ("x" * 61, "Use at most 60 characters."),
        ("sOUP", "Another room is called that."),
    ],
)
async def test_a_name_that_no_new_room_could_have_is_refused(
    alice: Person, room: Room, name: str, problem: str
) -> None:
    await make_room(who(alice), "Soup")
    refused = await change(alice, room, "rename", name=name)
    assert refused.status_code == 422
    page = Page(refused)
    assert page.one("#rename-note").text() == problem
    assert page.one("#rename").attributes["value"] == name
    assert page.one("#name").attributes["value"] == "", "that one deletes the room"
    assert (await now(room)).name == room.name


async def test_a_room_may_be_called_the_same_in_other_letters(alice: Person, room: Room) -> None:
    assert (await change(alice, room, "rename", name=room.name.upper())).status_code == 303
    assert (await now(room)).name == room.name.upper()


async def test_a_new_name_and_a_new_face_reach_open_pages(alice: Person, bob: Person, room: Room) -> None:
    """The room itself with its title, and the list at the side of a page that shows another."""
    reader = open_reader(room.id, room.version, "sse", session=bob.session.id, user=who(bob).id)
    hub().join(reader)
    window = await Window.open(bob)
    await change(alice, room, "rename", name="A<b")
    await change(alice, room, "face", face="🍰")
    await told_at_last()
    assert [entry.name for entry in window.sidebar] == ["A<b"]
    assert "🍰" in window.entries[room.id]
    heard = ""
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            heard += chunk.decode()
            if "🍰" in heard and "about__name" in heard:
                break
    assert 'hx-target="head > title" hx-swap="innerHTML">A&lt;b · Parley<' in heard
    assert 'data-initials="🍰"' in heard


async def test_lists_that_are_older_than_the_name_are_sent_the_new_one(alice: Person, bob: Person, room: Room) -> None:
    page = await bob.get("/lobby")
    await change(alice, room, "rename", name="Coffee")
    window = await Window.open(bob, seen=digest_in(page))
    assert window.frames == ["#entries"]


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


async def test_a_kicked_member_is_out_at_once_and_reads_until_when(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "rude words")
    assert (await bob.get(room.path)).status_code == 200
    await kick(alice, room, bob, "60")
    until = (await Membership.get(room_id=room.id, user_id=who(bob).id)).kicked_until
    assert until
    assert timedelta(minutes=58) < until - datetime.now(UTC) <= timedelta(minutes=60)
    told = f"You are banned from this room until {until.day} {until:%B %Y, %H:%M}."
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


async def test_the_open_page_of_a_kicked_member_ends(alice: Person, bob: Person, room: Room) -> None:
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
    assert b"You have been banned from this room for a while." in told


async def test_the_draft_of_a_kicked_member_stands_in_the_answer(alice: Person, bob: Person, room: Room) -> None:
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
    with pytest.raises(Forbidden, match="banned from this room"):
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


async def test_the_owner_may_allow_a_kicked_member_back(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob)
    page = await alice.get(f"{room.path}/bans")
    assert re.search(r"Bob until \d+ \w+ \d{4}, \d\d:\d\d · by Alice Allow back", words(page))
    assert (await change(alice, room, "pardon", who=who(bob).code)).status_code == 303
    assert "Nobody is banned from this room." in words(await alice.get(f"{room.path}/bans"))
    assert (await bob.post(f"{room.path}/join")).status_code == 303
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


async def test_allowing_back_a_member_changes_nothing(alice: Person, bob: Person, room: Room) -> None:
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
        assert "An owner can't be removed." in words(refused)
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})


async def test_an_administrator_cannot_be_sent_away(alice: Person, admin: Person, room: Room) -> None:
    await admin.post(f"{room.path}/join")
    refused = await kick(alice, room, admin)
    assert refused.status_code == 403
    assert "administrator can't be removed" in words(refused)
    await assert_counted(room, {"alice": OWNER, "ada": MEMBER})


async def test_only_members_can_be_kicked(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
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
    assert "Bob owner" in words(await alice.get(f"{room.path}/people"))
    assert (await change(alice, room, "topic", topic="mine")).status_code == 403
    assert (await change(bob, room, "topic", topic="mine")).status_code == 303
    assert (await bob.post(f"{room.path}/leave")).status_code == 403
    assert (await alice.post(f"{room.path}/leave")).status_code == 303
    await assert_counted(room, {"bob": OWNER})


async def test_a_room_is_not_handed_over_to_a_member_who_leaves_at_that_moment(
    alice: Person, bob: Person, room: Room
) -> None:
    await bob.post(f"{room.path}/leave")
    assert (await change(alice, room, "hand_over", who=who(bob).code)).status_code == 404
    await assert_counted(room, {"alice": OWNER})


async def test_a_room_is_not_handed_over_to_a_kicked_member(alice: Person, bob: Person, room: Room) -> None:
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


async def test_a_deleted_room_is_not_found_by_anybody(
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
