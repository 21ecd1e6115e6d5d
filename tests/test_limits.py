"""Limits: every address that writes has one, and nobody is kept out by who guesses at their password."""

import json
import logging
import re
from typing import Any

import pytest
from limits import parse
from starlette.routing import Route

from tests.conftest import PASSWORD, Person, known_password, person
from tests.page import words
from tests.people import at
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.app import routes
from webapp.conversations.models import Room
from webapp.files.models import Attachment
from webapp.http import security_log
from webapp.messages import rendering
from webapp.moderation.models import Report

# What needs no limit: it ends something, once.
FREE = {"/logout"}
WISHES = {"interests": "", "language": "en", "rules": "1"}
RATES = [name for name in vars(settings) if name.startswith("RATE_") and name != "RATE_LIMITS"]


@pytest.fixture
def low(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every limit is one an hour."""
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    for name in RATES:
        monkeypatch.setattr(settings, name, parse("1/hour"))


def writing() -> set[str]:
    """The addresses that take a form."""
    return {route.path for route in routes if isinstance(route, Route) and "POST" in (route.methods or ())}


async def test_every_address_that_writes_has_a_limit(
    app: object, alice: Person, bob: Person, charlie: Person, admin: Person, room: Room, low: None
) -> None:
    assert charlie.user
    visitor, guest, other = Person(app), Person(app), at(app, "192.0.2.7")
    message = (await alice.say(room, "Tea?")).headers["location"]
    assert message
    await bob.post("/report", {"about": f"message:{room.key}:1", "reason": "spam"})
    place = {"key": room.key, "number": "1", "code": charlie.user.code, "id": "1", "token": "x"}
    for path in sorted(writing() - FREE):
        if path.startswith("/strangers"):
            continue
        is_for_admins = path.startswith(("/moderation", "/settings/invitations"))
        who = admin if is_for_admins else visitor if path in ("/login", "/register") else alice
        if path == "/reset/{token}":
            continue  # whoever has the link, once: see test_accounts.py
        address = path.replace(":number", "")
        typed = {"body": "x", "name": "New", "about": f"person:{charlie.user.code}", "reason": "spam"}
        answers = [(await who.post(address.format(**place), typed)).status_code for _ in "12"]
        assert answers[1] == 429, (path, answers)
    await guest.post("/strangers/find", WISHES)
    await other.post("/strangers/find", WISHES)
    chat = (await guest.get("/strangers")).headers["location"]
    theirs = {path for path in writing() if path.startswith("/strangers")}
    for path in sorted(theirs, key=lambda path: "/chat/" not in path):  # the others end the chat
        who = Person(app) if path.endswith("/register") else guest
        if path.endswith(("/register", "/question")):
            continue  # counted as /register, and by the pause after a wrong answer
        address = path.replace("/strangers/chat/{chat:number}", chat)
        answers = [(await who.post(address, WISHES | {"body": "x", "sure": "1"})).status_code for _ in "12"]
        assert answers[1] == 429, (path, answers)


# Guessing.


async def enter(who: Person, password: str = PASSWORD, username: str = "alice") -> Any:
    return await who.post("/login", {"username": username, "password": password})


@pytest.fixture
def guessed(app: object, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_SIGN_IN", parse("2/second"))
    monkeypatch.setattr(settings, "RATE_GUESS", parse("2/hour"))


async def test_guesses_are_few_in_an_hour_however_slowly_they_come(
    app: object, alice: Person, guessed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_SIGN_IN", parse("1000/second"))
    answers = [(await enter(at(app, f"192.0.2.{number}"), "a wrong guess")).status_code for number in range(3)]
    assert answers == [422, 422, 429]


async def test_a_browser_that_was_signed_in_before_is_not_locked_out(app: object, alice: Person, guessed: None) -> None:
    await known_password(alice)
    browser = at(app, "192.0.2.1")
    assert (await enter(browser)).status_code == 303
    await browser.post("/logout")
    for number in range(2, 7):  # from their own address too
        await enter(at(app, "192.0.2.1"), "a wrong guess")
        await enter(at(app, f"192.0.2.{number}"), "a wrong guess")
    assert (await enter(at(app, "192.0.2.9"))).status_code == 429
    assert (await enter(browser)).status_code == 303
    # It is counted all the same, and is known for this account alone.
    await enter(browser, "a wrong guess")
    assert (await enter(browser)).status_code == 429


async def test_the_mark_of_a_known_browser_opens_no_other_account(app: object, alice: Person, guessed: None) -> None:
    await known_password(alice)
    bert = await known_password(await person(app, "bert"))
    browser = at(app, "192.0.2.1")
    await enter(browser, username="bert")
    [(name, value)] = [(name, value) for name, value in browser.client.cookies.items() if name.startswith("known-")]
    assert "bert" not in f"{name}{value}"
    assert bert.user
    await browser.post("/logout")
    mine = at(app, "192.0.2.1")
    await enter(mine)
    [ours] = [name for name in mine.client.cookies if name.startswith("known-")]
    browser.client.cookies.set(ours, value, path="/login")
    for number in range(2, 5):
        await enter(at(app, f"192.0.2.{number}"), "a wrong guess")
    assert (await enter(browser)).status_code == 429


async def test_guesses_from_elsewhere_do_not_stop_a_change_of_the_password(
    app: object, alice: Person, guessed: None
) -> None:
    await known_password(alice)
    for number in range(3):
        await enter(at(app, f"192.0.2.{number}"), "a wrong guess")
    changed = await alice.post("/settings/password", {"current": PASSWORD, "password": "another horse battery"})
    assert changed.status_code == 303


async def test_a_changed_password_renews_the_session_and_ends_the_others(app: object, alice: Person) -> None:
    await known_password(alice)
    cookies = dict(alice.client.cookies)
    thief = Person(app)
    thief.client.cookies.update(cookies)
    assert (await thief.get("/lobby")).status_code == 200
    await alice.post("/settings/password", {"current": PASSWORD, "password": "another horse battery"})
    assert (await thief.get("/lobby")).status_code == 303
    assert (await alice.get("/lobby")).status_code == 200
    assert await Session.all().count() == 1


# What the log says.


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.message) for record in caplog.records if record.name == "parley.security"]


async def test_each_event_is_one_line_without_a_secret(
    app: object, alice: Person, guessed: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "parley.security")
    await known_password(alice)
    assert alice.user
    visitor = at(app, "192.0.2.1")
    await enter(visitor, "a wrong guess")
    await enter(visitor, "a wrong guess", "my own password")
    await enter(visitor)
    await visitor.post("/logout")
    await enter(at(app, "192.0.2.2"))
    await visitor.post("/login", {}, Sec_Fetch_Site="cross-site")
    await visitor.get("/", Host="elsewhere.example")
    found = [(line["event"], line.get("account", "")) for line in lines(caplog)]
    code = alice.user.code
    assert found == [
        ("sign_in_failed", code), ("sign_in_failed", ""), ("signed_in", code), ("signed_out", code),
        ("sign_in_throttled", ""), ("origin_refused", ""), ("host_refused", ""),
    ]  # fmt: skip
    said = " ".join(record.getMessage() for record in caplog.records)
    assert not re.search(r"192\.0\.2|wrong guess|my own password|correct horse", said)
    assert len({line["address"] for line in lines(caplog)}) == 2


async def test_addresses_are_plain_where_the_operator_wants_them(
    app: object, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "parley.security")
    monkeypatch.setattr(settings, "LOG_ADDRESSES", True)
    await enter(at(app, "2001:db8::7"), "a wrong guess")
    assert [line["address"] for line in lines(caplog)] == ["2001:db8::7"]


async def test_a_flood_is_no_flood_of_lines(
    visitor: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "parley.security")
    now = 100.0
    monkeypatch.setattr(security_log.time, "monotonic", lambda: now)
    for _ in range(security_log.MAX_PER_SECOND + 7):
        security_log.record(_request(), "host_refused")
    assert len(lines(caplog)) == security_log.MAX_PER_SECOND
    now = 101.0
    security_log.record(_request(), "host_refused")
    assert lines(caplog)[-1]["left_out"] == 7


def _request() -> Any:
    from starlette.requests import Request

    return Request({"type": "http", "scheme": "http", "client": ("192.0.2.1", 1), "headers": []})


# A profile.


async def test_a_profile_that_is_saved_unchanged_empties_nothing(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alice.user
    await bob.say(room, "Tea?")
    await alice.get(room.path)
    typed = {"display_name": "Alice", "bio": "", "language": "", "saves_data": ""}
    assert (await alice.post("/settings/profile", typed)).status_code == 303
    assert rendering.caches().logs
    await alice.post("/settings/profile", typed | {"display_name": "Alicia"})
    assert rendering.caches().logs, "nothing of Alice's stands there"
    assert bob.user
    await bob.post("/settings/profile", typed | {"display_name": "Robert"})
    assert not rendering.caches().logs
    assert "Robert" in (await alice.get(room.path)).text


async def test_a_profile_is_changed_as_a_whole_or_not_at_all(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert alice.user
    typed = {"display_name": "Alicia", "bio": "Hello", "language": "de", "saves_data": "1"}

    async def fails(user: User) -> None:
        raise RuntimeError("a crash")

    with monkeypatch.context() as patch:
        patch.setattr("webapp.accounts.models.SearchName.write", fails)
        assert (await alice.post("/settings/profile", typed)).status_code == 500
    found = await User.get(id=alice.user.id)
    assert (found.display_name, found.bio, found.language, found.saves_data) == ("Alice", "", "", False)
    await alice.post("/settings/profile", typed)
    found = await User.get(id=alice.user.id)
    assert (found.display_name, found.bio, found.language, found.saves_data) == ("Alicia", "Hello", "de", True)


@pytest.mark.usefixtures("low")
async def test_a_note_on_a_report_is_not_lost_to_a_limit(alice: Person, bob: Person, admin: Person, room: Room) -> None:
    await alice.say(room, "rude")
    await bob.post("/report", {"about": f"message:{room.key}:1", "reason": "spam"})
    [number] = await Report.all().values_list("id", flat=True)
    note = {"do": "dismiss", "hours": "24", "told": "", "note": "Weighed for an hour", "address": ""}
    await admin.post("/moderation/out", {"who": "nobody", "note": ""})
    refused = await admin.post(f"/moderation/reports/{number}", note)
    assert refused.status_code == 429
    assert "Too many attempts." in refused.text
    assert "Weighed for an hour" in refused.text
    assert refused.headers["retry-after"]
    assert "Too many attempts." in (await admin.post("/moderation/out", {"who": "nobody", "note": ""})).text


async def test_files_of_a_form_are_counted_as_those_in_pieces_and_the_words_stay(
    alice: Person, room: Room, low: None
) -> None:
    files = [("file", (name, b"12345")) for name in ("one.txt", "two.txt")]
    page = await alice.client.post(f"{room.path}/attach", data={"body": "my words", "nonce": "n"}, files=files)
    assert page.status_code == 422
    assert "Too many attempts" in words(page)
    assert ">my words</textarea>" in page.text
    assert await Attachment.all().count() == 1
