"""Reporting, what administrators do about it, and what becomes of those who are kept out."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx2
import pytest
from limits import parse
from starlette.requests import Request

from tests.conftest import PASSWORD, Person, person
from tests.page import words
from tests.people import post_as, who
from tests.readers import reader as open_reader
from webapp import settings
from webapp.accounts import bans, passwords
from webapp.accounts.audit import PAGE, AuditEntry
from webapp.accounts.bans import AddressBan
from webapp.accounts.endings import BANNED
from webapp.accounts.models import PERMANENT, User
from webapp.accounts.sessions import Session
from webapp.chats import first_message
from webapp.conversations.access import by_key
from webapp.conversations.models import Room
from webapp.http.client import address_hash
from webapp.live import hub
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.moderation.models import ALREADY_DECIDED, Report
from webapp.relationships.models import Block
from webapp.rooms.opening import open_room

RUDE = "You are a <b>turnip</b>"


@pytest.fixture
async def rude(bob: Person, room: Room) -> str:
    """Something that Bob said in the room, by its name for reports."""
    for line in ("Hello", RUDE, "That is all"):
        await bob.say(room, line)
    return f"message:{room.key}:2"


async def report(one: Person, about: str, reason: str = "insult", text: str = "", **headers: str) -> httpx2.Response:
    return await one.post("/report", {"about": about, "reason": reason, "text": text}, **headers)


async def decide(one: Person, found: Report, do: str, **typed: str) -> httpx2.Response:
    return await one.post(f"/moderation/reports/{found.id}", {"do": do, "told": "Be kind.", "note": "", **typed})


async def reported(one: Person, about: str) -> Report:
    assert (await report(one, about)).status_code == 303
    return await Report.all().order_by("-id").first()  # type: ignore[return-value]


async def again(one: Person) -> User:
    return await User.get(id=who(one).id)


# Reporting.


async def test_a_report_that_an_earlier_version_stored_is_shown(alice: Person, admin: Person, rude: str) -> None:
    found = await reported(alice, rude)
    line = '{"name": "Bob", "code": "B0B0-B0B0", "at": "2026-11-01T12:00:00+00:00", "said": "of old", "is_it": true}'
    await Report.filter(id=found.id).update(transcript=f"[{line}]")
    assert "of old" in words(await admin.get(f"/moderation/reports/{found.id}"))


async def test_a_message_is_reported_from_its_own_page(alice: Person, bob: Person, rude: str, room: Room) -> None:
    way = re.search(r'href="(/report\?about=[^"]+)"', (await alice.get(f"{room.path}/messages/2/edit")).text)
    assert way
    page = await alice.get(unescape(way[1]))
    assert page.status_code == 200
    assert RUDE in words(page)
    assert "<b>turnip" not in page.text
    answer = await report(alice, rude, text="He always does that")
    assert answer.status_code == 303
    thanks = await alice.get(answer.headers["location"])
    assert "Thank you" in words(thanks)
    assert f'action="{who(bob).path}/block"' in thanks.text
    kept = await Report.get()
    assert (kept.reason, kept.text, kept.reporter_id) == ("insult", "He always does that", who(alice).id)
    assert (kept.person_id, kept.name, kept.code) == (who(bob).id, "Bob", who(bob).code)


async def test_script_is_given_the_form_of_a_report_and_what_becomes_of_it(
    alice: Person, bob: Person, rude: str
) -> None:
    form = await alice.get(f"/report?about={rude}", HX_Request="true")
    assert RUDE in words(form)
    nothing_chosen = await report(alice, rude, reason="", text="He always does that", HX_Request="true")
    assert nothing_chosen.status_code == 422
    assert "He always does that</textarea>" in nothing_chosen.text
    thanks = await report(alice, rude, HX_Request="true")
    assert thanks.status_code == 200
    assert "Thank you" in words(thanks)
    assert f'action="{who(bob).path}/block"' in thanks.text
    for answer in (form, nothing_chosen, thanks):
        assert "<html" not in answer.text
        assert 'id="text"' not in answer.text  # that is the composer's
    assert await Report.all().count() == 1


async def test_a_report_stays_as_it_was_made(alice: Person, bob: Person, rude: str, room: Room) -> None:
    found = await reported(alice, rude)
    await bob.post(f"{room.path}/messages/2/edit", {"body": "You are a rose"})
    await bob.post(f"{room.path}/messages/1/remove")
    await User.filter(id=who(bob).id).update(display_name="Angel")
    kept = await Report.get(id=found.id)
    assert [(line.name, line.said, line.is_it) for line in kept.lines] == [
        ("Bob", "Hello", False),
        ("Bob", RUDE, True),
        ("Bob", "That is all", False),
    ]


async def test_a_report_holds_a_few_lines_around_and_is_bounded(alice: Person, bob: Person, room: Room) -> None:
    for number in range(20):
        await post_as(who(bob), room, f"{number} " + "x" * 3990, "")
    found = await reported(alice, f"message:{room.key}:10")
    assert [line.said.split()[0] for line in found.lines] == [str(number) for number in range(4, 15)]
    assert [len(line.said) > 3990 for line in found.lines if line.is_it] == [True]
    assert len(found.transcript) < 20_000


async def test_a_person_is_reported_from_their_profile(alice: Person, bob: Person) -> None:
    await User.filter(id=who(bob).id).update(bio="I sell watches")
    assert f'href="/report?about=person:{who(bob).code}"' in (await alice.get(who(bob).path)).text
    assert "/report" not in (await bob.get(who(bob).path)).text
    found = await reported(alice, f"person:{who(bob).code}")
    await User.filter(id=who(bob).id).update(bio="Nothing to see")
    assert found.lines[0].said == "Bob\nI sell watches"
    assert found.person_id == who(bob).id


async def test_a_message_of_a_chat_is_reported_with_what_was_said_before(alice: Person, bob: Person) -> None:
    chat, _ = await first_message.post_first(who(alice), who(bob), "Hello", "")
    await posting.post(await by_key(who(bob), chat.room.key), RUDE, "")
    found = await reported(alice, f"message:{chat.room.key}:2")
    assert [line.said for line in found.lines] == ["Hello", RUDE]
    assert found.path == "", "an administrator can't go there"


async def test_a_message_that_the_reporter_can_not_see_can_not_be_reported(
    alice: Person, bob: Person, charlie: Person, rude: str, room: Room
) -> None:
    chat, _ = await first_message.post_first(who(alice), who(bob), "Between us", "")
    await Block.add(who(bob), who(charlie))
    assert (await charlie.get(f"/report?about={rude}")).status_code == 200
    for about in (
        f"message:{chat.room.key}:1",
        f"message:{room.key}:99",
        f"message:{room.key}:0",
        f"message:{room.key}:{10**30}",
        "message:nowhere:1",
        "message:\0:1",
        f"person:{who(bob).code}",
        "person:AAAA-AAAA",
        "person:",
        "everything",
        "",
    ):
        assert (await charlie.get("/report?" + str(httpx2.QueryParams(about=about)))).status_code == 404, about
        assert (await report(charlie, about)).status_code == 404, about
    await bob.post(f"{room.path}/messages/2/remove")
    assert (await report(charlie, rude)).status_code == 404
    assert not await Report.exists()


async def test_nobody_reports_themselves(bob: Person, rude: str) -> None:
    for about in (rude, f"person:{who(bob).code}"):
        assert (await report(bob, about)).status_code == 403
    assert not await Report.exists()


async def test_twice_is_as_good_as_once_and_another_person_counts(alice: Person, charlie: Person, rude: str) -> None:
    answers = await asyncio.gather(*[report(alice, rude) for _ in range(5)])
    assert {answer.status_code for answer in answers} == {303}
    assert await Report.all().count() == 1
    await report(charlie, rude)
    assert await Report.all().count() == 2


async def test_a_report_without_a_reason_comes_back_with_what_was_typed(alice: Person, rude: str) -> None:
    for reason, text, problem in (
        ("", "Read this", "Choose what is wrong"),
        ("<b>", "Read this", "Choose what is wrong"),
        ("spam", "y" * 1001, "at most 1,000"),
    ):
        answer = await report(alice, rude, reason, text)
        assert answer.status_code == 422
        assert problem in words(answer)
        assert text in answer.text
    assert (await report(alice, rude, "spam", "a\u202eb\r\n\r\n\r\n\r\n\r\nc  ")).status_code == 303
    assert (await Report.get()).text == "ab\n\n\nc"


async def test_the_ladder_of_reporting(visitor: Person, alice: Person, rude: str, room: Room) -> None:
    assert (await visitor.get(f"/report?about={rude}")).headers["location"].startswith("/login?next=%2Freport")
    assert (await report(visitor, rude)).status_code == 303
    assert (await report(visitor, rude, HX_Request="true")).status_code == 401
    assert (await alice.client.delete("/report")).status_code == 405
    assert (await report(alice, rude, Sec_Fetch_Site="cross-site")).status_code == 403
    assert not await Report.exists()


async def test_a_throttled_report_comes_back_with_what_was_typed(
    alice: Person, rude: str, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_REPORT", parse("1/hour"))
    assert (await report(alice, rude)).status_code == 303
    answer = await report(alice, f"message:{room.key}:1", text="My words")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "My words" in answer.text


async def test_thanks_without_a_way_to_block_where_there_is_none(alice: Person, bob: Person, rude: str) -> None:
    await report(alice, rude)
    await Block.add(who(alice), who(bob))
    for about in (rude, "nonsense"):
        page = await alice.get(f"/report?about={about}&done=1")
        assert page.status_code == 200
        assert "/block" not in page.text


# The queue.


async def test_only_administrators_find_any_of_it(
    alice: Person, admin: Person, visitor: Person, charlie: Person, rude: str
) -> None:
    found = await reported(charlie, rude)
    for path in ("/moderation", f"/moderation/reports/{found.id}", "/moderation/out", "/moderation/log"):
        assert (await alice.get(path)).status_code == 404
        assert (await visitor.get(path)).headers["location"].startswith("/login")
        assert (await admin.get(path)).status_code == 200
        assert (await admin.client.delete(path)).status_code == 405
    for path in (f"/moderation/reports/{found.id}", "/moderation/out"):
        assert (await alice.post(path, {"do": "ban"})).status_code == 404
        assert (await visitor.post(path, {"do": "ban"}, HX_Request="true")).status_code == 401
        assert (await admin.post(path, {"do": "ban"}, Sec_Fetch_Site="cross-site")).status_code == 403
    assert (await admin.get("/moderation/reports/999999999999")).status_code == 404
    assert not await AuditEntry.exists()
    assert "/moderation" not in (await alice.get("/settings/profile")).text
    assert 'href="/moderation"' in (await admin.get("/settings/profile")).text


async def test_the_queue_says_who_was_reported_how_often_and_by_how_many(
    alice: Person, bob: Person, charlie: Person, admin: Person, rude: str, room: Room
) -> None:
    await alice.say(room, "Something else")
    for one, about in ((alice, rude), (charlie, rude), (charlie, f"message:{room.key}:1")):
        await report(one, about)
    await report(charlie, f"message:{room.key}:4")
    page = words(await admin.get("/moderation"))
    assert "Bob 3 reports by 2 people" in page
    assert "Alice 1 report by 1 person" in page
    assert page.index("Bob 3") < page.index("Alice 1"), "the oldest first"


async def test_the_queue_is_paged(app: object, admin: Person, room: Room, alice: Person) -> None:
    crowd = [await User.create_hashed(f"person{number}", f"P{number}", "no hash", False) for number in range(PAGE + 1)]
    for one in crowd:
        await report(alice, f"person:{one.code}")
    first, second = await admin.get("/moderation"), await admin.get("/moderation?page=2")
    assert first.text.count('class="case"') == PAGE
    assert 'href="/moderation?page=2"' in first.text
    assert second.text.count('class="case"') == 1
    assert 'rel="next"' not in second.text
    assert (await admin.get("/moderation?page=" + "9" * 50)).status_code == 200


async def test_a_report_shows_what_was_frozen_as_text_alone(
    alice: Person, bob: Person, admin: Person, rude: str, room: Room
) -> None:
    found = await reported(alice, rude)
    page = await admin.get(f"/moderation/reports/{found.id}")
    assert RUDE in words(page)
    assert "<b>turnip" not in page.text
    assert "reported 1 time by 1 person" in words(page)
    assert f"{room.path}/messages/2/edit" in page.text


# Decisions.


async def test_a_report_is_dismissed_and_the_others_stay(
    alice: Person, bob: Person, charlie: Person, admin: Person, rude: str
) -> None:
    first, second = await reported(alice, rude), await reported(charlie, rude)
    answer = await decide(admin, first, "dismiss", note="A joke")
    assert answer.status_code == 303
    assert "written into the log" in words(await admin.get(answer.headers["location"]))
    await second.refresh_from_db()
    assert second.handled_at is None
    entry = await AuditEntry.get()
    assert (entry.action, entry.admin_name, entry.name, entry.note) == ("dismiss", "Ada", "Bob", "A joke")
    assert not (await again(bob)).is_banned
    log = words(await admin.get("/moderation/log"))
    assert "Ada dismissed a report about Bob" in log
    assert "Note: A joke" in log


async def test_a_warning_stands_on_the_next_page_until_it_is_read(
    alice: Person, bob: Person, admin: Person, rude: str, room: Room
) -> None:
    assert "A word from" not in (await bob.get(room.path)).text
    assert (await decide(admin, await reported(alice, rude), "warn", told="Mind <your> words")).status_code == 303
    for path in (room.path, "/lobby", "/settings/profile"):
        page = await bob.get(path)
        assert page.status_code == 200
        assert "Mind &lt;your&gt; words" in page.text
    assert "Mind" not in (await alice.get("/lobby")).text
    answer = await bob.post("/warning", Referer=f"http://localhost{room.path}")
    assert (answer.status_code, answer.headers["location"]) == (303, room.path)
    assert "A word from" not in (await bob.get(room.path)).text
    assert (await bob.post("/warning", Referer="http://elsewhere//evil")).headers["location"] == "/lobby"


async def test_a_warning_needs_words(alice: Person, admin: Person, rude: str) -> None:
    found = await reported(alice, rude)
    answer = await decide(admin, found, "warn", told=" ", note="My note")
    assert answer.status_code == 422
    assert "Write what they should read" in words(answer)
    assert 'value="My note"' in answer.text
    for wrong in ({"do": "suspend", "hours": "5"}, {"do": "execute"}, {"do": "lift"}, {"do": ""}):
        assert (await admin.post(f"/moderation/reports/{found.id}", {"told": "x", **wrong})).status_code == 422
    assert (await decide(admin, found, "ban", told="x" * 301)).status_code == 422
    assert (await decide(admin, found, "ban", note="x" * 501)).status_code == 422
    assert not await AuditEntry.exists()
    await found.refresh_from_db()
    assert found.handled_at is None


@pytest.mark.parametrize(("do", "hours"), [("suspend", 1), ("suspend", 24), ("suspend", 168), ("suspend", 720)])
async def test_an_account_is_suspended_for_a_time(
    alice: Person, bob: Person, admin: Person, rude: str, do: str, hours: int
) -> None:
    await decide(admin, await reported(alice, rude), do, hours=str(hours))
    until = (await again(bob)).banned_until
    assert until
    assert abs(until - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=1)
    assert "until" in words(await bob.get("/lobby"))
    await User.filter(id=who(bob).id).update(banned_until=datetime.now(UTC) - timedelta(seconds=1))
    assert (await bob.get("/lobby")).status_code == 200


async def test_a_shorter_time_does_not_end_a_longer_one(
    alice: Person, bob: Person, charlie: Person, admin: Person, rude: str
) -> None:
    await decide(admin, await reported(alice, rude), "ban")
    await decide(admin, await reported(charlie, rude), "suspend", hours="1")
    assert (await again(bob)).banned_until == PERMANENT


async def test_one_decision_answers_all_pending_reports_about_a_person(
    alice: Person, charlie: Person, admin: Person, rude: str, room: Room
) -> None:
    await report(charlie, rude)
    await decide(admin, await reported(alice, rude), "ban", note="Enough")
    assert "Nothing to do" in words(await admin.get("/moderation"))
    assert await Report.filter(outcome="ban").count() == 2
    assert await AuditEntry.all().count() == 1


async def test_twice_and_two_at_once_decide_once(app: object, alice: Person, admin: Person, rude: str) -> None:
    eve = await person(app, "eve", is_admin=True)
    found = await reported(alice, rude)
    answers = await asyncio.gather(*[decide(one, found, "ban") for one in (admin, eve, admin, eve)])
    assert sorted(answer.status_code for answer in answers) == [303, 403, 403, 403]
    assert str(ALREADY_DECIDED) in words(next(answer for answer in answers if answer.status_code == 403))
    assert await AuditEntry.all().count() == 1
    assert (await decide(eve, found, "dismiss")).status_code == 403


async def test_two_reports_about_one_person_decided_at_once_count_once(
    app: object, alice: Person, charlie: Person, admin: Person, rude: str
) -> None:
    eve = await person(app, "eve", is_admin=True)
    first, second = await reported(alice, rude), await reported(charlie, rude)
    answers = await asyncio.gather(decide(admin, first, "ban"), decide(eve, second, "suspend", hours="1"))
    assert sorted(answer.status_code for answer in answers) == [303, 403]
    assert await AuditEntry.all().count() == 1


async def test_administrators_can_not_be_banned(app: object, alice: Person, admin: Person, room: Room) -> None:
    eve = await person(app, "eve", is_admin=True)
    await eve.say(room, RUDE)
    found = await reported(alice, f"message:{room.key}:1")
    for one, sentence in ((admin, "They are an administrator"), (eve, "That is you")):
        for do in ("warn", "suspend", "ban"):
            answer = await decide(one, found, do, hours="1")
            assert answer.status_code == 403
            assert sentence in words(answer)
    assert not (await again(eve)).is_banned
    assert (await decide(admin, found, "dismiss")).status_code == 303


async def test_a_report_about_a_deleted_account_can_only_be_dismissed(
    alice: Person, bob: Person, admin: Person, rude: str
) -> None:
    found = await reported(alice, rude)
    await User.filter(id=who(bob).id).delete()
    page = await admin.get(f"/moderation/reports/{found.id}")
    assert "This account was deleted." in words(page)
    assert 'value="ban"' not in page.text
    assert RUDE in words(page)
    assert (await decide(admin, found, "ban")).status_code == 403
    assert (await decide(admin, found, "dismiss")).status_code == 303


async def test_a_ban_is_lifted_once(app: object, alice: Person, bob: Person, admin: Person, rude: str) -> None:
    eve = await person(app, "eve", is_admin=True)
    await decide(admin, await reported(alice, rude), "ban")
    assert "Bob" in words(await admin.get("/moderation/out"))
    fields = {"who": who(bob).code, "note": "He is sorry"}
    answers = await asyncio.gather(*[one.post("/moderation/out", fields) for one in (admin, eve, admin)])
    assert {answer.status_code for answer in answers} == {303}
    assert (await bob.get("/lobby")).status_code == 200
    assert "Nobody is suspended or banned." in words(await admin.get("/moderation/out"))
    assert await AuditEntry.filter(action="lift").count() == 1
    for nobody in ("AAAA-AAAA", "\0", "9" * 30):
        assert (await admin.post("/moderation/out", {"who": nobody})).status_code == 403
    assert (await admin.post("/moderation/out", {"who": who(bob).code, "note": "x" * 501})).status_code == 422


async def test_the_log_is_paged(alice: Person, admin: Person, bob: Person) -> None:
    for number in range(PAGE + 1):
        await AuditEntry.create(admin_name="Ada", action="warn", name=f"N{number}", code="AAAA-AAAA")
    page = await admin.get("/moderation/log")
    assert page.text.count('class="decision"') == PAGE
    assert f"N{PAGE}" in page.text
    assert "N0<" not in page.text
    assert (await admin.get("/moderation/log?page=2")).text.count('class="decision"') == 1


# Being kept out.


async def test_every_address_says_so_and_until_when(
    alice: Person, bob: Person, admin: Person, rude: str, room: Room
) -> None:
    await decide(admin, await reported(alice, rude), "suspend", hours="24", told="You shouted at <people>.")
    for path in (
        "/",
        "/lobby",
        room.path,
        f"{room.path}/events",
        f"{room.path}/live",
        "/people",
        "/me.css",
        "/nothing",
    ):
        answer = await bob.get(path)
        assert answer.status_code == 403, path
        assert "You shouted at &lt;people&gt;." in answer.text, path
        assert "until" in answer.text, path
    for path, fields in ((f"{room.path}/messages", {"body": "Hello?"}), ("/report", {}), ("/settings/profile", {})):
        assert (await bob.post(path, fields)).status_code == 403
    fragment = await bob.get(room.path, HX_Request="true")
    assert fragment.status_code == 403
    assert "<html" not in fragment.text
    framed = await bob.get(f"{room.path}/composer", Sec_Fetch_Dest="iframe")
    assert framed.status_code == 403
    assert 'class="frame' in framed.text
    assert await Message.filter(room_id=room.id).count() == 3


async def test_a_banned_person_may_sign_out_and_delete_the_account(
    alice: Person, bob: Person, admin: Person, visitor: Person, rude: str
) -> None:
    await User.filter(id=who(bob).id).update(password_hash=passwords.hasher.hash(PASSWORD))
    await decide(admin, await reported(alice, rude), "ban")
    page = await bob.get("/lobby")
    assert 'action="/logout"' in page.text
    assert 'href="/settings/delete"' in page.text
    assert "Your account is banned" in page.text
    assert (await bob.get("/settings/delete")).status_code == 200
    assert (await bob.post("/logout")).status_code == 303
    assert (await bob.get("/lobby")).headers["location"].startswith("/login")
    wrong = await visitor.post("/login", {"username": "bob", "password": "wrong horse battery"})
    assert wrong.status_code == 422
    assert "banned" not in wrong.text.lower(), "only who knows the password is told"
    right = await visitor.post("/login", {"username": "bob", "password": PASSWORD})
    told = await visitor.get(right.headers["location"])
    assert told.status_code == 403
    assert "Your account is banned" in words(told)
    gone = await visitor.post("/settings/delete", {"password": PASSWORD})
    assert gone.headers["location"] == "/?left=1"
    assert not await User.exists(id=who(bob).id)


async def test_a_banned_person_is_not_asked_to_acknowledge_a_warning(bob: Person, room: Room) -> None:
    await User.filter(id=who(bob).id).update(warning="Mind your words", banned_until=PERMANENT)
    for path in ("/lobby", "/settings/delete"):
        assert "Mind your words" not in (await bob.get(path)).text


async def test_a_decision_names_the_other_reports_that_it_answers(
    alice: Person, charlie: Person, admin: Person, rude: str
) -> None:
    first, second = await reported(alice, rude), await reported(charlie, rude)
    path = f"/moderation/reports/{first.id}"
    assert "answers all of them" in words(await admin.get(path))
    await decide(admin, second, "dismiss")
    page = words(await admin.get(path))
    assert "answers all of them" not in page
    assert "dismissed" in page


async def test_their_open_pages_end_at_once(alice: Person, bob: Person, admin: Person, rude: str, room: Room) -> None:
    theirs = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=who(bob).id)
    other = open_reader(room.id, 0, "sse", room.path, session=alice.session.id, user=who(alice).id)
    for reader in (theirs, other):
        hub().join(reader)
    await decide(admin, await reported(alice, rude), "ban")
    async with asyncio.timeout(2):
        said = b"".join([chunk async for chunk in theirs.outbox])
    assert b"An administrator has ended your access." in said
    assert f'href="{room.path}"'.encode() in said, "the page itself says why"
    assert not other.outbox.is_closed
    hub().leave(other)


async def test_another_process_reads_bans_from_the_database(alice: Person, bob: Person, room: Room) -> None:
    readers = [
        open_reader(room.id, 0, "sse", room.path, session=one.session.id, user=who(one).id) for one in (alice, bob)
    ]
    assert await hub().providers.check_access(readers) == []
    await User.filter(id=who(bob).id).update(banned_until=datetime.now(UTC) + timedelta(hours=1))
    assert await hub().providers.check_access(readers) == [(readers[1], BANNED)]
    await User.filter(id=who(bob).id).update(banned_until=datetime.now(UTC) - timedelta(hours=1))
    assert await hub().providers.check_access(readers) == []


# Addresses.


def asking(host: str) -> Request:
    return Request({"type": "http", "scheme": "http", "client": (host, 1), "headers": []})


def test_the_hash_of_an_address_is_another_every_day_and_says_nothing() -> None:
    today, yesterday = address_hash(asking("192.0.2.7")), address_hash(asking("192.0.2.7"), 1)
    assert today != yesterday
    assert today == address_hash(asking("192.0.2.7"))
    assert today != address_hash(asking("192.0.2.8"))
    assert "192" not in today
    assert address_hash(asking("2001:db8::1")) == address_hash(asking("2001:db8::2"))


async def test_nobody_registers_from_the_address_of_a_banned_person(
    app: object, alice: Person, bob: Person, admin: Person, visitor: Person, rude: str
) -> None:
    await visitor.post("/register", {"username": "troll", "password": PASSWORD})
    troll = await User.get(username="troll")
    assert (await Session.get(user_id=troll.id)).address
    found = await reported(alice, f"person:{troll.code}")
    answer = await decide(admin, found, "suspend", hours="720", address="1")
    assert answer.status_code == 303
    ban = await AddressBan.get()
    assert ban.until < datetime.now(UTC) + timedelta(days=bans.BAN_DAYS, minutes=1)
    newcomer = Person(app)
    refused = await newcomer.post("/register", {"username": "troll2", "password": PASSWORD})
    assert refused.status_code == 403
    assert "from your address" in words(refused)
    assert not await User.exists(username="troll2")
    await AddressBan.filter(id=ban.id).update(until=datetime.now(UTC))
    assert (await newcomer.post("/register", {"username": "troll2", "password": PASSWORD})).status_code == 303


async def test_an_address_is_left_alone_unless_it_is_said(alice: Person, admin: Person, visitor: Person) -> None:
    await visitor.post("/register", {"username": "troll", "password": PASSWORD})
    troll = await User.get(username="troll")
    await decide(admin, await reported(alice, f"person:{troll.code}"), "ban")
    assert not await AddressBan.exists()


# Strangers.


async def meet(one: Person, other: Person) -> str:
    """The address of the chat in which the two find themselves."""
    for who_asks in (one, other):
        await who_asks.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
    await one.get("/strangers")
    return (await one.get("/strangers")).headers["location"]


async def test_a_guest_reports_a_stranger_and_the_words_outlive_the_chat(app: object, admin: Person) -> None:
    guest, troll = Person(app), Person(app)
    chat = await meet(guest, troll)
    for number in range(102):
        await troll.post(f"{chat}/messages", {"body": f"{RUDE} {number}"})
    assert "Report this chat" in words(await guest.get("/report?about=stranger"))
    answer = await report(guest, "stranger")
    assert answer.headers["location"] == "/report?about=stranger&done=1"
    assert 'action="/strangers/block"' in (await guest.get(answer.headers["location"])).text
    assert (await report(guest, "stranger")).status_code == 303, "twice is as good as once"
    await guest.post("/strangers/leave")
    thanks = await guest.get("/report?about=stranger&done=1")
    assert "Thank you" in words(thanks)
    assert "/block" not in thanks.text
    found = await Report.get()
    assert [line.said for line in found.lines] == [f"{RUDE} {number}" for number in range(2, 102)]
    await Room.all().delete()
    page = await admin.get(f"/moderation/reports/{found.id}")
    assert f"{RUDE} 101" in words(page)
    assert "<b>turnip" not in page.text


async def test_the_stranger_who_has_just_left_can_be_reported(app: object) -> None:
    guest, troll = Person(app), Person(app)
    await meet(guest, troll)
    await troll.post("/strangers/leave")
    await guest.post("/strangers/leave")
    assert (await report(guest, "stranger")).status_code == 303
    assert await Report.all().count() == 1


async def test_who_met_no_stranger_has_none_to_report(alice: Person, visitor: Person) -> None:
    assert (await alice.get("/report?about=stranger")).status_code == 404
    assert (await visitor.get("/report?about=stranger")).headers["location"].startswith("/login")


async def test_a_guest_reports_nothing_else(app: object, rude: str, bob: Person) -> None:
    guest = Person(app)
    await meet(guest, Person(app))
    for about in (rude, f"person:{who(bob).code}"):
        assert (await guest.get(f"/report?about={about}")).headers["location"] == "/strangers"
        assert (await report(guest, about)).headers["location"] == "/strangers"
    assert not await Report.exists()


async def test_a_reported_mask_gets_the_account_behind_it_banned(app: object, alice: Person, admin: Person) -> None:
    guest = Person(app)
    chat = await meet(guest, alice)
    assert (await report(guest, "stranger")).status_code == 303
    found = await Report.get()
    assert (found.person_id, "Alice" in found.name) == (who(alice).id, False)
    thanks = words(await guest.get("/report?about=stranger&done=1"))
    assert "Alice" not in thanks
    assert who(alice).code not in thanks
    theirs = open_reader(-1, None, "sse", "/strangers", session=alice.session.id, user=who(alice).id)
    hub().join(theirs)
    await decide(admin, found, "ban", told="Not like this.")
    assert theirs.outbox.is_closed
    for path in (chat, "/strangers", "/lobby", f"{chat}/events"):
        answer = await alice.get(path)
        assert answer.status_code == 403
        assert "Not like this." in answer.text
    assert "Stranger has left." in words(await guest.get(chat))


async def test_a_banned_guest_does_not_come_back_as_another(app: object, admin: Person) -> None:
    guest, troll = Person(app), Person(app)
    await meet(guest, troll)
    await report(guest, "stranger")
    found = await Report.get()
    await decide(admin, found, "suspend", hours="24", address="1")
    page = await troll.get("/strangers")
    assert page.status_code == 403
    assert 'action="/logout"' in page.text
    assert "/settings" not in page.text
    await troll.post("/logout")
    for fresh in (troll, Person(app)):
        answer = await fresh.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
        assert answer.status_code == 403
        assert "from your address" in words(answer)
    person = await User.get(id=found.person_id)
    assert person.display_name in words(await admin.get("/moderation/out"))
    assert (await admin.post("/moderation/out", {"who": person.code})).status_code == 303
    assert not (await User.get(id=person.id)).is_banned


async def test_a_guest_reads_a_warning(app: object, admin: Person) -> None:
    guest, troll = Person(app), Person(app)
    chat = await meet(guest, troll)
    await report(guest, "stranger")
    await decide(admin, await Report.get(), "warn", told="Mind your words")
    assert "Mind your words" in words(await troll.get(chat))
    answer = await troll.post("/warning", Referer=f"http://localhost{chat}")
    assert answer.headers["location"] == chat
    assert "Mind your words" not in words(await troll.get(chat))


# What administrators do in rooms that are not theirs.


@pytest.mark.parametrize(
    ("typed", "entry"),
    [
        ({"do": "rename", "name": "Coffee"}, "Ada renamed Tea & Cake"),
        ({"do": "face", "face": "T"}, "Ada changed the face of Tea & Cake"),
        ({"do": "topic", "topic": "New"}, "Ada changed the topic of Tea & Cake"),
        ({"do": "lock"}, "Ada locked Tea & Cake"),
        ({"do": "unlock"}, "Ada unlocked Tea & Cake"),
        ({"do": "kick", "who": "bob"}, "Ada banned Bob {code} from Tea & Cake"),
        ({"do": "hand_over", "who": "bob"}, "Ada made Bob {code} an owner of Tea & Cake"),
        ({"do": "slow", "slow_seconds": "60"}, "Ada changed the rules of Tea & Cake"),
        ({"do": "delete", "name": "Tea & Cake"}, "Ada deleted Tea & Cake"),
    ],
)
async def test_what_an_administrator_does_in_a_room_of_others_is_in_the_log(
    admin: Person, alice: Person, bob: Person, room: Room, typed: dict[str, str], entry: str
) -> None:
    code = who(bob).code
    fields = typed | ({"who": code} if "who" in typed else {})
    assert (await admin.post(f"{room.path}/settings", fields)).status_code == 303
    assert entry.format(code=code) in words(await admin.get("/moderation/log"))
    assert await AuditEntry.all().count() == 1


async def test_a_message_that_an_administrator_removed_is_in_the_log_once(
    admin: Person, alice: Person, bob: Person, room: Room
) -> None:
    await bob.say(room, "A rude word")
    await admin.say(room, "Mine")
    for number in (1, 1, 2):
        await admin.post(f"{room.path}/messages/{number}/remove")
    log = words(await admin.get("/moderation/log"))
    assert f"Ada removed a message by Bob {who(bob).code} in Tea & Cake" in log
    assert await AuditEntry.all().count() == 1


async def test_what_owners_and_administrators_do_in_their_own_rooms_is_not_in_the_log(
    admin: Person, alice: Person, bob: Person, room: Room
) -> None:
    own = await open_room(who(admin), "Own room")
    for owner, place in ((alice, room), (admin, own)):
        await bob.say(place, "Hello")
        await owner.post(f"{place.path}/messages/1/remove")
        await owner.post(f"{place.path}/settings", {"do": "lock"})
        await owner.post(f"{place.path}/settings", {"do": "level", "level": "mentions"})
    await admin.post(f"{room.path}/settings", {"do": "level", "level": "mentions"})
    assert await AuditEntry.all().count() == 0
