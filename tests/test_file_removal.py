"""Files go with their message: removed, edited out, with their room, with an account; and what a crash leaves."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from tests.attached import Killed, attach, kill_at_every_step, killed_at, named, names, stored, sweep_later
from tests.conftest import Person, background_ended, known_password
from tests.message_pages import fill, log, message
from tests.page import Page, words
from tests.people import make_room, now, who
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.deletion import steps
from webapp.files.models import Attachment
from webapp.media import files
from webapp.messages.models import Message
from webapp.messages.retention import delete_closed_rooms
from webapp.ops import purge


@pytest.fixture(autouse=True)
def empty_store(app: object) -> None:
    """What other tests have stored, and the database forgets with each of them."""
    shutil.rmtree(files.FOLDER, ignore_errors=True)


async def edit(one: Person, room: Room, body: str, *without: Attachment) -> tuple[int, str]:
    """Save the edit form of the first message; return the status and what the page says."""
    fields = {"body": body, "remove_file": [row.code for row in without]}
    answer = await one.client.post(f"{room.path}/messages/1/edit", data=fields)
    return answer.status_code, words(answer) if answer.status_code != 303 else ""


# Removed.


async def test_the_files_of_a_removed_message_go_with_it(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    gone = [await attach(room, who(bob), 1) for _ in range(2)]
    stays = await attach(room, who(bob), 2)
    assert stored() == names(*gone, stays)
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert stored() == names(stays) == await named()
    assert (await message(room)).file_count == 0
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303, "twice is as good as once"


@pytest.mark.parametrize("by", ["alice", "admin"])
async def test_who_looks_after_a_room_removes_the_files_too(
    by: str, alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    await attach(room, who(bob), 1)
    one = {"alice": alice, "admin": admin}[by]
    assert "Removing takes the words and files away" in words(await one.get(f"{room.path}/messages/1/edit"))
    assert (await one.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert stored() == await named() == set()


async def test_an_outsider_removes_nobodys_files(bob: Person, charlie: Person, room: Room) -> None:
    await fill(room, bob, 1)
    stays = await attach(room, who(bob), 1)
    assert (await charlie.post(f"{room.path}/messages/1/remove")).status_code == 404
    assert (await edit(charlie, room, "", stays))[0] == 404
    assert stored() == names(stays) == await named()


async def test_all_messages_of_a_member_go_with_their_files(bob: Person, alice: Person, room: Room) -> None:
    await fill(room, bob, 3)
    await alice.say(room, "mine")
    for number in (1, 3):
        await attach(room, who(bob), number)
    stays = await attach(room, who(alice), 4)
    await Message.remove_all_by(who(bob).id, room.id)
    assert stored() == names(stays) == await named()


async def test_a_process_that_knows_no_files_leaves_no_rows_of_them(bob: Person, room: Room) -> None:
    """One of the version before, in the middle of an upgrade: the database takes the rows, the sweep the files."""
    await fill(room, bob, 1)
    await attach(room, who(bob), 1)
    now = sql.to_db(datetime.now(UTC))
    await sql.execute("UPDATE message SET body = '', html = '', removed_at = ? WHERE number = 1 RETURNING id", now)
    assert await named() == set()
    assert len(stored()) == 2
    await sweep_later()
    assert stored() == set()


# Edited out.


async def test_the_form_lists_the_files_with_a_box_each(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    rows = [await attach(room, who(bob), 1, name) for name in ("tea.webp", 'a<b>"cake".webp')]
    page = Page((await bob.get(f"{room.path}/messages/1/edit")).text)
    boxes = page.all("input[name=remove_file]")
    assert [box.attributes["value"] for box in boxes] == [row.code for row in rows]
    assert [label.text().strip() for label in page.all("form.act--edit label.choice")] == [
        "Remove tea.webp",
        'Remove a<b>"cake".webp',
    ]
    assert "checked" not in boxes[0].attributes


async def test_a_file_is_edited_out(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    rows = [await attach(room, who(bob), 1) for _ in range(3)]
    assert (await edit(bob, room, "line 1", rows[0], rows[2])) == (303, "")
    assert stored() == names(rows[1]) == await named()
    changed = await message(room)
    assert (changed.file_count, changed.body, changed.version) == (1, "line 1", 2)
    assert changed.edited_at
    assert "edited" in log(await alice.get(room.path))[1]
    assert await edit(bob, room, "", rows[0]) == (303, ""), "a file may stay alone"
    assert (await message(room)).body == ""
    assert (await now(room)).last_line == "\N{PAPERCLIP} photo.webp"


async def test_words_or_a_file_must_stay(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    rows = [await attach(room, who(bob), 1) for _ in range(2)]
    status, said = await edit(bob, room, " ", *rows)
    assert status == 422
    assert "Words or a file must stay." in said
    assert stored() == names(*rows) == await named()
    assert (await message(room)).body == "line 1"
    page = Page(
        (await bob.client.post(f"{room.path}/messages/1/edit", data={"remove_file": [rows[1].code, rows[0].code]})).text
    )
    assert ["checked" in box.attributes for box in page.all("input[name=remove_file]")] == [True, True]


async def test_nobody_takes_a_file_of_another_message(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await alice.say(room, "with a photo")
    await attach(room, who(bob), 1)
    other, pending = await attach(room, who(alice), 2), await attach(room, who(alice), None)
    assert await edit(bob, room, "line 1, better", other, pending) == (303, "")
    assert await Attachment.all().count() == 3
    assert names(other, pending) <= stored()
    assert (await message(room, 1)).file_count == 1


# With the room.


async def test_the_files_of_a_deleted_room_go_with_it(alice: Person, bob: Person, room: Room) -> None:
    other = await make_room(who(alice), "Soup")
    for place in (room, other):
        await alice.say(place, "hello")
    await attach(room, who(alice), 1)
    await attach(room, who(bob), None)
    stays = await attach(other, who(alice), 1)
    assert (await alice.post(f"{room.path}/settings", {"do": "delete", "name": room.name})).status_code == 303
    await background_ended("delete_closed_rooms")
    assert stored() == names(stays) == await named()


async def test_the_purge_finds_what_was_left_in_composers_and_what_no_row_names(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    stays, begun = await attach(room, who(bob), 1), await attach(room, who(bob), None)
    old = await attach(room, who(bob), None)
    for row in (stays, old):
        await Attachment.filter(id=row.id).update(created_at=datetime.now(UTC) - timedelta(hours=25))
    orphan = await attach(room, who(bob), None)
    await Attachment.filter(id=orphan.id).delete()
    assert await purge.purge_all() == "Forgotten: files that were not sent 1."
    assert stored() == names(stays, begun, orphan), "that one may be on its way"
    await sweep_later()
    assert stored() == names(stays, begun) == await named()


# With the account.


async def test_files_of_a_deleted_account_stay_with_the_messages(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    stays = await attach(room, who(bob), 1)
    await attach(room, who(bob), None)
    await known_password(bob)
    assert "My files too" in words(await bob.get("/settings/delete"))
    assert (await bob.post("/settings/delete", {"password": "correct horse battery"})).status_code == 303
    assert stored() == names(stays) == await named()
    assert (await Attachment.get()).author_id is None


async def test_files_go_with_the_account_where_that_was_chosen(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 3)
    await alice.say(room, "mine")
    for number in (1, 1, 3):
        await attach(room, who(bob), number)
    await Message.filter(room_id=room.id, number=3).update(body="", html="")
    stays = await attach(room, who(alice), 4)
    await known_password(bob)
    wrong = await bob.post("/settings/delete", {"password": "wrong", "files": "1"})
    assert "checked" in Page(wrong.text).one("input[name=files]").attributes
    version = (await now(room)).version
    assert (await bob.post("/settings/delete", {"password": "correct horse battery", "files": "1"})).status_code == 303
    assert stored() == names(stays) == await named()
    rows = await Message.filter(room_id=room.id).order_by("number").values_list("file_count", "body", "removed_at")
    assert [row[:2] for row in rows] == [(0, "line 1"), (0, "line 2"), (0, ""), (1, "mine")]
    assert [bool(row[2]) for row in rows] == [False, False, True, False], "nothing is left of the third"
    assert (await now(room)).version == version + 2, "open pages learn of it"


async def test_who_has_sent_no_files_is_not_asked(alice: Person, bob: Person, room: Room) -> None:
    assert "My files too" not in words(await bob.get("/settings/delete"))


# Killed.


async def test_a_message_that_is_removed_while_the_process_is_killed(bob: Person, room: Room) -> None:
    number = 0

    async def set_up() -> None:
        nonlocal number
        number += 1
        await bob.say(room, "hello")
        for _ in range(2):
            await attach(room, who(bob), number)

    async def remove() -> None:
        await (await message(room, number)).remove()

    assert await kill_at_every_step(set_up, remove) > 10


async def test_a_file_that_is_edited_out_while_the_process_is_killed(bob: Person, room: Room) -> None:
    number = 0
    row: Attachment | None = None

    async def set_up() -> None:
        nonlocal number, row
        number += 1
        await bob.say(room, "hello")
        row = await attach(room, who(bob), number)
        await attach(room, who(bob), number)

    async def edit_out() -> None:
        assert row
        await (await message(room, number)).edit("hello", without=[row.code])

    assert await kill_at_every_step(set_up, edit_out) > 6
    rows = await Message.filter(room_id=room.id).values_list("id", "file_count")
    for id, count in rows:
        assert await Attachment.filter(message_id=id).count() == count


async def test_a_room_that_is_deleted_while_the_process_is_killed(alice: Person) -> None:
    number = 0

    async def set_up() -> None:
        nonlocal number
        number += 1
        place = await make_room(who(alice), f"Room {number}")
        await alice.say(place, "hello")
        for of in (1, 1, None):
            await attach(place, who(alice), of)
        await Room.close(place.id)

    assert await kill_at_every_step(set_up, delete_closed_rooms) > 6
    assert await delete_closed_rooms() == 0


async def test_an_account_that_goes_with_its_files_while_the_process_is_killed(
    app: object, alice: Person, bob: Person, room: Room
) -> None:
    """Whatever the process had come to, the next start finishes it: nothing of theirs is left."""
    await fill(room, bob, 2)
    for of in (1, 2, None):
        await attach(room, who(bob), of)
    stays = await attach(room, who(alice), None)

    async def go() -> None:
        await steps.start_deletion(who(bob), takes_files=True)
        await steps.finish(who(bob))

    killed = 0
    for step in range(1, 200):
        with killed_at(step) as done:
            try:
                await go()
            except Killed:
                killed += 1
        assert await named() <= stored()
        if done[0] < step:
            break
    await steps.finish_all()
    await sweep_later()
    assert killed > 20
    assert stored() == names(stays) == await named()
