"""Searching messages, through the page: what is found, of whose, and how it is shown; the same on both engines."""

import asyncio
from collections import Counter
from datetime import datetime
from urllib.parse import urlencode

import httpx2
import pytest
from limits import parse

from tests.conftest import Person, introduce
from tests.page import Page, words
from tests.people import chat_of_two, make_room, post_as, who, write
from tests.room_acts import put_out
from tests.search_cases import CASES
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.core import text
from webapp.db import readers, sql
from webapp.messages.models import Message
from webapp.messages.retention import delete_closed_rooms
from webapp.relationships.models import Block
from webapp.search import finding, queries


async def search(one: Person, typed: str, headers: dict[str, str] | None = None, **more: object) -> httpx2.Response:
    return await one.get(f"/search?{urlencode({'q': typed, **more})}", **headers or {})


async def found(one: Person, typed: str, **more: object) -> list[str]:
    """The messages that the page shows, as they stand there."""
    return Page(await search(one, typed, **more)).texts("li.found .hit__text")


async def paths(one: Person, typed: str, **more: object) -> list[str]:
    links = Page(await search(one, typed, **more)).all("li.found a.hit__press")
    return [link.attributes["href"] or "" for link in links]


async def marked(one: Person, typed: str) -> list[str]:
    return Page(await search(one, typed)).texts("li.found mark")


async def test_what_people_write_is_found_in_every_language(alice: Person, room: Room) -> None:
    wrong = []
    for number, (name, body, typed, is_found) in enumerate(CASES, 1):
        await post_as(who(alice), room, body)
        answer = await search(alice, typed)
        assert answer.status_code == 200, name
        newest = Page(answer).all("li.found a.hit__press")[:1]
        path = f"{room.path}/messages/{number}"
        if bool(is_found) is not ([link.attributes["href"] for link in newest] == [path]):
            wrong.append(name)
    assert not wrong


@pytest.mark.parametrize(
    ("body", "typed", "shown"),
    [
        ("Die große Straße in Zürich", "strasse", "Die große [Straße] in Zürich"),
        ("İSTANBUL güzel", "istanbul", "[İSTANBUL] güzel"),
        ("打开WeChat支付", "wechat支付", "打开[WeChat支付]"),
        ("吾輩は猫である", "猫", "吾輩は[猫]である"),
        ("東京都庁へ行きます", "京都", "東[京都]庁へ行きます"),
        ("ｶﾀｶﾅのテスト", "カタカナ", "[ｶﾀｶﾅ]のテスト"),
        ("ok 👨‍👩‍👧 family", "👨‍👩‍👧", "ok [👨‍👩‍👧] family"),
        ("Cafe\u0301 au lait", "cafe", "[Café] au lait"),
        ("call user_id_map now", "user_id", "call [user_id]_map now"),
        ("we are planning", "plan", "we are [planning]"),
        ("red fox, red hen", "red hen", "[red] fox, [red] [hen]"),
        ("red fox, red hen", '"red hen"', "red fox, [red hen]"),
        ("use getUserName()", "username", "use get[UserName]()"),
        ("İİİ getUserName()", "username", "İİİ get[UserName]()"),
        ("**bold** words & <b>signs</b>", "signs words", "bold [words] & <b>[signs]</b>"),
        ("[the plan](https://example.org/hidden)", "hidden", "[the plan](https://example.org/[hidden])"),
        ("nothing is marked in it", "in:tea-cake", "nothing is marked in it"),
    ],
)
async def test_the_snippet_marks_what_was_looked_for(
    alice: Person, room: Room, body: str, typed: str, shown: str
) -> None:
    await post_as(who(alice), room, body)
    [line] = Page(await search(alice, typed)).all("li.found .hit__text")
    for mark in line.css("mark"):
        mark.replace_with(f"[{mark.text()}]")
    assert line.text().strip() == shown


async def test_a_long_message_is_shown_around_what_was_looked_for(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, f"{'before it all ' * 100}the needle {'and so on ' * 100}")
    await post_as(who(alice), room, f"{'干草' * 900}针{'干草' * 900}")
    await post_as(who(alice), room, f"{'👨‍👩‍👧' * 200}🧵{'👨‍👩‍👧' * 100}")
    for typed in ("needle", "针", "🧵"):
        [line] = await found(alice, typed)
        before, mark, after = line.partition(typed)
        assert mark, line
        assert before.startswith("…")
        assert after.endswith("…")
        assert 40 <= len(before) <= 80
        assert len(line) <= 260
        assert not before.startswith("…\u200d"), "no family is torn"
        assert await marked(alice, typed) == [typed]


async def test_a_message_leads_to_its_place_in_its_room(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "where is the ladder?")
    page = Page(await search(bob, "ladder"))
    assert words(page.one("li.found .hit__from")).startswith("Alice in Tea & Cake")
    answer = await bob.get((await paths(bob, "ladder"))[0])
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"#message-{room.id}-1")
    chat = await chat_of_two(alice, bob)
    assert words(Page(await search(bob, "between")).one("li.found .hit__from")).startswith("Alice to you")
    assert words(Page(await search(alice, "between")).one("li.found .hit__from")).startswith("Alice to Bob")
    assert await paths(bob, "between") == [f"{chat.path}/messages/1"]


# Whose messages.


async def test_who_is_not_in_a_room_finds_nothing_of_it(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await alice.say(room, "the ladder")
    assert await found(bob, "ladder") == ["the ladder"]
    assert await found(charlie, "ladder") == []
    assert (await search(charlie, "ladder in:tea-cake")).text.count("No message was found.") == 1
    assert words(await search(charlie, "ladder in:tea-cake")) == words(
        await search(charlie, "ladder in:nowhere")
    ).replace("in:nowhere", "in:tea-cake")


async def test_who_leaves_or_is_kicked_finds_nothing_more_and_who_comes_back_does(
    alice: Person, bob: Person, room: Room
) -> None:
    await alice.say(room, "the ladder")
    await bob.post(f"{room.path}/leave")
    assert await found(bob, "ladder") == []
    await bob.post(f"{room.path}/join")
    assert await found(bob, "ladder") == ["the ladder"]
    await put_out(room, bob)
    assert await found(bob, "ladder") == []


async def test_a_request_is_found_by_who_wrote_it_and_once_it_is_answered(alice: Person, charlie: Person) -> None:
    await write(charlie, alice, "about the ladder")
    assert await found(charlie, "ladder") == ["about the ladder"]
    assert await found(alice, "ladder") == []
    chat = await Room.get(low__not_isnull=True)
    await alice.post(f"{chat.path}/join")
    assert await found(alice, "ladder") == ["about the ladder"]


async def test_nothing_of_a_closed_room_is_found_nor_when_it_is_deleted(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "the ladder")
    await alice.post(f"{room.path}/settings", {"do": "delete", "name": room.name})
    assert await found(bob, "ladder") == []
    await delete_closed_rooms()
    assert await found(bob, "ladder") == []
    assert not await Message.all().count()


async def test_words_of_people_whom_one_blocked_are_not_found(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "the ladder of Alice")
    await bob.say(room, "the ladder of Bob")
    await Block.add(who(alice), who(bob))
    assert await found(alice, "ladder") == ["the ladder of Alice"]
    assert await found(alice, "from:bob") == []
    assert len(await found(bob, "ladder")) == 2, "who was blocked reads on"


async def test_chats_with_strangers_are_not_found_until_the_two_are_friends(alice: Person, charlie: Person) -> None:
    wishes = {"interests": "", "language": "en", "rules": "1"}
    for one in (alice, charlie):
        await one.post("/strangers/find", wishes)
    chat = (await charlie.get("/strangers")).headers["location"]
    if not chat.startswith("/strangers/chat/"):
        chat = (await charlie.get("/strangers")).headers["location"]
    await alice.post(f"{chat}/messages", {"body": "I know a good bakery"})
    assert await found(alice, "bakery") == await found(charlie, "bakery") == []
    assert await found(alice, "from:me") == []
    for one in (alice, charlie):
        await one.post("/strangers/keep")
    assert await found(alice, "bakery") == await found(charlie, "bakery") == ["I know a good bakery"]
    assert await found(alice, "bakery from:me in:@charlie") == ["I know a good bakery"]


async def test_an_edit_is_found_by_its_new_words_and_what_was_removed_no_more(alice: Person, room: Room) -> None:
    await alice.say(room, "the ladder")
    await alice.say(room, "the step-ladder")
    await alice.post(f"{room.path}/messages/1/edit", {"body": "the stairs"})
    assert await found(alice, "stairs") == ["the stairs"]
    assert await found(alice, "ladder") == ["the step-ladder"]
    await alice.post(f"{room.path}/messages/2/remove")
    assert await found(alice, "ladder") == []
    assert await found(alice, "in:tea-cake") == ["the stairs"]


async def test_messages_of_a_deleted_account_are_found_but_not_by_its_name(
    alice: Person, bob: Person, room: Room
) -> None:
    await bob.say(room, "the ladder")
    await sql.execute("UPDATE message SET author_id = NULL RETURNING id")
    assert "Deleted account in Tea & Cake" in words(await search(alice, "ladder"))
    assert await found(alice, "ladder from:bob") == []


# Filters.


async def test_in_names_a_room_by_key_name_or_beginning_and_a_chat_by_the_other(
    alice: Person, bob: Person, room: Room
) -> None:
    await chat_of_two(alice, bob)
    await write(alice, alice, "a note of mine")
    garden = await make_room(who(alice), "Book Club")
    await alice.say(room, "tea")
    await alice.say(garden, "books")
    for typed in ("in:tea-cake", 'in:"Tea & Cake"', "in:tea", "IN:Tea", "in:„tea & cake“", 'in:"TEA & CÄKE"'):
        assert await found(alice, typed) == ["tea"], typed
    for typed in ("in:@bob", "in:bob", f"in:{who(bob).code}", "in:Bob", f"in:{who(bob).code.lower()}"):
        assert await found(alice, typed) == ["between us"], typed
    for typed in ("in:alice", "in:notes", 'in:"Notes to yourself"'):
        assert await found(alice, typed) == ["a note of mine"], typed
    assert await found(alice, 'in:"Book Club" in:bob') == ["books", "between us"]
    assert await found(alice, 'in:"Book Club" tea') == []
    assert await found(alice, 'books in:"Book Club') == ["books"], "nobody closed the quotation"


async def test_the_names_of_rooms_are_folded_once_for_all_that_a_search_names(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded, fold = Counter[str](), text.strip_accents

    def counted(typed: str) -> str:
        folded[typed] += 1
        return fold(typed)

    await alice.say(room, "scones")
    monkeypatch.setattr(text, "strip_accents", counted)
    assert await found(alice, "in:a in:b in:tea in:c") == ["scones"]
    assert folded[room.name] == 1


async def test_from_names_an_author(alice: Person, bob: Person, room: Room) -> None:
    await introduce(who(bob), "Bob Größer")
    await alice.say(room, "the ladder of Alice")
    await bob.say(room, "the ladder of Bob")
    for typed in ("from:bob", "from:@bob", 'from:"Bob Großer"', "von:bob", f"von:{who(bob).code}", "from:bo"):
        assert await found(alice, f"ladder {typed}") == ["the ladder of Bob"], typed
    for typed in ("from:me", "von:mir", "from:alice"):
        assert await found(alice, typed) == ["the ladder of Alice"], typed
    assert len(await found(alice, "from:bob from:me")) == 2
    assert await found(alice, "from:nobody") == []


async def test_before_and_after_are_days_of_the_reader(alice: Person, room: Room) -> None:
    for day in ("2025-12-31 23:30", "2026-03-07 12:00", "2026-03-08 00:00", "2026-03-09 09:00"):
        await alice.say(room, f"on {day}")
        await Message.filter(body=f"on {day}").update(created_at=datetime.fromisoformat(f"{day}+00:00"))
    assert await found(alice, "on after:2026-03-08") == ["on 2026-03-09 09:00", "on 2026-03-08 00:00"]
    assert await found(alice, "on before:2026-03-08") == ["on 2026-03-07 12:00", "on 2025-12-31 23:30"]
    assert await found(alice, "nach:7.3.2026 vor:8.3.2026") == ["on 2026-03-07 12:00"]
    assert await found(alice, "before:2026") == ["on 2025-12-31 23:30"]
    assert await found(alice, "after:2026-01 before:2026-03-08 before:2027") == ["on 2026-03-07 12:00"]
    await User.filter(id=who(alice).id).update(time_zone="Pacific/Auckland")
    assert await found(alice, "before:2026") == []


async def test_has_finds_links(alice: Person, room: Room) -> None:
    await alice.say(room, "see https://example.org/ladder")
    await alice.say(room, "no link")
    for typed in ("has:link", "hat:link", "has:Links"):
        assert await found(alice, typed) == ["see https://example.org/ladder"], typed
    assert await found(alice, "has:link has:file") == []


@pytest.mark.parametrize(
    "typed",
    [
        "before:breakfast", "has:fleas", "in:", "from: here", "after:2026-13-45", "before:0001-01-01", "http://in:tea",
        "NOT", "a AND b", "(", "x OR", '"', "'", "\\", "words:a", "^a", "a*", "col : b", "NEAR(a b)", "%", "_",
        "&|!<->", ":*", "\x00", "\ue000r1", "-", "{", "a\tb", "٣", "9" * 400, "a " * 300, 'in:"', 'from:"" has:"',
        "after:9999-12-31", "before:2199-12-31", "vor:31.2.2026", "in:@", "from:@",
    ],
)  # fmt: skip
async def test_nothing_that_is_typed_is_syntax_or_an_error(alice: Person, room: Room, typed: str) -> None:
    await alice.say(room, "hello")
    answer = await search(alice, typed)
    assert answer.status_code == 200
    assert not Page(answer).all("li.found")
    assert (await search(alice, typed, {"HX_Request": "true"}, suggest=1)).status_code == 200


async def test_what_looks_like_a_filter_and_is_none_are_words(alice: Person, room: Room) -> None:
    await alice.say(room, "the day before: breakfast")
    assert await found(alice, "before:breakfast") == ["the day before: breakfast"]
    assert await found(alice, '"before:breakfast"') == ["the day before: breakfast"]
    await alice.say(room, "he said in:tea-cake to me")
    assert await found(alice, '"said in:tea-cake"') == ["he said in:tea-cake to me"]


# The page.


async def test_thirty_stand_on_a_page_and_older_ones_on_the_next(alice: Person, room: Room) -> None:
    for number in range(1, 62):
        await post_as(who(alice), room, f"ladder {number}")
    first = Page(await search(alice, "ladder"))
    assert first.texts("li.found .hit__text") == [f"ladder {number}" for number in range(61, 31, -1)]
    older = first.one("#found a[rel=next]").attributes["href"] or ""
    await post_as(who(alice), room, "ladder 62")
    second = Page(await alice.get(older))
    assert second.texts("li.found .hit__text") == [f"ladder {number}" for number in range(31, 1, -1)]
    assert second.texts("#found h2") == ["Messages"]
    last = Page(await alice.get(second.one("#found a[rel=next]").attributes["href"] or ""))
    assert last.texts("li.found .hit__text") == ["ladder 1"]
    assert not last.all("a[rel=next]")
    assert len(await found(alice, "ladder", older="nonsense")) == 30


async def test_people_and_rooms_stand_before_messages_but_not_with_filters(
    alice: Person, bob: Person, room: Room
) -> None:
    await make_room(who(alice), "Bob's garden")
    await alice.say(room, "ask bob")
    assert Page(await search(alice, "bob")).texts("#found h2") == ["People", "Rooms", "Messages"]
    assert Page(await search(alice, "bob in:tea")).texts("#found h2") == ["Messages"]


async def test_one_letter_is_enough_where_it_is_a_word(alice: Person, room: Room) -> None:
    for body in ("吾輩は猫である", "plan C", "party 🎉"):
        await alice.say(room, body)
    assert await found(alice, "猫") == ["吾輩は猫である"]
    assert await found(alice, "🎉") == ["party 🎉"]
    await alice.say(room, "plan Caesar")
    assert await found(alice, "c") == ["plan C"]
    assert await found(alice, "c in:tea") == ["plan Caesar", "plan C"]
    assert "Type at least two letters." in words(await search(alice, "x"))
    assert "Type at least two letters." in words(await search(alice, "***"))


async def test_while_old_messages_have_no_words_yet_the_last_page_says_so(alice: Person, room: Room) -> None:
    for number in range(1, 32):
        await post_as(who(alice), room, f"ladder {number}")
    sentence = "Older messages are still being prepared for the search: 25 percent are done."
    assert sentence not in words(await search(alice, "nothing"))
    await sql.execute("UPDATE word_index SET low = 3000, high = 4000 RETURNING id")
    assert sentence in words(await search(alice, "nothing"))
    first = await search(alice, "ladder")
    assert sentence not in words(first), "newer ones are all there"
    assert sentence in words(await alice.get(Page(first).one("#found a[rel=next]").attributes["href"] or ""))
    assert sentence not in words(await alice.get("/search"))


async def test_words_of_people_are_words_and_never_markup(alice: Person, room: Room) -> None:
    await alice.say(room, "<script>alert('ladder')</script> & <mark>ladder</mark>")
    answer = await search(alice, "ladder")
    assert "<script>alert" not in answer.text
    assert await marked(alice, "ladder") == ["ladder", "ladder"]
    assert "<img" not in (await search(alice, '"><img src=x onerror=alert(1)>')).text


async def test_the_page_is_not_sent_again_while_nothing_of_it_changes(alice: Person, room: Room) -> None:
    await alice.say(room, "the ladder")
    first = await search(alice, "ladder")
    tag = {"If-None-Match": first.headers["etag"]}
    assert (await alice.client.get("/search?q=ladder", headers=tag)).status_code == 304
    await alice.say(room, "another ladder")
    assert (await alice.client.get("/search?q=ladder", headers=tag)).status_code == 200


async def test_a_room_has_a_field_that_searches_it(alice: Person, bob: Person, room: Room) -> None:
    chat = await chat_of_two(alice, bob)
    await alice.say(room, "the ladder")
    await alice.say(chat, "my ladder")
    for headers in ({}, {"HX_Request": "true"}):
        form = Page(await alice.get(f"{room.path}/settings", **headers)).one("form.search:has([name=in])")
        assert form.attributes["action"] == "/search"
        key = form.css_first("input[name=in]").attributes["value"] or ""
        page = await search(alice, "ladder", **{"in": key})
        assert Page(page).one("#q").attributes["value"] == "in:tea-cake ladder"
        assert Page(page).texts("li.found .hit__text") == ["the ladder"]
    page = await search(alice, "ladder", **{"in": chat.key})
    assert Page(page).one("#q").attributes["value"] == "in:@bob ladder"
    assert Page(page).texts("li.found .hit__text") == ["my ladder"]
    assert await found(alice, "ladder", **{"in": "nowhere"}) == []


async def test_the_field_at_the_side_is_offered_messages_too(alice: Person, bob: Person, room: Room) -> None:
    for number in range(7):
        await alice.say(room, f"ladder {number}")
    fragment = Page(await search(bob, "ladd", {"HX_Request": "true"}, suggest=1))
    assert fragment.texts("p")[0] == "5 found"
    assert fragment.texts(".entry--found mark") == ["ladder"] * 5
    assert fragment.all(".entry--found")[0].attributes["href"] == f"{room.path}/messages/7"
    assert fragment.one(".entries__more a").attributes["href"] == "/search?q=ladd"
    await alice.say(room, "in a single line it would not be seen: the ladder")
    fragment = Page(await search(bob, "ladd", {"HX_Request": "true"}, suggest=1))
    assert fragment.texts(".entry--found .entry__line")[0] == "…seen: the ladder"


async def test_searching_and_typing_have_rates_of_their_own(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_SEARCH", parse("1/minute"))
    monkeypatch.setattr(settings, "RATE_TYPEAHEAD", parse("2/minute"))
    typing = [(await search(alice, "la", {"HX_Request": "true"})).status_code for _ in range(3)]
    assert typing == [200, 200, 429]
    assert [(await search(alice, "la")).status_code for _ in range(2)] == [200, 429]


async def test_a_search_that_takes_too_long_says_so_and_stops_nobody(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.say(room, "the ladder")
    monkeypatch.setattr(
        queries, "FOUND", queries.FOUND.replace("SELECT message.id", f"SELECT {ENDLESS} AS n, message.id", 1)
    )
    monkeypatch.setattr(finding, "SEARCH_SECONDS", 0.2)
    async with asyncio.timeout(30):
        searching = [asyncio.ensure_future(search(alice, "ladder")) for _ in range(4)]
        assert "the ladder" in (await bob.get(room.path)).text
        assert (await bob.say(room, "I have it")).status_code == 303
        assert "Alice" in words(await bob.get("/people?q=alice"))
        answers = await asyncio.gather(*searching)
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "The search in messages took too long." in words(answer)
        assert Page(answer).one("#q").attributes["value"] == "ladder"
    fragment = await search(alice, "ladder", {"HX_Request": "true"}, suggest=1)
    assert fragment.status_code == 200
    assert "took too long" in words(fragment)


async def test_a_search_that_gets_no_turn_is_answered_in_the_same_way(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "TURN_SECONDS", 0.05)
    async with asyncio.timeout(30):
        for _ in range(finding.MAX_SEARCHES):
            await finding.turns().acquire()
        assert (await search(alice, "ladder")).status_code == 503
        assert "Alice" in words(await search(alice, "alice")), "people are found all the same"
        for _ in range(finding.MAX_SEARCHES):
            finding.turns().release()
        assert (await search(alice, "ladder")).status_code == 200


async def test_a_visitor_is_led_to_sign_in(visitor: Person) -> None:
    answer = await search(visitor, "ladder")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fsearch%3Fq%3Dladder"
    assert (await search(visitor, "ladder", {"HX_Request": "true"})).status_code == 401


ENDLESS = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n)"
