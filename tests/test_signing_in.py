"""Signing in and out, sessions, the password and the link that sets a new one, and how often one may try."""

import html
import re
from datetime import UTC, datetime, timedelta
from math import ceil
from urllib.parse import quote

import httpx2
import pytest
from itsdangerous import TimestampSigner
from limits import parse

from tests.account_pages import GUESSED, NEWCOMER, CountingHasher, beside, enter, kept, quick_hasher, signed_out_dora  # noqa: F401  fixtures
from tests.conftest import COOKIE, PASSWORD, Person
from tests.people import at
from webapp import settings
from webapp.accounts import passwords
from webapp.accounts.models import User
from webapp.accounts.reset import RESET_SECONDS, reset_path
from webapp.accounts.sessions import Session, session_uses
from webapp.http.cookie import form_token

NEW_PASSWORD = "battery staple"
WRONG = "The user name or the password is not right."
TODAYS_HASHER = passwords.hasher


async def is_signed_in(person: Person) -> bool:
    answer = await person.get("/lobby")
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


def cookie_of(person: Person) -> str:
    return str(person.client.cookies[COOKIE])


async def with_cookie(app: object, cookie: str) -> Person:
    """A browser that holds this cookie and nothing else."""
    thief = Person(app)
    thief.client.cookies.set(COOKIE, cookie)
    return thief


def told(answer: httpx2.Response) -> str:
    """The sentence that stands above the form."""
    found = re.search(r'<p class="problem" role="alert">([^<]*)</p>', answer.text)
    return html.unescape(found[1]) if found else ""


# Signing in.


async def test_signing_in_leads_on_to_where_one_wanted(dora: Person) -> None:
    answer = await dora.get("/rooms?q=tea&page=2")
    assert answer.status_code == 303
    login = await dora.get(answer.headers["location"])
    target = re.search(r'name="next" value="([^"]*)"', login.text)
    assert target

    answer = await enter(dora, goto=html.unescape(target[1]))
    assert (answer.status_code, answer.headers["location"]) == (303, "/rooms?q=tea&page=2")
    assert await is_signed_in(dora)
    row = await Session.get(user_id=dora.user.id)
    assert str(row.device_label) == "Firefox on Linux"
    assert row.digest not in cookie_of(dora)


@pytest.mark.parametrize("username", ["DORA", "  dora ", "ｄｏｒａ"])
async def test_the_user_name_may_be_written_in_any_case(dora: Person, username: str) -> None:
    assert (await enter(dora, username=username)).status_code == 303


@pytest.mark.parametrize(
    ("username", "password"),
    [("dora", "correct horse"), ("nobody7", PASSWORD), ("d0ra", PASSWORD), ("", ""), ("dora", ""), ("dora\n", "\0")],
)
async def test_a_refused_sign_in_gives_no_reason(
    app: object, dora: Person, hasher: CountingHasher, username: str, password: str
) -> None:
    assert (await enter(Person(app))).status_code == 303
    hasher.verified = 0
    answer = await enter(dora, password, username, goto="/rooms")
    assert answer.status_code == 422
    assert beside(answer, "password") == WRONG
    assert beside(answer, "username") == ""
    assert kept(answer, "username") == username
    assert 'name="next" value="/rooms"' in answer.text
    assert hasher.verified == 1, "the same work whatever was wrong"
    assert not await is_signed_in(dora)


async def test_an_account_without_a_password_cannot_be_entered(
    app: object, dora: Person, hasher: CountingHasher
) -> None:
    assert (await enter(Person(app))).status_code == 303
    await User.filter(id=dora.user.id).update(password_hash=None)
    hasher.verified = 0
    assert beside(await enter(dora), "password") == WRONG
    assert hasher.verified == 1


async def test_more_than_the_longest_password_is_not_that_password(dora: Person) -> None:
    longest = "x1y2" * 50
    await dora.user.set_password(longest)
    assert beside(await enter(dora, longest + "z"), "password") == WRONG
    assert (await enter(dora, longest)).status_code == 303


async def test_the_password_is_never_shown_again(dora: Person) -> None:
    answer = await enter(dora, "my other password")
    assert answer.status_code == 422
    assert "my other password" not in answer.text


INSIDE = ["/", "/rooms/tea?around=3#message-1-3", "/rooms/tee%2Fkuchen", "/people/K7Q2-M9XD?x=https://a.example/"]
OUTSIDE = [
    "//evil.example",
    "///evil.example",
    "https://evil.example/",
    "HTTPS:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "/\n/evil.example",
    "\r\n//evil.example",
    "\x01//evil.example",
    " //evil.example",
    "/ /evil.example",
    "evil.example",
    "?next=//evil.example",
    "@evil.example",
    "",
]


@pytest.mark.parametrize("target", INSIDE)
async def test_next_leads_on_within_the_site(dora: Person, target: str) -> None:
    assert f'name="next" value="{html.escape(target)}"' in (await dora.get(f"/login?next={quote(target)}")).text
    assert (await enter(dora, goto=target)).headers["location"] == target
    assert (await dora.get(f"/login?next={quote(target)}")).headers["location"] == target


@pytest.mark.parametrize("target", OUTSIDE)
async def test_next_never_leads_off_the_site(dora: Person, target: str) -> None:
    assert 'name="next" value="/lobby"' in (await dora.get(f"/login?next={quote(target)}")).text
    assert (await enter(dora, goto=target)).headers["location"] == "/lobby"
    assert (await dora.get(f"/login?next={quote(target)}")).headers["location"] == "/lobby"


async def test_next_that_is_encoded_twice_stays_a_path_of_ours(dora: Person) -> None:
    assert (await enter(dora, goto="/%2F%5Cevil.example")).headers["location"] == "/%2F%5Cevil.example"


async def test_the_cookie_from_before_signing_in_is_worth_nothing_after(dora: Person, app: object) -> None:
    page = await dora.get("/login")
    before = cookie_of(dora)
    assert await Session.all().count() == 0
    await enter(dora)
    assert cookie_of(dora) != before
    assert await is_signed_in(await with_cookie(app, cookie_of(dora)))
    assert not await is_signed_in(await with_cookie(app, before))

    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token
    assert token[1] not in (await dora.get("/settings/profile")).text


async def test_signing_in_again_ends_the_session_of_this_browser(dora: Person, app: object) -> None:
    await enter(dora)
    before = cookie_of(dora)
    await enter(dora)
    assert await Session.filter(user_id=dora.user.id).count() == 1
    assert not await is_signed_in(await with_cookie(app, before))


async def test_a_password_hashed_with_older_figures_is_hashed_again(
    dora: Person, hasher: CountingHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (await User.get(id=dora.user.id)).password_hash
    await enter(dora)
    assert (await User.get(id=dora.user.id)).password_hash == old

    monkeypatch.setattr(passwords, "hasher", CountingHasher(time_cost=2, memory_cost=16, parallelism=1))
    await enter(dora, "wrong password")
    assert (await User.get(id=dora.user.id)).password_hash == old
    await enter(dora)
    new = (await User.get(id=dora.user.id)).password_hash
    assert "m=16,t=2,p=1" in new
    assert (await enter(dora)).status_code == 303


def test_passwords_are_hashed_with_the_figures_that_are_advised() -> None:
    figures = TODAYS_HASHER.type.name, TODAYS_HASHER.memory_cost, TODAYS_HASHER.time_cost, TODAYS_HASHER.parallelism
    assert figures == ("ID", 19 * 1024, 2, 1)


# Signing out, and sessions that are none.


async def test_signing_out_deletes_the_session(alice: Person, app: object) -> None:
    before = cookie_of(alice)
    answer = await alice.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert f"{COOKIE}=; Path=/" in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert await Session.all().count() == 0
    assert not await is_signed_in(alice)
    assert not await is_signed_in(await with_cookie(app, before))


async def test_a_link_signs_nobody_out(alice: Person) -> None:
    answer = await alice.get("/logout")
    assert answer.status_code == 405
    assert "This can't be done here in this way." in html.unescape(answer.text)
    assert await is_signed_in(alice)


async def test_signing_out_twice_is_no_error(visitor: Person) -> None:
    assert (await visitor.post("/logout")).status_code == 303


async def test_a_cookie_that_is_not_ours_is_nobody(alice: Person, app: object) -> None:
    token, _, signature = cookie_of(alice).rpartition(".")
    assert await is_signed_in(await with_cookie(app, f"{token}.{signature}"))
    last = "A" if signature[0] != "A" else "B"
    forms = form_token(token)
    wrong = (f"x{token}.{signature}", f"{token}.{last}{signature[1:]}", token, "", ".", f"{token}.", "\xff", "x" * 4000)
    for cookie in (*wrong, f"{token}.{forms}"):
        headers = [(b"Cookie", f"{COOKIE}={cookie}".encode("latin-1"))]
        answer = await Person(app).client.get("/lobby", headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flobby")


async def test_a_session_without_its_row_is_signed_out(alice: Person) -> None:
    assert await is_signed_in(alice)
    await Session.filter(user_id=alice.user.id).delete()
    assert not await is_signed_in(alice)


async def test_a_session_of_a_deleted_account_is_signed_out(alice: Person, charlie: Person) -> None:
    assert await is_signed_in(alice)
    await User.filter(id=alice.user.id).delete()
    assert not await is_signed_in(alice)
    assert await is_signed_in(charlie)
    assert await Session.all().count() == 1


@pytest.mark.parametrize(
    "path",
    ["/lobby", "/rooms?q=a&page=2", "/rooms/tea-cake", "/settings/profile", "/settings/sessions", "/people/K7Q2-M9XD"],
)
async def test_a_page_leads_the_signed_out_to_the_form_and_back(visitor: Person, path: str) -> None:
    answer = await visitor.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={quote(path, safe='')}")


async def test_a_form_sent_by_the_signed_out_leads_to_sign_in_and_then_the_lobby(visitor: Person) -> None:
    answer = await visitor.post("/settings/profile", {"display_name": "Dora"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flobby")


async def test_fragments_and_streams_answer_the_signed_out_with_401(visitor: Person, alice: Person) -> None:
    fragment = await visitor.get("/lobby", HX_Request="true")
    assert fragment.status_code == 401
    assert fragment.text == '<p class="problem" role="alert">You are signed out.</p>'
    assert (await visitor.post("/rooms/tea/messages", {"body": "hi"}, HX_Request="true")).status_code == 401
    assert (await visitor.get("/rooms/tea/events")).status_code == 401
    assert (await visitor.get("/lobby", Accept="text/event-stream")).status_code == 401
    assert (await alice.get("/lobby", HX_Request="true")).status_code == 200


@pytest.mark.parametrize("path", ["/sidebar", "/rooms/tea/live", "/rooms/tea/composer"])
async def test_a_frame_shows_the_signed_out_a_link_for_the_whole_window(visitor: Person, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code == 401
    assert '<base target="_top">' in answer.text
    assert '<p class="notice">You are signed out. <a href="/login">Sign in</a></p>' in answer.text
    assert "<h1>" not in answer.text


# Where one is signed in.


async def devices(app: object, person: Person, count: int) -> list[Person]:
    """More browsers of the same person, all signed in."""
    return [await Person(app, person.user).sign_in() for _ in range(count)]


async def test_the_list_shows_every_device_and_which_is_this_one(alice: Person, charlie: Person) -> None:
    assert "Sign out everywhere else" not in (await alice.get("/settings/sessions")).text
    await Session.begin(alice.user, "a telephone", "Mozilla/5.0 (iPhone; like Mac OS X) Safari/604.1")
    page = (await alice.get("/settings/sessions")).text
    assert page.count('<li class="devices__entry">') == 2
    assert '<span class="devices__name">Firefox on Linux <em>this one</em></span>' in page
    assert '<span class="devices__name">Safari on iPhone</span>' in page
    assert page.count("Sign out there") == 1
    assert "Sign out everywhere else" in page


async def test_one_other_device_is_signed_out(app: object, alice: Person) -> None:
    lost, phone = await devices(app, alice, 2)
    answer = await alice.post(f"/settings/sessions/{lost.session.id}/end")
    assert answer.headers["location"] == "/settings/sessions?done=ended"
    assert "That device is signed out." in (await alice.get(answer.headers["location"])).text
    assert [await is_signed_in(browser) for browser in (alice, lost, phone)] == [True, False, True]
    assert await Session.filter(user_id=alice.user.id).count() == 2


async def test_ending_the_session_in_use_is_signing_out(alice: Person) -> None:
    answer = await alice.post(f"/settings/sessions/{alice.session.id}/end")
    assert answer.headers["location"] == "/"
    assert not await is_signed_in(alice)


async def test_all_other_devices_are_signed_out(app: object, alice: Person, charlie: Person) -> None:
    others = await devices(app, alice, 2)
    answer = await alice.post("/settings/sessions/end-others")
    assert answer.status_code == 303
    assert [await is_signed_in(browser) for browser in (alice, *others, charlie)] == [True, False, False, True]


async def test_nobody_ends_the_session_of_another(alice: Person, charlie: Person) -> None:
    assert (await charlie.post(f"/settings/sessions/{10**30}/end")).status_code == 404
    for number in (alice.session.id, alice.session.id + 1000, 2**31):
        answer = await charlie.post(f"/settings/sessions/{number}/end")
        assert answer.status_code == 404
        assert "That device is signed out already." in answer.text
    assert await is_signed_in(alice)
    assert (await charlie.post(f"/settings/sessions/{charlie.session.id}/end")).status_code == 303


async def test_when_a_session_was_used_is_written_at_most_every_five_minutes(alice: Person) -> None:
    earlier = datetime.now(UTC) - timedelta(minutes=4)
    await Session.filter(id=alice.session.id).update(used_at=earlier)
    await alice.get("/lobby")
    await session_uses().write()
    assert (await Session.get(id=alice.session.id)).used_at == earlier

    await Session.filter(id=alice.session.id).update(used_at=earlier - timedelta(minutes=2))
    await alice.get("/lobby")
    await session_uses().write()
    assert (await Session.get(id=alice.session.id)).used_at > earlier


# The password.


async def change(person: Person, current: str, password: str) -> httpx2.Response:
    return await person.post("/settings/password", {"current": current, "password": password})


async def test_a_new_password_signs_out_the_other_devices_and_not_this_one(dora: Person, app: object) -> None:
    await enter(dora)
    (other,) = await devices(app, dora, 1)
    answer = await change(dora, PASSWORD, NEW_PASSWORD)
    assert answer.headers["location"] == "/settings/password?done=password"
    page = await dora.get(answer.headers["location"])
    assert "Your password is changed. Other devices are signed out." in page.text
    assert not await is_signed_in(other)

    assert beside(await enter(Person(app), PASSWORD), "password") == WRONG
    assert (await enter(Person(app), NEW_PASSWORD)).status_code == 303


@pytest.mark.parametrize(
    ("current", "password", "field", "sentence"),
    [
        ("not my password", NEW_PASSWORD, "current", "That is not your password."),
        ("", NEW_PASSWORD, "current", "That is not your password."),
        (PASSWORD, "short", "password", "Use at least 8 characters."),
        (PASSWORD, "x1y2" * 50 + "z", "password", "Use at most 200 characters."),
        (PASSWORD, "password", "password", GUESSED),
    ],
)
async def test_a_password_that_cannot_be_changed_changes_nothing(
    app: object, dora: Person, current: str, password: str, field: str, sentence: str
) -> None:
    await enter(dora)
    (other,) = await devices(app, dora, 1)
    before = (await User.get(id=dora.user.id)).password_hash
    answer = await change(dora, current, password)
    assert answer.status_code == 422
    assert beside(answer, field) == sentence
    assert (await User.get(id=dora.user.id)).password_hash == before
    assert await is_signed_in(other)
    assert (await change(dora, PASSWORD, NEW_PASSWORD)).status_code == 303


# The link that sets a new one.


OLD_LINK = "This link has been used, or it is older than a day. Ask for a new one."


async def set_by(person: Person, link: str, password: str = NEW_PASSWORD) -> httpx2.Response:
    return await person.post(link, {"password": password})


async def worthless(person: Person, link: str) -> bool:
    """Whether the link neither shows the form nor sets the password."""
    answers = await person.get(link), await set_by(person, link, "another password")
    codes = {answer.status_code for answer in answers}
    assert codes in ({404}, {200, 303})
    return codes == {404} and all(OLD_LINK in answer.text for answer in answers)


async def test_a_reset_link_sets_a_password_once(dora: Person, visitor: Person, app: object) -> None:
    (lost,) = await devices(app, dora, 1)
    link = reset_path(await User.get(id=dora.user.id))
    page = await visitor.get(link)
    assert page.status_code == 200
    assert "For dora." in page.text

    answer = await set_by(visitor, link)
    assert answer.headers["location"] == "/lobby"
    assert await is_signed_in(visitor)
    assert not await is_signed_in(lost)
    assert await worthless(Person(app), link)
    assert beside(await enter(Person(app), PASSWORD), "password") == WRONG
    assert (await enter(Person(app), NEW_PASSWORD)).status_code == 303


async def test_a_reset_link_outlives_a_password_that_cannot_be_used(dora: Person, visitor: Person) -> None:
    link = reset_path(dora.user)
    answer = await set_by(visitor, link, "short")
    assert answer.status_code == 422
    assert beside(answer, "password") == "Use at least 8 characters."
    assert (await set_by(visitor, link)).status_code == 303


async def test_a_reset_link_is_good_for_a_day(dora: Person, visitor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    link = reset_path(dora.user)
    now = TimestampSigner.get_timestamp
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: now(signer) + RESET_SECONDS - 60)
    assert (await visitor.get(link)).status_code == 200
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: now(signer) + RESET_SECONDS + 60)
    assert await worthless(visitor, link)


async def test_a_reset_link_that_was_changed_is_worthless(dora: Person, alice: Person, visitor: Person) -> None:
    link = reset_path(dora.user)
    hers = reset_path(alice.user)
    payload, rest = link.rsplit("/", 1)[1].split(".", 1)
    others = hers.rsplit("/", 1)[1].split(".", 1)[0]
    for wrong in (f"{others}.{rest}", f"{payload}.{rest}x", f"x{payload}.{rest}", payload, "x", "%00", "%FF"):
        assert await worthless(visitor, f"/reset/{wrong}")
    assert not await worthless(visitor, link)


async def test_a_reset_link_is_worthless_after_the_password_was_changed(dora: Person, visitor: Person) -> None:
    link = reset_path(dora.user)
    await enter(dora)
    assert (await visitor.get(link)).status_code == 200
    await change(dora, PASSWORD, NEW_PASSWORD)
    assert await worthless(visitor, link)


async def test_a_reset_link_of_a_deleted_account_is_worthless(dora: Person, visitor: Person) -> None:
    link = reset_path(dora.user)
    assert (await visitor.get(link)).status_code == 200
    await User.filter(id=dora.user.id).delete()
    assert await worthless(visitor, link)


async def test_a_reset_link_replaces_the_session_of_another(dora: Person, alice: Person) -> None:
    await set_by(alice, reset_path(dora.user))
    assert "Dora D." in (await alice.get("/settings/profile")).text
    assert await Session.filter(user_id=alice.user.id).count() == 0


# How often.


@pytest.fixture
def throttled(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are on, and low."""
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_SIGN_IN", parse("2/minute"))
    monkeypatch.setattr(settings, "RATE_SIGN_IN_ADDRESS", parse("4/minute"))
    monkeypatch.setattr(settings, "RATE_REGISTER", parse("2/hour"))


def wait_asked(answer: httpx2.Response) -> int:
    """The seconds that the answer, the form again, asks to wait."""
    assert answer.status_code == 429
    seconds = int(answer.headers["retry-after"])
    wait = f"{seconds} seconds" if seconds < 120 else f"{ceil(seconds / 60)} minutes"
    assert told(answer) == f"Too many attempts. Wait {wait} and try again."
    return seconds


async def test_one_account_is_not_guessed_at_from_everywhere(dora: Person, app: object, throttled: None) -> None:
    for number in (1, 2):
        assert (await enter(at(app, f"192.0.2.{number}"), "a wrong guess")).status_code == 422
    answer = await enter(at(app, "192.0.2.3"), username="DORA", goto="/rooms")
    assert 1 <= wait_asked(answer) <= 60
    assert kept(answer, "username") == "DORA"
    assert 'name="next" value="/rooms"' in answer.text
    assert await Session.all().count() == 0


async def test_one_address_does_not_try_many_accounts(dora: Person, app: object, throttled: None) -> None:
    for number in range(4):
        assert (await enter(at(app, "192.0.2.1"), username=f"dora{number}")).status_code == 422
    answer = await enter(at(app, "192.0.2.1"))
    assert 1 <= wait_asked(answer) <= 60
    assert kept(answer, "username") == "dora"
    assert (await enter(at(app, "192.0.2.2"))).status_code == 303


async def test_one_address_does_not_make_many_accounts(app: object, throttled: None) -> None:
    for number in range(2):
        assert (
            await at(app, "192.0.2.1").post("/register", NEWCOMER | {"username": f"dora{number}"})
        ).status_code == 303
    answer = await at(app, "192.0.2.1").post("/register", NEWCOMER)
    assert 60 < wait_asked(answer) <= 3600
    assert (kept(answer, "username"), kept(answer, "display_name")) == ("dora", "Dora D.")
    assert await User.all().count() == 2
    assert (await at(app, "192.0.2.2").post("/register", NEWCOMER)).status_code == 303


async def test_a_household_of_ipv6_is_counted_as_one(app: object, throttled: None) -> None:
    for number, address in enumerate(("2001:db8:1:2::1", "2001:db8:1:2:ffff::2")):
        typed = NEWCOMER | {"username": f"dora{number}"}
        assert (await at(app, address).post("/register", typed)).status_code == 303
    assert (await at(app, "2001:db8:1:2:3::4").post("/register", NEWCOMER)).status_code == 429
    assert (await at(app, "2001:db8:1:3::1").post("/register", NEWCOMER)).status_code == 303


async def test_guessing_the_present_password_is_throttled_too(dora: Person, throttled: None) -> None:
    await enter(dora)
    for _ in range(2):
        assert (await change(dora, "a wrong guess", NEW_PASSWORD)).status_code == 422
    answer = await change(dora, PASSWORD, NEW_PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many attempts." in answer.text
