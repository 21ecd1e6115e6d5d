"""Administrators: made and unmade by each other and by commands, and there is always one who was."""

import asyncio

import pytest

from tests.conftest import PASSWORD, Person, known_password, person
from tests.page import Page, words
from tests.people import who
from tests.readers import reader as open_reader
from webapp.accounts.administrators import make_admin, unmake_admin
from webapp.accounts.audit import Action, AuditEntry
from webapp.accounts.endings import UNMADE
from webapp.accounts.models import PERMANENT, User
from webapp.conversations.models import Room
from webapp.core.errors import Forbidden, NotFound
from webapp.deletion.steps import start_deletion
from webapp.live import hub
from webapp.moderation.models import Report


async def change(one: Person, other: Person, do: str, password: str = PASSWORD) -> int:
    answer = await one.post(f"/moderation/people/{who(other).code}", {"do": do, "password": password})
    return answer.status_code


async def admins() -> set[str]:
    return {str(name) for name in await User.filter(is_admin=True).values_list("username", flat=True)}


@pytest.fixture
async def otto(app: object) -> Person:
    return await person(app, "otto", is_admin=True)


async def test_an_administrator_makes_another_and_unmakes_them_by_password(
    bob: Person, admin: Person, room: Room
) -> None:
    await known_password(admin)
    path = f"/moderation/people/{who(bob).code}"
    assert Page(await admin.get(path)).one('button[value="admin"]').text() == "Make them an administrator"
    assert await change(admin, bob, "admin", "wrong") == 422
    assert await admins() == {"ada"}
    assert (await bob.get("/moderation")).status_code == 404
    assert await change(admin, bob, "admin") == 303
    assert (await bob.get("/moderation")).status_code == 200
    assert await change(admin, bob, "admin") == 403
    page = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=who(bob).id, admin=1)
    hub().join(page)
    assert await change(admin, bob, "unadmin") == 303
    assert (await bob.get("/moderation")).status_code == 404
    # Their open pages end, and lose the link at once.
    said = page.outbox.take().decode()
    assert "You are no administrator any more." in said
    assert 'hx-target=".tabs a[href=\'/moderation\']" hx-swap="delete"' in said
    assert page.outbox.is_closed
    assert await change(admin, bob, "unadmin") == 403
    log = words(await admin.get(f"/moderation/log?about={who(bob).code}"))
    assert f"Ada made Bob {who(bob).code} an administrator no longer" in log
    assert [one.action for one in await AuditEntry.all().order_by("id")] == ["admin", "unadmin"]


async def test_another_process_reads_from_the_database_who_is_no_administrator_any_more(
    alice: Person, admin: Person, room: Room
) -> None:
    labels = [{"session": one.session.id, "user": who(one).id} for one in (alice, admin)]
    readers = [open_reader(room.id, 0, "sse", room.path, **labels[0])]
    readers.append(open_reader(room.id, 0, "sse", room.path, **labels[1], admin=1))
    assert await hub().providers.check_access(readers) == []
    await User.filter(id=who(admin).id).update(is_admin=False)
    assert await hub().providers.check_access(readers) == [(readers[1], UNMADE)]


async def test_a_stream_of_an_administrator_is_known_as_one(admin: Person, alice: Person, room: Room) -> None:
    for one, is_admin in ((admin, True), (alice, False)):
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            stream = tasks.create_task(one.get(f"{room.path}/events?after=0"))
            while not (found := hub().readers(f"room:{room.id}", user=who(one).id)):
                await asyncio.sleep(0)
            assert ("admin" in found[0].labels) is is_admin
            hub().close_stream(found[0], UNMADE)
            assert "You are no administrator any more." in (await stream).text


async def test_the_last_administrator_stays_one(admin: Person, otto: Person, alice: Person) -> None:
    await known_password(admin)
    assert await change(admin, admin, "unadmin") == 303, "there is another"
    await make_admin(who(admin).id, who(otto))
    assert await change(admin, otto, "unadmin") == 303
    own = await admin.get(f"/moderation/people/{who(admin).code}")
    assert "You are the only administrator here." in words(own)
    assert 'value="unadmin"' not in own.text
    assert await change(admin, admin, "unadmin") == 403
    with pytest.raises(Forbidden):
        await unmake_admin(who(admin).id, None)
    assert await admins() == {"ada"}
    # Nor do they delete their account; nobody bans an administrator.
    form = await admin.get("/settings/delete")
    assert "You are the only administrator here." in words(form)
    assert 'href="/moderation/people"' in form.text
    assert not Page(form).all('input[name="password"]')
    refused = await admin.post("/settings/delete", {"password": PASSWORD})
    assert refused.status_code == 403
    assert await User.filter(id=who(admin).id, username="ada", is_admin=True).exists()
    await make_admin(who(alice).id, who(admin))
    assert Page(await admin.get("/settings/delete")).all('input[name="password"]')
    assert (await admin.post("/settings/delete", {"password": PASSWORD})).status_code == 303
    assert await admins() == {"alice"}


async def test_one_of_two_stays_who_unmake_each_other_or_leave_at_once(admin: Person, otto: Person) -> None:
    both = who(admin), who(otto)
    acts = {
        "each other": lambda: [unmake_admin(both[1].id, both[0]), unmake_admin(both[0].id, both[1])],
        "themselves": lambda: [unmake_admin(one.id, one) for one in both],
        "the operator": lambda: [unmake_admin(one.id, None) for one in both],
        "one leaves": lambda: [unmake_admin(both[1].id, both[0]), start_deletion(both[0])],
        "both leave": lambda: [start_deletion(one) for one in both],
    }
    for what, act in acts.items():
        await User.filter(id__in=[one.id for one in both]).update(is_admin=True)
        done = await asyncio.gather(*act(), return_exceptions=True)
        assert len([one for one in done if isinstance(one, Forbidden | NotFound)]) == 1, (what, done)
        assert len(await admins()) == 1, what


async def test_nobody_becomes_an_administrator_who_is_banned_at_once(admin: Person, alice: Person) -> None:
    ban = {"hours": "", "told": "", "note": "", "address": ""}
    acts = [make_admin(who(alice).id, who(admin)), Report.decide_about(who(alice), who(admin), Action.BAN, ban)]
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert len([one for one in done if isinstance(one, Forbidden)]) == 1, done
    alice_now = await User.get(id=who(alice).id)
    assert alice_now.is_admin != alice_now.is_banned


async def test_the_word_of_the_operator_ends_a_ban(alice: Person) -> None:
    await User.filter(id=who(alice).id).update(banned_until=PERMANENT, ban_reason="Spam")
    await make_admin(who(alice).id, None)
    assert (await alice.get("/moderation")).status_code == 200
    entry = await AuditEntry.get()
    assert (entry.admin_name, entry.action, entry.name) == ("The operator", "admin", "Alice")
    assert f"The operator made Alice {who(alice).code} an administrator" in words(await alice.get("/moderation/log"))
    with pytest.raises(Forbidden):
        await make_admin(who(alice).id, None)
