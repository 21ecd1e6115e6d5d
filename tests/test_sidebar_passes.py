"""The passes that keep sidebars: friends who come and go, what goes wrong while it is read, and what it costs."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import engine
from tests.conftest import Person, account, person
from tests.engine import READS, by_hand, nobody_is_left, nothing_is_due, told, told_at_last  # noqa: F401  by_hand is a fixture
from tests.page import Page
from tests.people import befriend, chat_of, make_room, post_as, who, write
from tests.query_recorder import record_queries
from tests.window import Shown, Window, digest_in
from webapp.accounts.models import User
from webapp.chats import first_message
from webapp.conversations.kinds import DIRECT
from webapp.conversations.models import Membership, Room
from webapp.db import sql
from webapp.live import Reader, hub
from webapp.presence import broadcasts as presence
from webapp.presence.models import Visit
from webapp.presence.tracker import tracker
from webapp.relationships.models import Friendship
from webapp.sidebar import queries as sidebars
from webapp.sidebar import states


async def queries(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """From now on, what is asked of the database by raw SQL."""
    asked: list[str] = []

    def counted(fetch: Callable[..., Awaitable[Sequence[sql.Row]]]) -> Callable[..., Awaitable[Sequence[sql.Row]]]:
        async def count(query: str, *values: object) -> Sequence[sql.Row]:
            asked.append(query)
            return await fetch(query, *values)

        return count

    for name in ("fetch_inline", "fetch_all", "execute"):
        monkeypatch.setattr(sql, name, counted(getattr(sql, name)))
    return asked


# Friends who come and go.


async def comes(one: Person) -> None:
    await Visit.apply_changes(tracker().process, [(who(one).id, 0)], [])
    presence.changed([who(one).id])
    await told()


async def goes(one: Person) -> None:
    await Visit.apply_changes(tracker().process, [], [(who(one).id, 0)])
    presence.changed([who(one).id])
    await told()


def dot(window: Window, one: Person) -> bool | None:
    window.look()
    found = [dot.attributes["class"] for dot in Page(window.text).all(f"#dot-entry-{who(one).code}")]
    return "online-dot--on" in found[-1] if found else None


async def test_a_friend_who_comes_and_goes_shows(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, bob)
    hers, strangers = await Window.open(alice), await Window.open(charlie)
    await comes(bob)
    assert dot(hers, bob) is True
    await goes(bob)
    assert dot(hers, bob) is False
    assert strangers.look() == []
    assert strangers.text == ""


async def test_news_that_comes_while_people_are_read_is_not_lost(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await befriend(alice, bob)
    window = await Window.open(alice)
    dots = getattr(*READS["dots"])

    async def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(*READS["dots"], dots)
        await Visit.apply_changes(tracker().process, [], [(who(bob).id, 0)])
        presence.changed([who(bob).id])
        return await dots(*arguments)

    monkeypatch.setattr(*READS["dots"], meanwhile)
    await comes(bob)
    assert dot(window, bob) is False


async def test_a_friend_who_hides_is_shown_offline_and_a_former_friend_is_not_shown(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await comes(bob)
    window = await Window.open(alice)
    await User.filter(id=who(bob).id).update(shows_presence=False)
    await presence.visibility_changed(who(bob).id)
    await told()
    assert dot(window, bob) is False
    assert "Last seen" not in window.text
    await User.filter(id=who(bob).id).update(shows_presence=True)
    await alice.post(f"/friends/{who(bob).code}/remove")
    await told()
    window.look()
    await comes(bob)
    assert dot(window, bob) is None
    assert not engine.followers_of_person(who(bob).id)


async def test_the_heartbeat_finds_who_came_and_what_was_said_without_a_word(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    await befriend(alice, bob)
    window = await Window.open(alice)
    await Visit.apply_changes(tracker().process, [(who(bob).id, 0)], [])
    await post_as(who(bob), room, "nobody rings", "nonce")
    await engine.heartbeat()
    await told()
    assert dot(window, bob) is True
    assert window.sidebar[0] == Shown("Tea & Cake", "nobody rings", "1")
    await engine.heartbeat()
    await told()
    assert window.look() == []
    assert window.text == ""


async def test_after_the_link_broke_sidebars_are_sent_whole(alice: Person, bob: Person, soup: Room) -> None:
    window = await Window.open(bob)
    await befriend(alice, bob)  # told elsewhere, while this process was deaf
    hub().bridge.on_link(False)
    hub().bridge.on_link(True)
    await engine.heartbeat()
    await told()
    assert window.look() == ["#entries"]
    assert window.contacts == 1
    assert engine.followers_of_person(who(alice).id) == {who(bob).id}


async def test_who_was_online_long_ago_is_not_remembered_so(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await comes(bob)
    window = await Window.open(alice)
    window.close()
    await goes(bob)
    await alice.get("/lobby")
    again = await Window.open(alice)
    assert again.text == ""


# When something goes wrong.


@pytest.mark.parametrize(
    ("name", "is_here"),
    [
        ("list", True),
        ("rooms", True),
        ("people", True),
        ("entries", False),
        ("rooms", False),
        ("people", False),
        ("dots", False),
    ],
)
async def test_what_could_not_be_read_is_read_again(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch, name: str, is_here: bool
) -> None:
    await befriend(alice, bob)
    page = await alice.get("/lobby")
    await bob.say(room, "since then")
    window = Window(alice, {}, digest_in(page), None, "sse")
    read, failed = getattr(*READS[name]), []

    async def fails(*arguments: Any) -> Any:
        if not failed:
            failed.append(name)
            raise OSError("the database is away")
        return await read(*arguments)

    if not is_here:
        await told_at_last()
    monkeypatch.setattr(*READS[name], fails)
    await bob.say(soup, "and more")
    await Visit.apply_changes(tracker().process, [(who(bob).id, 0)], [])
    presence.changed([who(bob).id])
    await engine.heartbeat()
    await told_at_last()
    assert failed
    window.look()
    # The list is loaded anew, or has his dot alone changed.
    assert window.contacts or "online-dot--on" in window.text
    assert window.sidebar[:2] == [Shown("Soup", "and more", "1"), Shown("Tea & Cake", "since then", "1")]
    assert nothing_is_due()


async def test_the_refresher_survives_a_failed_pass(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.run_by_itself(monkeypatch)
    await asyncio.sleep(0)
    reader = engine.page(who(bob).id, bob.session.id, "")
    read, failed = getattr(*READS["list"]), []

    async def fails(users: Any) -> Any:
        if not failed:
            failed.append(users)
            raise OSError("the database is away")
        return await read(users)

    monkeypatch.setattr(*READS["list"], fails)
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            assert b"Tea &amp; Cake" in chunk
            break
    assert failed


async def test_a_message_that_is_rung_while_a_page_is_welcomed_is_not_lost(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was committed after the entries were read, and nobody else here is in the room."""
    asking = states.waiting_counts

    async def meanwhile(users: Any) -> Any:
        monkeypatch.undo()
        await alice.say(room, "just now")
        return await asking(users)

    page = await bob.get("/lobby")
    window = Window(bob, {}, digest_in(page), None, "sse")
    monkeypatch.setattr(states, "waiting_counts", meanwhile)
    await engine.one_pass()
    engine.paceless(monkeypatch)
    await told()
    assert window.sidebar[0] == Shown("Tea & Cake", "just now", "1")


@pytest.mark.parametrize("name", ["list", "entries", "dots"])
async def test_a_reader_may_leave_during_a_pass(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await befriend(alice, bob)
    windows = [await Window.open(one) for one in (alice, bob)]
    read = getattr(*READS[name])

    async def meanwhile(*arguments: Any) -> Any:
        for window in windows:
            if window.reader in hub().readers():
                window.close()
        return await read(*arguments)

    monkeypatch.setattr(*READS[name], meanwhile)
    engine.refresh_requests(who(bob).id)
    await told()
    await alice.say(room, "anybody there?")
    engine.refresh_people({who(alice).id, who(bob).id})
    await told()
    for window in windows:
        if window.reader in hub().readers():
            window.close()
    await told()
    assert nobody_is_left()


async def test_nothing_is_left_of_pages_that_were_closed(alice: Person, bob: Person, room: Room, soup: Room) -> None:
    await befriend(alice, bob)
    windows = [await Window.open(one, room=place) for one in (alice, bob) for place in (None, room, soup)]
    await comes(bob)
    await alice.say(room, "hello")
    await told()
    for window in windows:
        window.close()
    await alice.say(room, "hello again")
    presence.changed([who(alice).id])
    await engine.heartbeat()
    await told()
    assert nobody_is_left()
    assert nothing_is_due()
    readers = {id(window.reader) for window in windows}
    windows.clear()
    del window
    async with asyncio.timeout(5):
        while are_held(readers):
            await asyncio.sleep(0.01)  # a check of who came in may be under way


def are_held(readers: set[int]) -> bool:
    """Whether something in memory still refers to a reader, of which these are the identities."""
    gc.collect()
    return any(type(one) is Reader and id(one) in readers for one in gc.get_objects())


async def test_a_hundred_changes_of_contacts_are_one_reading(alice: Person, bob: Person, soup: Room) -> None:
    window = await Window.open(bob)
    for _ in range(100):
        engine.refresh_requests(who(bob).id)
    await told()
    assert window.look() == ["#entries"]
    assert not window.reader.outbox.is_closed


@pytest.mark.parametrize("act", ["friends/{}/cancel", "friends/{}/remove", "people/{}/block", "people/{}/unblock"])
async def test_acts_between_unrelated_people_send_nothing(alice: Person, bob: Person, soup: Room, act: str) -> None:
    window = await Window.open(bob)
    assert (await alice.post(f"/{act.format(who(bob).code)}")).status_code == 303
    await told()
    assert window.look() == []


async def test_strangers_who_stay_in_touch_find_their_chat_in_their_other_windows(alice: Person, bob: Person) -> None:
    wishes = {"rules": "1", "interests": "", "language": "en"}
    windows = [await Window.open(one) for one in (alice, bob)]
    for one in (alice, bob):
        assert (await one.post("/strangers/find", wishes)).status_code == 303
    await alice.get("/strangers")
    for one in (alice, bob):
        await one.post("/strangers/keep")
    chat = await Room.get(kind=DIRECT.stored)
    await told()
    for window in windows:
        window.look()
        assert chat.id in window.entries
        assert window.contacts


# What it costs.


async def test_many_rooms_and_many_friends_are_listed_in_a_few_queries(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await account(f"person-{number}") for number in range(200)]
    now, me = datetime.now(UTC), who(alice).id
    await Friendship.bulk_create(
        [Friendship(low_id=me, high_id=one.id, asked_by=me, asked_at=now, accepted_at=now) for one in people]
    )
    chats = people[:100]
    for one in chats:
        await first_message.post_first(who(alice), one, "Hello", "")
    for number in range(100):
        await make_room(who(alice), f"Room {number}")
    paths = ("/sidebar", "/lobby", "/sidebar", "/lobby")
    asked = {path: len(await record_queries(alice.get(path))) for path in paths}
    assert await Membership.filter(user_id=me).count() == 200
    assert 0 < asked["/sidebar"] <= 4
    assert 0 < asked["/lobby"] <= 6


async def crowd(room: Room, count: int) -> list[Reader]:
    """So many people in the room, each with an open page."""
    people = [await account(f"person-{number}") for number in range(count)]
    await Membership.bulk_create([Membership(room_id=room.id, user_id=user.id) for user in people])
    readers = [engine.page(user.id, user.id, "") for user in people]
    await told()
    for reader in readers:
        reader.outbox.take()
    return readers


@pytest.mark.parametrize("count", [10, 1000])
async def test_a_message_costs_no_query_per_viewer(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    readers = await crowd(room, count)
    asked = await queries(monkeypatch)
    hub().publish_version(f"room:{room.id}", (await post_as(who(alice), room, "for everybody", "nonce")).version)
    asked.clear()
    await told()
    # A heartbeat may come in between, and asks something else.
    of_places = [query for query in asked if "AS membership_id" in query]
    assert len(of_places) == max(1, count // sidebars.BATCH_SIZE)
    assert all(b"for everybody" in reader.outbox.pending for reader in readers)


async def test_as_many_as_come_at_once_are_welcomed_in_turns(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*engine.bound("joining"), 7)
    readers = await crowd(room, 20)
    assert engine.followers_of_room(room.id) == 20
    await alice.say(room, "for everybody")
    await told()
    assert all(b"for everybody" in reader.outbox.pending for reader in readers)


async def test_more_people_than_one_query_takes_are_asked_about_in_slices(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebars, "BATCH_SIZE", 7)
    readers = await crowd(room, 20)
    await alice.say(room, "for everybody")
    await told()
    assert all(b"for everybody" in reader.outbox.pending for reader in readers)


async def test_a_chat_made_by_its_first_message_comes_to_both(alice: Person, bob: Person, room: Room) -> None:
    await befriend(alice, bob)
    window, hers = await Window.open(bob), await Window.open(alice)
    assert (await alice.get(chat_of(bob))).status_code == 200
    await told()
    assert (window.look(), hers.look()) == ([], [])
    await write(alice, bob, "Hello Bob")
    await told()
    assert window.sidebar[0] == Shown("Alice", "Hello Bob", "1")
    assert hers.sidebar[0] == Shown("Bob", "You: Hello Bob")


async def test_what_comes_to_an_open_page_is_delivered(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob, "Hello Bob")
    chat = await Room.get(kind="direct")
    membership = await Membership.get(room_id=chat.id, user_id=who(bob).id)
    assert membership.delivered_number == 0
    await Window.open(bob)
    await alice.say(chat, "Are you there?")
    await told()
    await membership.refresh_from_db()
    assert membership.delivered_number == 2


async def test_a_member_without_an_open_page_is_sent_nothing(app: object, alice: Person, room: Room) -> None:
    dora = await person(app, "dora")
    await dora.say(room, "hello")
    await told()
    assert nobody_is_left()
