"""Reactions: by whom, to what, how often, and what the pages of a room show of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from limits import parse

from tests.conftest import Person, account, person
from tests.message_pages import fill, message, said
from tests.page import Page, words
from tests.people import befriend, make_room, now, who, write
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import KICKED
from webapp.db import sql
from webapp.deletion import steps
from webapp.live import Frame, Reader, hub
from webapp.messages import changes, pacing, reaction_queries, reactions
from webapp.messages.models import Message, Reaction
from webapp.messages.queries import MessageRow, get_row
from webapp.messages.reactions import KINDS
from webapp.moderation.models import Report
from webapp.relationships.models import Block

THUMB, HEART = KINDS[:2]


async def react(one: Person, room: Room, number: int = 1, kind: str = THUMB, on: str = "1", **headers: str) -> int:
    return (await answer(one, room, number, kind, on, **headers)).status_code


async def answer(
    one: Person, room: Room, number: int = 1, kind: str = THUMB, on: str = "1", **headers: str
) -> httpx2.Response:
    return await one.post(f"{room.path}/messages/{number}/reactions", {"kind": kind, "on": on}, **headers)


def chips(page: httpx2.Response | str) -> list[tuple[str, str, str]]:
    """Return of every chip on the page its words, its kind and whose it is."""
    found = Page(page).all(".reactions .reaction")
    return [(node.text(), node.attributes["data-kind"] or "", node.attributes["data-by"] or "") for node in found]


def mark(one: Person) -> str:
    return who(one).code[:4]


async def rows(room: Room) -> list[tuple[int, str, str]]:
    """What the database holds: number, user name and kind, in order."""
    found = Reaction.filter(message__room_id=room.id).order_by("id")
    return [tuple(row) for row in await found.values_list("message__number", "user__username", "kind")]


async def row(room: Room, number: int = 1) -> MessageRow:
    """Return the message as pages read it."""
    seat_room = await room_by_id(room.id)
    assert seat_room
    found = await get_row(seat_room, number)
    assert found
    return found


# One reaction.


async def test_a_reaction_stands_at_the_message_for_everybody_in_the_same_bytes(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, bob, 2)
    led = await answer(alice, room)
    assert led.status_code == 303
    assert led.headers["Location"] == f"{room.path}/messages/1"
    assert await react(charlie, room) == 303
    assert await react(charlie, room, kind=HEART) == 303
    expected = [(f"{THUMB} 2", THUMB, f"{mark(charlie)} {mark(alice)}"), (f"{HEART} 1", HEART, mark(charlie))]
    pages = [await one.get(room.path) for one in (alice, bob, charlie)]
    assert [chips(page) for page in pages] == [expected] * 3
    logs = {Page(page).one(f"#message-{room.id}-1").html for page in pages}
    assert len(logs) == 1
    assert await rows(room) == [(1, "alice", THUMB), (1, "charlie", THUMB), (1, "charlie", HEART)]
    assert [one.to_user_id for one in await Reaction.all()] == [who(bob).id] * 3  # type: ignore[attr-defined]


async def test_a_report_stores_who_had_reacted_and_how_often_around_it(
    admin: Person, alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, bob, 2)
    await Block.add(who(alice), who(charlie))
    for one in (alice, charlie):
        await react(one, room, 2)
    await react(charlie, room, 1, HEART)
    about = f"message:{room.key}:2"
    assert (await alice.post("/report", {"about": about, "reason": "insult", "text": ""})).status_code == 303
    for one in (alice, charlie):
        await react(one, room, 2, on="0")
    found = await Report.get()
    newest = f"Charlie {who(charlie).code}, Alice {who(alice).code}"
    assert [line.reacted for line in found.lines] == [f"{HEART} 1", f"{THUMB} 2: {newest}"]
    page = words(await admin.get(f"/moderation/reports/{found.id}"))
    assert f"Reactions: {THUMB} 2: {newest}" in page
    # A process of the version before knows no such field: it is not there where nobody has reacted.
    assert "reacted" not in found.lines[0]._replace(reacted="").as_stored()


async def test_a_reader_of_a_public_room_reacts_and_stays_outside(bob: Person, charlie: Person, room: Room) -> None:
    await fill(room, bob, 1)
    assert await react(charlie, room) == 303
    assert not await Membership.exists(room_id=room.id, user_id=who(charlie).id)


async def test_a_reaction_is_taken_back_and_is_a_wish_not_a_toggle(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    for _ in range(2):
        assert await react(alice, room) == 303
    assert chips(await bob.get(room.path)) == [(f"{THUMB} 1", THUMB, mark(alice))]
    assert (await now(room)).version == 2  # twice the same takes one version
    for _ in range(2):
        assert await react(alice, room, on="0") == 303
    assert chips(await bob.get(room.path)) == []
    assert await rows(room) == []
    assert (await now(room)).version == 3
    assert (await message(room)).reactions == ""


async def test_a_reaction_to_ones_own_message_is_nobodys_news(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(bob, room)
    assert [one.to_user_id for one in await Reaction.all()] == [None]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["", "🥔", "👍🏽", "👍 ", "x", "<b>"])
async def test_a_thirteenth_kind_is_refused_on_the_page_of_reactions(bob: Person, room: Room, kind: str) -> None:
    await fill(room, bob, 1)
    refused = await answer(bob, room, kind=kind)
    assert refused.status_code == 422
    assert "Choose one of these." in words(refused)
    assert len(Page(refused).all("main button[name=kind]")) == 12
    assert await rows(room) == []
    assert (await now(room)).version == 1


async def test_kinds_stand_in_the_order_in_which_they_came(bob: Person, room: Room) -> None:
    assert len(set(KINDS)) == 12
    await fill(room, bob, 1)
    for kind in reversed(KINDS):
        assert await react(bob, room, kind=kind) == 303
    assert [kind for _, kind, _ in chips(await bob.get(room.path))] == list(reversed(KINDS))


async def test_script_is_answered_without_a_page(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    done = await answer(bob, room, HX_Request="true")
    assert (done.status_code, done.text) == (204, "")


async def test_a_chip_marks_the_ten_newest(app: object, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    people = [await person(app, f"person{number}") for number in range(12)]
    for one in people:
        assert await react(one, room) == 303
    [(text, _, marks)] = chips(await bob.get(room.path))
    assert text == f"{THUMB} 12"
    assert marks.split(" ") == [mark(one) for one in reversed(people[2:])]


# What nobody may.


async def test_only_same_origin_posts_of_who_is_signed_in_react(bob: Person, visitor: Person, room: Room) -> None:
    await fill(room, bob, 1)
    assert await react(bob, room, Sec_Fetch_Site="cross-site") == 403
    assert (await answer(visitor, room)).headers["Location"].startswith("/login")
    assert await react(visitor, room, HX_Request="true") == 401
    assert await rows(room) == []


async def test_there_is_nothing_to_react_to_where_there_is_no_message(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    other = await make_room(who(alice), "Another")
    for path in (f"{room.path}/messages/2", f"{other.path}/messages/1", "/rooms/nowhere/messages/1"):
        assert (await alice.get(f"{path}/reactions")).status_code == 404
        assert (await alice.post(f"{path}/reactions", {"kind": THUMB})).status_code == 404
    assert await react(bob, room, number=2**60) == 404


async def test_a_locked_room_takes_no_reactions_but_shows_them(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    assert await react(bob, room) == 303
    await Room.filter(id=room.id).update(locked_at=datetime.now(UTC))
    assert await react(bob, room, kind=HEART) == 403
    assert await react(bob, room, on="0") == 403
    page = await bob.get(f"{room.path}/messages/1/reactions")
    assert "Bob" in words(page)
    assert not Page(page).all("main button[name=kind]")
    assert await rows(room) == [(1, "bob", THUMB)]


async def test_who_is_kicked_reacts_no_more(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    until = datetime.now(UTC) + timedelta(hours=1)
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(role=KICKED, kicked_until=until)
    assert await react(bob, room) == 403
    assert await rows(room) == []


async def test_a_removed_message_loses_its_reactions_and_takes_none(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(alice, room)
    await bob.post(f"{room.path}/messages/1/remove")
    assert chips(await alice.get(room.path)) == []
    assert await rows(room) == []
    assert (await message(room)).reactions == ""
    assert await react(alice, room) == 404
    assert (await alice.get(f"{room.path}/messages/1/reactions")).status_code == 404


async def test_two_who_talk_react_and_outsiders_find_nothing(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, bob)
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    assert await react(bob, chat) == 303
    assert chips(await alice.get(chat.path)) == [(f"{THUMB} 1", THUMB, mark(bob))]
    assert await react(charlie, chat) == 404
    assert (await charlie.get(f"{chat.path}/messages/1/reactions")).status_code == 404
    await Block.create(blocker=who(alice), blocked=who(bob))
    assert await react(bob, chat, kind=HEART) == 403
    assert await rows(chat) == [(1, "bob", THUMB)]


async def test_a_message_request_is_answered_before_it_is_reacted_to(alice: Person, bob: Person) -> None:
    await write(alice, bob)
    chat = await Room.get(kind="direct")
    assert await react(bob, chat) == 403
    assert await rows(chat) == []
    assert await Membership.filter(user_id=who(bob).id, room_id=chat.id).values_list("is_request", flat=True) == [True]


async def test_too_many_reactions_are_refused_with_the_time_to_wait(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(room, bob, 1)
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_REACT", parse("2/minute"))
    assert [await react(bob, room, kind=kind) for kind in KINDS[:3]] == [303, 303, 429]
    assert "Retry-After" in (await answer(bob, room)).headers


# The page of reactions.


async def test_the_page_of_reactions_names_who_reacted_and_has_a_button_for_each_kind(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    page = await alice.get(f"{room.path}/messages/1/reactions")
    assert "Nobody has reacted yet." in words(page)
    await react(alice, room)
    await react(bob, room)
    await react(bob, room, kind=HEART)
    page = await alice.get(f"{room.path}/messages/1/reactions")
    assert Page(page).texts(".reactors > div") == [f"{THUMB}\nBob, Alice", f"{HEART}\nBob"]
    back, more = Page(page).all("main form.kinds")
    assert [button.attributes["value"] for button in back.css("button")] == [THUMB]
    assert [button.attributes["value"] for button in more.css("button")] == list(KINDS[1:])
    assert back.css_first("[name=on]").attributes["value"] == "0"
    assert more.css_first("[name=on]").attributes["value"] == "1"


async def test_blocked_people_are_left_out_of_the_page_of_reactions(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    await react(bob, room)
    await react(alice, room)
    await Block.create(blocker=who(alice), blocked=who(bob))
    assert "Bob" not in words(Page(await alice.get(f"{room.path}/messages/1/reactions")).one("main"))
    assert "Alice" in words(Page(await bob.get(f"{room.path}/messages/1/reactions")).one("main"))


async def test_the_address_of_a_chip_leads_to_the_page_of_reactions(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(bob, room)
    href = Page(await bob.get(room.path)).one(".reaction").attributes["href"]
    assert href == "?react=1"
    led = await bob.get(f"{room.path}{href}")
    assert led.headers["Location"] == f"{room.path}/messages/1/reactions"


# What a reaction leaves alone.


async def test_a_reaction_is_no_news_in_lists(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await alice.read(room)
    before = await now(room)
    await react(bob, room)
    after = await now(room)
    assert (after.last_number, after.last_at, after.last_line) == (before.last_number, before.last_at, before.last_line)
    assert Page(await alice.get("/lobby")).texts(".entry .unread") == []


async def test_an_edit_that_began_before_a_reaction_is_saved(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    began_at = Page(await bob.get(path)).one("[name=version]").attributes["value"] or ""
    await react(alice, room)
    assert (await bob.post(path, {"body": "better", "version": began_at})).status_code == 303
    assert said(await bob.get(room.path)) == {1: "better"}
    assert chips(await bob.get(room.path)) == [(f"{THUMB} 1", THUMB, mark(alice))]
    # And one that began after it, from the page of that moment; but not from the words before.
    await react(alice, room, kind=HEART)
    again = Page(await bob.get(path)).one("[name=version]").attributes["value"] or ""
    await react(alice, room, kind=HEART, on="0")
    assert (await bob.post(path, {"body": "late", "version": began_at})).status_code == 409
    assert (await bob.post(path, {"body": "best", "version": again})).status_code == 303


# On open pages.


async def frame(room: Room, cursor: int) -> Frame:
    """What a page that holds this version is sent."""
    found = await changes.log(room.id, {cursor})
    assert found
    return found[1][cursor].in_language("en")


async def test_a_page_with_script_gets_new_chips_in_place_of_old_ones(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(alice, room)
    sse = (await frame(room, 1)).sse.decode()
    at = f"#message-{room.id}-1"
    assert sse.startswith("id: 2\n")
    assert f'<hx-partial hx-target="{at}>.reactions" hx-swap="delete"></hx-partial>' in sse
    assert f'<hx-partial hx-target="{at}" hx-swap="beforeend"><p class="reactions"' in sse
    assert chips(sse) == [(f"{THUMB} 1", THUMB, mark(alice))]
    assert "message__body" not in sse
    await react(alice, room, on="0")
    assert 'hx-swap="beforeend"' not in (await frame(room, 2)).sse.decode()


async def test_an_endless_document_gets_the_chips_behind_the_message(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 3)
    await react(alice, room, 2)
    html = (await frame(room, 3)).html.decode()
    row = Page(html).one(f"#reactions-{room.id}-2")
    assert row.attributes["data-author"] == who(bob).code
    assert chips(html) == [(f"{THUMB} 1", THUMB, mark(alice))]
    assert "message__body" not in html
    assert f"#reactions-{room.id}-2{{order:5}}" in html
    await react(alice, room, 2, on="0")
    assert "<li" not in (await frame(room, 4)).html.decode()


async def test_words_that_changed_come_whole_with_their_chips(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(alice, room)
    await bob.post(f"{room.path}/messages/1/edit", {"body": "better"})
    await react(alice, room, kind=HEART)
    for cursor, is_whole in ((1, True), (2, True), (3, False)):
        got = await frame(room, cursor)
        assert [b"better" in html for html in got] == [is_whole] * 2
        assert [len(chips(html.decode())) for html in got] == [2, 2]


async def test_a_message_that_came_since_has_its_chips_in_it(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(alice, room)
    got = await frame(room, 0)
    assert b"hx-partial" not in got.sse
    assert Page(got.html.decode()).one(f"#message-{room.id}-1 .reaction")
    assert b"reactions-" not in got.html


async def open_page(room: Room, one: Person, framing: str = "sse") -> Reader:
    """Return the stream of an open page of the room and of its person's sidebar."""
    reader = Reader(
        [f"room:{room.id}", f"user:{who(one).id}"], (await now(room)).version, framing, frozenset({"entries"}),
        {"session": one.session.id, "user": who(one).id, "room": room.id},
    )  # fmt: skip
    hub().join(reader)
    return reader


async def until_sent(page: Reader, part: str, seconds: float = 20) -> str:
    """Return all that the page was sent, once that has this part."""
    async with asyncio.timeout(seconds):
        while part.encode() not in page.outbox.pending:
            await asyncio.sleep(0.01)
    return page.outbox.take().decode()


async def test_a_reaction_sends_the_log_and_nothing_of_the_sidebar(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    page = await open_page(room, bob)
    await react(alice, room)
    await until_sent(page, "id: 2")
    await alice.say(room, "after it")
    sent = await until_sent(page, "entry-")
    assert sent.count('hx-target="#entries"') == 1
    hub().leave(page)


async def test_a_storm_of_reactions_is_at_most_three_frames_a_second(app: object, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    people = [await person(app, f"person{number}") for number in range(25)]
    page, document = await open_page(room, bob), await open_page(room, bob, "html")
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert {*await asyncio.gather(*(react(one, room, kind=kind) for kind in KINDS for one in people))} == {303}
    version = (await now(room)).version
    sent = await until_sent(page, f"id: {version}\n")
    most = 2 * (loop.time() - began) + 2
    assert sent.count("id: ") <= most
    assert document.outbox.take().count(b"<li") <= most
    # In the order in which they were stored, which on PostgreSQL need not be that of the requests.
    assert sorted(text for text, _, _ in chips(sent)[-12:]) == sorted(f"{kind} 25" for kind in KINDS)
    assert await Reaction.all().count() == 300
    for each in (page, document):
        hub().leave(each)


async def test_a_message_takes_reactions_along_that_wait_for_the_pause(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "PAUSE_SECONDS", 3600)
    await fill(room, bob, 1)
    page = await open_page(room, bob)
    await react(alice, room)
    await until_sent(page, "id: 2\n")
    await react(alice, room, kind=HEART)
    await alice.say(room, "at once")
    sent = await until_sent(page, "id: 4\n")
    assert "at once" in sent
    assert [text for text, _, _ in chips(sent)] == [f"{THUMB} 1", f"{HEART} 1"]
    hub().leave(page)


async def test_what_another_process_stored_is_read_here_at_the_same_pace(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    page = await open_page(room, bob)
    await reactions.react(await access.by_key(who(alice), room.key), 1, THUMB, is_on=True)  # type: ignore[arg-type]
    hub().bridge.on_message(f'{{"news": "reacted", "room": {room.id}, "version": 2}}')
    assert THUMB in await until_sent(page, "id: 2\n")
    hub().leave(page)


# At once.


async def test_everybody_at_once_is_counted_once_each(app: object, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    people = [await person(app, f"person{number}") for number in range(20)]
    wishes = [(one, number, kind) for one in people for number in (1, 2) for kind in (THUMB, HEART)]
    statuses = await asyncio.gather(
        *(react(one, room, number, kind) for one, number, kind in wishes),
        *(react(one, room, 1, THUMB) for one in people),
    )
    assert set(statuses) == {303}
    assert sorted(await rows(room)) == sorted((number, who(one).username, kind) for one, number, kind in wishes)
    texts = sorted(text for text, _, _ in chips(await bob.get(room.path)))
    assert texts == sorted([f"{THUMB} 20", f"{HEART} 20"] * 2)
    assert (await now(room)).version <= 2 + len(wishes)


async def test_adding_and_taking_back_at_once_leave_what_the_rows_say(bob: Person, alice: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await asyncio.gather(*(react(alice, room, on=on) for on in "1010110"))
    expected = [f"{THUMB} 1"] if await rows(room) else []
    assert [text for text, _, _ in chips(await bob.get(room.path))] == expected


async def test_one_who_is_refused_stops_nobody_who_reacts_with_them(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    await bob.post(f"{room.path}/messages/2/remove")
    answers = await asyncio.gather(*(react(one, room, number) for one in (alice, bob) for number in (1, 2)))
    assert answers == [303, 404, 303, 404]
    assert sorted(await rows(room)) == [(1, "alice", THUMB), (1, "bob", THUMB)]


# When an account is deleted.


async def delete_account(one: Person) -> None:
    await steps.start_deletion(who(one))
    await steps.finish(who(one))


async def test_a_deleted_account_is_counted_no_more_and_open_pages_see_it(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, charlie, 3)
    for number, kind in ((1, THUMB), (1, HEART), (2, HEART)):
        assert await react(bob, room, number, kind) == 303
    await react(alice, room)
    before, untouched = (await now(room)).version, await row(room, 3)
    page = await open_page(room, alice)
    gone = mark(bob)
    await delete_account(bob)
    assert await rows(room) == [(1, "alice", THUMB)]
    stored = await Message.filter(room_id=room.id).order_by("number").values_list("reactions", "version")
    assert stored == [(f"{THUMB} 1 {mark(alice)}", before + 1), ("", before + 1), ("", untouched.version)]
    assert (await row(room)).words_version == 1
    sent = await until_sent(page, f"id: {before + 1}\n")
    assert chips(sent) == [(f"{THUMB} 1", THUMB, mark(alice))]
    assert gone not in sent
    assert chips(await alice.get(room.path)) == [(f"{THUMB} 1", THUMB, mark(alice))]
    hub().leave(page)


async def test_reactions_of_a_deleted_account_go_in_batches_and_after_a_crash_the_rest(
    alice: Person, bob: Person, charlie: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await make_room(who(alice), "Another")
    for place in (room, other):
        await fill(place, alice, 4)
        for number in range(1, 5):
            assert [await react(one, place, number) for one in (charlie, bob)] == [303, 303]
    monkeypatch.setattr(reaction_queries, "WITHDRAWN_BATCH_SIZE", 2)
    store, calls = reactions.store_summed, iter(range(99))

    async def third_breaks(messages: set[int], version: int) -> None:
        assert len(messages) <= 2
        if next(calls) == 2:
            raise RuntimeError("a crash")
        await store(messages, version)

    with monkeypatch.context() as patch:
        patch.setattr(reactions, "store_summed", third_breaks)
        with pytest.raises(RuntimeError):
            await delete_account(charlie)
    left = len([one for one in await rows(room) + await rows(other) if one[1] != "bob"])
    assert left == 4
    await steps.finish_all()
    for place in (room, other):
        assert {name for _, name, _ in await rows(place)} == {"bob"}
        stored = await Message.filter(room_id=place.id).values_list("reactions", flat=True)
        assert stored == [f"{THUMB} 1 {mark(bob)}"] * 4


async def test_reactions_that_a_deleted_account_received_stay(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await react(alice, room)
    await delete_account(bob)
    assert await rows(room) == [(1, "alice", THUMB)]
    assert [one.to_user_id for one in await Reaction.all()] == [None]  # type: ignore[attr-defined]
    assert chips(await alice.get(room.path)) == [(f"{THUMB} 1", THUMB, mark(alice))]


async def test_a_reaction_that_was_let_in_before_goes_with_the_account(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored between the last look and the end of the account."""
    await fill(room, alice, 1)
    erase, seat = steps.erase_account, await access.by_key(who(bob).as_viewer(session_id=0), room.key)
    calls = 0

    async def after_a_late_one(user: User) -> bool:
        nonlocal calls
        calls += 1
        return await erase(user)

    monkeypatch.setattr(steps, "erase_account", after_a_late_one)
    withdraw_all, late = reactions.withdraw_all, iter([True])

    async def then_react(user_id: int) -> AsyncIterator[tuple[int, int]]:
        async for taken in withdraw_all(user_id):
            yield taken
        if next(late, False):
            assert await reactions.react(seat, 1, THUMB, is_on=True)

    monkeypatch.setattr(reactions, "withdraw_all", then_react)
    await delete_account(bob)
    assert calls == 2
    assert await rows(room) == []
    assert (await message(room)).reactions == ""


# The version before.


async def test_words_that_a_process_of_the_version_before_changed_are_known_to_have_changed(
    alice: Person, bob: Person, room: Room
) -> None:
    """It knows no reactions: it takes a version for its edit, and leaves the columns as they are."""
    await fill(room, bob, 1)
    await react(alice, room)
    await sql.execute("UPDATE room SET version = 3 WHERE id = ? RETURNING id", room.id)
    await sql.execute("UPDATE message SET version = 3, body = 'new' WHERE room_id = ? RETURNING id", room.id)
    assert (await row(room)).words_version == 3
    await react(bob, room)
    assert ((await row(room)).version, (await row(room)).words_version) == (4, 3)


async def test_the_row_of_a_deleted_account_takes_its_reactions_along(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    other = await account("other")
    one = await Message.get(room_id=room.id)
    await Reaction.create(message=one, user=other, to_user=who(bob), kind=THUMB, created_at=datetime.now(UTC))
    await other.delete()
    assert await rows(room) == []
