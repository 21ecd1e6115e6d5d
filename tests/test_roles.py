"""Who may what in a room, and with whom: owners, moderators, members, and administrators where everybody reads."""

import asyncio
from itertools import product

import httpx2
import pytest

from tests.conftest import PASSWORD, Person, bodies, known_password, person
from tests.page import Page, words
from tests.people import now, roles, who
from tests.readers import reader as open_reader
from tests.readers import until_sent
from tests.room_acts import assert_counted, change, statuses
from webapp.accounts.audit import Action, AuditEntry
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.roles import KICKED, MAY, MEMBER, MODERATOR, NEEDS, OWNER, Change
from webapp.core.errors import Problem
from webapp.live import Reader, hub
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.moderation.decisions import Decision


async def do(one: Person, room: Room, act: str, whom: Person, **fields: str) -> httpx2.Response:
    return await one.post(f"{room.path}/people/{who(whom).code}", {"act": act, **fields})


async def give(room: Room, people: dict[Person, str]) -> None:
    """Each has this role, or none at all."""
    for one, role in people.items():
        await Membership.filter(room_id=room.id, user_id=who(one).id).delete()
        if role:
            await Membership.create(room_id=room.id, user_id=who(one).id, role=role)
    count = await Membership.filter(room_id=room.id, role__not=KICKED).count()
    await Room.filter(id=room.id).update(member_count=count)


# By whom, with whom: what may be done. An owner is left in the room besides these two.
PROMOTE, PUT_OUT = ("make_owner", "make_moderator", "make_member"), ("remove", "ban")
ALLOWED = {
    (OWNER, OWNER): PROMOTE,
    (OWNER, MODERATOR): PROMOTE + PUT_OUT,
    (OWNER, MEMBER): PROMOTE + PUT_OUT,
    (OWNER, ""): ("ban",),
    (MODERATOR, MEMBER): PUT_OUT,
    (MODERATOR, ""): ("ban",),
}
AFTER = {"make_owner": OWNER, "make_moderator": MODERATOR, "make_member": MEMBER, "remove": KICKED, "ban": KICKED}


async def test_the_table_of_who_does_what_with_whom(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    for by, to, act in product((OWNER, MODERATOR, MEMBER, ""), (OWNER, MODERATOR, MEMBER, ""), AFTER):
        await give(room, {alice: OWNER, bob: by, charlie: to})
        answer = await do(bob, room, act, charlie)
        # What is so already is no change; unbanning needs a ban.
        is_allowed = act in ALLOWED.get((by, to), ())
        # Who may do so with nobody learns nothing of whom: not who is there, is banned or was asked.
        refused = 403 if to or act == "ban" or by not in MAY[NEEDS[Change(act)]] else 404
        assert answer.status_code == (303 if is_allowed else refused), (by, to, act)
        names = {"alice": OWNER, "bob": by, "charlie": AFTER[act] if is_allowed else to}
        await assert_counted(room, {name: role for name, role in names.items() if role})


async def test_an_administrator_acts_as_an_owner_where_everybody_reads_and_the_log_has_it(
    alice: Person, bob: Person, admin: Person, room: Room
) -> None:
    said = {
        "make_moderator": "made Bob {} a moderator of Tea & Cake",
        "make_owner": "made Bob {} an owner of Tea & Cake",
        "make_member": "made Bob {} a member of Tea & Cake again",
        "remove": "removed Bob {} from Tea & Cake",
        "ban": "banned Bob {} from Tea & Cake",
        "unban": "allowed Bob {} back into Tea & Cake",
    }
    for act in said:
        for _ in range(2):  # twice is once
            assert (await do(admin, room, act, bob)).status_code == 303 or act == "unban"
    log = words(await admin.get("/moderation/log"))
    for sentence in said.values():
        assert f"Ada {sentence.format(who(bob).code)}" in log
    await Room.filter(id=room.id).update(kind="private", key="~tea", folded=None)
    there = await now(room)
    await bob.post(f"{room.path}/join")
    await give(room, {bob: MEMBER, admin: MEMBER})
    entries = await AuditEntry.all().count()
    for act in ("make_owner", "remove"):
        assert (await do(admin, there, act, bob)).status_code == 403
    assert (await do(alice, there, "remove", admin)).status_code == 303, "there they are a member like others"
    assert await AuditEntry.all().count() == entries
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER, "ada": KICKED})


async def test_a_moderator_removes_pins_calls_locks_and_writes_in_the_locked_room(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await charlie.post(f"{room.path}/join")
    await charlie.say(room, "rude")
    await charlie.say(room, "kind")
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 404
    await do(alice, room, "make_moderator", bob)
    assert "log--moderated" in (await bob.get(room.path)).text
    assert (await bob.post(f"{room.path}/messages/1/remove")).status_code == 303
    assert (await bob.post(f"{room.path}/messages/2/pin")).status_code == 303
    assert (await now(room)).pin_count == 1
    assert (await bob.say(room, "@everyone look")).status_code == 303
    assert (await Message.get(room_id=room.id, number=3)).html.count('class="mention') == 1
    assert (await change(bob, room, "lock")).status_code == 303
    assert (await charlie.say(room, "me too")).status_code == 403
    assert (await bob.say(room, "closed for today")).status_code == 303
    assert (await change(bob, room, "topic", topic="mine")).status_code == 403
    assert await bodies(room) == ["", "kind", "@everyone look", "closed for today"]
    await do(alice, room, "make_member", bob)
    assert (await bob.say(room, "still?")).status_code == 403
    assert "log--moderated" not in (await bob.get(room.path)).text


async def test_the_last_owner_stays_one_and_others_step_down(alice: Person, bob: Person, room: Room) -> None:
    for act in ("make_member", "make_moderator"):
        refused = await do(alice, room, act, alice)
        assert refused.status_code == 403
        assert "A room needs an owner." in words(refused)
    for act in ("remove", "ban"):
        assert (await do(alice, room, act, alice)).status_code == 403
    await do(alice, room, "make_owner", bob)
    assert (await do(alice, room, "make_moderator", alice)).status_code == 303
    await assert_counted(room, {"alice": MODERATOR, "bob": OWNER})
    assert (await do(alice, room, "make_owner", alice)).status_code == 403
    assert (await do(alice, room, "make_member", alice)).status_code == 303
    await assert_counted(room, {"alice": MEMBER, "bob": OWNER})


async def test_what_cannot_be_meant_is_refused(alice: Person, bob: Person, visitor: Person, room: Room) -> None:
    for code in ("0000-0000", "%00", "x" * 5000):
        assert (await alice.post(f"{room.path}/people/{code}", {"act": "ban"})).status_code == 404
    for act in ("", "explode", "MAKE_OWNER"):
        assert (await do(alice, room, act, bob)).status_code == 422
    for hours in ("0", "-1", "soon", "1e3", "9" * 5000):
        assert (await do(alice, room, "ban", bob, hours=hours)).status_code == 422, hours
    assert (await do(visitor, room, "ban", bob)).headers["Location"].startswith("/login")
    foreign = await alice.post(f"{room.path}/people/{who(bob).code}", {"act": "ban"}, Sec_Fetch_Site="cross-site")
    assert foreign.status_code == 403
    assert (await alice.get(f"{room.path}/people/{who(bob).code}")).status_code == 405
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


# At the same moment.


async def test_of_two_owners_who_demote_each_other_at_once_one_stays(alice: Person, bob: Person, room: Room) -> None:
    for first, second in ((alice, bob), (bob, alice)):
        await give(room, {alice: OWNER, bob: OWNER})
        answers = await asyncio.gather(do(first, room, "make_member", second), do(second, room, "make_member", first))
        assert sorted(statuses(answers)) == [303, 403]
        assert sorted((await roles(room)).values()) == [MEMBER, OWNER]


async def test_two_who_promote_at_once_and_one_who_does_it_four_times(
    app: object, alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    dora = await person(app, "dora")
    await give(room, {bob: OWNER, charlie: MEMBER, dora: MEMBER})
    answers = await asyncio.gather(
        do(alice, room, "make_owner", charlie), do(bob, room, "make_moderator", charlie),
        *(do(alice, room, "make_moderator", dora) for _ in range(4)),
    )  # fmt: skip
    assert statuses(answers) == [303] * 6
    found = await roles(room)
    assert found.pop("charlie") in (OWNER, MODERATOR)
    assert found == {"alice": OWNER, "bob": OWNER, "dora": MODERATOR}


# Out of the room.


def page_of(one: Person, room: Room) -> Reader:
    """An open page of theirs, which this process serves."""
    found = open_reader(room.id, room.version, "sse", room.path, session=one.session.id, user=who(one).id)
    hub().join(found)
    return found


def last_words(page: Reader) -> str:
    assert page.outbox.is_closed
    return page.outbox.take().decode()


@pytest.mark.parametrize(
    ("kind", "act", "hours", "sentence", "is_back"),
    [
        ("public", "remove", "", "You have been removed from this room.", True),
        ("public", "ban", "24", "You have been banned from this room for a while.", False),
        ("public", "ban", "", "You have been banned from this room.", False),
        ("private", "remove", "", "You are not in this room any more.", False),
        ("private", "ban", "24", "You have been banned from this room for a while.", False),
        ("private", "ban", "", "You have been banned from this room.", False),
    ],
)
async def test_one_who_is_put_out_reads_why_and_no_post_under_way_brings_them_back(
    alice: Person, bob: Person, room: Room, kind: str, act: str, hours: str, sentence: str, is_back: bool
) -> None:
    if kind == "private":
        await Room.filter(id=room.id).update(kind=kind, key="~tea", folded=None)
    room = await now(room)
    seat = await access.by_key(who(bob), room.key)  # their post has passed the door
    his, hers, elsewhere = page_of(bob, room), page_of(alice, room), page_of(bob, room)
    hub().leave(elsewhere)  # as another process has it
    assert (await do(alice, room, act, bob, hours=hours)).status_code == 303
    assert sentence in last_words(his)
    for _ in range(2):  # the second when the ring of the first is through
        late = page_of(bob, room)  # which was let in before that, and comes only now
        late.opened_at = his.opened_at
        assert sentence in await until_sent(late, sentence, 8)
    assert not hers.outbox.is_closed
    assert [str(ending.text) for _, ending in await hub().providers.check_access([elsewhere, hers])] == [sentence]
    with pytest.raises(Problem):
        await posting.post(seat, "too late", "")
    await assert_counted(room, {"alice": OWNER, "bob": KICKED})
    assert (await bob.post(f"{room.path}/join")).status_code == (303 if is_back else 404 if act == "remove" else 403)
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER if is_back else KICKED})
    if is_back:
        again = page_of(bob, room)
        assert await hub().providers.check_access([again]) == [], "what was opened since goes on"
        hub().leave(again)
    assert await bodies(room) == []
    hub().leave(hers)


async def test_one_who_was_removed_from_a_public_room_reads_on_and_may_write_again(
    alice: Person, bob: Person, room: Room
) -> None:
    await do(alice, room, "remove", bob)
    reading = page_of(bob, room)
    assert await hub().providers.check_access([reading]) == []
    hub().leave(reading)
    assert f'action="{room.path}/join"' in (await bob.get(room.path)).text
    assert (await bob.say(room, "may I?")).status_code == 303
    await assert_counted(room, {"alice": OWNER, "bob": MEMBER})


async def test_removing_while_one_posts_and_banning_while_one_joins(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    for _ in range(3):
        await give(room, {bob: MEMBER, charlie: ""})
        out, said, ban, joined = statuses(
            await asyncio.gather(
                do(alice, room, "remove", bob), bob.say(room, "hi"),
                do(alice, room, "ban", charlie), charlie.post(f"{room.path}/join"),
            )
        )  # fmt: skip
        assert (out, ban) == (303, 303)
        assert {said, joined} <= {303, 403}
        found = await roles(room)
        assert found["charlie"] == KICKED, "the ban wins, whichever came first"
        # A post that begins after the removal is one of who comes back.
        assert found["bob"] == KICKED or said == 303
        await assert_counted(room, found)


async def test_the_list_of_who_is_banned_has_pages_and_is_for_those_who_moderate(
    app: object, alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    banned = [await person(app, f"troll{number:02}") for number in range(31)]
    for one in banned:
        assert (await do(alice, room, "ban", one)).status_code == 303
    await do(alice, room, "remove", bob)
    first, second = [Page(await alice.get(f"{room.path}/bans{page}")) for page in ("", "?page=2")]
    assert [len(page.all(".person")) for page in (first, second)] == [30, 1]
    assert words(second.one(".person .row__line")) == "for good · by Alice"
    assert first.one("a[rel=next]").attributes["href"] == f"{room.path}/bans?page=2"
    for outsider in (bob, charlie):
        assert (await outsider.get(f"{room.path}/bans")).status_code == 404
    back = await do(alice, room, "unban", banned[30])
    assert back.headers["Location"] == f"{room.path}/bans?done=unban"
    page = await alice.get(back.headers["Location"])
    assert "They may come back." in words(page)
    assert len(Page(page).all(".person")) == 30
    assert (await banned[30].post(f"{room.path}/join")).status_code == 303


# Who leaves, and who inherits.


async def test_moderators_and_one_of_several_owners_leave_as_others_do(alice: Person, bob: Person, room: Room) -> None:
    await do(alice, room, "make_moderator", bob)
    assert (await bob.post(f"{room.path}/leave")).status_code == 303
    await assert_counted(room, {"alice": OWNER})
    await give(room, {bob: OWNER})
    answers = await asyncio.gather(alice.post(f"{room.path}/leave"), bob.post(f"{room.path}/leave"))
    assert sorted(statuses(answers)) == [200, 303], "the last one is asked whether the room should close"
    found = await roles(room)
    assert list(found.values()) == [OWNER]
    await assert_counted(room, found)


@pytest.mark.parametrize("how", ["deleted", "banned"])
async def test_what_the_last_owner_leaves_goes_to_who_moderates_else_to_who_joined_first(
    app: object, alice: Person, bob: Person, charlie: Person, admin: Person, room: Room, how: str
) -> None:
    dora = await person(app, "dora")
    await give(room, {bob: MEMBER, charlie: MEMBER, dora: MODERATOR})
    # Who is asked and has not answered comes last, and who is banned from the site for good never.
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(is_request=True)
    heirs = {"alice": "dora", "dora": "charlie", "charlie": "bob"}
    for owner in (alice, dora, charlie):
        name = str(who(owner).username)
        if how == "deleted":
            await (await known_password(owner)).post("/settings/delete", {"password": PASSWORD})
        else:
            held = await User.get(id=who(owner).id)
            await Decision.of(Action.BAN, "", "", "", "").carry_out(held)
        found = await roles(room)
        assert [heir for heir, role in found.items() if role == OWNER] == [heirs[name]]
    assert found["bob"] == OWNER
    count = await Membership.filter(room_id=room.id).count()
    assert count == (1 if how == "deleted" else 4)
    if how == "banned":
        await Decision.of(Action.BAN, "", "", "", "").carry_out(await User.get(id=who(bob).id))
        assert (await roles(room))["bob"] == OWNER, "where nobody else is there it stays theirs"
