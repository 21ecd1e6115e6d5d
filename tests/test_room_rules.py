"""What the owners of a room decide about it: who writes, how fast, who invites, and what open pages show of it."""

from datetime import UTC, datetime

import pytest

from tests.conftest import Person, bodies
from tests.message_pages import draft, nonce_in
from tests.page import Page, words
from tests.people import now, post_as, who
from tests.readers import reader as open_reader
from tests.readers import until_sent
from tests.room_acts import change
from webapp import settings
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import MEMBER, MODERATOR, MODERATORS, OWNER
from webapp.core.errors import Forbidden
from webapp.live import hub
from webapp.messages import posting

# The forms: what each does, its field, what is chosen there, and what can't be.
FORMS = (
    ("posting", "who_posts", ("moderators", "members"), ("owners", "", "everybody")),
    ("slow", "slow_seconds", ("10", "3600", "0"), ("1", "7200", "-10", "", "ten", "1" * 400)),
    ("inviting", "who_invites", ("members", "owners"), ("moderators", "")),
    # None of them is shorter than the one before, so that each holds at once.
    ("retention", "keep_days", ("0", "0"), ("-1", "3651", "", "week", "9" * 400)),
)
REFUSED = "Only moderators write here."


async def set_role(room: Room, one: Person, role: str) -> None:
    assert await Membership.filter(room_id=room.id, user_id=who(one).id).update(role=role)


async def assert_changes(one: Person, room: Room) -> None:
    """The person changes every rule, and what can't be chosen is said beside its field and changes nothing."""
    for do, field, choices, others in FORMS:
        for choice in choices:
            answer = await change(one, room, do, **{field: choice})
            assert answer.headers["Location"] == f"{room.path}/settings?done={do}"
            assert str(getattr(await now(room), field)) == choice
            page = Page(await one.get(f"{room.path}/settings"))
            assert page.one(f"#{field} [selected]").attributes["value"] == choice
        before = await Room.filter(id=room.id).values()
        for other in others:
            refused = await change(one, room, do, **{field: other})
            assert refused.status_code == 422
            assert Page(refused).one(f"#{field}[aria-invalid]").attributes["aria-describedby"] == f"{field}-note"
            assert Page(refused).texts(f"#{field}-note")[0].startswith("Choose ")
        assert await Room.filter(id=room.id).values() == before


async def assert_changes_nothing(one: Person, room: Room) -> None:
    """The person is shown no form, and whatever they send is refused."""
    before = await Room.filter(id=room.id).values()
    page = Page(await one.get(f"{room.path}/settings"))
    for do, field, choices, _ in FORMS:
        assert not page.all(f"#{field}")
        for choice in choices:
            assert (await change(one, room, do, **{field: choice})).status_code == 403
    assert await Room.filter(id=room.id).values() == before


async def test_owners_decide_what_holds_in_a_room(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    await assert_changes(alice, room)
    await assert_changes(admin, room)
    for one in (bob, charlie):
        await assert_changes_nothing(one, room)
    await set_role(room, bob, MODERATOR)
    await assert_changes_nothing(bob, room)
    # In a private one an administrator is what their membership says: nobody, or a member like any other.
    private = await Room.create(key="~private", kind="private", name="Tea & Cake", member_count=3)
    for one, role in ((alice, OWNER), (bob, MODERATOR), (charlie, MEMBER)):
        await Membership.create(room=private, user=who(one), role=role)
    await assert_changes(alice, private)
    for one in (bob, charlie):
        await assert_changes_nothing(one, private)
    for do, field, choices, _ in FORMS:
        assert (await change(admin, private, do, **{field: choices[0]})).status_code == 404
    await Membership.create(room=private, user=who(admin))
    await assert_changes_nothing(admin, private)


async def test_where_only_moderators_write_others_read_and_react(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    await bob.say(room, "before")
    await change(alice, room, "posting", who_posts="moderators")
    for one in (bob, charlie):
        page = await one.get(room.path)
        assert (Page(page).texts("#refusal"), Page(page).all("#composer")) == ([f"{REFUSED} Refresh"], [])
        assert Page(page).texts("#about .about__topic:not([title])") == [REFUSED]
        for refused in (
            await one.say(room, "a <long> thought"),
            await one.post(f"{room.path}/messages", {"body": "a <long> thought", "framed": "1"}),
        ):
            assert (refused.status_code, draft(refused)) == (403, "a <long> thought")
            assert REFUSED in words(refused)
        fragment = await one.say(room, "a thought", "once", HX_Request="true")
        assert (fragment.status_code, nonce_in(fragment), words(fragment)) == (403, "once", REFUSED)
        assert (await one.get(f"{room.path}/composer")).status_code == 403
        assert (await one.post(f"{room.path}/messages", {"body": "an answer", "reply_to": "1"})).status_code == 403
        assert (await one.post(f"{room.path}/messages/1/reactions", {"kind": "👍", "on": "1"})).status_code == 303
    edit = {"body": "other words"}
    assert (await bob.post(f"{room.path}/messages/1/edit", edit)).status_code == 403
    await set_role(room, bob, MODERATOR)
    for one in (alice, bob, admin):
        assert not Page(await one.get(room.path)).all("#composer[data-bound]")
        assert (await one.say(room, "news")).status_code == 303
    assert await bodies(room) == ["before", *["news"] * 3]
    # Who is not in the room has not joined it by what was refused.
    assert not await Membership.filter(room_id=room.id, user_id=who(charlie).id).exists()


async def test_who_is_let_in_and_may_not_write_by_then_is_refused(alice: Person, bob: Person, room: Room) -> None:
    """Under the lock what holds there counts: a moderator was made a member, or the room closed to them."""
    await Room.filter(id=room.id).update(who_posts=MODERATORS)
    await set_role(room, bob, MODERATOR)
    let_in = await access.by_key(who(bob), room.key)
    await set_role(room, bob, MEMBER)
    await _assert_refused(let_in)
    await Room.set_who_posts(room.id, "members")
    let_in = await access.by_key(who(bob), room.key)
    await Room.set_who_posts(room.id, "moderators")
    await _assert_refused(let_in)
    await post_as(who(alice), room, "from the owner")
    assert await bodies(room) == ["from the owner"]


async def _assert_refused(seat: access.Seat) -> None:
    with pytest.raises(Forbidden, match=REFUSED):
        await posting.post(seat, "on its way", "")


async def test_open_pages_show_what_holds_and_take_the_composer_away(alice: Person, bob: Person, room: Room) -> None:
    page = open_reader(room.id, room.version, "sse", session=bob.session.id, user=who(bob).id)
    hub().join(page)
    assert Page(await bob.get(room.path)).all("#composer[data-bound]")
    await change(alice, room, "slow", slow_seconds="60")
    open_frame = await until_sent(page, "Slow mode: one minute")
    assert "event: unlocked" in open_frame
    assert Page(await bob.get(room.path)).one("#text").attributes["placeholder"] == "Slow mode: one minute"
    assert Page(await alice.get(room.path)).one("#text").attributes["placeholder"] == "Message"
    await change(alice, room, "posting", who_posts="moderators")
    closed_frame = await until_sent(page, f"Slow mode: one minute · {REFUSED}")
    assert 'hx-target="#composer[data-bound], #refusal" hx-swap="outerHTML"><p id="refusal"' in closed_frame
    assert f'hx-get="{room.path}" hx-trigger="unlocked from:#stream"' in closed_frame
    assert "event: unlocked" not in closed_frame
    await change(alice, room, "posting", who_posts="members")
    assert "event: unlocked" in await until_sent(page, "Slow mode: one minute<")


async def test_fewer_days_are_announced_and_more_hold_at_once(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def shown() -> tuple[str, str | None, list[str]]:
        """Return what the header says to a member, and what is chosen in the owner's form, and said below it."""
        header = Page(await bob.get(room.path)).texts("#about .about__topic:not([title])")
        form = Page(await alice.get(f"{room.path}/settings"))
        assert form.texts("#keep_days [selected]")
        return "".join(header), form.one("#keep_days [selected]").attributes["value"], form.texts("#keep_days-note")

    hint = "What is shorter counts from a day later on, and everybody is told."
    assert await shown() == ("", "0", [hint])
    await change(alice, room, "retention", keep_days="30")
    header, chosen, [said] = await shown()
    assert header == said
    assert (chosen, said.startswith("After 30 days from ")) == ("30", True)
    assert Page(await bob.get(room.path)).one("#about time.moment").attributes["datetime"]
    await Room.filter(id=room.id).update(keep_changes_at=datetime.now(UTC))
    assert await shown() == ("Messages go after 30 days", "30", [hint])
    # What the form does not offer is chosen there too once it holds, and the site's own is never exceeded.
    await change(alice, room, "retention", keep_days="31")
    assert (await now(room)).keep_days == 31
    assert await shown() == ("Messages go after 31 days", "31", [hint])
    monkeypatch.setattr(settings, "KEEP_MESSAGES_DAYS", 7)
    assert (await shown())[0] == "Messages go after 7 days"
    form = Page(await alice.get(f"{room.path}/settings"))
    assert form.texts("#keep_days option") == ["After 7 days", "After a day", "After 31 days"]
