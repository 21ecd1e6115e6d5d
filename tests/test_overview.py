"""What administrators see of all rooms and people: how many, how large, how active; and what they do from there."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tests.attached import attach
from tests.conftest import Person, person
from tests.page import Page, words
from tests.people import post_as, who
from webapp import settings
from webapp.accounts.audit import AuditEntry
from webapp.accounts.models import User
from webapp.accounts.names import new_code
from webapp.conversations import kinds
from webapp.conversations.models import Membership, Room
from webapp.db import sql, transaction
from webapp.messages.models import Message
from webapp.moderation import overview, overview_views
from webapp.moderation.overview import PEOPLE_ORDERS, ROOM_ORDERS

PAGES = ("/moderation/people", "/moderation/rooms")


async def names(one: Person, path: str) -> list[str]:
    """What the list says, by its lines: whom or what each is about."""
    html = (await one.get(path)).text
    return [" ".join(name.text().split()) for name in Page(html).all(".case__name")]


async def secret(kind: str, name: str, member: Person) -> Room:
    """A room that only its members know of."""
    room = await Room.create(
        key=f"~{name}", kind=kind, name=name, folded=None, topic=f"about {name}", face="SE", member_count=1
    )
    await Membership.create(room=room, user_id=who(member).id, role="owner")
    return room


async def test_people_are_listed_in_each_order_and_by_pages(
    alice: Person, bob: Person, admin: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await User.create(code="GVST-GVST", display_name="Guest 1", is_guest=True)
    for days, one in enumerate((bob, admin, alice), start=1):
        seen = datetime.now(UTC) - timedelta(days=10 * days)
        await User.filter(id=who(one).id).update(last_seen_at=seen)
    await bob.say(room, "Tea?")
    await attach(room, who(bob), 1, content=bytes(3000))
    await User.filter(id=who(bob).id).update(banned_until=datetime.now(UTC) + timedelta(days=1))
    page = words(await admin.get("/moderation/people"))
    assert "3 people, 0 were here within 7 days, 1 administrator, 1 suspended or banned ." in page
    assert "Last seen this month · in 1 room or chat · 1 message · 3 kB of files" in page
    assert await names(admin, "/moderation/people") == ["Ada Administrator", *(await names(admin, PAGES[0]))[1:]]
    orders = {"newest": ["Ada", "Bob", "Alice"], "seen": ["Bob", "Ada", "Alice"], "away": ["Alice", "Ada", "Bob"]}
    # One to a page, by the links from each to the next.
    monkeypatch.setattr(overview, "PAGE", 1)
    monkeypatch.setattr(overview_views, "PAGE", 1)
    for order, expected in orders.items():
        path, found = f"/moderation/people?order={order}", list[str]()
        while path:
            answer = Page((await admin.get(path)).text)
            found += [name.text().split()[0] for name in answer.all(".case__name")]
            path = next((link.attributes["href"] or "" for link in answer.all(".pager a")), "")
        assert found == expected, order


async def test_people_are_found_by_name_user_name_and_code(alice: Person, admin: Person) -> None:
    await User.filter(id=who(alice).id).update(found_by="code")
    for typed in ("ali", "Alice", who(alice).code, who(alice).code.replace("-", " ").lower()):
        assert await names(admin, f"/moderation/people?q={quote(typed)}") == ["Alice"], typed
    assert "Nobody is called that." in words(await admin.get("/moderation/people?q=nobody"))
    typing = await admin.get("/moderation/people?q=ali", HX_Request="true")
    assert "Alice" in typing.text
    assert "<html" not in typing.text


async def test_rooms_are_listed_in_each_order_and_by_pages(
    alice: Person, admin: Person, soup: Room, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.say(room, "in tea again")
    await Room.filter(id=soup.id).update(member_count=9, last_at=datetime.now(UTC) + timedelta(minutes=1))
    page = words(await admin.get("/moderation/rooms"))
    assert "Public rooms 2 · 3 messages" in page
    assert "2 people · 2 messages" in page
    orders = {"active": ["Soup", "Tea & Cake"], "longest": ["Tea & Cake", "Soup"], "largest": ["Soup", "Tea & Cake"]}
    orders["newest"] = ["Soup", "Tea & Cake"]
    monkeypatch.setattr(overview, "PAGE", 1)
    monkeypatch.setattr(overview_views, "PAGE", 1)
    for order, expected in orders.items():
        first = await admin.get(f"/moderation/rooms?order={order}")
        [more] = [link.attributes["href"] for link in Page(first.text).all(".pager a")]
        assert await names(admin, f"/moderation/rooms?order={order}") + await names(admin, more or "") == expected, (
            order
        )
    assert await names(admin, "/moderation/rooms?q=sou") == ["Soup"]


@pytest.mark.parametrize("after", ["x", "5", ".5", "2026-01-01.1", "9999-12-31T23:59:59-14:00.1", "9" * 30 + ".1"])
async def test_a_page_that_begins_nowhere_is_the_first(admin: Person, room: Room, after: str) -> None:
    for path, orders in zip(PAGES, (PEOPLE_ORDERS, ROOM_ORDERS), strict=True):
        for order in orders:
            answer = await admin.get(f"{path}?order={order}&after={quote(after)}")
            assert answer.status_code == 200
            assert '<ol class="cases">' in answer.text or order == "newest"


async def test_of_private_rooms_an_administrator_sees_sizes_and_nothing_else(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    hidden = [await secret("private", "Hideout", alice), await secret("group", "Friday", bob)]
    for one in hidden:
        await attach(one, who(alice), None, content=bytes(5000))
    paths = [f"/moderation/rooms?order={order}" for order in ROOM_ORDERS]
    for path in (*paths, "/moderation/rooms?q=Hideout", "/moderation/rooms?q=Friday"):
        page = (await admin.get(path)).text
        for word in ("Friday", "Hideout"):
            assert word not in page.replace(f'value="{word}"', ""), path
    expected = [f"Group {hidden[1].id}", f"Private room {hidden[0].id}", "Tea & Cake"]
    assert await names(admin, "/moderation/rooms?order=newest") == expected
    assert "1 person · 0 messages · 5 kB of files" in words(await admin.get("/moderation/rooms"))
    for one in hidden:
        path = f"/moderation/rooms/{one.id}/close"
        assert (await admin.get(path)).status_code == 404
        assert (await admin.post(path, {"name": one.name})).status_code == 404
        log = words(await admin.get(f"/moderation/log?room={one.id}"))
        assert one.name not in log
    assert await Room.filter(closed_at=None).count() == 3


async def test_a_room_is_closed_for_all_once_its_name_was_typed(alice: Person, admin: Person, soup: Room) -> None:
    path = f"/moderation/rooms/{soup.id}/close"
    assert path in (await admin.get("/moderation/rooms")).text
    assert "2 people are in it." in words(await admin.get(path))
    wrong = await admin.post(path, {"name": "Soap", "note": "Spam & more"})
    assert wrong.status_code == 422
    assert "That is not the name of this room." in words(wrong)
    assert 'value="Spam &amp; more"' in wrong.text
    assert (await alice.get(soup.path)).status_code == 200
    done = await admin.post(path, {"name": "soup", "note": "Spam"})
    assert (done.status_code, done.headers["location"]) == (303, "/moderation/rooms")
    assert (await alice.get(soup.path)).status_code == 404
    assert await names(admin, "/moderation/rooms") == ["Tea & Cake"]
    entry = await AuditEntry.get()
    assert (entry.action, entry.place, entry.room, entry.note) == ("delete", "Soup", soup.id, "Spam")
    assert (await admin.post(path, {"name": "soup"})).status_code == 404
    assert await AuditEntry.all().count() == 1


async def test_a_person_is_suspended_without_a_report_and_allowed_back(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    path = f"/moderation/people/{who(bob).code}"
    await bob.say(room, "Turnip")
    await alice.post("/report", {"about": f"message:{room.key}:1", "reason": "insult"})
    assert "Insults or threats" in words(await admin.get(path))
    assert (await admin.post(path, {"do": "suspend", "hours": "2"})).status_code == 422
    assert (await admin.post(path, {"do": "lift"})).status_code == 403
    assert (await admin.post(path, {"do": "dismiss"})).status_code == 422
    done = await admin.post(path, {"do": "suspend", "hours": "24", "told": "Be kind.", "note": "again"})
    assert done.status_code == 303
    page = words(await admin.get(done.headers["location"]))
    assert "Done, and written into the log." in page
    assert "suspended until" in page
    assert (await bob.get("/lobby")).status_code == 403
    # What waited about them is answered with it.
    assert "Nothing to do." in words(await admin.get("/moderation"))
    assert (await admin.post(path, {"do": "lift", "note": "sorry"})).status_code == 303
    assert (await bob.get("/lobby")).status_code == 200
    assert [one.action for one in await AuditEntry.all().order_by("id")] == ["suspend", "lift"]
    own = await admin.post(f"/moderation/people/{who(admin).code}", {"do": "ban"})
    assert own.status_code == 403
    assert "button--danger" not in (await admin.get(f"/moderation/people/{who(admin).code}")).text


async def test_the_log_is_read_by_person_and_by_room(
    app: object, alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    other = await person(app, "otto", is_admin=True)
    await admin.post(f"/moderation/people/{who(bob).code}", {"do": "warn", "told": "Be kind."})
    await other.post(f"{room.path}/settings", {"do": "topic", "topic": "Tea alone"})
    await Room.rename(room.id, "Coffee")

    async def lines(path: str) -> list[str]:
        return [" ".join(one.text().split()) for one in Page((await admin.get(path)).text).all(".decision > span")]

    everything = await lines("/moderation/log")
    assert everything == ["Otto changed the topic of Tea & Cake", f"Ada warned Bob {who(bob).code}"]
    assert await lines(f"/moderation/log?about={who(bob).code}") == everything[1:]
    assert await lines(f"/moderation/log?about={who(other).code}") == everything[:1], "what they did themselves"
    assert await lines(f"/moderation/log?room={room.id}") == everything[:1], "under the name of then"
    assert f'href="/moderation/log?room={room.id}"' in (await admin.get("/moderation/log")).text
    assert (await admin.get("/moderation/log?about=ZZZZ-ZZZZ")).status_code == 404
    assert (await admin.get("/moderation/log?about=%00")).status_code == 404


async def test_an_administrator_of_a_private_room_leaves_its_name_in_no_log(admin: Person, alice: Person) -> None:
    hidden = await secret("private", "Hideout", admin)
    await Membership.create(room=hidden, user_id=who(alice).id)
    await post_as(who(alice), hidden, "secret words")
    await Membership.filter(room=hidden, user_id=who(admin).id).update(role="mod")
    await admin.post(f"{hidden.path}/messages/1/remove")
    assert await AuditEntry.all().count() == 0


async def test_there_is_nothing_here_for_others(
    alice: Person, bob: Person, visitor: Person, admin: Person, room: Room
) -> None:
    for path in (*PAGES, f"/moderation/people/{who(bob).code}", f"/moderation/rooms/{room.id}/close"):
        assert (await admin.get(path)).status_code == 200
        for one in (alice, bob):
            assert (await one.get(path)).status_code == 404
            assert (await one.post(path, {"name": room.name, "do": "ban"})).status_code in (404, 405)
        assert (await visitor.get(path)).status_code == 303
    assert (await admin.get("/moderation/people/ZZZZ-ZZZZ")).status_code == 404
    assert (await Room.get(id=room.id)).closed_at is None


# What the database does for them.


async def plan(query: str, values: list[object]) -> str:
    async def explain() -> str:
        if settings.ON_SQLITE:
            return "\n".join(row["detail"] for row in await sql.fetch_all(f"EXPLAIN QUERY PLAN {query}", *values))
        # Of a table with no rows all ways cost the same.
        for way in ("seqscan", "bitmapscan", "sort"):
            await sql.execute(f"SET LOCAL enable_{way} = off")
        return "\n".join(str(row[0]) for row in await sql.fetch_all(f"EXPLAIN {query}", *values))

    return await transaction.transact(explain)


PEOPLE_INDEXES = {"newest": "idx_user_newest", "seen": "idx_user_seen", "away": "idx_user_seen"}
ROOM_INDEXES = {name: f"idx_room_{name}" for name in ROOM_ORDERS}


async def test_each_page_of_each_order_is_a_range_of_an_index(admin: Person) -> None:
    # Among a few, the primary key, with all guests and chats in it, would do as well as the index without them.
    await User.bulk_create([User(code=new_code(), display_name=f"Guest {n}", is_guest=True) for n in range(500)])
    await Room.bulk_create([Room(key=f"~{n}", kind=kinds.ANONYMOUS.stored, name="") for n in range(500)])
    if not settings.ON_SQLITE:
        await sql.execute('ANALYZE "user", room')
    moment, tables = (
        datetime.now(UTC).isoformat(),
        re.compile(r"^SCAN (room|user|message|membership)\b(?! USING)", re.M),
    )
    for orders, indexes, query in (
        (PEOPLE_ORDERS, PEOPLE_INDEXES, overview.people_query),
        (ROOM_ORDERS, ROOM_INDEXES, overview.rooms_query),
    ):
        for name, order in orders.items():
            for after in ("", f"{moment if order.column.endswith('_at') else 7}.7"):
                values = order.after(after)
                assert bool(values) == bool(after)
                found = await plan(query(order, not values), values)
                assert re.search(rf"(INDEX|using|on) {indexes[name]}", found), (name, after, found)
                assert not tables.search(found), found
                if after and settings.ON_SQLITE:
                    assert re.search(rf"SEARCH .*{indexes[name]} \(.*[<>]", found), found


def test_all_kinds_of_rooms_of_more_than_two_are_in_the_indexes() -> None:
    assert f"room.kind NOT IN ({kinds.sql_names(lambda kind: kind.is_between_two)})" in overview.LISTED_ROOM


async def test_no_list_reads_a_message_for_each_that_there_is(alice: Person, admin: Person, room: Room) -> None:
    rows = [
        Message(room_id=room.id, author_id=who(alice).id, number=n, posted_version=n, version=n, body="-", html="-",
                nonce=f"{n}", created_at=datetime.now(UTC))
        for n in range(1, 1202)
    ]  # fmt: skip
    await Message.bulk_create(rows, batch_size=500)
    await Room.filter(id=room.id).update(last_number=1201)
    assert "more than 1,000 messages" in words(await admin.get("/moderation/people"))
    assert "Public rooms 1 · 1,201 messages" in words(await admin.get("/moderation/rooms"))
