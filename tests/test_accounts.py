"""Accounts: getting one, signing in and out of it, and what people set about themselves."""

import asyncio
import gzip
import html
import re
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Literal
from urllib.parse import quote

import httpx2
import pytest
from argon2 import PasswordHasher
from itsdangerous import TimestampSigner
from limits import parse

from tests.conftest import COOKIE, PASSWORD, Person
from tests.people import at
from webapp import settings
from webapp.accounts import passwords
from webapp.accounts.models import User
from webapp.accounts.names import skeleton
from webapp.accounts.reset import RESET_SECONDS, reset_path
from webapp.accounts.sessions import Session, session_uses
from webapp.accounts.viewer import HUES, Avatar
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.http import render
from webapp.http.cookie import form_token

NEW_PASSWORD = "battery staple"
NEWCOMER = {"username": "dora", "password": PASSWORD, "display_name": "Dora D."}
TAKEN = "That name, or one that looks like it, is taken. Choose another."
WRONG = "The user name or the password is not right."
GUESSED = "That one is too easy to guess. Choose another."
TODAYS_HASHER = passwords.hasher


class CountingHasher(PasswordHasher):
    """Hashes as the real one does, with figures that take no time, and counts the work."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture(autouse=True)
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    quick = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", quick)
    return quick


@pytest.fixture
async def dora(app: object) -> Person:
    """She has an account and knows its password; her browser is not signed in yet."""
    return Person(app, await User.register("dora", PASSWORD, "Dora D."))


async def enter(person: Person, password: str = PASSWORD, username: str = "dora", goto: str = "") -> httpx2.Response:
    """Sends the sign-in form."""
    return await person.post("/login", {"username": username, "password": password, "next": goto})


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


def beside(answer: httpx2.Response, field: str) -> str:
    """The sentence that says what is wrong with the field, in the note that the field refers to."""
    found = re.search(rf'<p class="field__problem" id="{field}-note">([^<]*)</p>', answer.text)
    return html.unescape(found[1]) if found else ""


def kept(answer: httpx2.Response, field: str) -> str:
    """What the field of the form holds."""
    found = re.search(rf'<input id="{field}"[^>]* value="([^"]*)"', answer.text)
    found = found or re.search(rf'<textarea id="{field}"[^>]*>([^<]*)</textarea>', answer.text)
    assert found, f"no field {field}"
    return html.unescape(found[1])


def told(answer: httpx2.Response) -> str:
    """The sentence that stands above the form."""
    found = re.search(r'<p class="problem" role="alert">([^<]*)</p>', answer.text)
    return html.unescape(found[1]) if found else ""


# Registering.


async def test_a_newcomer_gets_an_account_and_is_signed_in(visitor: Person) -> None:
    page = await visitor.get("/register")
    assert page.status_code == 200
    assert 'action="/register"' in page.text

    answer = await visitor.post("/register", NEWCOMER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/lobby")
    assert "Dora D." in (await visitor.get("/lobby")).text

    user = await User.get(username="dora")
    assert (user.display_name, user.is_admin, user.is_guest) == ("Dora D.", False, False)
    assert user.password_hash.startswith("$argon2id$")
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", user.code)
    assert await Session.filter(user_id=user.id).count() == 1


async def test_without_a_name_for_others_the_user_name_is_shown_as_typed(visitor: Person) -> None:
    await visitor.post("/register", {"username": " DoRa_7 ", "password": PASSWORD})
    user = await User.get(username="dora_7")
    assert user.display_name == "DoRa_7"


@pytest.mark.parametrize("name", ["abc", "a" * 30, "d.o-r_a", "7th", "ＤＯＲＡ"])
async def test_user_names_that_can_be_had(visitor: Person, name: str) -> None:
    assert (await visitor.post("/register", NEWCOMER | {"username": name})).status_code == 303
    assert await User.exists(username=name.lower().replace("ｄｏｒａ", "dora"))


LETTERS = "Use 3 to 30 letters (a to z), digits or _ . -"
FOR_NOBODY = "That name is not for people. Choose another."


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("username", "", LETTERS),
        ("username", "ab", LETTERS),
        ("username", "a" * 31, LETTERS),
        ("username", "dora dee", LETTERS),
        ("username", "dora\N{CYRILLIC SMALL LETTER A}", LETTERS),
        ("username", "dora/../x", LETTERS),
        ("username", "<b>dora", LETTERS),
        ("username", "12345", "Use at least one letter."),
        ("username", "_._", "Use at least one letter."),
        ("username", "admin", FOR_NOBODY),
        ("username", "Parley", FOR_NOBODY),
        ("username", "-support_", FOR_NOBODY),
        ("username", "adm1n", FOR_NOBODY),
        ("username", "r00t", FOR_NOBODY),
        ("username", "security-team", FOR_NOBODY),
        ("username", "parley_team", FOR_NOBODY),
        ("username", "admin2", FOR_NOBODY),
        ("username", "ad.min", FOR_NOBODY),
        ("username", "administration", FOR_NOBODY),
        ("username", "service", FOR_NOBODY),
        ("display_name", "Administrator", FOR_NOBODY),
        ("display_name", "\N{CYRILLIC CAPITAL LETTER A}dm1n", FOR_NOBODY),
        ("display_name", "Par ley", FOR_NOBODY),
        ("display_name", "someone  WHO left", FOR_NOBODY),
        ("display_name", "   ", "Write a name that others can see."),
        ("display_name", "\u200b\u202e\u2066", "Write a name that others can see."),
        ("display_name", "\u3164", "Write a name that others can see."),
        ("display_name", "x" * 41, "Use at most 40 characters."),
        ("password", "", "Use at least 8 characters."),
        ("password", "7 chars", "Use at least 8 characters."),
        ("password", "x1y2" * 50 + "z", "Use at most 200 characters."),
        ("password", "password", GUESSED),
        ("password", "PassWord1", GUESSED),
        ("password", "aaaaaaaaaaaa", GUESSED),
        ("password", "abababababab", GUESSED),
        ("password", "dragon123", GUESSED),
        ("password", "Maverick", GUESSED),
        ("password", "parleychat", GUESSED),
        ("password", "Parley2026", GUESSED),
    ],
)
async def test_what_cannot_be_used_is_said_beside_its_field(
    visitor: Person, field: str, value: str, sentence: str
) -> None:
    answer = await visitor.post("/register", NEWCOMER | {field: value})
    assert answer.status_code == 422
    assert beside(answer, field) == sentence
    assert 'aria-invalid="true"' in answer.text
    for name in ("username", "display_name"):
        assert kept(answer, name) == (NEWCOMER | {field: value})[name]
    assert PASSWORD not in answer.text
    assert await User.all().count() == 0
    assert (await visitor.post("/register", NEWCOMER)).status_code == 303


async def test_all_that_is_wrong_is_said_at_once(visitor: Person, dora: Person) -> None:
    typed = {"username": "dora", "password": "short", "display_name": "x" * 41}
    answer = await visitor.post("/register", typed)
    assert beside(answer, "username") == TAKEN
    assert beside(answer, "password") == "Use at least 8 characters."
    assert beside(answer, "display_name") == "Use at most 40 characters."


@pytest.mark.parametrize("password", ["8 chars!", "x1y2" * 50, "пароль и ключ", "🔑🗝️🚪🏠🔒🔓🛡️"])
async def test_passwords_from_8_to_200_characters_work(visitor: Person, app: object, password: str) -> None:
    assert (await visitor.post("/register", NEWCOMER | {"password": password})).status_code == 303
    assert (await enter(Person(app), password)).status_code == 303


@pytest.mark.parametrize("username", ["teamwork", "steam", "rooted", "me.too", "stafford", "stranger2"])
async def test_a_name_that_only_sounds_official_is_free(visitor: Person, username: str) -> None:
    assert (await visitor.post("/register", NEWCOMER | {"username": username})).status_code == 303


async def test_who_is_made_by_the_operator_may_speak_for_the_site(app: object) -> None:
    admin = await User.register("admin", PASSWORD, is_admin=True)
    assert (admin.username, admin.display_name) == ("admin", "admin")


async def test_a_name_that_was_free_when_it_was_taken_stays(alice: Person) -> None:
    assert alice.user
    await User.filter(id=alice.user.id).update(display_name="System")
    typed = {"display_name": "System", "bio": "Hello", "language": "", "saves_data": ""}
    assert (await alice.post("/settings/profile", typed)).status_code == 303
    assert (await User.get(id=alice.user.id)).bio == "Hello"


def test_the_commonest_passwords_are_all_there_and_none_stays_in_memory() -> None:
    words = gzip.decompress(passwords.COMMON.read_bytes()).decode().split()
    assert len(words) > 10_000
    assert min(map(len, words)) >= passwords.SHORTEST
    assert words == sorted(map(text.fold, words)), "what is typed is folded before it is looked for"
    assert passwords.COMMON.stat().st_size < 40_000


async def test_the_form_of_a_new_password_names_the_account_and_no_keyboard_capitalises_it(
    dora: Person, visitor: Person
) -> None:
    user = await User.get(username="dora")
    page = (await visitor.get(reset_path(user))).text
    assert re.search(r'<input [^>]*name="username" value="dora" autocomplete="username"', page)
    for address in ("/login", "/register"):
        assert re.search(r'<input id="username"[^>]* autocapitalize="none"', (await visitor.get(address)).text)


@pytest.mark.parametrize(("username", "password"), [("dora.dora", "Dora.Dora"), ("dorothea", "aehtorod")])
async def test_the_user_name_is_no_password(visitor: Person, username: str, password: str) -> None:
    typed = NEWCOMER | {"username": username}
    assert beside(await visitor.post("/register", typed | {"password": password}), "password") == GUESSED
    assert (await visitor.post("/register", typed)).status_code == 303


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Dora\u202e\u2066evil\u2069", "Doraevil"),
        ("D\0o\x07r\x1ba\x9b", "Dora"),
        ("Do\u200b\ufeff\u00adra", "Dora"),
        ("  Dora \t\r\n Dee\u00a0 ", "Dora Dee"),
        ("Dora 👩‍🚀❤️", "Dora 👩‍🚀❤️"),
        ("שרה כהן", "שרה כהן"),
        ("نرگس", "نرگس"),
        ("Dore\u0301", "Doré"),
        ("x" * 40, "x" * 40),
        ("👨‍👩‍👧‍👦" * 10, "👨‍👩‍👧‍👦" * 10),
        ("🇩🇪" * 40, "🇩🇪" * 40),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
async def test_the_name_for_others_is_kept_clean_and_shown_as_text(visitor: Person, name: str, shown: str) -> None:
    await visitor.post("/register", NEWCOMER | {"display_name": name})
    user = await User.get(username="dora")
    assert user.display_name == shown
    assert f'<h1 dir="auto">{html.escape(shown)}</h1>' in (await visitor.get(user.path)).text


@pytest.mark.parametrize(
    ("has", "wants"),
    [
        ("dora", "dora"),
        ("dora", "DORA"),
        ("dora", " Ｄora "),
        ("dora", "d0ra"),
        ("lilian", "1i1ian"),
        ("lilian", "IIIian"),
        ("modern", "rnodem"),
        ("willow", "vvillovv"),
        ("d.o.ra", "d_o-ra"),
        ("bob5", "bobs"),
    ],
)
async def test_a_name_that_looks_like_another_is_taken(visitor: Person, has: str, wants: str) -> None:
    await User.register(has, PASSWORD)
    answer = await visitor.post("/register", NEWCOMER | {"username": wants})
    assert answer.status_code == 422
    assert beside(answer, "username") == TAKEN
    assert kept(answer, "username") == wants
    assert await User.all().count() == 1
    assert (await visitor.post("/register", NEWCOMER | {"username": "free"})).status_code == 303


async def test_two_who_want_one_name_at_the_same_moment(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    both = asyncio.Barrier(2)

    async def hashed(password: str) -> str:
        async with asyncio.timeout(30):
            await both.wait()  # by now both have seen that the name is free
        return "a hash"

    monkeypatch.setattr(passwords, "hash_password", hashed)
    wishes = NEWCOMER, NEWCOMER | {"username": "d0ra"}
    first, second = await asyncio.gather(*(Person(app).post("/register", wish) for wish in wishes))
    won, lost = sorted((first, second), key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (303, 422)
    assert beside(lost, "username") == TAKEN
    assert kept(lost, "display_name") == "Dora D."
    assert await User.all().count() == await Session.all().count() == 1


@pytest.mark.parametrize("path", ["/", "/login", "/register"])
async def test_what_stands_in_the_middle_is_painted_when_all_of_it_is_there(visitor: Person, path: str) -> None:
    """Else it jumps while it arrives. Browsers wait for the beginning of what is named, so it is the last thing."""
    page = (await visitor.get(path)).text
    assert '<link rel="expect" href="#all" blocking="render">' in page
    assert page.endswith('</div>\n<span id="all" hidden></span>\n</body>\n</html>')


async def test_when_registration_is_closed_nobody_new_comes_in(
    visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'href="/register"' in (await visitor.get("/login")).text
    monkeypatch.setattr(settings, "REGISTRATION_OPEN", False)
    monkeypatch.setitem(render.environment.globals, "registration_open", False)
    for answer in (await visitor.get("/register"), await visitor.post("/register", NEWCOMER)):
        assert answer.status_code == 403
        assert "New accounts are created by the administrator." in answer.text
    assert await User.all().count() == 0
    for path in ("/", "/login"):
        assert 'href="/register"' not in (await visitor.get(path)).text


async def test_who_is_signed_in_is_led_on_from_the_forms(alice: Person) -> None:
    assert (await alice.get("/register")).headers["location"] == "/lobby"
    assert (await alice.get("/login?next=/rooms")).headers["location"] == "/rooms"


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
async def test_who_is_not_let_in_is_not_told_why(
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


async def test_a_password_hashed_with_older_figures_is_hashed_anew(
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


async def test_a_session_whose_row_is_gone_is_nobody(alice: Person) -> None:
    assert await is_signed_in(alice)
    await Session.filter(user_id=alice.user.id).delete()
    assert not await is_signed_in(alice)


async def test_a_session_of_an_account_that_is_gone_is_nobody(alice: Person, charlie: Person) -> None:
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


async def test_fragments_and_streams_tell_the_signed_out(visitor: Person, alice: Person) -> None:
    fragment = await visitor.get("/lobby", HX_Request="true")
    assert fragment.status_code == 401
    assert fragment.text == '<p class="problem" role="alert">You are signed out.</p>'
    assert (await visitor.post("/rooms/tea/messages", {"body": "hi"}, HX_Request="true")).status_code == 401
    assert (await visitor.get("/rooms/tea/events")).status_code == 401
    assert (await visitor.get("/lobby", Accept="text/event-stream")).status_code == 401
    assert (await alice.get("/lobby", HX_Request="true")).status_code == 200


@pytest.mark.parametrize("path", ["/sidebar", "/rooms/tea/live", "/rooms/tea/composer"])
async def test_a_frame_tells_the_signed_out_with_a_way_for_the_whole_window(visitor: Person, path: str) -> None:
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


async def test_a_new_password_signs_out_the_other_devices_and_keeps_this_one(dora: Person, app: object) -> None:
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


async def test_a_reset_link_of_an_account_that_is_gone_is_worthless(dora: Person, visitor: Person) -> None:
    link = reset_path(dora.user)
    assert (await visitor.get(link)).status_code == 200
    await User.filter(id=dora.user.id).delete()
    assert await worthless(visitor, link)


async def test_a_reset_link_replaces_whoever_was_signed_in(dora: Person, alice: Person) -> None:
    await set_by(alice, reset_path(dora.user))
    assert "Dora D." in (await alice.get("/settings/profile")).text
    assert await Session.filter(user_id=alice.user.id).count() == 0


# What others see.


async def test_people_write_about_themselves_and_others_read_it_as_text(alice: Person, charlie: Person) -> None:
    bio = "I like <b>tea</b> & cake.\n\nAsk me.\u202e"
    answer = await alice.post("/settings/profile", {"display_name": "Al <i>ice</i>", "bio": bio})
    assert answer.headers["location"] == "/settings/profile?done=profile"
    assert "Saved." in (await alice.get(answer.headers["location"])).text

    row = await User.get(id=alice.user.id)
    assert (row.display_name, row.bio) == ("Al <i>ice</i>", "I like <b>tea</b> & cake.\n\nAsk me.")
    page = (await charlie.get(row.path)).text
    assert "Al &lt;i&gt;ice&lt;/i&gt;" in page
    assert "I like &lt;b&gt;tea&lt;/b&gt; &amp; cake.\n\nAsk me." in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("display_name", "", "Write a name that others can see."),
        ("display_name", "\u2800", "Write a name that others can see."),
        ("display_name", "x" * 41, "Use at most 40 characters."),
        ("display_name", "🇩🇪" * 41, "Use at most 40 characters."),
        ("display_name", "👨‍👩‍👧‍👦" * 23, "Use at most 40 characters."),
        ("bio", "x" * 301, "Use at most 300 characters."),
    ],
)
async def test_a_profile_that_cannot_be_saved_keeps_what_was_typed(
    alice: Person, field: str, value: str, sentence: str
) -> None:
    typed = {"display_name": "Alicia", "bio": "Tea."}
    answer = await alice.post("/settings/profile", typed | {field: value})
    assert answer.status_code == 422
    assert beside(answer, field) == sentence
    assert {name: kept(answer, name) for name in typed} == typed | {field: value}
    assert '<span dir="auto">Alice</span>' in answer.text, "what others see stays as it is"
    row = await User.get(id=alice.user.id)
    assert (row.display_name, row.bio) == ("Alice", "")
    assert (await alice.post("/settings/profile", typed)).status_code == 303


async def test_the_longest_profile_fits_also_with_the_newlines_of_a_form(alice: Person) -> None:
    bio = "\r\n".join(["x" * 149, "y" * 150])
    answer = await alice.post("/settings/profile", {"display_name": "x" * 40, "bio": bio})
    assert answer.status_code == 303
    assert len((await User.get(id=alice.user.id)).bio) == 300


async def test_a_code_is_read_in_any_case_and_shows_one_person(alice: Person, charlie: Person) -> None:
    code = alice.user.code
    for spelling in (code, code.lower(), code.title()):
        answer = await charlie.get(f"/people/{spelling}")
        assert answer.status_code == 200
        assert '<h1 dir="auto">Alice</h1>' in answer.text
        assert "alice" not in answer.text, "the name to sign in with is not for others"


@pytest.mark.parametrize("code", ["0000-0000", "1", "alice", "%00", "%FF", "x" * 5000])
async def test_a_code_of_nobody_is_not_found(alice: Person, code: str) -> None:
    assert (await alice.get(alice.user.path)).status_code == 200
    answer = await alice.get(f"/people/{code}")
    assert answer.status_code == 404
    assert "Nobody has that code." in answer.text


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Alice", "A"),
        ("alice b. toklas", "AT"),
        ("dora_dee", "DD"),
        ("Ωmega Ärger", "ΩÄ"),
        ("山田 太郎", "山太"),
        ("🎉 party", "P"),
        ("(bob)", "?"),
        ("🎉", "?"),
    ],
)
def test_an_avatar_has_the_initials_of_the_name(name: str, initials: str) -> None:
    assert Avatar.of(name, "K7Q2-M9XD").initials == initials


def test_a_colour_belongs_to_the_person_and_not_to_the_name() -> None:
    assert Avatar.of("Alice", "K7Q2-M9XD").hue == Avatar.of("Bob", "K7Q2-M9XD").hue == 10, "and stays for ever"
    hues = {Avatar.of("Alice", f"0000-{number:04}").hue for number in range(200)}
    assert hues == set(range(HUES))


def test_a_skeleton_never_outgrows_its_column() -> None:
    assert len(skeleton("w" * 30)) <= 30
    assert skeleton("vvvvvv") == skeleton("www")


@pytest.mark.parametrize("name", ["ann.x.", "ann__x", "_ann-x", "ann._-x"])
def test_dividers_make_no_other_name(name: str) -> None:
    assert skeleton(name) == skeleton("ann_x")


async def test_a_code_that_is_taken_is_drawn_again(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter([alice.user.code, "NEWC-0DE0"])
    monkeypatch.setattr("webapp.accounts.models.new_code", lambda: next(codes))
    assert (await User.register("dora", PASSWORD)).code == "NEWC-0DE0"


async def test_the_command_line_is_refused_with_the_same_sentences(alice: Person) -> None:
    with pytest.raises(Invalid, match="is taken"):
        await User.register("a1ice", PASSWORD, is_admin=True)
    assert (await User.register("dora", PASSWORD, is_admin=True)).is_admin


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
