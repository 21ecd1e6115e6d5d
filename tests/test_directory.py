"""The directory: who is listed for whom, in which order, and the dots of who comes and goes."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from time import monotonic, time

import pytest
from limits import parse

from tests.conftest import Person, account, introduce, person
from tests.page import Page, words
from tests.people import befriend, who
from tests.window import opened
from webapp import settings
from webapp.accounts.models import User
from webapp.deletion import steps
from webapp.http.urls import path_for
from webapp.live import Reader, hub
from webapp.people.directory import CHANNEL, FRESH_SECONDS, MAX_DOTS, directory
from webapp.people.queries import MAX_ONLINE, PAGE_SIZE, START, parse_key
from webapp.presence.queries import DIRECTORY, NO_ROOM
from webapp.presence.tracker import tracker
from webapp.relationships.models import Block, VeiledBlock

ONLINE, BY_NAME = "#people-online .row__name", "#people-by-name .row__name"


async def listed(one: Person, path: str = "/people") -> tuple[list[str], list[str]]:
    """The names of who is online, and of everybody else on the page."""
    answer = await one.get(path)
    assert answer.status_code == 200
    return Page(answer).texts(ONLINE), Page(answer).texts(BY_NAME)


async def come(*people: Person) -> None:
    for one in people:
        tracker().stream_opened(who(one).id, NO_ROOM)
    await tracker().write_changes()


async def leave(one: Person) -> None:
    tracker().stream_closed(who(one).id, NO_ROOM)
    tracker().leave_now(who(one).id, NO_ROOM)
    await tracker().write_changes()


async def test_everybody_who_may_be_found_is_listed_by_name(app: object, alice: Person) -> None:
    for name, shown in (("one", "Émile"), ("two", "eve"), ("three", "Zoë"), ("four", "Eberhard")):
        await introduce(await account(name), shown)
    assert await listed(alice) == ([], ["Eberhard", "Émile", "eve", "Zoë"])


async def test_a_press_on_a_person_begins_the_chat_and_the_face_leads_to_the_profile(
    alice: Person, charlie: Person
) -> None:
    page = Page(await alice.get("/people"))
    row = page.one("li.person[data-online]")
    assert row.attributes["data-online"] == "0"
    assert [link.attributes["href"] for link in row.css("a")] == [
        f"/people/{who(charlie).code}",
        f"/chat/{who(charlie).code}",
    ]
    assert (await alice.get(f"/chat/{who(charlie).code}")).status_code == 200


async def test_who_is_online_stands_first_and_once(app: object, alice: Person, charlie: Person) -> None:
    zoe = await person(app, "zoe")
    await come(zoe)
    assert await listed(alice) == (["Zoe"], ["Charlie"])
    assert Page(await alice.get("/people")).one("#people-online li").attributes["data-online"] == "1"
    await leave(zoe)
    assert await listed(alice) == ([], ["Charlie", "Zoe"])


@pytest.mark.parametrize(
    ("shows", "to", "stranger_sees", "friend_sees"),
    [
        (True, "everyone", True, True),
        (True, "friends", False, True),
        (True, "", False, True),
        (False, "", False, False),
    ],
)
async def test_a_person_is_online_only_to_those_they_chose(
    app: object, alice: Person, charlie: Person, shows: bool, to: str, stranger_sees: bool, friend_sees: bool
) -> None:
    zoe = await person(app, "zoe")
    await User.filter(id=who(zoe).id).update(shows_presence=shows, presence_for=to)
    await befriend(charlie, zoe)
    await come(zoe)
    assert ((await listed(alice))[0] == ["Zoe"], (await listed(charlie))[0] == ["Zoe"]) == (stranger_sees, friend_sees)
    row = Page(await alice.get("/people")).tree
    dots = {node.attributes["id"] or "" for node in row.css(".online-dot--on")}
    assert (f"dot-person-{who(zoe).code}" in dots) is stranger_sees


async def test_a_person_who_hides_is_never_in_the_directory(app: object, alice: Person, charlie: Person) -> None:
    hidden, banned, leaving, blocks, veiled = [
        await person(app, name) for name in ("hidden", "banned", "leaving", "blocks", "veiled")
    ]
    guest = await account("visitor1")
    await User.filter(id=guest.id).update(is_guest=True)
    await User.filter(id=who(hidden).id).update(found_by="code")
    await User.filter(id=who(banned).id).update(banned_until=datetime.now(UTC) + timedelta(days=1))
    await come(hidden, banned, leaving, blocks, veiled, charlie)
    await Block.add(who(blocks), who(alice))
    await Block.add(who(alice), who(charlie))
    await VeiledBlock.put(who(veiled), who(alice))
    await VeiledBlock.all().update(everywhere=True)
    await steps.start_deletion(who(leaving))
    assert await listed(alice) == ([], [])
    assert "Nobody else is here yet." in words(await alice.get("/people"))
    await User.filter(id=who(banned).id).update(banned_until=datetime.now(UTC) - timedelta(days=1))
    assert await listed(alice) == (["Banned"], [])


async def test_pages_go_on_where_the_one_before_ended_and_nobody_is_missed(app: object, alice: Person) -> None:
    total = 2 * PAGE_SIZE + 7
    for number in range(total):
        await introduce(await account(f"somebody{number:03}"), "Same Name" if number % 2 else f"Name {number % 10}")
    last = await User.get(username=f"somebody{total - 2:03}")
    tracker().stream_opened(last.id, NO_ROOM)
    await tracker().write_changes()
    seen: list[str] = []
    path = "/people"
    while path:
        page = Page(await alice.get(path))
        seen += [link.attributes["href"] or "" for link in page.all("#people-by-name .row__name")]
        seen += [link.attributes["href"] or "" for link in page.all(ONLINE)]
        following = page.all("a[rel=next]")
        path = following[0].attributes["href"] or "" if following else ""
    assert len(set(seen)) == total
    # Who is online stands on top, and at the place of their name on the page that has it.
    assert seen.count(path_for("chat", code=last.code)) <= 2
    assert len(seen) - len(set(seen)) <= 1


def test_an_invalid_key_lists_the_directory_from_its_beginning() -> None:
    assert parse_key("anna.b.K7Q2-M9XD") == ("anna.b", "K7Q2-M9XD")
    for typed in ("", "anna", "anna.", ".", "anna.K7Q2", "'; DROP TABLE"):
        assert parse_key(typed) == START


async def test_of_a_crowd_online_so_many_stand_first_and_the_others_by_name(app: object, alice: Person) -> None:
    crowd = [await account(f"crowd{number:03}") for number in range(MAX_ONLINE + 5)]
    for one in crowd:
        tracker().stream_opened(one.id, NO_ROOM)
    await tracker().write_changes()
    first, others = await listed(alice)
    assert first == [one.display_name for one in crowd[:MAX_ONLINE]]
    assert others == [one.display_name for one in crowd[MAX_ONLINE:]]


async def test_where_it_is_off_there_is_only_the_search(
    alice: Person, charlie: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DIRECTORY", False)
    assert await listed(alice) == ([], [])
    assert "Type the beginning of a name" in words(await alice.get("/people"))
    assert "Charlie" in words(await alice.get("/people?q=charlie"))


async def test_the_directory_has_a_rate_of_its_own(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_DIRECTORY", parse("2/minute"))
    codes = [(await alice.get(path)).status_code for path in ("/people", "/people?after=x", "/people", "/people?q=al")]
    assert codes == [200, 200, 429, 200]


async def test_who_is_signed_out_is_led_to_sign_in(visitor: Person) -> None:
    assert (await visitor.get("/people")).headers["location"].startswith("/login")


# The one question.


async def test_who_was_here_before_is_asked_once_whether_everyone_may_see(alice: Person, charlie: Person) -> None:
    await User.all().update(presence_for="")
    page = Page(await alice.get("/people"))
    assert "Until now your friends" in words(page.one(".offer"))
    answer = await alice.post("/settings/privacy/online", {"show": "everyone"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    assert (await User.get(id=who(alice).id)).presence == "everyone"
    assert not Page(await alice.get("/people")).all(".offer")
    await charlie.post("/settings/privacy/online", {"show": ""})
    assert (await User.get(id=who(charlie).id)).presence == "friends"
    await charlie.post("/settings/privacy/online", {"show": "everyone"})
    assert (await User.get(id=who(charlie).id)).presence == "friends", "it was answered"
    assert not Page(await charlie.get("/people")).all(".offer")


async def test_who_showed_nobody_shows_nobody_after_no(alice: Person) -> None:
    await User.all().update(presence_for="", shows_presence=False)
    assert "Until now nobody." in words(Page(await alice.get("/people")).one(".offer"))
    await alice.post("/settings/privacy/online", {"show": ""})
    assert (await User.get(id=who(alice).id)).presence == "nobody"


# Dots.


def open_page(one: Person, age: int = 0) -> Reader:
    """An open page that lists people, as its stream opens it."""
    labels = {"session": one.session.id, "user": who(one).id, DIRECTORY: int(time()) - age}
    page = Reader([CHANNEL], None, "sse", frozenset(), labels, "/people")
    hub().join(page)
    directory().opened(page)
    return page


def dots(text: str) -> dict[str, bool]:
    """Whose dots these frames bring, and whether they are online."""
    pieces = re.findall(r'hx-target="#dot-person-([^"]+)" hx-swap="outerHTML">(.*?)</hx-partial>', text, re.S)
    return {code: "online-dot--on" in piece for code, piece in pieces}


async def heard(page: Reader, until: Person) -> dict[str, bool]:
    """What the page is sent until there is a dot of this person."""
    sent: dict[str, bool] = {}
    async with asyncio.timeout(20):
        async for chunk in page.outbox:
            sent |= dots(chunk.decode())
            if who(until).code in sent:
                return sent
    raise AssertionError("the stream has ended")


async def test_an_open_page_shows_who_comes_and_goes(app: object, alice: Person, charlie: Person) -> None:
    page = open_page(alice)
    await come(charlie)
    assert await heard(page, charlie) == {who(charlie).code: True}
    await leave(charlie)
    assert await heard(page, charlie) == {who(charlie).code: False}


async def test_nothing_is_sent_of_who_does_not_show_everyone_or_may_not_be_found(
    app: object, alice: Person, charlie: Person
) -> None:
    zoe, last = await person(app, "zoe"), await person(app, "zz_last")
    await User.filter(id=who(zoe).id).update(presence_for="friends")
    await User.filter(id=who(charlie).id).update(found_by="code")
    page = open_page(alice)
    await come(zoe, charlie, last)
    assert await heard(page, last) == {who(last).code: True}


async def test_no_dots_of_blocked_people_are_sent(app: object, alice: Person, bob: Person, charlie: Person) -> None:
    last = await person(app, "zz_last")
    await Block.add(who(charlie), who(alice))
    pages = [open_page(one) for one in (alice, bob)]
    await come(charlie)
    assert await heard(pages[1], charlie) == {who(charlie).code: True}
    await come(last)
    assert await heard(pages[0], last) == {who(last).code: True}


async def test_the_dot_disappears_when_a_person_hides_from_everyone(
    app: object, alice: Person, charlie: Person
) -> None:
    last = await person(app, "zz_last")
    page = open_page(alice)
    await come(charlie)
    assert await heard(page, charlie) == {who(charlie).code: True}
    fields = {"found_by": "everyone", "written_by": "friends", "shows_presence": "friends"}
    await charlie.post("/settings/privacy", fields)
    assert await heard(page, charlie) == {who(charlie).code: False}
    # Who was shown to friends alone until then has no dot to lose.
    await charlie.post("/settings/privacy", fields | {"shows_presence": "nobody"})
    await come(last)
    assert await heard(page, last) == {who(last).code: True}


async def test_a_crowd_that_comes_is_sent_in_parts(app: object, alice: Person) -> None:
    crowd = [await account(f"crowd{number:03}") for number in range(MAX_DOTS + 5)]
    page = open_page(alice)
    for one in crowd:
        tracker().stream_opened(one.id, NO_ROOM)
    await tracker().write_changes()
    sent: list[dict[str, bool]] = []
    async with asyncio.timeout(20):
        async for chunk in page.outbox:
            sent += [some for event in chunk.decode().split("\n\n") if (some := dots(event))]
            if sum(map(len, sent)) == len(crowd):
                break
    assert max(map(len, sent)) <= MAX_DOTS


async def test_a_page_is_sent_one_frame_a_second_at_most(app: object, alice: Person, charlie: Person) -> None:
    page = open_page(alice)
    times = []
    async with asyncio.timeout(20):
        for _ in range(3):
            directory().on_presence(str(who(charlie).id))
            async for chunk in page.outbox:
                if b"#dot-person-" in chunk:
                    times.append(monotonic())
                    break
    # Between two readings lies a second, of which the first took a part.
    assert times[2] - times[1] > 0.9


async def test_a_page_is_sent_what_changed_between_its_making_and_its_stream(alice: Person, charlie: Person) -> None:
    await come(charlie)
    assert await heard(open_page(alice), charlie) == {who(charlie).code: True}


async def test_a_page_that_comes_back_later_loads_its_list_again(alice: Person) -> None:
    assert "event: contacts" in open_page(alice, age=FRESH_SECONDS + 1).outbox.take().decode()
    assert "event: contacts" not in open_page(alice).outbox.take().decode()


async def test_the_stream_of_the_page_hears_of_people_and_others_do_not(alice: Person) -> None:
    page = await alice.get("/people")
    [stream] = re.findall(r'hx-sse:connect="([^"]+)"', page.text)
    address = stream.replace("&amp;", "&")
    assert f"{DIRECTORY}=" in address
    heard: list[str] = []
    join = hub().join

    def record(reader: Reader) -> None:
        heard.extend(reader.channels)
        join(reader)

    hub().join = record  # type: ignore[method-assign]
    try:
        await opened(alice, address)
        assert CHANNEL in heard
        heard.clear()
        await opened(alice, "/events?sidebar=x")
        assert heard
        assert CHANNEL not in heard
    finally:
        hub().join = join  # type: ignore[method-assign]
