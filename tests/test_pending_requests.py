"""What a person has asked of another who has not answered: they see that it waits, and can cancel it."""

import httpx2
import pytest

from tests.conftest import Person
from tests.page import Page, words
from tests.people import befriend, chat_of, who, write
from webapp.accounts.models import User
from webapp.conversations.kinds import MAX_UNANSWERED
from webapp.conversations.models import Membership, Room
from webapp.messages.models import Message
from webapp.relationships.models import Block

WAITS = "This is a request: it waits until Charlie answers."


async def cancel(one: Person, other: Person, **fields: str) -> httpx2.Response:
    return await one.post(f"{chat_of(other)}/cancel", fields)


async def entries(one: Person) -> list[str]:
    """The names in the person's list of chats and rooms."""
    return Page(await one.get("/lobby")).texts("#entries .entry__name")


async def bodies() -> list[str]:
    return [str(body) for body in await Message.all().order_by("number").values_list("body", flat=True)]


async def path() -> str:
    return (await Room.get(kind="direct")).path


async def test_the_sender_sees_in_the_chat_and_on_the_card_that_it_waits(alice: Person, charlie: Person) -> None:
    await write(alice, charlie, "Are you the baker?")
    chat, card = Page(await alice.get(await path())), Page(await alice.get(who(charlie).path, HX_Request="true"))
    assert WAITS in words(chat.one("#request-sent"))
    assert "Your message waits until they answer." in words(card.one("#person"))
    for page in (chat, card):
        assert page.one(f"form[action='{chat_of(charlie)}/cancel'] button")
    # Who is asked sees what they can do about it, and no more.
    theirs = Page(await charlie.get(await path()))
    assert not theirs.all("#request-sent")
    assert "cancel" not in (await charlie.get(who(alice).path)).text


async def test_a_request_that_was_cancelled_leaves_the_list_of_the_person_and_its_words(
    alice: Person, charlie: Person
) -> None:
    await write(alice, charlie, "Are you the baker?")
    await write(alice, charlie, "Or his brother?")
    assert "Alice" in await entries(charlie)
    answer = await cancel(alice, charlie)
    assert (answer.status_code, answer.headers["location"]) == (303, await path())
    assert await bodies() == ["", ""]
    assert "Alice" not in await entries(charlie)
    page = Page(await alice.get(await path()))
    assert not page.all("#request-sent")
    assert page.one("#composer")
    assert "baker" not in (await charlie.get(await path())).text


async def test_from_the_card_it_leads_back_to_the_person(alice: Person, charlie: Person) -> None:
    await write(alice, charlie)
    assert (await cancel(alice, charlie, **{"from": "person"})).headers["location"] == who(charlie).path
    assert "waits" not in words(Page(await alice.get(who(charlie).path)).one("#person"))


async def test_what_is_written_after_it_is_a_request_again_and_counts_with_the_others(
    alice: Person, charlie: Person
) -> None:
    for number in range(MAX_UNANSWERED):
        assert (await write(alice, charlie, f"Hello {number}")).status_code == 303
        assert "Alice" in await entries(charlie)
        await cancel(alice, charlie)
        assert "Alice" not in await entries(charlie)
    assert (await write(alice, charlie, "Once more")).status_code == 403
    assert "Alice" not in await entries(charlie)


async def test_who_ignored_a_request_is_not_asked_again_and_the_sender_does_not_learn_it(
    alice: Person, bob: Person, charlie: Person
) -> None:
    for other in (bob, charlie):
        await write(alice, other)
    ignored = await Room.get(kind="direct", high=who(charlie).id)
    await charlie.post(f"{ignored.path}/leave")
    for other in (bob, charlie):
        assert (await cancel(alice, other)).status_code == 303
        assert (await write(alice, other, "Again")).status_code == 303
        chat = (await alice.get(chat_of(other))).headers["location"]
        assert "it waits until" in words(await alice.get(chat))
    assert ("Alice" in await entries(bob), "Alice" in await entries(charlie)) == (True, False)


async def test_cancelling_twice_is_cancelling_once(alice: Person, charlie: Person) -> None:
    await write(alice, charlie)
    assert [(await cancel(alice, charlie)).status_code for _ in range(2)] == [303, 303]
    room = await Room.get(kind="direct")
    assert (room.removed_count, room.last_number, room.version) == (1, 1, 2)


async def test_what_was_answered_stays(alice: Person, charlie: Person) -> None:
    await write(alice, charlie, "Are you the baker?")
    await charlie.post(f"{await path()}/join")
    assert (await cancel(alice, charlie)).status_code == 403
    assert await bodies() == ["Are you the baker?"]
    assert not Page(await alice.get(await path())).all("#request-sent")


async def test_neither_the_person_asked_nor_anybody_else_cancels(alice: Person, bob: Person, charlie: Person) -> None:
    await write(alice, charlie, "Are you the baker?")
    assert (await cancel(charlie, alice)).status_code == 403
    await cancel(bob, charlie)
    assert (await bob.post(f"{await path()}/cancel")).status_code == 404
    assert await bodies() == ["Are you the baker?"]
    await Block.add(who(charlie), who(alice))
    assert (await cancel(alice, charlie)).status_code == 404
    assert not Page(await alice.get(await path())).all("#request-sent")


async def test_a_foreign_page_cannot_cancel(alice: Person, charlie: Person) -> None:
    await write(alice, charlie, "Are you the baker?")
    answer = await alice.post(f"{chat_of(charlie)}/cancel", Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403
    assert await bodies() == ["Are you the baker?"]


@pytest.mark.parametrize("is_friend", [True, False])
async def test_where_nobody_has_to_answer_nothing_waits(alice: Person, charlie: Person, is_friend: bool) -> None:
    if is_friend:
        await befriend(alice, charlie)
    else:
        await User.filter(id=who(charlie).id).update(written_by="everyone")
    await write(alice, charlie)
    assert not Page(await alice.get(await path())).all("#request-sent")
    assert await Membership.filter(is_request=True).count() == 0
