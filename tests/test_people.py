"""People: finding them, asking, accepting, blocking, and what nobody may learn by any of it."""

import asyncio
import html
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from limits import parse
from tortoise.transactions import in_transaction

from tests.conftest import Person, account, introduce, person
from tests.page import Page, main, words
from tests.people import who, write
from webapp import settings
from webapp.accounts.models import SearchName, User
from webapp.accounts.names import search_keys
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.presence.tracker import tracker
from webapp.relationships import broadcasts
from webapp.relationships.models import MAX_PENDING_REQUESTS, Block, Friendship, VeiledBlock
from webapp.relationships.queries import COOLING_OFF, Relationship, ordered_ids, people_by_name, relationship
from webapp.relationships.search import MAX_RESULTS, parse_code

NOBODY = "0000-0000"
ACTIONS = {
    "ask": "/friends/{}/ask",
    "accept": "/friends/{}/accept",
    "decline": "/friends/{}/decline",
    "cancel": "/friends/{}/cancel",
    "remove": "/friends/{}/remove",
    "block": "/people/{}/block",
    "unblock": "/people/{}/unblock",
}


def buttons(answer: httpx2.Response) -> list[str]:
    """What can be done on a profile, in the order of the page."""
    return [address.split("/")[-1] for address in Page(answer).actions()]


def names(answer: httpx2.Response, part: str = "") -> list[str]:
    """The people who are listed on a page, or in the list with this id."""
    return Page(answer).texts(f"ol#{part} a.row__name" if part else "a.row__name")


async def do(person: Person, action: str, whom: Person | str, **fields: str) -> httpx2.Response:
    code = whom if isinstance(whom, str) else who(whom).code
    return await person.post(ACTIONS[action].format(code), fields)


async def done(person: Person, action: str, whom: Person) -> None:
    answer = await do(person, action, whom)
    assert answer.status_code == 303, words(answer)
    assert answer.headers["location"] == who(whom).path


async def profile(person: Person, whom: Person) -> httpx2.Response:
    return await person.get(who(whom).path)


async def befriend(one: Person, other: Person) -> None:
    await done(one, "ask", other)
    await done(other, "accept", one)


async def ties(one: Person, other: Person) -> tuple[Relationship, Relationship]:
    """What each is to the other."""
    return await relationship(who(one), who(other)), await relationship(who(other), who(one))


async def declined(asker: Person, other: Person, ago: timedelta = timedelta()) -> None:
    await done(asker, "ask", other)
    await done(other, "decline", asker)
    low, high = ordered_ids(who(asker), who(other))
    await Friendship.filter(low_id=low, high_id=high).update(declined_at=datetime.now(UTC) - ago)


# Friends.


async def test_two_people_become_friends_and_both_see_every_step(alice: Person, charlie: Person) -> None:
    assert buttons(await profile(alice, charlie)) == ["ask", "block"]
    await done(alice, "ask", charlie)
    assert buttons(await profile(alice, charlie)) == ["cancel", "block"]
    assert buttons(await profile(charlie, alice)) == ["accept", "decline", "block"]
    assert names(await alice.get("/friends"), "requests-sent") == ["Charlie"]
    assert names(await charlie.get("/friends"), "requests-received") == ["Alice"]

    await done(charlie, "accept", alice)
    for one, other, name in [(alice, charlie, "Charlie"), (charlie, alice, "Alice")]:
        assert buttons(await profile(one, other)) == ["remove", "block"]
        assert "You are friends." in words(await profile(one, other))
        listed = await one.get("/friends")
        assert names(listed, "friends") == names(listed) == [name]
        assert f'href="/chat/{who(other).code}"' in listed.text

    await done(charlie, "remove", alice)
    assert buttons(await profile(alice, charlie)) == buttons(await profile(charlie, alice)) == ["ask", "block"]
    assert names(await alice.get("/friends")) == names(await charlie.get("/friends")) == []
    assert not await Friendship.exists()


async def test_script_is_answered_the_card_alone_made_of_the_same_as_the_page(alice: Person, charlie: Person) -> None:
    path = who(charlie).path
    card, page = await alice.get(path, HX_Request="true"), await alice.get(path)
    assert "<html" not in card.text
    assert words(Page(card).one("#person")) == words(Page(page).one("#person"))
    assert Page(card).actions("#person") == Page(page).actions("#person")
    assert Page(card).all("#contacts #person"), "what open pages of 0.1 load again"


@pytest.mark.parametrize(("shows", "sees"), [("everyone", True), ("friends", False), ("", False)])
async def test_a_profile_shows_a_stranger_who_is_online_only_what_everyone_may_see(
    alice: Person, charlie: Person, shows: str, sees: bool
) -> None:
    await User.filter(id=who(charlie).id).update(presence_for=shows)
    tracker().stream_opened(who(charlie).id, 0)
    await tracker().write_changes()
    assert ("Online" in words(Page(await profile(alice, charlie)).one("#person"))) is sees


async def test_the_level_of_a_chat_is_chosen_on_the_profile(alice: Person, charlie: Person) -> None:
    await befriend(alice, charlie)
    assert "settings" not in buttons(await profile(alice, charlie))
    await write(alice, charlie)
    page = Page(await profile(alice, charlie))
    [form] = [one for one in page.all("#person form") if (one.attributes["action"] or "").endswith("/settings")]
    assert "Everything Mentions Nothing" in words(form)
    chosen = {"do": "level", "level": "nothing"}
    assert (await alice.post(form.attributes["action"] or "", chosen)).status_code == 303
    page = Page(await profile(alice, charlie))
    assert page.one("#person input[name=level][checked]").attributes["value"] == "nothing"


async def test_a_profile_leads_to_the_chat(alice: Person, charlie: Person) -> None:
    assert f'href="/chat/{who(charlie).code}"' in (await profile(alice, charlie)).text


async def test_my_own_profile_has_nothing_to_ask(alice: Person) -> None:
    answer = await profile(alice, alice)
    assert buttons(answer) == []
    assert "This is you, as others see you." in words(answer)
    assert 'href="/settings/profile"' in answer.text


async def test_a_request_to_a_person_who_has_sent_one_accepts(alice: Person, charlie: Person) -> None:
    await done(alice, "ask", charlie)
    await done(charlie, "ask", alice)
    assert await ties(alice, charlie) == (Relationship.FRIENDS, Relationship.FRIENDS)


async def test_a_cancelled_request_disappears_for_both(alice: Person, charlie: Person) -> None:
    await done(alice, "ask", charlie)
    await done(alice, "cancel", charlie)
    assert await ties(alice, charlie) == (Relationship.NONE, Relationship.NONE)
    assert names(await charlie.get("/friends")) == []
    answer = await do(charlie, "accept", alice)
    assert answer.status_code == 404
    assert "They have cancelled their request." in words(answer)


async def test_a_decline_is_not_shown_to_the_sender(alice: Person, charlie: Person) -> None:
    await done(alice, "ask", charlie)
    before = [(await alice.get(path)).text for path in (who(charlie).path, "/friends")]
    await done(charlie, "decline", alice)
    assert [(await alice.get(path)).text for path in (who(charlie).path, "/friends")] == before
    assert buttons(await profile(charlie, alice)) == ["ask", "block"]
    assert names(await charlie.get("/friends")) == []


async def test_a_declined_request_sent_again_is_not_shown(alice: Person, charlie: Person) -> None:
    await declined(alice, charlie)
    await done(alice, "cancel", charlie)
    assert await ties(alice, charlie) == (Relationship.NONE, Relationship.NONE)
    await done(alice, "ask", charlie)
    assert await ties(alice, charlie) == (Relationship.REQUEST_SENT, Relationship.NONE)


async def test_after_the_cooling_off_a_declined_request_may_be_sent_again(alice: Person, charlie: Person) -> None:
    await declined(alice, charlie, COOLING_OFF + timedelta(minutes=1))
    assert await ties(alice, charlie) == (Relationship.NONE, Relationship.NONE)
    assert names(await alice.get("/friends")) == []
    await done(alice, "ask", charlie)
    assert await ties(alice, charlie) == (Relationship.REQUEST_SENT, Relationship.REQUEST_RECEIVED)


async def test_a_request_by_the_decliner_accepts_the_pending_one(alice: Person, charlie: Person) -> None:
    """Anything else would tell the one who waits that they were declined."""
    await declined(alice, charlie)
    await done(charlie, "ask", alice)
    assert await ties(alice, charlie) == (Relationship.FRIENDS, Relationship.FRIENDS)


async def test_a_wish_that_is_over_is_not_met(alice: Person, charlie: Person) -> None:
    await declined(alice, charlie, COOLING_OFF + timedelta(minutes=1))
    await done(charlie, "ask", alice)
    assert await ties(alice, charlie) == (Relationship.REQUEST_RECEIVED, Relationship.REQUEST_SENT)


async def test_a_wish_that_was_taken_back_after_a_decline_is_not_met(alice: Person, charlie: Person) -> None:
    await declined(alice, charlie)
    await done(alice, "cancel", charlie)
    await done(charlie, "ask", alice)
    assert await ties(alice, charlie) == (Relationship.REQUEST_RECEIVED, Relationship.REQUEST_SENT)


async def test_an_accept_after_a_decline_in_another_tab_still_counts(alice: Person, charlie: Person) -> None:
    await declined(alice, charlie)
    await done(charlie, "accept", alice)
    assert await ties(alice, charlie) == (Relationship.FRIENDS, Relationship.FRIENDS)


async def outstanding(one: Person, count: int, **values: Any) -> list[User]:
    others = [await account(f"other{number:02}") for number in range(count)]
    for other in others:
        low, high = ordered_ids(who(one), other)
        asked = {"low_id": low, "high_id": high, "asked_by": who(one).id, "asked_at": datetime.now(UTC)}
        await Friendship.create(**asked | values)
    return others


async def test_nobody_asks_more_than_fifty_who_do_not_answer(alice: Person, charlie: Person, app: object) -> None:
    others = await outstanding(alice, MAX_PENDING_REQUESTS)
    answer = await do(alice, "ask", charlie)
    assert answer.status_code == 403
    assert "You have asked many people who have not answered yet." in words(answer)
    assert await relationship(who(alice), who(charlie)) is Relationship.NONE

    assert (await do(alice, "ask", others[0].code)).status_code == 303, "asking again is no other request"
    await done(charlie, "ask", alice)
    await done(alice, "ask", charlie)
    assert await ties(alice, charlie) == (Relationship.FRIENDS, Relationship.FRIENDS), "nor is an answer"

    dora = await person(app, "dora")
    assert (await do(alice, "cancel", others[0].code)).status_code == 303
    await done(alice, "ask", dora)


async def test_requests_that_were_declined_long_ago_are_not_outstanding(alice: Person, charlie: Person) -> None:
    await outstanding(alice, MAX_PENDING_REQUESTS, declined_at=datetime.now(UTC) - COOLING_OFF - timedelta(days=1))
    await done(alice, "ask", charlie)


async def test_fifty_stays_fifty_when_the_last_two_are_asked_at_once(
    alice: Person, charlie: Person, app: object
) -> None:
    dora = await person(app, "dora")
    await outstanding(alice, MAX_PENDING_REQUESTS - 1)
    answers = await asyncio.gather(do(alice, "ask", charlie), do(alice, "ask", dora))
    assert sorted(answer.status_code for answer in answers) == [303, 403]
    assert await Friendship.filter(asked_by=who(alice).id).count() == MAX_PENDING_REQUESTS


# The same rungs for everything that can be done.


@pytest.mark.parametrize("action", ACTIONS)
async def test_who_is_signed_out_is_led_to_sign_in(visitor: Person, alice: Person, action: str) -> None:
    address = ACTIONS[action].format(who(alice).code)
    answer = await visitor.post(address)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Flobby"
    assert (await visitor.post(address, HX_Request="true")).status_code == 401


@pytest.mark.parametrize("path", ["/people", "/people?q=alice", "/people/{}", "/friends", "/settings/privacy"])
async def test_no_page_of_people_is_for_who_is_signed_out(visitor: Person, alice: Person, path: str) -> None:
    path = path.format(who(alice).code)
    assert (await alice.get(path)).status_code == 200
    answer = await visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")
    assert (await visitor.get(path, HX_Request="true")).status_code == 401


@pytest.mark.parametrize("action", ACTIONS)
async def test_nothing_is_done_by_looking(alice: Person, charlie: Person, action: str) -> None:
    address = ACTIONS[action].format(who(charlie).code)
    assert (await alice.get(address)).status_code == 405
    assert (await alice.client.put(address)).status_code == 405


@pytest.mark.parametrize("code", [NOBODY, "1", "charlie", "%00", "x" * 5000])
@pytest.mark.parametrize("action", ACTIONS)
async def test_nothing_can_be_done_about_nobody(alice: Person, action: str, code: str) -> None:
    answer = await do(alice, action, code)
    assert answer.status_code == 404
    assert "Nobody has that code." in words(answer)


@pytest.mark.parametrize("action", ACTIONS)
async def test_nothing_can_be_done_about_oneself(alice: Person, action: str) -> None:
    answer = await do(alice, action, alice)
    assert answer.status_code == 403
    assert "That is you." in words(answer)
    assert not await Friendship.exists()
    assert not await Block.exists()


@pytest.mark.parametrize("action", ACTIONS)
async def test_another_site_can_do_nothing_in_my_name(alice: Person, charlie: Person, action: str) -> None:
    answer = await alice.post(ACTIONS[action].format(who(charlie).code), Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403
    assert not await Friendship.exists()
    assert not await Block.exists()


BEFORE: dict[str, list[tuple[str, str]]] = {
    "ask": [],
    "accept": [("charlie", "ask")],
    "decline": [("charlie", "ask")],
    "cancel": [("alice", "ask")],
    "remove": [("charlie", "ask"), ("alice", "accept")],
    "block": [("charlie", "ask"), ("alice", "accept")],
    "unblock": [("alice", "block")],
}
AFTER = {
    "ask": (Relationship.REQUEST_SENT, Relationship.REQUEST_RECEIVED),
    "accept": (Relationship.FRIENDS, Relationship.FRIENDS),
    "decline": (Relationship.NONE, Relationship.REQUEST_SENT),
    "cancel": (Relationship.NONE, Relationship.NONE),
    "remove": (Relationship.NONE, Relationship.NONE),
    "block": (Relationship.BLOCKED, None),
    "unblock": (Relationship.NONE, Relationship.NONE),
}


async def seen(one: Person, whom: Person) -> Relationship | None:
    """What the one is to the other, None when they can't see them."""
    answer = await profile(one, whom)
    return None if answer.status_code == 404 else await relationship(who(one), who(whom))


async def prepared(action: str, alice: Person, charlie: Person) -> None:
    for name, what in BEFORE[action]:
        await done(*((alice, what, charlie) if name == "alice" else (charlie, what, alice)))


@pytest.mark.parametrize("action", ACTIONS)
async def test_done_once_or_twice_it_is_the_same(alice: Person, charlie: Person, action: str) -> None:
    await prepared(action, alice, charlie)
    for _ in range(2):
        await done(alice, action, charlie)
        assert (await seen(alice, charlie), await seen(charlie, alice)) == AFTER[action]
    assert await Friendship.all().count() <= 1
    assert await Block.all().count() == (action == "block")


@pytest.mark.parametrize("action", ACTIONS)
async def test_done_five_times_at_once_it_is_the_same(alice: Person, charlie: Person, action: str) -> None:
    await prepared(action, alice, charlie)
    answers = await asyncio.gather(*(do(alice, action, charlie) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {303}
    assert (await seen(alice, charlie), await seen(charlie, alice)) == AFTER[action]
    assert await Friendship.all().count() <= 1
    assert await Block.all().count() == (action == "block")


@pytest.mark.parametrize("action", ACTIONS)
async def test_one_comes_back_to_where_the_button_was(alice: Person, charlie: Person, action: str) -> None:
    await prepared(action, alice, charlie)
    assert (await do(alice, action, charlie, **{"from": "friends"})).headers["location"] == "/friends"
    for elsewhere in ("", "https://a.example/", "//a.example"):
        answer = await do(alice, action, charlie, **{"from": elsewhere})
        assert answer.headers["location"] == who(charlie).path


@pytest.mark.parametrize(
    ("mine", "theirs", "before", "ends"),
    [
        ("ask", "ask", [], {(Relationship.FRIENDS, Relationship.FRIENDS)}),
        (
            "cancel",
            "accept",
            [("alice", "ask")],
            {(Relationship.FRIENDS, Relationship.FRIENDS), (Relationship.NONE, Relationship.NONE)},
        ),
        (
            "cancel",
            "ask",
            [("alice", "ask")],
            {(Relationship.FRIENDS, Relationship.FRIENDS), (Relationship.REQUEST_RECEIVED, Relationship.REQUEST_SENT)},
        ),
        ("cancel", "decline", [("alice", "ask")], {(Relationship.NONE, Relationship.NONE)}),
        ("remove", "remove", [("alice", "ask"), ("charlie", "accept")], {(Relationship.NONE, Relationship.NONE)}),
        ("block", "ask", [], {(Relationship.BLOCKED, None)}),
        ("block", "accept", [("alice", "ask")], {(Relationship.BLOCKED, None)}),
        (
            "block",
            "block",
            [],
            {(Relationship.BLOCKED, Relationship.BLOCKED), (Relationship.BLOCKED, None), (None, Relationship.BLOCKED)},
        ),
    ],
)
async def test_two_who_act_at_the_same_moment_end_in_one_truth(
    alice: Person,
    charlie: Person,
    mine: str,
    theirs: str,
    before: list[tuple[str, str]],
    ends: set[tuple[Relationship | None, Relationship | None]],
) -> None:
    for _ in range(5):
        for name, what in before:
            await done(*((alice, what, charlie) if name == "alice" else (charlie, what, alice)))
        await asyncio.gather(do(alice, mine, charlie), do(charlie, theirs, alice))
        assert (await seen(alice, charlie), await seen(charlie, alice)) in ends
        assert await Friendship.all().count() <= 1
        if await Block.exists():
            assert not await Friendship.exists(), "what was between the two is over"
        await Block.all().delete()
        await Friendship.all().delete()


async def test_asking_is_limited_also_for_codes_of_nobody(
    alice: Person, charlie: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_FRIEND", parse("2/hour"))
    await done(alice, "ask", charlie)
    assert (await do(alice, "ask", NOBODY)).status_code == 404
    for code in (who(charlie).code, NOBODY):
        answer = await do(alice, "ask", code)
        assert answer.status_code == 429
        assert "Retry-After" in answer.headers
    await done(alice, "cancel", charlie)
    await done(charlie, "ask", alice)


@pytest.mark.parametrize(("action", "told"), [("ask", 2), ("cancel", 2), ("accept", 2), ("remove", 2), ("decline", 1)])
async def test_a_change_is_sent_to_both_but_a_decline_to_the_decliner_alone(
    alice: Person, charlie: Person, monkeypatch: pytest.MonkeyPatch, action: str, told: int
) -> None:
    await prepared(action, alice, charlie)
    heard: list[str] = []
    monkeypatch.setattr(
        broadcasts, "relationships_changed", lambda *people: heard.extend(one.display_name for one in people)
    )
    await done(alice, action, charlie)
    assert heard == ["Alice", "Charlie"][:told]


# Blocking.


async def test_a_block_closes_everything_both_ways_and_unblocking_opens_it(alice: Person, charlie: Person) -> None:
    await befriend(alice, charlie)
    await done(alice, "block", charlie)
    assert buttons(await profile(alice, charlie)) == ["unblock"]
    listed = await alice.get("/friends")
    assert names(listed) == names(listed, "blocked") == ["Charlie"]
    assert names(await charlie.get("/friends")) == []
    assert (await profile(charlie, alice)).status_code == 404
    assert names(await alice.get("/people?q=charlie")) == names(await charlie.get("/people?q=alice")) == []
    assert names(await charlie.get(f"/people?q={who(alice).code}")) == []
    assert (await do(alice, "ask", charlie)).status_code == 403

    await done(alice, "unblock", charlie)
    assert await ties(alice, charlie) == (Relationship.NONE, Relationship.NONE)
    assert names(await alice.get("/people?q=charlie")) == ["Charlie"]
    assert names(await charlie.get("/people?q=alice")) == ["Alice"]
    assert names(await alice.get("/friends")) == []


async def test_whom_i_blocked_shows_me_no_more_than_the_name(alice: Person, charlie: Person) -> None:
    await charlie.post("/settings/profile", {"display_name": "Charlie", "bio": "I grow leeks."})
    assert "I grow leeks." in words(await profile(alice, charlie))
    await done(alice, "block", charlie)
    assert "leeks" not in words(await profile(alice, charlie))


async def test_a_blocker_learns_nothing_of_being_blocked_back(alice: Person, charlie: Person) -> None:
    await done(alice, "block", charlie)
    paths = [who(charlie).path, "/friends", f"/people?q={who(charlie).code}"]
    before = [(await alice.get(path)).text for path in paths]
    await Block.add(who(charlie), who(alice))
    assert [(await alice.get(path)).text for path in paths] == before
    await done(alice, "unblock", charlie)
    assert (await profile(alice, charlie)).status_code == 404


# What nobody may learn.


PAGES = ("/people/{}", "/people?q={}", "/chat/{}")


async def everything(one: Person, code: str, name: str) -> list[tuple[str, int, str, dict[str, str]]]:
    """What the addresses that lead to a person answer, with the code and the name that were asked for taken out."""

    asked_for = re.compile("|".join((code, code.replace("-", ""), name, f'{name[:3]}(?=”|")')))

    def told(what: str, answer: httpx2.Response) -> tuple[str, int, str, dict[str, str]]:
        text = asked_for.sub("", answer.text)
        changing = ("etag", "content-length", "date", "set-cookie")
        headers = {key: value for key, value in answer.headers.items() if key not in changing}
        return what, answer.status_code, text, headers

    found = [told(page, await one.get(page.format(code))) for page in PAGES]
    found += [told("name", await one.get(f"/people?q={name}")), told("short", await one.get(f"/people?q={name[:3]}"))]
    found += [told("code", await one.get(f"/people?q={code.replace('-', '')}"))]
    found += [told(page, await one.get(page.format(code), HX_Request="true")) for page in PAGES]
    found += [told(action, await do(one, action, code)) for action in ACTIONS]
    message = await one.post(f"/chat/{code}/messages", {"body": "Hello", "nonce": "a"})
    return [*found, ("message", message.status_code, "", {})]


async def test_no_address_reveals_to_a_person_that_they_are_blocked(alice: Person, charlie: Person) -> None:
    open_to_all = await charlie.get(who(alice).path)
    assert open_to_all.status_code == 200
    await done(alice, "block", charlie)
    blocked = await everything(charlie, who(alice).code, "alice")
    nobody = await everything(charlie, NOBODY, "zzzzz")
    assert [status for _, status, *_ in nobody if status != 404] == [200] * 5, (
        "searches find nothing, all else is not there"
    )
    assert blocked == nobody
    assert not await Friendship.exists()


async def test_only_the_two_can_learn_that_they_are_friends(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    paths = [
        *(template.format(who(one).code) for one in (alice, bob) for template in ("/people/{}", "/people?q={}")),
        "/people?q=alice", "/people?q=bob", "/friends", "/lobby", "/me.css", room.path, f"{room.path}/settings",
    ]  # fmt: skip
    changing = re.compile(r'name="nonce" value="[^"]*"|<p id="people".*?</p>', re.S)

    async def all_that_charlie_sees() -> list[str]:
        return [changing.sub("", (await charlie.get(path)).text) for path in paths]

    before = await all_that_charlie_sees()
    await done(alice, "ask", bob)
    assert await all_that_charlie_sees() == before
    await done(bob, "accept", alice)
    assert await all_that_charlie_sees() == before
    assert names(await alice.get("/friends"), "friends") == ["Bob"]


async def test_a_friend_does_not_learn_who_my_other_friends_are(alice: Person, bob: Person, charlie: Person) -> None:
    await befriend(alice, charlie)
    before = [(await charlie.get(path)).text for path in ("/friends", who(alice).path, "/people?q=bob")]
    await befriend(alice, bob)
    assert [(await charlie.get(path)).text for path in ("/friends", who(alice).path, "/people?q=bob")] == before


async def test_nobody_finds_by_name_who_is_found_only_by_code(alice: Person, charlie: Person) -> None:
    code = who(alice).code
    nothing = main(await charlie.get("/people?q=zzzzz"))
    assert names(await charlie.get("/people?q=alice")) == ["Alice"]
    await User.filter(id=who(alice).id).update(found_by="code")
    for typed in ("alice", "Al", "ali"):
        assert main(await charlie.get(f"/people?q={typed}")).replace(typed, "zzzzz") == nothing
    assert names(await charlie.get(f"/people?q={code}")) == ["Alice"]
    for typed in (code[:8], code[:4], code[5:]):
        assert names(await charlie.get(f"/people?q={typed}")) == []
    assert (await profile(charlie, alice)).status_code == 200, "who has the code has the address"


# Finding.


@pytest.mark.parametrize(
    "typed",
    ["K7Q2-M9XD", "k7q2-m9xd", "K7Q2M9XD", "k7q2 m9xd", " K7q2-m9xd ", "Ｋ７Ｑ２-Ｍ９ＸＤ", "k7-q2-m9-xd"],
)
def test_a_code_is_read_however_it_is_written_down(typed: str) -> None:
    assert parse_code(typed) == "K7Q2-M9XD"


@pytest.mark.parametrize("typed", ["", "K7Q2-M9X", "K7Q2-M9XDA", "K7Q2-M9X!", "Ada Lovelace", "uuuuuuuu", "é" * 8])
def test_a_malformed_code_is_no_code(typed: str) -> None:
    assert parse_code(typed) == ""


def test_letters_that_no_code_has_are_read_as_the_digits_they_look_like() -> None:
    assert parse_code("ol1i-0000") == "0111-0000"


async def called(app: object, username: str, shown: str) -> Person:
    somebody = await person(app, username)
    await introduce(who(somebody), shown, "")
    return somebody


@pytest.mark.parametrize(
    "typed",
    ["augusta", "AUGUSTA", "aug", "ada", "king-noël", "king-noel of", "NOËL", "noe", "o'hara", "hara", "(ada)", "(ad",
     "augusta (ada) king", "countess", "counte", "ａｄａ"],
)  # fmt: skip
async def test_a_person_is_found_by_the_beginning_of_any_word_of_their_name(
    alice: Person, app: object, typed: str
) -> None:
    await called(app, "countess42", "Augusta (Ada) King-Noël of O'Hara")
    answer = await alice.client.get("/people", params={"q": typed})
    assert names(answer) == ["Augusta (Ada) King-Noël of O'Hara"]


@pytest.mark.parametrize("typed", ["ugusta", "oël", "ada lovelace", "untess", "countess43", "a%", "_a", "%", "a*"])
async def test_a_person_is_not_found_by_something_else(alice: Person, app: object, typed: str) -> None:
    await called(app, "countess42", "Augusta (Ada) King-Noël Lovelace")
    assert names(await alice.client.get("/people", params={"q": typed})) == []


async def test_one_letter_and_none_find_nobody(alice: Person, charlie: Person) -> None:
    for typed in ("c", " c ", "%00c", "́c"):
        assert names(await alice.client.get("/people", params={"q": typed})) == []
    assert "Type at least two letters." in words(await alice.get("/people?q=c"))
    assert who(alice).code in words(await alice.get("/people")), "my own code to give away"
    assert names(await alice.get("/people?q=ch")) == ["Charlie"]


async def test_a_new_name_is_found_and_the_old_one_is_not(alice: Person, charlie: Person) -> None:
    await charlie.post("/settings/profile", {"display_name": "Zara", "bio": ""})
    assert names(await alice.get("/people?q=zar")) == ["Zara"]
    assert names(await alice.get("/people?q=charlie")) == ["Zara"], "still the user name"
    await introduce(who(alice), "Alicia", "")
    assert names(await charlie.get("/people?q=alicia")) == ["Alicia"]


async def test_a_newcomer_is_found_at_once(visitor: Person, alice: Person) -> None:
    fields = {"username": "grace", "password": "correct horse battery", "display_name": "Admiral Hopper"}
    assert (await visitor.post("/register", fields)).status_code == 303
    for typed in ("gra", "admiral", "hopp"):
        assert names(await alice.get(f"/people?q={typed}")) == ["Admiral Hopper"]


async def test_two_changes_of_a_name_at_once_leave_one_of_them(alice: Person, charlie: Person) -> None:
    await asyncio.gather(*(introduce(who(charlie), name, "") for name in ("Yara One", "Zara Two", "Xara Three")))
    row = await User.get(id=who(charlie).id)
    kept = set(await SearchName.filter(user_id=row.id).values_list("folded", flat=True))
    assert kept == search_keys("charlie", row.display_name)


async def test_friends_come_first_and_nobody_twice(alice: Person, app: object) -> None:
    friend = await called(app, "zoe", "Anna Zoe")
    await called(app, "anna_anna", "Anna Anna Anna")
    await called(app, "andrew", "Andrew")
    await befriend(alice, friend)
    answer = await alice.get("/people?q=an")
    assert names(answer) == ["Anna Zoe", "Andrew", "Anna Anna Anna"]
    assert words(answer).count(" friend ") == 1


async def test_at_most_twenty_are_found_and_a_friend_is_always_among_them(alice: Person, app: object) -> None:
    for number in range(MAX_RESULTS + 5):
        await account(f"anna{number:02}")
    friend = await called(app, "last", "Annazzz")
    assert len(names(await alice.get("/people?q=anna"))) == MAX_RESULTS
    assert "Annazzz" not in names(await alice.get("/people?q=anna"))
    await befriend(alice, friend)
    found = names(await alice.get("/people?q=anna"))
    assert len(found) == MAX_RESULTS
    assert found[0] == "Annazzz"


async def test_a_search_stands_in_its_field_escaped(alice: Person) -> None:
    answer = await alice.client.get("/people", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text
    assert (await alice.client.get("/people", params={"q": "x" * 5000})).status_code == 200


async def test_searches_are_limited(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_SEARCH", parse("2/minute"))
    codes = [(await alice.get(f"/people?q={typed}")).status_code for typed in ("al", who(alice).code, "zz", NOBODY)]
    assert codes == [200, 200, 429, 429]
    assert (await alice.get("/people")).status_code == 200, "the empty page is no search"


async def plan(viewer: User, prefix: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the engine would look for a prefix; PostgreSQL may not read the whole of a small table by choice."""
    explain = "EXPLAIN QUERY PLAN" if settings.ON_SQLITE else "EXPLAIN (VERBOSE)"

    async def explained(query: str, *values: object, seconds: float) -> list[sql.Row]:
        steps.extend(await sql.fetch_all(f"{explain} {query}", *values))
        return []

    steps: list[sql.Row] = []
    monkeypatch.setattr(sql, "fetch_limited", explained)
    async with in_transaction("default") as connection:
        if not settings.ON_SQLITE:
            await connection.execute_script("ANALYZE search_name")
            for way in ("seqscan", "bitmapscan", "sort"):
                await connection.execute_script(f"SET LOCAL enable_{way} = off")
        await people_by_name(viewer, prefix)
    return "\n".join(str(dict(step)) for step in steps)


async def test_names_are_looked_up_in_an_index_in_their_order(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        viewer = await account(f"somebody{number:02}")
    how = await plan(viewer, "some", monkeypatch)
    if settings.ON_SQLITE:
        assert re.search(
            r"SEARCH search_name USING INDEX idx_search_name_folded\w* \(folded>\? AND folded<\?\)", how
        ), how
        assert "SCAN" not in how
        assert "TEMP B-TREE" not in how
    else:
        assert re.search(r"Index Cond[^,]*folded[^,]*>=[^,]*folded[^,]*<", how), how
        assert "Seq Scan on public.search_name" not in how
        assert "'Sort'" not in how


async def test_what_begins_with_a_prefix_is_one_range_on_every_engine(app: object) -> None:
    """In most collations of PostgreSQL, a name with a space, a hyphen or an accent would stand elsewhere."""
    if not settings.ON_SQLITE:
        [column] = await sql.fetch_all(
            "SELECT collation_name FROM information_schema.columns WHERE table_name = ? AND column_name = ?",
            "search_name", "folded",
        )  # fmt: skip
        assert column["collation_name"] == "C"
    shown = ["co-op", "coop", "co op", "Coöp", "cooz", "coo", "co", "cp", "c", "山田", "山", "ﬁn", "\U0001f680 go"]
    for number, name in enumerate(shown):
        somebody = await account(f"x{number:02}")
        await introduce(somebody, name, "")
    ordered = [row.folded for row in await SearchName.all().order_by("folded")]
    assert ordered == sorted(ordered)
    for prefix in ("co", "coo", "co-", "co ", "山", "fin", "\U0001f680"):
        found = {person.id for person in await people_by_name(somebody, prefix)}
        assert found == {row.user_id for row in await SearchName.all() if row.folded.startswith(prefix)}
        assert found


def test_a_name_has_few_and_short_beginnings() -> None:
    assert search_keys("ada", "Ada") == {"ada"}
    assert search_keys("", "?") == {"?"}
    longest = search_keys("w" * 30, "ﷺ " * 20)
    assert max(map(len, longest)) <= 80
    assert len(longest) <= 22


# What I show.


async def test_everybody_chooses_what_others_may_know(alice: Person) -> None:
    page = await alice.get("/settings/privacy")
    assert page.status_code == 200
    assert re.findall(r'value="(\w+)" checked', page.text) == ["everyone", "friends", "everyone", "everyone", "1", "1"]
    chosen = {"found_by": "code", "written_by": "everyone", "added_by": "friends", "shows_receipts": "1"}
    answer = await alice.post("/settings/privacy", chosen)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/privacy?done=privacy")
    row = await User.get(id=who(alice).id)
    assert (row.found_by, row.written_by, row.added_by) == ("code", "everyone", "friends")
    assert (row.shows_presence, row.shows_receipts, row.shows_typing) == (False, True, False)
    saved = await alice.get(answer.headers["location"])
    assert "Saved." in words(saved)
    assert re.findall(r'value="(\w+)" checked', saved.text) == ["code", "everyone", "friends", "nobody", "1"]
    assert 'name="shows_receipts" value="1" checked' in saved.text


@pytest.mark.parametrize("chosen", ["everyone", "friends", "nobody"])
async def test_everybody_chooses_who_sees_when_they_are_online(alice: Person, chosen: str) -> None:
    fields = {"found_by": "everyone", "written_by": "friends", "shows_presence": chosen}
    assert (await alice.post("/settings/privacy", fields)).status_code == 303
    row = await User.get(id=who(alice).id)
    assert (row.presence, row.added_by) == (chosen, "everyone"), "what a page of the version before does not ask stays"
    page = await alice.get("/settings/privacy")
    assert f'name="shows_presence" value="{chosen}" checked' in page.text


@pytest.mark.parametrize(
    ("shows", "until_now", "posted", "becomes"),
    [
        (True, "everyone", {"shows_presence": "1"}, "everyone"),
        (True, "", {"shows_presence": "1"}, "friends"),
        (False, "everyone", {"shows_presence": "1"}, "friends"),
        (True, "everyone", {}, "nobody"),
    ],
)
async def test_the_checkbox_of_an_open_page_from_before_the_three_choices_narrows_nothing(
    alice: Person, shows: bool, until_now: str, posted: dict[str, str], becomes: str
) -> None:
    await User.filter(id=who(alice).id).update(shows_presence=shows, presence_for=until_now)
    await alice.post("/settings/privacy", {"found_by": "everyone", "written_by": "friends", **posted})
    assert (await User.get(id=who(alice).id)).presence == becomes


async def test_who_was_here_before_the_choice_shows_their_friends_or_nobody(alice: Person) -> None:
    await User.filter(id=who(alice).id).update(presence_for="")
    assert (await User.get(id=who(alice).id)).presence == "friends"
    await User.filter(id=who(alice).id).update(shows_presence=False)
    assert (await User.get(id=who(alice).id)).presence == "nobody"


@pytest.mark.parametrize(("is_on", "begins_with"), [(True, "everyone"), (False, "friends")])
async def test_a_new_account_shows_everyone_only_where_people_are_listed(
    visitor: Person, monkeypatch: pytest.MonkeyPatch, is_on: bool, begins_with: str
) -> None:
    monkeypatch.setattr(settings, "DIRECTORY", is_on)
    fields = {"username": "newcomer", "password": "a long enough password", "display_name": "Née Comer"}
    assert (await visitor.post("/register", fields)).status_code == 303
    row = await User.get(username="newcomer")
    assert (row.presence, row.sort_name) == (begins_with, "nee comer")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("found_by", ""), ("found_by", "friends"), ("written_by", "nobody"), ("written_by", "code"),
        ("shows_presence", "code"), ("added_by", "code"),
    ],
)  # fmt: skip
async def test_a_choice_that_is_none_is_refused(alice: Person, field: str, value: str) -> None:
    fields = {"found_by": "code", "written_by": "everyone"} | {field: value}
    answer = await alice.post("/settings/privacy", fields)
    assert answer.status_code == 422
    assert "Choose one of these." in words(answer)
    row = await User.get(id=who(alice).id)
    assert (row.found_by, row.written_by, row.shows_typing) == ("everyone", "friends", True)


async def test_the_choices_are_found_from_every_page_of_the_settings(alice: Person, visitor: Person) -> None:
    for path in ("/settings/profile", "/settings/password", "/settings/sessions", "/settings/privacy"):
        assert 'href="/settings/privacy"' in (await alice.get(path)).text
    assert (await visitor.post("/settings/privacy")).headers["location"].startswith("/login")
    assert (await alice.client.put("/settings/privacy")).status_code == 405


# Blocks from before those of masks stood apart.


async def test_an_older_block_without_a_name_holds_and_shows_no_name(alice: Person, charlie: Person) -> None:
    await VeiledBlock.put(who(alice), who(charlie))
    await VeiledBlock.all().update(everywhere=True)
    assert (await profile(charlie, alice)).status_code == 404
    assert names(await charlie.get("/people?q=alice")) == names(await alice.get("/people?q=charlie")) == []
    assert (await charlie.post(f"/chat/{who(alice).code}/messages", {"body": "Hello"})).status_code == 404
    assert (await do(charlie, "ask", alice)).status_code == (await do(alice, "ask", charlie)).status_code == 404
    assert buttons(await profile(alice, charlie)) == ["ask", "block"]
    listed = await alice.get("/friends")
    assert "Somebody you blocked on" in words(listed)
    assert "Charlie" not in listed.text
    await alice.post(f"/friends/blocks/{(await VeiledBlock.get()).id}/lift")
    assert (await profile(charlie, alice)).status_code == 200


# In rooms: what blocked people say is hidden from whoever blocked them, and from nobody else.


HIDDEN = "Messages of somebody you blocked."


async def stylesheet(one: Person, room: Room) -> tuple[str, str]:
    """The address of the viewer's stylesheet on the page of the room, and what it says."""
    found = re.search(r'href="(/me\.css\?v=[^"]+)"', (await one.get(room.path)).text)
    assert found
    return found[1], (await one.get(html.unescape(found[1]))).text


def link_of(answer: httpx2.Response, number: int) -> str:
    found = re.search(rf'<li id="message-\d+-{number}".*?<a href="([^"]+)">Show</a>', answer.text, re.S)
    assert found
    return found[1]


async def test_what_blocked_people_say_in_a_room_is_hidden_and_opens_by_its_link(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    for writer, body in [(bob, "Soup?"), (alice, "Cake."), (bob, "Soup! Soup!")]:
        await writer.say(room, body)
    await done(alice, "block", bob)
    page = await alice.get(room.path)
    assert "Soup" not in page.text
    assert "Cake." in page.text
    assert words(page).count(HIDDEN) == 2
    for number, body, other in [(1, "Soup?", "Soup! Soup!"), (3, "Soup! Soup!", "Soup?")]:
        answer = await alice.get(link_of(page, number))
        assert answer.status_code == 303
        assert answer.headers["location"] == f"{room.path}?around={number}#message-{room.id}-{number}"
        opened = await alice.get(answer.headers["location"])
        assert f"<p>{body} <" in opened.text
        assert f"<p>{other} <" not in opened.text
        assert words(opened).count(HIDDEN) == 1
    mine = await alice.get(f"{room.path}/messages/2")
    assert mine.headers["location"] == f"{room.path}#message-{room.id}-2", "what is not hidden is on the live page"

    for other in (bob, charlie):
        page = await other.get(room.path)
        assert "Soup?" in page.text
        assert "Cake." in page.text
        assert "Hidden" not in page.text, "nobody else can tell"

    await done(alice, "unblock", bob)
    page = await alice.get(room.path)
    assert "Soup?" in page.text
    assert "Hidden" not in page.text


async def test_earlier_messages_of_blocked_people_are_hidden_too(alice: Person, bob: Person, room: Room) -> None:
    for number in range(55):
        await bob.say(room, f"Soup {number}")
    await done(alice, "block", bob)
    plain = await alice.get(f"{room.path}?before=6")
    fragment = await alice.get(f"{room.path}?before=6", HX_Request="true")
    for answer in (plain, fragment):
        assert "Soup" not in answer.text
        assert answer.text.count(HIDDEN) == 5


async def test_a_post_that_fails_shows_no_hidden_message(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "Soup?")
    await done(alice, "block", bob)
    answer = await alice.say(room, " ")
    assert answer.status_code == 422
    assert "Soup" not in answer.text


async def test_what_comes_by_the_stream_is_hidden_by_a_stylesheet_with_an_address_of_its_own(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    bobs, charlies = await stylesheet(bob, room), await stylesheet(charlie, room)
    addresses, sheets = [], []
    for action in ("", "block", "unblock", "block"):
        if action:
            await done(alice, action, bob)
        address, css = await stylesheet(alice, room)
        addresses.append(address)
        sheets.append(who(bob).code in css)
    assert sheets == [False, True, False, True]
    assert all(one != other for one, other in pairwise(addresses))
    assert (await stylesheet(bob, room), await stylesheet(charlie, room)) == (bobs, charlies)

    css = (await stylesheet(alice, room))[1]
    code = who(bob).code
    assert f'.message[data-author="{code}"]:not(.message--hidden):not(:target)' in css
    assert f'.people__name[data-author="{code}"]' in css
    assert f'.typing__name[data-author="{code}"]' in css
    await done(alice, "block", charlie)
    css = (await stylesheet(alice, room))[1]
    assert code in css
    assert who(charlie).code in css
    assert css.count("{") == css.count("}")
    assert not re.search(r",\s*\{", css)


async def test_what_two_said_in_their_own_chat_is_not_hidden(alice: Person, charlie: Person) -> None:
    await befriend(alice, charlie)
    sent = await charlie.post(f"/chat/{who(alice).code}/messages", {"body": "Just between us.", "nonce": "a"})
    assert sent.status_code == 303
    chat = sent.headers["location"].split("#")[0]
    await done(alice, "block", charlie)
    page = await alice.get(chat)
    assert "Just between us." in page.text
    assert "log--chat" in page.text, "me.css leaves it alone"
