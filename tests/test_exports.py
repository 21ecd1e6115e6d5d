"""Taking along everything that is one's own: what the file holds and what not, who gets it, and what a crash leaves."""

import asyncio
import re
import stat
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.attached import attach
from tests.conftest import PASSWORD, Person, introduce, known_password, person
from tests.page import words
from tests.people import befriend, make_room, set_picture, who
from tests.query_recorder import recorded_queries
from webapp import settings
from webapp.accounts.models import User
from webapp.app import finish_interrupted_work as at_start
from webapp.chats import first_message
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import KICKED
from webapp.core import tasks
from webapp.core.clock import format_datetime
from webapp.db import sql
from webapp.deletion import steps
from webapp.exports import archive, jobs, worker
from webapp.exports.jobs import FAILED, MAKING, READY, WAITING, Export
from webapp.live import hub
from webapp.media import store
from webapp.media.files import file_store
from webapp.messages import queries as messages
from webapp.messages.models import Message, Reaction
from webapp.presence.models import Process
from webapp.presence.tracker import tracker
from webapp.relationships.models import Block, Friendship, VeiledBlock

PAGE = "/settings/export"
PATIENCE_SECONDS = 30


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "FOLDER", tmp_path / "pictures")
    monkeypatch.setattr(jobs, "FOLDER", tmp_path / "exports")
    return tmp_path / "exports"


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


async def made(one: Person, state: str = READY) -> Export:
    """Wait until the file is made, or has come to another state."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await Export.get(user_id=who(one).id)).state != state:
            await asyncio.sleep(0.01)
    return found


async def press(one: Person) -> httpx2.Response:
    return await (await known_password(one)).post(PAGE, {"password": PASSWORD})


async def ask(one: Person) -> Export:
    """Press the button, and wait for the file."""
    assert (await press(one)).status_code == 303
    return await made(one)


def inside(content: bytes) -> tuple[str, list[str]]:
    """The page in a zip, and the names of the other files."""
    with zipfile.ZipFile(BytesIO(content)) as file:
        assert file.testzip() is None
        return file.read("index.html").decode(), [name for name in file.namelist() if name != "index.html"]


async def page_of(one: Person) -> str:
    """The page in the file that somebody gets who asks for it now."""
    found = await ask(one)
    return inside((await one.get(found.path)).content)[0]


async def fill(room: Room, author: User, count: int) -> None:
    """Many messages at once, the first of them `number 1.`"""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {"room_id": room.id, "author_id": author.id, "created_at": now}
    rows = [
        Message(number=n, posted_version=n, version=n, body="", html=f"<p>number {n}.</p>", nonce=f"{n}", **fields)
        for n in range(1, count + 1)
    ]
    await Message.bulk_create(rows, batch_size=500)
    await Room.filter(id=room.id).update(last_number=count, version=count)


async def notebook(one: Person, count: int) -> Room:
    room = await Room.get(id=(await first_message.post_first(who(one), who(one), "A note", ""))[0].room.id)
    await Message.filter(room_id=room.id).delete()
    await fill(room, who(one), count)
    return room


async def chat(one: Person, other: Person, *bodies: str) -> Room:
    for body in bodies:
        room = await Room.get(id=(await first_message.post_first(who(one), who(other), body, ""))[0].room.id)
    return room


# The page.


async def test_the_settings_and_the_page_of_deleting_lead_there(alice: Person) -> None:
    assert f'href="{PAGE}"' in (await alice.get("/settings/profile")).text
    assert f'<a href="{PAGE}">take it with you first</a>' in (await alice.get("/settings/delete")).text
    page = await alice.get(PAGE)
    assert page.status_code == 200
    assert "Prepare the download" in page.text
    assert "refresh" not in page.headers
    assert await Export.all().count() == 0, "looking is not doing"


async def test_who_is_signed_out_is_led_to_sign_in(visitor: Person, alice: Person) -> None:
    assert (await visitor.get(PAGE)).headers["location"] == "/login?next=%2Fsettings%2Fexport"
    assert (await visitor.post(PAGE)).status_code == 303
    assert (await visitor.post(PAGE, HX_Request="true")).status_code == 401
    found = await ask(alice)
    assert (await visitor.get(found.path)).headers["location"].startswith("/login?")
    assert (await alice.client.put(PAGE)).status_code == 405
    assert (await alice.post(found.path)).status_code == 405
    assert await Export.all().count() == 1


async def test_another_site_begins_nothing(alice: Person) -> None:
    assert (await alice.post(PAGE, Sec_Fetch_Site="cross-site")).status_code == 403
    assert await Export.all().count() == 0


async def test_pressed_it_is_made_and_given_to_whom_it_belongs(alice: Person, room: Room, folder: Path) -> None:
    await alice.say(room, "Scones are *best* warm")
    answer = await press(alice)
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    found = await made(alice)
    page = await alice.get(PAGE)
    assert f'href="{found.path}"' in page.text
    assert "It is here until" in page.text
    assert "refresh" not in page.headers
    file = await alice.get(found.path)
    assert file.status_code == 200
    assert file.headers["content-type"] == "application/zip"
    assert file.headers["content-disposition"] == 'attachment; filename="parley-alice.zip"'
    assert file.headers["cache-control"] == "no-store"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert int(file.headers["content-length"]) == len(file.content) == found.size
    assert "Scones are <em>best</em> warm" in inside(file.content)[0]
    [name] = files(folder)
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0


async def test_while_it_is_made_every_process_shows_how_far_it_is(alice: Person) -> None:
    await Process.renew("another")
    await Export.create(
        user=who(alice), since=datetime.now(UTC), state=MAKING, run="f" * 32, process="another", done=1200, total=20000
    )
    page = await alice.get(PAGE)
    assert '<progress value="1200" max="20000"' in page.text
    assert "1,200 of 20,000 messages" in page.text
    assert page.headers["refresh"] == "2"
    assert page.headers["cache-control"] == "no-store"
    assert "Prepare" not in page.text
    assert (await alice.get(f"{PAGE}/{'f' * 32}.zip")).status_code == 404, "it is not whole"
    await Process.filter(id="another").delete()


async def test_before_it_begins_it_says_so(alice: Person) -> None:
    await Process.renew("another")
    await Export.create(user=who(alice), since=datetime.now(UTC), state=MAKING, run="f" * 32, process="another")
    page = await alice.get(PAGE)
    assert "It is about to begin" in page.text
    assert "<progress aria-labelledby" in page.text
    await Process.filter(id="another").delete()


async def test_a_failed_export_says_so_and_can_be_tried_again(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(room: Room, *_: object) -> None:
        raise OSError("No space left on device")

    await notebook(alice, 3)
    with monkeypatch.context() as patch:
        patch.setattr(messages, "list_after", broken)
        await press(alice)
        await made(alice, FAILED)
    page = await alice.get(PAGE)
    assert "Your download could not be prepared." in page.text
    assert "Prepare the download" in page.text
    assert files(folder) == []
    await ask(alice)
    assert len(files(folder)) == 1


async def test_an_export_needs_the_password(alice: Person) -> None:
    await known_password(alice)
    answer = await alice.post(PAGE, {"password": "a wrong guess"})
    assert answer.status_code == 422
    assert "That is not your password." in answer.text
    assert await Export.all().count() == 0


async def test_a_few_a_day_are_enough(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    for _ in range(settings.RATE_EXPORT.amount):
        await ask(alice)
    answer = await press(alice)
    assert answer.status_code == 429
    assert "Wait 24 hours and try again." in answer.text
    assert (await Export.get(user_id=who(alice).id)).state == READY, "the last one is still there"


# What is in it.


async def test_an_export_holds_the_profile_the_devices_and_the_people(
    app: object, alice: Person, bob: Person, charlie: Person
) -> None:
    dora, emil = await person(app, "dora"), await person(app, "emil")
    await introduce(who(alice), "Alice Liddell", "Down the\nrabbit hole")
    await befriend(alice, bob)
    await Friendship.request(who(charlie), who(alice))
    await Friendship.request(who(alice), who(dora))
    await Block.add(who(alice), who(emil))
    await VeiledBlock.put(who(alice), who(await person(app, "falk")))
    html = await page_of(alice)
    text = words(html)
    for said in ("Alice Liddell", "User name alice", who(alice).code, "Down the rabbit hole", "Firefox on Linux"):
        assert said in text
    assert f"Friends Bob {who(bob).code}" in text
    assert f"Want to be friends with you Charlie {who(charlie).code}" in text
    assert f"You have asked Dora {who(dora).code}" in text
    assert f"Blocked Emil {who(emil).code} A stranger, blocked on " in text
    assert "Falk" not in text
    assert "Who sees when you are online Everyone" in text


async def test_whether_a_request_was_declined_is_not_in_it(alice: Person, bob: Person, charlie: Person) -> None:
    for other in (bob, charlie):
        await Friendship.request(who(alice), who(other))
    await Friendship.decline(who(bob), who(alice))
    text = words(await page_of(alice))
    assert re.search(rf"You have asked Charlie {who(charlie).code} Bob {who(bob).code} Chats", text)


async def test_of_a_public_room_it_holds_what_they_wrote_and_nobody_elses_words(
    alice: Person, bob: Person, room: Room
) -> None:
    await alice.say(room, "Tea is mine")
    await bob.say(room, "Cake is his")
    await alice.say(room, "Soon to be gone")
    await alice.post(f"{room.path}/messages/3/remove")
    html = await page_of(alice)
    text = words(html)
    assert "Tea & Cake 2 messages What you wrote here." in text
    assert "Tea is mine" in text
    assert "Removed" in text
    assert "Soon to be gone" not in html
    assert "Cake is his" not in html
    assert "Bob" not in html


async def test_what_they_wrote_in_a_room_that_they_left_is_theirs_too(bob: Person, room: Room) -> None:
    await bob.say(room, "I was here")
    await bob.post(f"{room.path}/leave")
    text = words(await page_of(bob))
    assert "I was here" in text
    assert "You are not in it any more." in text


async def test_a_room_that_kicked_them_is_not_exported(bob: Person, room: Room) -> None:
    await bob.say(room, "I was here")
    until = datetime.now(UTC) + timedelta(hours=1)
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(role=KICKED, kicked_until=until)
    assert "I was here" not in await page_of(bob)


async def test_of_a_chat_and_the_notebook_it_holds_everything(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    room = await chat(alice, bob, "Between us", "And gone")
    await chat(bob, alice, "Only us")
    await alice.post(f"{room.path}/messages/2/remove")
    await chat(alice, alice, "Buy tea")
    html = await page_of(alice)
    text = words(html)
    assert re.search(r"Bob 3 messages .*Alice \d\d:\d\d Between us Alice \d\d:\d\d Removed Bob \d\d:\d\d Only us", text)
    assert re.search(r"Notes to yourself 1 message .*Buy tea", text)
    assert "And gone" not in html


async def test_ones_own_reactions_are_in_it_without_the_words(
    alice: Person, bob: Person, charlie: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "REACTIONS_BATCH_SIZE", 2)
    assert "Reactions None." in words(await page_of(charlie))
    await befriend(alice, charlie)
    await alice.say(room, "Cake is hers")
    between_us = await chat(alice, charlie, "Between us")
    for one, place, kind in (
        (charlie, room, "🎉"), (charlie, room, "👀"), (charlie, between_us, "👍"), (bob, room, "🔥"),
    ):  # fmt: skip
        assert (await one.post(f"{place.path}/messages/1/reactions", {"kind": kind})).status_code == 303
    html = await page_of(charlie)
    text = words(html)
    assert re.search(rf"🎉 {room.name} , message 1 \S.*👀 {room.name} , message 1 \S.*👍 Alice , message 1 \S", text)
    assert "🔥" not in html
    assert "Cake is hers" not in html
    until = datetime.now(UTC) + timedelta(hours=1)
    await Membership.create(
        room_id=room.id, user_id=who(charlie).id, role=KICKED, kicked_until=until, joined_at=datetime.now(UTC)
    )
    text = words(await page_of(charlie))
    assert "🎉" not in text
    assert "👍 Alice" in text


async def test_up_to_when_one_has_read_reactions_is_in_it(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "Cake is hers")
    await bob.post(f"{room.path}/messages/1/reactions", {"kind": "🎉"})
    assert "read up to" not in words(await page_of(alice))
    read = await Reaction.get(kind="🎉")
    await User.mark_reactions_read(who(alice).id, read.id)
    await bob.post(f"{room.path}/messages/1/reactions", {"kind": "👀"})
    shown = format_datetime(read.created_at)
    assert f"Reactions to your messages, read up to {shown}" in words(await page_of(alice))
    assert "read up to" not in words(await page_of(bob)), "it is another's"


async def test_whom_ones_own_words_call_is_in_it_as_letters(alice: Person, bob: Person, room: Room) -> None:
    """The page of that person is not beside the file."""
    await alice.say(room, "tea, @bob? [here](https://example.org)")
    assert 'class="mention"' in (await alice.get(room.path)).text
    html = await page_of(alice)
    assert "tea, @bob?" in html
    assert "/people/" not in html
    assert 'href="https://example.org"' in html


async def test_ones_invitations_are_in_it_without_the_name_of_a_room_that_one_reads_no_more(
    alice: Person, bob: Person, room: Room
) -> None:
    assert "Invitations None." in words(await page_of(bob))
    await Room.filter(id=room.id).update(kind="private", key="~tea", folded=None, who_invites="members")
    assert (await bob.post("/rooms/~tea/invitations", {"note": "For <b>Zoe</b>"})).status_code == 200
    assert f"Invitations {room.name} , For <b>Zoe</b> , 0 came" in words(await page_of(bob))
    assert (await bob.post("/rooms/~tea/leave")).status_code == 303
    html = await page_of(bob)
    assert "Invitations For <b>Zoe</b> , 0 came" in words(html)
    assert room.name.split()[0] not in html
    assert "For" not in words(await page_of(alice)).partition("Invitations None.")[2]


async def test_which_messages_one_saved_is_in_it_without_the_words(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "REACTIONS_BATCH_SIZE", 2)
    assert "Saved messages None." in words(await page_of(bob))
    for number in (1, 2, 3):
        await alice.say(room, f"Cake {number} is hers")
        assert (await bob.post(f"{room.path}/messages/{number}/save")).status_code == 303
    html = await page_of(bob)
    numbers = re.findall(rf"{room.name} , message (\d)", words(html).partition("Saved messages None.")[0])
    assert numbers == ["3", "2", "1"]
    assert "is hers" not in html


async def test_nothing_of_other_peoples_chats_is_in_it(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(bob, charlie)
    await chat(bob, charlie, "A secret of theirs")
    await chat(bob, bob, "A note of his")
    await chat(alice, bob, "Hello")
    html = await page_of(alice)
    assert "Hello" in html
    for secret in ("A secret of theirs", "A note of his", "Charlie", who(charlie).code):
        assert secret not in html


async def test_a_request_is_in_it_until_it_is_ignored(alice: Person, charlie: Person) -> None:
    room = await chat(charlie, alice, "May I?")
    text = words(await page_of(alice))
    assert "Charlie 1 message They wrote to you, and you have not answered." in text
    assert "May I?" in text
    await alice.post(f"{room.path}/leave")
    assert "May I?" not in await page_of(alice)
    text = words(await page_of(charlie))
    assert "May I?" in text
    assert "answered" not in text


async def test_a_request_of_a_blocked_person_is_not_exported(alice: Person, charlie: Person) -> None:
    await chat(charlie, alice, "May I?")
    await Block.add(who(charlie), who(alice))
    html = await page_of(alice)
    assert "May I?" not in html
    assert "Charlie" not in html


async def test_what_people_wrote_is_escaped(alice: Person, bob: Person) -> None:
    evil = "<script>alert(1)</script>"
    await User.filter(id=who(bob).id).update(display_name=evil)
    await User.filter(id=who(alice).id).update(display_name=evil, bio=evil)
    await befriend(alice, bob)
    await make_room(who(alice), evil, evil)
    await chat(alice, bob, evil, "<img src=x onerror=alert(1)>")
    html = await page_of(alice)
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 7
    assert "<script" not in html
    assert "<img src=x" not in html


async def test_the_pictures_of_those_who_occur_are_beside_it(alice: Person, bob: Person, charlie: Person) -> None:
    mine, his = await set_picture(alice, "red"), await set_picture(bob, "blue")
    await set_picture(charlie, "green")
    await chat(alice, bob, "Hello")
    found = await ask(alice)
    html, others = inside((await alice.get(found.path)).content)
    assert others == sorted(f"pictures/{digest}.webp" for digest in (mine, his))
    for name in others:
        assert f'src="{name}"' in html
    assert not re.search(r'(src|href)="(https?:)?//?', html), "it needs no network"


async def test_thousands_of_messages_are_all_there_and_in_order(alice: Person, room: Room) -> None:
    await fill(room, who(alice), 2500)
    await notebook(alice, 5000)
    html = await page_of(alice)
    notes, _, rooms = html.partition('<h2 id="rooms">')
    assert [int(n) for n in re.findall(r"number (\d+)\.", notes)] == list(range(1, 5001))
    assert [int(n) for n in re.findall(r"number (\d+)\.", rooms)] == list(range(1, 2501))
    found = await Export.get(user_id=who(alice).id)
    assert found.size < 500_000, "it is packed"


async def test_the_queries_of_an_export_grow_by_the_page(alice: Person, room: Room, tmp_path: Path) -> None:
    asked = {}
    for count in (10 * archive.BATCH_SIZE, 20 * archive.BATCH_SIZE):
        await Message.filter(room_id=room.id).delete()
        await fill(room, who(alice), count)
        written = archive.Archive(tmp_path / f"{count}.zip")
        await written.open()
        with recorded_queries() as queries:
            await archive.ExportWriter(who(alice), written, nothing).write()
        await written.discard()
        asked[count] = len(queries)
    few, many = asked.values()
    assert 0 < many - few <= 12
    assert few < 25


async def nothing(done: int, total: int) -> None:
    """Nobody is told."""


async def test_how_much_a_person_wrote_is_counted_without_reading_it(alice: Person, room: Room) -> None:
    if not settings.ON_SQLITE:
        return  # PostgreSQL reads a small table whole, whatever index there is
    with recorded_queries() as queries:
        await archive.rooms_to_export(who(alice))
    [query] = [query for query, _ in queries if "count(*)" in query]
    plan = await sql.fetch_all(f"EXPLAIN QUERY PLAN {query}", who(alice).id)
    assert "USING COVERING INDEX" in plan[0]["detail"]


# Whose it is.


async def test_a_stranger_finds_nothing(alice: Person, bob: Person) -> None:
    found = await ask(alice)
    for path in (found.path, f"{PAGE}/{'0' * 32}.zip", f"{PAGE}/../secret.zip", f"{PAGE}/None.zip"):
        assert (await bob.get(path)).status_code == 404
    await ask(bob)
    assert (await bob.get(found.path)).status_code == 404
    assert (await alice.get(found.path)).status_code == 200


async def test_a_new_one_takes_the_place_of_the_one_before(alice: Person, folder: Path) -> None:
    first = await ask(alice)
    second = await ask(alice)
    assert files(folder) == [f"{second.run}.zip"]
    assert (await alice.get(first.path)).status_code == 404


async def test_an_export_is_deleted_after_a_day(alice: Person, bob: Person, folder: Path) -> None:
    found, his = await ask(alice), await ask(bob)
    await Export.filter(id=found.id).update(since=datetime.now(UTC) - timedelta(hours=24, seconds=1))
    assert (await alice.get(found.path)).status_code == 404, "at once"
    assert "Prepare the download" in (await alice.get(PAGE)).text
    await Export.delete_expired()
    assert files(folder) == [f"{his.run}.zip"]
    assert await Export.all().count() == 1


async def test_a_file_that_is_not_there_any_more_is_missing(alice: Person) -> None:
    found = await ask(alice)
    found.file.unlink()
    answer = await alice.get(found.path)
    assert answer.status_code == 404
    assert "Prepare it again" in answer.text


async def test_with_the_account_it_goes_at_once(alice: Person, folder: Path) -> None:
    found = await ask(alice)
    await steps.start_deletion(who(alice))
    assert files(folder) == []
    assert not await Export.exists(id=found.id)


async def test_an_account_that_goes_while_it_is_made_leaves_nothing(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await notebook(alice, 3 * archive.BATCH_SIZE)
    after = messages.list_after

    async def leave_meanwhile(room: Room, number: int, *rest: Any) -> Any:
        if number == 2 * archive.BATCH_SIZE:
            assert len(files(folder)) == 1
            await steps.finish(who(alice))
        return await after(room, number, *rest)

    monkeypatch.setattr(messages, "list_after", leave_meanwhile)
    claimed = await begun(alice)
    await worker.build(claimed)
    assert files(folder) == []
    assert await Export.all().count() == 0


# Once, whatever happens.


async def begun(one: Person) -> Export:
    """It is asked for, and this process's to make, without its maker, who might have begun it anew."""
    await stop_making()
    await Export.begin(who(one))
    claimed = await Export.claim(tracker().process)
    assert claimed
    return claimed


async def test_pressed_twice_at_once_it_is_made_once(alice: Person, folder: Path) -> None:
    answers: list[httpx2.Response] = await asyncio.gather(*(press(alice) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {303}
    found = await made(alice)
    assert found.attempts == 1
    assert files(folder) == [f"{found.run}.zip"]


async def test_an_export_asked_for_again_while_it_is_made_is_made_once(alice: Person) -> None:
    claimed = await begun(alice)
    await Export.begin(who(alice))
    found = await Export.get(user_id=who(alice).id)
    assert (found.state, found.run) == (MAKING, claimed.run)
    await worker.build(claimed)
    assert (await Export.get(user_id=who(alice).id)).state == READY


async def stop_making() -> None:
    """In a process one is at it: a second one would take what the first has begun for what a crash left."""
    working = {task for task in hub().tasks if "ExportWorker.run" in repr(task)}
    assert len(working) == 1
    await tasks.cancel_and_wait(working)


async def leftover(one: Person, folder: Path, attempts: int = 1) -> str:
    """What a process leaves behind that was killed while it made the file."""
    run = "d" * 32
    await Export.create(
        user=who(one), since=datetime.now(UTC), state=MAKING, run=run, process="dead", attempts=attempts
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run}.zip").write_bytes(b"half of")
    return run


async def test_an_export_that_a_crash_cut_short_is_made_again_at_the_start(alice: Person, folder: Path) -> None:
    await stop_making()
    run = await leftover(alice, folder)
    at_the_start = asyncio.create_task(worker.ExportWorker().run())
    found = await made(alice)
    await tasks.cancel_and_wait({at_the_start})
    assert found.run != run
    assert found.attempts == 2
    assert files(folder) == [f"{found.run}.zip"]


async def test_an_export_that_a_crash_cut_short_is_made_again_by_the_next_press(alice: Person, folder: Path) -> None:
    run = await leftover(alice, folder)
    assert (await press(alice)).status_code == 303
    assert (await made(alice)).run != run


async def test_an_export_that_ends_every_process_is_given_up(alice: Person, folder: Path) -> None:
    await leftover(alice, folder, attempts=jobs.MAX_ATTEMPTS)
    assert await Export.claim(tracker().process) is None
    assert "could not be prepared" in (await alice.get(PAGE)).text
    assert files(folder) == []


async def test_the_export_of_another_live_process_is_left_alone(alice: Person, folder: Path) -> None:
    await leftover(alice, folder)
    await Process.renew("dead")
    assert await Export.claim(tracker().process) is None
    await Process.filter(id="dead").update(seen_at=0)
    assert await Export.claim(tracker().process)


async def test_of_two_processes_one_makes_it(alice: Person) -> None:
    await Process.renew("one")
    await Process.renew("two")
    await Export.begin(who(alice))
    claims = await asyncio.gather(Export.claim("one"), Export.claim("two"))
    assert len([claim for claim in claims if claim]) == 1
    await Process.filter(id__in=["one", "two"]).delete()


async def test_a_process_taken_for_dead_spoils_no_export_when_it_wakes(alice: Person, folder: Path) -> None:
    await notebook(alice, 3)
    thawed = await begun(alice)
    current = await Export.claim(tracker().process)
    assert current
    await worker.build(current)
    await worker.build(thawed)
    found = await Export.get(user_id=who(alice).id)
    assert (found.state, found.run) == (READY, current.run)
    assert files(folder) == [f"{current.run}.zip"]


async def test_a_process_that_stops_gives_its_export_back(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def endless(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    await notebook(alice, 3)
    claimed = await begun(alice)
    monkeypatch.setattr(messages, "list_after", endless)
    task = asyncio.create_task(worker.build(claimed))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    found = await Export.get(user_id=who(alice).id)
    assert (found.state, found.run, found.attempts) == (WAITING, None, 0)
    assert files(folder) == []


async def test_an_export_that_takes_too_long_fails(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(*_: object) -> None:
        await asyncio.Event().wait()

    await notebook(alice, 3)
    claimed = await begun(alice)
    monkeypatch.setattr(messages, "list_after", endless)
    monkeypatch.setattr(worker, "MAX_SECONDS", 0.05)
    await worker.build(claimed)
    assert (await Export.get(user_id=who(alice).id)).state == FAILED
    assert files(folder) == []


async def test_files_that_belong_to_nobody_go_at_the_start(alice: Person, folder: Path) -> None:
    found = await ask(alice)
    (folder / f"{'e' * 32}.zip").write_bytes(b"whose is this?")
    await at_start()
    assert files(folder) == [f"{found.run}.zip"]


async def test_a_database_that_is_away_does_not_end_the_maker(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = asyncio.Event()

    async def away(process: str) -> None:
        looked.set()
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(Export, "claim", away)
        worker.worker().wake()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await looked.wait()
    await Export.begin(who(alice))
    worker.worker().wake()
    await made(alice)


async def test_an_export_says_of_each_room_what_one_hears_of(bob: Person, room: Room) -> None:
    sentences = {
        "mentions": "Here you hear of mentions and answers alone.",
        "nothing": "You hear nothing of it.",
    }
    for level in ("all", "mentions", "nothing"):
        await bob.post(f"{room.path}/settings", {"do": "level", "level": level})
        text = await page_of(bob)
        assert [name for name, sentence in sentences.items() if sentence in text] == [level] * (level != "all")
        await Export.filter(user_id=who(bob).id).delete()


# Files.


async def test_the_files_that_one_sent_are_beside_the_page_under_safe_names(
    alice: Person, bob: Person, room: Room, folder: Path
) -> None:
    talk = await chat(alice, bob, "from me")
    await chat(bob, alice, "from him")
    large = b"0123456789abcdef" * 20_000
    names = "a.txt", "../../etc/passwd", "a.txt", "con: <b>?\u202ecod.exe", ".hidden", "x" * 110 + ".webp"
    for name in names:
        await attach(talk, who(alice), 1, name, large, description="<i>What</i> it shows")
    await attach(talk, who(bob), 2, "his.txt", b"not mine")
    await attach(room, who(alice), None, "pending.txt")
    content = (await alice.get((await ask(alice)).path)).content
    page, others = inside(content)
    assert [name for name in others if name.startswith("files/")] == [
        "files/0001-a.txt", "files/0002-__.._etc_passwd", "files/0003-a.txt", "files/0004-con_ _b___cod.exe",
        "files/0005-_hidden", f"files/0006-{'x' * 75}.webp",
    ]  # fmt: skip
    with zipfile.ZipFile(BytesIO(content)) as file:
        assert all(file.read(name) == large for name in others if name.startswith("files/"))
    assert 'href="files/0004-con_%20_b___cod.exe"' in page
    assert "&lt;i&gt;What&lt;/i&gt; it shows" in page
    assert "his.txt" in page, "in a chat one reads what came, and has it there"
    assert "pending.txt" not in page


async def test_files_are_named_alone_where_there_is_no_room_for_them(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.say(room, "look")
    await attach(room, who(alice), 1, "a.txt")

    async def none(user_id: int) -> bool:
        return False

    monkeypatch.setattr(archive, "has_room", none)
    page, others = inside((await alice.get((await ask(alice)).path)).content)
    assert not [name for name in others if name.startswith("files/")]
    assert "there was too little room for them" in page
    assert "a.txt" in page


async def test_a_file_that_is_deleted_while_the_export_is_made_is_left_out(alice: Person, room: Room) -> None:
    await alice.say(room, "look")
    row = await attach(room, who(alice), 1, "a.txt")
    await file_store().drop([row.code])
    _page, others = inside((await alice.get((await ask(alice)).path)).content)
    assert not [name for name in others if name.startswith("files/")]
