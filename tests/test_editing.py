"""Changing one's own messages, and removing them: by pages and in place, by whom, and at once."""

import asyncio
import re

import httpx2
import pytest

from tests.conftest import Person, bodies
from tests.message_pages import draft, fill, log, message, said
from tests.page import words
from tests.people import assert_gapless, make_room, now, who
from webapp.conversations.models import Membership, Room
from webapp.core.errors import NotFound
from webapp.db import sql
from webapp.messages.queries import list_after

# Editing.


async def test_an_edit_is_seen_by_others_under_the_same_number(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    form = await bob.get(f"{room.path}/messages/1/edit")
    assert draft(form) == "line 1"
    answer = await bob.post(f"{room.path}/messages/1/edit", {"body": "better *words* \r\n"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{room.path}/messages/1"
    page = await alice.get(room.path)
    assert said(page) == {1: "better words", 2: "line 2"}
    assert '<span class="message__edited">edited</span>' in log(page)[1]
    assert "message__edited" not in log(page)[2]
    changed = await message(room)
    assert (changed.number, changed.posted_version, changed.version) == (1, 1, 3)
    assert (changed.body, changed.html) == ("better *words*", "<p>better <em>words</em></p>")
    assert changed.edited_at
    assert ((await now(room)).version, (await now(room)).last_number) == (3, 2)


async def test_an_edit_to_the_same_words_changes_nothing(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    for same in ("line 1", "\r\nline 1 \r\n\r\n"):
        answer = await bob.post(f"{room.path}/messages/1/edit", {"body": same})
        assert answer.status_code == 303
    assert "message__edited" not in (await bob.get(room.path)).text
    assert (await message(room)).edited_at is None
    await assert_gapless(room, 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "Write something first."), ("\u200b", "Write something first."), ("x" * 4001, "That is 4,001 characters")],
)
async def test_a_refused_edit_comes_back_with_what_was_typed(bob: Person, room: Room, text: str, problem: str) -> None:
    await fill(room, bob, 1)
    refused = await bob.post(f"{room.path}/messages/1/edit", {"body": text})
    assert refused.status_code == 422
    assert problem in words(refused)
    assert draft(refused) == text
    assert said(await bob.get(room.path)) == {1: "line 1"}
    await assert_gapless(room, 1)
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "x" * 4000})).status_code == 303


async def test_only_the_author_changes_the_words(
    alice: Person, bob: Person, charlie: Person, admin: Person, visitor: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "mine"})).status_code == 303
    for one in (alice, admin, charlie):
        refused = await one.post(f"{room.path}/messages/1/edit", {"body": "put into his mouth"})
        assert refused.status_code == 404
        assert "not yours" in words(refused)
    page = await charlie.get(f"{room.path}/messages/1/edit")
    assert page.status_code == 200
    assert draft(page) is None
    assert "Remove" not in page.text
    assert f'href="/report?about=message%3A{room.key}%3A1"' in page.text
    signed_out = await visitor.post(f"{room.path}/messages/1/edit", {"body": "anonymous"})
    assert signed_out.headers["Location"].startswith("/login")
    foreign = await bob.post(f"{room.path}/messages/1/edit", {"body": "foreign"}, Sec_Fetch_Site="cross-site")
    assert foreign.status_code == 403
    assert await bodies(room) == ["mine"]
    assert (await now(room)).version == 2


async def test_a_message_is_edited_in_its_own_room_only(alice: Person, bob: Person, room: Room) -> None:
    other = await make_room(who(bob), "Another")
    await fill(room, bob, 2)
    assert (await bob.post(f"{room.path}/messages/2/edit", {"body": "here"})).status_code == 303
    for way in ("edit", "remove"):
        assert (await bob.post(f"{other.path}/messages/2/{way}", {"body": "there"})).status_code == 404
    assert await bodies(room) == ["line 1", "here"]


async def test_those_who_moderate_get_the_words_and_the_way_to_remove_them(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    await bob.say(room, "rude **words**")
    assert "Edit your message" in words(await bob.get(f"{room.path}/messages/1/edit"))
    for one in (alice, admin):
        page = await one.get(f"{room.path}/messages/1/edit")
        assert page.status_code == 200
        assert "Remove the message" in words(page)
        assert "<strong>words</strong>" in page.text
        assert draft(page) is None


async def test_two_edits_at_once_leave_one_of_them_whole(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    ways = [bob.post(f"{room.path}/messages/1/edit", {"body": f"*{text}*"}) for text in "abcd"]
    assert {answer.status_code for answer in await asyncio.gather(*ways)} == {303}
    changed = await message(room)
    assert changed.html == f"<p><em>{changed.body.strip('*')}</em></p>"
    assert changed.version == (await now(room)).version == 5


def version_in(page: httpx2.Response) -> str:
    [version] = re.findall(r'name="version" value="(\d+)"', page.text)
    return version


async def test_the_second_of_two_tabs_that_edit_a_message_sees_both_texts(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    first, second = version_in(await bob.get(path)), version_in(await bob.get(path))
    assert (await bob.post(path, {"body": "from the *first*", "version": first})).status_code == 303
    refused = await bob.post(path, {"body": "from the second", "version": second})
    assert refused.status_code == 409
    assert "This message was edited while you wrote." in words(refused)
    assert "What it says now: from the first" in words(refused)
    assert draft(refused) == "from the second"
    assert await bodies(room) == ["from the *first*"]
    assert (await now(room)).version == 2
    again = {"body": "from both", "version": version_in(refused)}
    assert (await bob.post(path, again)).status_code == 303
    assert await bodies(room) == ["from both"]
    assert (await bob.post(path, again)).status_code == 303  # the same once more
    await bob.post(f"{room.path}/messages/1/remove")
    assert (await bob.post(path, {"body": "too late", "version": first})).status_code == 404


async def test_an_edit_that_was_too_long_still_began_from_the_words_it_began_from(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    first = version_in(await bob.get(path))
    assert (await bob.post(path, {"body": "from the other tab", "version": first})).status_code == 303
    too_long = await bob.post(path, {"body": "x" * 5000, "version": first})
    assert too_long.status_code == 422
    assert (await bob.post(path, {"body": "shorter", "version": version_in(too_long)})).status_code == 409
    assert await bodies(room) == ["from the other tab"]


async def test_of_edits_at_once_that_began_from_the_same_words_one_is_stored(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    answers = await asyncio.gather(*(bob.post(path, {"body": text, "version": "1"}) for text in "abcd"))
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
    assert [draft(answer) for answer in answers if answer.status_code == 409] == [
        text for text in "abcd" if [text] != await bodies(room)
    ]


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 50, "\u0663"])
async def test_an_edit_that_names_no_version_is_stored(bob: Person, room: Room, version: str) -> None:
    """So do pages that were served before there was one."""
    await fill(room, bob, 1)
    answer = await bob.post(f"{room.path}/messages/1/edit", {"body": "changed", "version": version})
    assert answer.status_code == 303
    assert await bodies(room) == ["changed"]


async def test_what_is_read_after_a_number_has_the_address_of_its_message(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    found = await list_after(await now(room), 1, 10)
    assert [line.path for line in found] == [f"{room.path}/messages/2"]
    assert (await bob.get(found[0].path)).status_code == 303


# In place: what the script of a room asks for, and puts where the message stands.


async def test_script_is_given_the_forms_of_a_message_and_the_message_that_they_lead_to(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1"
    forms = await bob.get(f"{path}/edit", HX_Request="true")
    assert "<html" not in forms.text
    assert draft(forms) == "line 1"
    assert [f'action="{path}/edit"' in forms.text, f'action="{path}/remove"' in forms.text] == [True, True]
    assert 'id="text"' not in forms.text  # that is the composer's
    edited = await bob.post(f"{path}/edit", {"body": "better", "version": version_in(forms)}, HX_Request="true")
    assert edited.status_code == 200
    assert said(edited) == said(await alice.get(room.path)) == {1: "better"}
    assert "message__edited" in edited.text
    removed = await bob.post(f"{path}/remove", HX_Request="true")
    assert said(removed) == said(await alice.get(room.path)) == {1: "Removed"}


async def test_script_is_given_what_went_wrong_with_an_edit(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    path = f"{room.path}/messages/1/edit"
    version = version_in(await bob.get(path))
    too_long = await bob.post(path, {"body": "x" * 4001, "version": version}, HX_Request="true")
    assert too_long.status_code == 422
    assert draft(too_long) == "x" * 4001
    assert "That is 4,001 characters" in words(too_long)
    await bob.post(path, {"body": "from the other tab", "version": version})
    changed = await bob.post(path, {"body": "mine", "version": version}, HX_Request="true")
    assert changed.status_code == 409
    assert draft(changed) == "mine"
    assert "What it says now: from the other tab" in words(changed)
    await bob.post(f"{room.path}/messages/1/remove")
    gone = await bob.post(path, {"body": "mine", "version": version}, HX_Request="true")
    assert gone.status_code == 404
    assert "This message has been removed." in words(gone)
    for answer in (too_long, changed, gone):
        assert "<html" not in answer.text


async def test_a_message_is_marked_as_unread_from_its_page(alice: Person, bob: Person, room: Room) -> None:
    await alice.post(f"{room.path}/join")
    await fill(room, bob, 4)
    await alice.read(room)
    assert ">Mark as unread from here<" in (await alice.get(f"{room.path}/messages/3/edit")).text
    answer = await alice.post(f"{room.path}/settings", {"do": "unread", "number": "3"}, HX_Request="true")
    assert answer.status_code == 200
    assert words(answer) == "Marked as unread."
    assert (await Membership.get(room_id=room.id, user_id=who(alice).id)).read_number == 2


async def test_who_is_not_in_the_room_marks_nothing_as_unread(admin: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    page = await admin.get(f"{room.path}/messages/1/edit")
    assert page.status_code == 200
    assert "Mark as unread" not in page.text


# Removing.


@pytest.mark.parametrize("name", ["bob", "alice", "admin"])
async def test_the_author_the_owner_and_an_administrator_may_remove(
    name: str, alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    await bob.say(room, "a secret *word*")
    await bob.say(room, "harmless")
    one = {"bob": bob, "alice": alice, "admin": admin}[name]
    answer = await one.post(f"{room.path}/messages/1/remove")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{room.path}/messages/1")
    for reader in (alice, bob, charlie):
        page = await reader.get(room.path)
        assert said(page) == {1: "Removed", 2: "harmless"}
        assert "secret" not in page.text
        assert f'href="{room.path}/messages/1/edit"' not in page.text
    removed = await message(room)
    assert (removed.body, removed.html) == ("", "")
    assert removed.removed_at
    assert (removed.number, removed.posted_version, removed.version) == (1, 1, 3)
    for row in await sql.fetch_all("SELECT * FROM message WHERE number = 1"):
        assert not [value for value in row if "secret" in str(value)]


async def test_nobody_else_may_remove(alice: Person, bob: Person, charlie: Person, visitor: Person, room: Room) -> None:
    await fill(room, alice, 1)
    for one in (bob, charlie):
        refused = await one.post(f"{room.path}/messages/1/remove")
        assert refused.status_code == 404
        assert "not yours" in words(refused)
    assert (await visitor.post(f"{room.path}/messages/1/remove")).headers["Location"].startswith("/login")
    foreign = await alice.post(f"{room.path}/messages/1/remove", Sec_Fetch_Site="same-site")
    assert foreign.status_code == 403
    assert await bodies(room) == ["line 1"]
    await assert_gapless(room, 1)
    assert (await alice.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert await bodies(room) == [""]


async def test_removing_twice_is_as_good_as_once(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    await fill(room, bob, 1)
    answers = await asyncio.gather(*(one.post(f"{room.path}/messages/1/remove") for one in (bob, bob, alice, alice)))
    assert {answer.status_code for answer in answers} == {303}
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert (await charlie.post(f"{room.path}/messages/1/remove")).status_code == 404
    assert ((await message(room)).version, (await now(room)).version) == (2, 2)


async def test_a_removed_message_cannot_be_edited(bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    for number in (1, 2):
        assert (await bob.get(f"{room.path}/messages/{number}/edit")).status_code == 200
    await bob.post(f"{room.path}/messages/1/remove")
    assert (await bob.get(f"{room.path}/messages/1/edit")).status_code == 404
    assert (await bob.post(f"{room.path}/messages/1/edit", {"body": "back again"})).status_code == 404
    assert (await bob.post(f"{room.path}/messages/2/edit", {"body": "changed"})).status_code == 303
    assert await bodies(room) == ["", "changed"]


async def test_an_edit_that_comes_after_the_removal_brings_nothing_back(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    held = await message(room)
    await alice.post(f"{room.path}/messages/1/remove")
    with pytest.raises(NotFound):
        await held.edit("back again")
    assert await bodies(room) == [""]
    assert (await now(room)).version == 2
