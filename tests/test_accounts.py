"""Accounts: registering one, the names that can be had, and what others see."""

import asyncio
import gzip
import html
import re

import pytest

from tests.account_pages import GUESSED, NEWCOMER, beside, enter, kept, quick_hasher, signed_out_dora  # noqa: F401  fixtures
from tests.conftest import PASSWORD, Person
from webapp import settings
from webapp.accounts import passwords
from webapp.accounts.models import User
from webapp.accounts.names import skeleton
from webapp.accounts.reset import reset_path
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import HUES, Avatar
from webapp.conversations.models import Room
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.http import render

TAKEN = "That name, or one that looks like it, is taken. Choose another."


# Registering.


async def test_who_is_invited_to_a_room_comes_to_it_by_either_form(visitor: Person, room: Room) -> None:
    login = await visitor.get(f"/login?next={room.path}")
    assert 'Sign in to read <span dir="auto">Tea &amp; Cake</span>' in login.text
    assert f'href="/register?next={room.path}"' in login.text
    register = await visitor.get(f"/register?next={room.path}")
    assert 'Create an account to read <span dir="auto">Tea &amp; Cake</span>' in register.text
    assert f'href="/login?next={room.path}"' in register.text
    refused = await visitor.post("/register", NEWCOMER | {"password": "short", "next": room.path})
    assert f'name="next" value="{room.path}"' in refused.text
    answer = await visitor.post("/register", NEWCOMER | {"next": room.path})
    assert (answer.status_code, answer.headers["location"]) == (303, room.path)


@pytest.mark.parametrize("target", ["/lobby", "/rooms/~nobody-knows-it", "/rooms/no-such", "/rooms/", "/rooms/%00"])
async def test_a_card_names_no_other_room(visitor: Person, room: Room, target: str) -> None:
    for form in ("/login", "/register"):
        page = await visitor.get(f"{form}?next={target}")
        assert page.status_code == 200
        assert "to read" not in page.text


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


async def test_all_problems_of_a_form_are_shown_at_once(visitor: Person, dora: Person) -> None:
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
async def test_the_display_name_is_cleaned_and_shown_as_text(visitor: Person, name: str, shown: str) -> None:
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
async def test_centred_cards_are_painted_when_all_of_them_is_there(visitor: Person, path: str) -> None:
    """Else it jumps while it arrives. Browsers wait for the beginning of what is named, so it is the last thing."""
    page = (await visitor.get(path)).text
    assert '<link rel="expect" href="#all" blocking="render">' in page
    assert page.endswith('</div>\n<span id="all" hidden></span>\n</body>\n</html>')


async def test_when_registration_is_closed_nobody_new_comes_in(
    visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'href="/register"' in (await visitor.get("/login")).text
    monkeypatch.setattr(settings, "REGISTRATION", "closed")
    monkeypatch.setitem(render.environment.globals, "registration", "closed")
    for answer in (await visitor.get("/register"), await visitor.post("/register", NEWCOMER)):
        assert answer.status_code == 403
        assert "New accounts are created by the administrator." in answer.text
    assert await User.all().count() == 0
    for path in ("/", "/login"):
        assert 'href="/register"' not in (await visitor.get(path)).text


async def test_who_is_signed_in_is_led_on_from_the_forms(alice: Person) -> None:
    assert (await alice.get("/register")).headers["location"] == "/lobby"
    assert (await alice.get("/login?next=/rooms")).headers["location"] == "/rooms"


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
async def test_a_refused_profile_comes_back_with_what_was_typed(
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
