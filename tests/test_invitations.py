"""Invitations: links to a room or to the site, who may make them, and who comes by them."""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import segno
from limits import parse

from tests.conftest import PASSWORD, Person, account, person
from tests.page import Page, words
from tests.people import make_room, roles, who
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.viewer import PERMANENT
from webapp.conversations import access, member_changes
from webapp.conversations.kinds import PRIVATE
from webapp.conversations.models import Membership, Room
from webapp.conversations.roles import Change
from webapp.conversations.seats import KICKED, MEMBER, MEMBERS, MODERATOR, OWNER
from webapp.core.errors import Forbidden
from webapp.db import transaction
from webapp.http import render
from webapp.http.security_log import WithoutTokens
from webapp.invitations import joining, making, queries
from webapp.invitations.joining import InvitationOver
from webapp.invitations.making import Terms
from webapp.invitations.models import Invitation, InvitationUse
from webapp.invitations.queries import InvitationRow
from webapp.invitations.tokens import digest_of, make_token
from webapp.relationships.models import Block

OVER = "This invitation is not valid any more. Ask for a new one."
NEWCOMER = {"username": "newt", "password": PASSWORD, "display_name": "Newt"}
SITE = "/settings/invitations"


@pytest.fixture
async def den(alice: Person, room: Room) -> Room:
    """Her room as one that only members know of."""
    await Room.filter(id=room.id).update(kind=PRIVATE.stored, key="~den", folded=None, name="The Den")
    return await Room.get(id=room.id)


async def invite(one: Person, place: Room | str, **fields: str) -> str:
    """Make an invitation to the room, or at that address; return the path of its link."""
    answer = await one.post(place if isinstance(place, str) else f"{place.path}/invitations", fields)
    assert answer.status_code == 200, words(answer)
    return link_in(answer)


def link_in(answer: httpx2.Response) -> str:
    address = Page(answer).one("input#invite").attributes["value"] or ""
    assert re.fullmatch(r"http://localhost/join/[0-9A-HJKMNP-TV-Z]{16}", address)
    return address.removeprefix("http://localhost")


def drawn(answer: httpx2.Response) -> list[list[int]]:
    """Return the squares of the QR code on the page, dark ones as 1, with the light margin around them."""
    code = Page(answer).one(".qr [role=img] svg")
    size = int((code.attributes["viewBox"] or "").split()[-1])
    squares = [[0] * size for _ in range(size)]
    ground, dark = code.css("path")
    assert (ground.attributes["fill"], ground.attributes["d"]) == ("#fff", f"M0 0h{size}v{size}h-{size}z")
    x = y = 0
    # From the middle of each row's squares: M4 4.5h7m3 0h1m-33 1h2 ...
    for act, first, second in re.findall(r"([Mmh])(-?[0-9]+)(?: ([0-9.]+))?", dark.attributes["d"] or ""):
        if act == "h":
            squares[y][x : x + int(first)] = [1] * int(first)
        y = int(float(second)) if act == "M" else y + int(second or 0)
        x = int(first) if act == "M" else x + int(first)
    return squares


async def stored(link: str) -> InvitationRow:
    found = await queries.by_digest(digest_of(link.rpartition("/")[2]))
    assert found
    return found


def set_registration(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(settings, "REGISTRATION", how)
    monkeypatch.setitem(render.environment.globals, "registration", how)


# Making and revoking.


async def test_an_owner_makes_a_link_that_is_shown_once_and_lists_who_came_by_it(
    app: object, alice: Person, charlie: Person, den: Room
) -> None:
    path = f"{den.path}/invitations"
    assert Page(await alice.get(f"{den.path}/settings")).all(f'a[href="{path.replace("~", "%7E")}"], a[href="{path}"]')
    form = Page(await alice.get(path)).one('main form input[name="nonce"]').attributes["value"] or ""
    fields = {"days": "1", "uses": "5", "note": " For <b>Cleo</b> ", "nonce": form}
    answer = await alice.post(path, fields)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    link = link_in(answer)
    # Sent again it is the same one; the same page filled in otherwise is another.
    assert link_in(await alice.post(path, fields)) == link
    assert link_in(await alice.post(path, fields | {"uses": "1"})) != link
    assert await Invitation.all().count() == 2
    # Neither the database nor the list has the token.
    row = await Invitation.get(digest=digest_of(link[6:]))
    assert (row.room_id, row.maker_id, row.note, row.most_uses) == (den.id, who(alice).id, "For <b>Cleo</b>", 5)
    assert link[6:] not in repr(dict(row))
    assert row.expires_at
    assert timedelta(hours=23) < row.expires_at - datetime.now(UTC) < timedelta(days=1)
    assert drawn(answer) == [
        list(row) for row in segno.make(f"http://localhost{link}", error="m").matrix_iter(border=4)
    ]
    assert not Page(answer).all(".qr [style]")
    # What shows no pictures has the address in one piece, and no word of a camera.
    plain = await alice.post(path, fields, User_Agent="w3m/0.5.3")
    assert Page(plain).one(f'a[href="http://localhost{link}"]').text() == f"http://localhost{link}"
    assert not Page(plain).all(".qr, #invite")
    assert (await charlie.post(link)).headers["location"] == den.path
    listed = await alice.get(path)
    assert link[6:] not in listed.text
    entry = Page(listed).all(".invitation")[1]
    assert "For <b>Cleo</b>" in words(entry)
    assert "by Alice" in words(entry)
    assert "1 of 5 came" in words(entry)
    assert [node.text() for node in entry.css("a")] == ["Charlie"]
    membership = await Membership.get(room_id=den.id, user_id=who(charlie).id)
    assert (membership.role, membership.inviter) == (MEMBER, who(alice).id)
    # Revoked it brings nobody; who came stays.
    revoking = entry.css_first("form").attributes["action"] or ""
    assert (await alice.post(revoking)).headers["location"] == f"{path}?done=revoked"
    assert "Revoked." in words(await alice.get(f"{path}?done=revoked"))
    assert "revoked" in words(Page(await alice.get(path)).all(".invitation")[1])
    dora = await person(app, "dora")
    assert (await dora.post(link)).status_code == 404
    assert await roles(den) == {"alice": OWNER, "charlie": MEMBER}


async def test_only_who_may_invite_does_and_sees_and_revokes(
    alice: Person, bob: Person, charlie: Person, admin: Person, den: Room, soup: Room
) -> None:
    path = f"{den.path}/invitations"
    for one, status in ((bob, 403), (charlie, 404), (admin, 404)):
        assert (await one.get(path)).status_code == (await one.post(path)).status_code == status
    assert not Page(await bob.get(f"{den.path}/settings")).all('a[href$="/invitations"]')
    # Of a public room an administrator is an owner, too; a member is none.
    assert (await bob.get(f"{soup.path}/invitations")).status_code == 403
    theirs = await stored(await invite(admin, soup))
    assert (await admin.post(f"{soup.path}/invitations/{theirs.id}/revoke")).status_code == 303
    log = words(await admin.get("/moderation/log"))
    for did in ("made", "revoked"):
        assert f"Ada {did} an invitation to {soup.name}" in log, "the room is not theirs"
    await invite(admin, soup)
    hers = await stored(await invite(alice, den, note="Hers"))
    await Room.filter(id=den.id).update(who_invites=MEMBERS)
    his = await stored(await invite(bob, den, note="His"))
    # A member has their own; the owner all, and only those of this room.
    assert Page(await bob.get(path)).texts(".invitation__note") == ["His"]
    assert Page(await alice.get(path)).texts(".invitation__note") == ["His", "Hers"]
    assert (await bob.post(f"{path}/{hers.id}/revoke")).status_code == 404
    assert (await alice.post(f"{soup.path}/invitations/{his.id}/revoke")).status_code == 404
    assert (await alice.post(f"{path}/{his.id}/revoke")).status_code == 303
    gone = await Invitation.filter(revoked_at__not_isnull=True).order_by("id").values_list("id", flat=True)
    assert gone == [theirs.id, his.id]
    assert (await bob.post(f"/chat/{who(alice).code}/messages", {"body": "Hi", "nonce": "1"})).status_code == 303
    chat = await Room.get(low__not_isnull=True)
    assert (await bob.get(f"{chat.path}/invitations")).status_code == 404


async def test_terms_have_bounds_and_only_administrators_make_links_without_end(
    alice: Person, admin: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{room.path}/invitations"
    typed = {"days": "0", "uses": "1001", "note": "x" * 101}
    answer = await alice.post(path, typed)
    assert answer.status_code == 422
    assert Page(answer).texts(".field__problem") == [
        "Only administrators make invitations without end.", "Use a number up to 1,000.", "Use at most 100 characters.",
    ]  # fmt: skip
    assert Page(answer).one("#note").attributes["value"] == "x" * 101
    assert not Page(answer).all('option[value="0"]')
    for nonsense in ("-1", "1e9", "9" * 30, "", "٣"):
        found = await stored(await invite(alice, room, days=nonsense, uses=nonsense))
        assert found.most_uses == 10
    found = await stored(await invite(admin, room, days="0", uses="0"))
    assert (found.expires_at, found.most_uses, found.is_valid) == (None, None, True)
    monkeypatch.setattr(making, "MAX_VALID", 6)
    assert (await alice.post(path)).status_code == 403
    assert await Invitation.all().count() == 6
    await Invitation.filter(id=found.id).update(revoked_at=datetime.now(UTC))
    await invite(alice, room)


# The link.


async def test_looking_at_a_link_uses_nothing_and_shows_only_what_it_is_for(
    alice: Person, charlie: Person, visitor: Person, den: Room
) -> None:
    await alice.say(den, "A secret")
    link = await invite(alice, den, note="Cake on Sunday")
    for one in (visitor, charlie, visitor):
        answer = await one.get(link)
        assert answer.status_code == 200
        for told in ("Come to The Den", "Alice invites you.", "1 person is in it.", "Cake on Sunday"):
            assert told in words(answer)
        for hidden in ("secret", den.key, "What goes with what", who(alice).code):
            assert hidden not in answer.text
        headers = answer.headers
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "strict-origin")
        assert headers["x-robots-tag"] == "noindex"
    assert Page(await charlie.get(link)).actions() == [link]
    await Block.add(who(alice), who(charlie))
    told = words(await charlie.get(link))
    assert "Come to The Den" in told
    assert "Alice" not in told, "no name across a block"
    ways = [node.attributes["href"] for node in Page(await visitor.get(link)).all(".card a")]
    assert ways[1:] == [f"/register?next={link}", f"/login?next={link}"]
    assert (await visitor.post(link)).headers["location"] == link
    assert "The Den" in words(await visitor.get(f"/login?next={link}"))
    assert (await stored(link)).uses == 0
    # However it was written down; and in German from its own page, whose requests say nobody its address.
    token = link[6:]
    assert (await visitor.get(f"/join/{token[:4]}-{token[4:].lower()}")).status_code == 200
    assert (await visitor.post("/language", {"language": "de", "next": link})).headers["location"] == link
    # A member is led to the room, and costs nothing.
    assert (await alice.get(link)).headers["location"] == den.path
    for one in (alice, charlie, charlie):
        assert (await one.post(link)).headers["location"] == den.path
    assert (await stored(link)).uses == 1
    assert (await Room.get(id=den.id)).member_count == 2
    assert await InvitationUse.all().count() == 1


async def test_whatever_ends_an_invitation_looks_the_same(
    alice: Person, bob: Person, charlie: Person, admin: Person, den: Room
) -> None:
    link = await invite(alice, den)
    found = await stored(link)
    nothing = (await charlie.get("/join/0000000000000000")).text
    assert OVER in words(nothing)

    async def assert_over(is_over: bool = True) -> None:
        answer = await charlie.get(link)
        assert answer.status_code == (404 if is_over else 200)
        if is_over:
            assert answer.text == nothing
            assert answer.headers["cache-control"] == "no-store"
            assert (await charlie.post(link)).status_code == 404
            with pytest.raises(InvitationOver):  # also for who had looked before it was over
                await joining.join(found, who(charlie).id)

    mine = Membership.filter(room_id=den.id, user_id=who(alice).id)
    row, her = Invitation.filter(id=found.id), User.filter(id=who(alice).id)
    past, soon = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(days=1)
    for ends, goes_on in (
        (row.update(revoked_at=past), row.update(revoked_at=None)),
        (row.update(expires_at=past), row.update(expires_at=soon)),
        (row.update(uses=10), row.update(uses=0)),
        (mine.update(role=MODERATOR), mine.update(role=OWNER)),
        (mine.update(role=KICKED, kicked_until=PERMANENT), mine.update(role=OWNER, kicked_until=None)),
        (her.update(banned_until=PERMANENT), her.update(banned_until=past)),
        (her.update(username=None), her.update(username="alice")),
        (Room.filter(id=den.id).update(closed_at=past), Room.filter(id=den.id).update(closed_at=None)),
    ):  # fmt: skip
        await assert_over(False)
        await ends
        await assert_over()
        await goes_on
    # That every member may invite is enough as long as it is so.
    await Room.filter(id=den.id).update(who_invites=MEMBERS)
    his = await invite(bob, den)
    assert (await charlie.get(his)).status_code == 200
    await Room.filter(id=den.id).update(who_invites="owners")
    assert (await charlie.get(his)).status_code == 404
    for nonsense in ("x", "%00", "%F0", "0" * 5000, "ÄÖ" * 8):
        assert (await charlie.get(f"/join/{nonsense}")).status_code == 404
    assert await roles(den) == {"alice": OWNER, "bob": MEMBER}


async def test_an_invitation_is_over_at_its_second(alice: Person, charlie: Person, den: Room) -> None:
    link = await invite(alice, den)
    row = await Invitation.get(room_id=den.id)
    end = row.expires_at
    assert end
    digest, instant = digest_of(link[6:]), timedelta(microseconds=1)
    for at, is_valid in ((end - instant, True), (end, False), (end + instant, False)):
        found = await queries.by_digest(digest, at)
        assert found
        assert found.is_valid == is_valid
    with pytest.raises(InvitationOver):
        await transaction.transact(joining.spend, row.id, who(charlie).id, end)
    await transaction.transact(joining.spend, row.id, who(charlie).id, end - instant)


async def test_who_is_banned_from_the_room_does_not_come_back_by_a_link(alice: Person, bob: Person, den: Room) -> None:
    link = await invite(alice, den)
    his = Membership.filter(room_id=den.id, user_id=who(bob).id)
    await his.update(role=KICKED, kicked_until=PERMANENT)
    for answer in (await bob.get(link), await bob.post(link)):
        assert answer.status_code == 403
        assert "You can't join this room." in words(answer)
    assert (await stored(link)).uses == 0
    # A ban that is over is none.
    await his.update(kicked_until=datetime.now(UTC) - timedelta(seconds=1))
    assert (await bob.get(link)).status_code == 200
    assert (await bob.post(link)).status_code == 303
    assert (await roles(den))["bob"] == MEMBER


async def test_guesses_at_links_are_few_and_tokens_are_in_no_log(
    alice: Person, visitor: Person, den: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    link = await invite(alice, den)
    caplog.set_level(logging.INFO)
    refused = await alice.post(link, Sec_Fetch_Site="cross-site")
    assert refused.status_code == 403
    [line] = [record.getMessage() for record in caplog.records if record.name == "parley.security"]
    assert "origin_refused" in line
    assert link[6:] not in line
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_GUESS", parse("2/hour"))
    for _ in range(3):  # looking at what there is counts nothing
        assert (await visitor.get(link)).status_code == 200
    assert [(await visitor.get("/join/0000000000000000")).status_code for _ in "123"] == [404, 404, 429]
    assert (await visitor.get(link)).status_code == 429


# Registering.


async def test_a_new_person_comes_by_a_link_and_is_in_the_room(
    alice: Person, visitor: Person, den: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_registration(monkeypatch, "invited")
    for path in ("/register", f"/register?next={den.path}", "/register?next=/join/0000000000000000"):
        answer = await visitor.get(path)
        assert answer.status_code == 403
        assert "New accounts need an invitation." in words(answer)
    assert (await visitor.post("/register", NEWCOMER)).status_code == 403
    for path in ("/", "/login"):
        assert 'href="/register"' not in (await visitor.get(path)).text
    assert "come by an invitation" in words(await visitor.get("/"))
    link = await invite(alice, den, uses="1")
    assert f'href="/register?next={link}"' in (await visitor.get(f"/login?next={link}")).text
    assert "The Den" in words(await visitor.get(f"/register?next={link}"))
    # What can't be used costs nothing.
    wrong = await visitor.post("/register", NEWCOMER | {"next": link, "username": "alice"})
    assert wrong.status_code == 422
    assert (await stored(link)).uses == 0
    answer = await visitor.post("/register", NEWCOMER | {"next": link})
    assert (answer.status_code, answer.headers["location"]) == (303, den.path)
    assert (await visitor.get(den.path)).status_code == 200
    newt = await User.get(username="newt")
    assert await roles(den) == {"alice": OWNER, "newt": MEMBER}
    assert (await stored(link)).uses == 1
    assert await InvitationUse.all().values_list("user_id", flat=True) == [newt.id]
    assert 'class="invitation__people"' in (await alice.get(f"{den.path}/invitations")).text


async def test_an_administrator_invites_to_the_site(
    alice: Person, admin: Person, visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_registration(monkeypatch, "invited")
    assert (await alice.get(SITE)).status_code == (await alice.post(SITE)).status_code == 404
    assert "Nobody gets an account here without an invitation" in words(await admin.get(SITE))
    link = await invite(admin, SITE, note="Welcome")
    assert "Come to Parley" in words(await visitor.get(link))
    assert "You have an account here already." in words(await alice.get(link))
    assert (await alice.post(link)).headers["location"] == "/lobby"
    answer = await visitor.post("/register", NEWCOMER | {"next": link})
    assert answer.headers["location"] == "/lobby"
    entry = Page(await admin.get(SITE)).one(".invitation")
    assert "1 of 10 came" in words(entry)
    assert "Newt" in words(entry)
    # An administrator no more, and it is over; so it is when it is revoked.
    await User.filter(id=who(admin).id).update(is_admin=False)
    assert (await visitor.get(link)).status_code == 404
    await User.filter(id=who(admin).id).update(is_admin=True)
    assert (await admin.post(entry.css_first("form").attributes["action"] or "")).status_code == 303
    assert (await visitor.get(link)).status_code == 404


async def test_closed_stays_closed_for_who_is_invited(
    app: object, alice: Person, charlie: Person, visitor: Person, den: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_registration(monkeypatch, "closed")
    link = await invite(alice, den)
    page = await visitor.get(link)
    assert "New accounts are created by the administrator." in words(page)
    assert "/register" not in page.text
    assert (await visitor.post("/register", NEWCOMER | {"next": link})).status_code == 403
    assert await User.filter(username="newt").count() == (await stored(link)).uses == 0
    assert (await charlie.post(link)).status_code == 303
    # A guest of strangers gets an account as little as with a closed door.
    for how in ("closed", "invited"):
        set_registration(monkeypatch, how)
        guest = Person(app)
        await guest.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
        assert (await guest.post("/strangers/register", NEWCOMER)).status_code == 403


@pytest.mark.parametrize("how", ["open", "invited"])
async def test_of_two_who_register_by_the_last_use_one_has_what_was_typed(
    app: object, alice: Person, den: Room, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_registration(monkeypatch, how)
    link = await invite(alice, den, uses="1")
    names = ["newt", "toad"]
    answers = await asyncio.gather(
        *(Person(app).post("/register", NEWCOMER | {"username": name, "next": link}) for name in names)
    )
    assert sorted(answer.status_code for answer in answers) == [303, 404]
    [lost] = [answer for answer in answers if answer.status_code == 404]
    assert OVER in words(lost)
    page = Page(lost)
    assert page.one("#username").attributes["value"] in names
    assert page.one("#display_name").attributes["value"] == "Newt"
    # Where one comes in without an invitation, the same form goes through now.
    assert page.one("main input[name=next]").attributes["value"] == ("/lobby" if how == "open" else link)
    assert await User.filter(username__in=names).count() == (await stored(link)).uses == 1
    assert await Membership.filter(room_id=den.id).count() == (await Room.get(id=den.id)).member_count == 2


# Races.


async def test_ten_join_by_the_last_use_at_once_and_one_is_in(alice: Person, den: Room) -> None:
    link = await invite(alice, den, uses="1")
    found = await stored(link)
    people = [await account(f"p-{number}") for number in range(10)]
    answers = await asyncio.gather(*(joining.join(found, one.id) for one in people), return_exceptions=True)
    assert [type(answer) for answer in answers if answer is not None] == [InvitationOver] * 9
    assert (await stored(link)).uses == await InvitationUse.all().count() == 1
    assert await Membership.filter(room_id=den.id).count() == (await Room.get(id=den.id)).member_count == 2


async def test_joining_at_once_with_revoking_or_a_ban_is_one_or_the_other(
    alice: Person, bob: Person, den: Room
) -> None:
    for number in range(5):
        found = await stored(await invite(alice, den, note=f"{number}"))
        newcomer = await account(f"n-{number}")
        joined, _ = await asyncio.gather(
            joining.join(found, newcomer.id), making.revoke(found.id, den.id), return_exceptions=True
        )
        is_in = await Membership.exists(room_id=den.id, user_id=newcomer.id)
        assert is_in == (joined is None), joined
        assert (await Invitation.get(id=found.id)).uses == is_in, joined
    found = await stored(await invite(alice, den))
    seat = await access.by_key(who(alice).as_viewer(1), den.key)
    # He leaves and comes back while he is banned: the ban wins, whichever is first.
    answers = await asyncio.gather(
        joining.join(found, who(bob).id),
        member_changes.change(seat, who(bob).code, Change.BAN),
        joining.join(found, who(bob).id),
        return_exceptions=True,
    )
    assert all(answer is None or isinstance(answer, Forbidden) for answer in (answers[0], answers[2]))
    assert (await roles(den))["bob"] == KICKED
    assert (await Invitation.get(id=found.id)).uses == 0
    with pytest.raises(Forbidden):
        await joining.join(found, who(bob).id)


@pytest.mark.parametrize(
    ("address", "logged"),
    [
        ("/join/0123456789ABCDEF", "/join/..."),
        ("/reset/ey.J1-x_y", "/reset/..."),
        ("/register?next=/join/0123456789ABCDEF&x=1", "/register?next=/join/...&x=1"),
        ("/login?next=%2Fjoin%2F0123456789ABCDEF", "/login?next=%2Fjoin%2F..."),
        ("/rooms/tea/join", "/rooms/tea/join"),
    ],
)
def test_the_log_of_requests_has_no_tokens(address: str, logged: str) -> None:
    request = ("127.0.0.1:5000", "GET", address, "1.1", 200)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, '%s - "%s %s HTTP/%s" %d', request, None)
    assert WithoutTokens().filter(record)
    assert record.getMessage() == f'127.0.0.1:5000 - "GET {logged} HTTP/1.1" 200'


def test_tokens_have_eighty_bits_and_follow_from_the_form() -> None:
    tokens = {make_token(1, room, 7, 10, "", "nonce") for room in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {16}
    assert set("".join(tokens)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert digest_of("oil0-0000-0000-0000") == digest_of("0110000000000000") != ""
    assert digest_of("") == digest_of("U" * 16) == digest_of("0" * 17) == ""


def test_terms_without_fields_are_a_week_and_ten() -> None:
    terms = Terms.of({"days": "", "uses": "", "note": ""}, is_admin=False)
    assert (terms.days, terms.uses) == (7, 10)


async def test_invitations_have_their_pages(alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    for number in range(3):
        await invite(alice, room, note=f"{number}")
    path = f"{room.path}/invitations"
    first, second = Page(await alice.get(path)), Page(await alice.get(f"{path}?page=2"))
    assert (first.texts(".invitation__note"), second.texts(".invitation__note")) == (["2", "1"], ["0"])
    assert first.one("a[rel=next]").attributes["href"] == f"{path}?page=2"


async def test_of_many_who_came_the_latest_are_named(alice: Person, room: Room) -> None:
    garden = await make_room(who(alice), "Garden")
    found = await stored(await invite(alice, garden, uses="25"))
    for number in range(12):
        await joining.join(found, (await account(f"p-{number:02}")).id)
    entry = Page(await alice.get(f"{garden.path}/invitations")).one(".invitation")
    assert [node.text() for node in entry.css("a")] == [f"P-{number:02}" for number in range(11, 1, -1)]
    assert "and 2 others" in words(entry)
