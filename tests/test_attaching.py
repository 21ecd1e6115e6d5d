"""The page for files: what browsers without script attach, what is refused of it, and what script asks it for."""

from typing import Any

import httpx2
import pytest

from tests.conftest import Person, person
from tests.page import Page, words
from tests.people import befriend, chat_of, now, who
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.viewer import FRIENDS
from webapp.conversations.models import Room
from webapp.core.faults import faults
from webapp.files import quota
from webapp.files.models import Attachment
from webapp.messages.models import Message, new_nonce

PLAN, ROTA = ("plan.txt", b"Dig", "text/plain"), ("rota.txt", b"Monday: nobody", "text/plain")
# What a browser sends for a field in which nothing was chosen.
NOTHING = ("", b"", "application/octet-stream")
Part = tuple[str, bytes, str]


async def token_of(one: Person, path: str) -> str:
    page = Page(await one.get(f"{path}/attach"))
    return page.one("input[name=token]").attributes["value"] or ""


async def attach(
    one: Person, path: str, *parts: Part, token: str = "", headers: dict[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """Send the form as a browser does: what was typed about each file follows it."""
    given: list[tuple[str, Any]] = [("nonce", (None, new_nonce()))] if "nonce" not in fields else []
    given += [(name, (None, value)) for name, value in fields.items() if not isinstance(value, list)]
    given += [(name, (None, one)) for name, values in fields.items() if isinstance(values, list) for one in values]
    for number, part in enumerate(parts, 1):
        given += [("file", part), (f"describe-{number}", (None, f"about {part[0]}" if part[0] else ""))]
    token = token or await token_of(one, path)
    return await one.client.post(f"{path}/attach?token={token}", files=given, headers=headers or {})


async def sent(room: Room) -> list[tuple[str, list[tuple[str, str]]]]:
    """What the database has of each message: its words, its files and what is said of them."""
    return [
        (
            message.body,
            [
                (str(name), str(description))
                for name, description in await Attachment.filter(message=message)
                .order_by("place")
                .values_list("name", "description")
            ],
        )
        for message in await Message.filter(room_id=room.id).order_by("number")
    ]


@pytest.mark.parametrize("framed", ["", "1"])
async def test_the_button_leads_to_the_page_with_what_was_typed(bob: Person, room: Room, framed: str) -> None:
    await bob.say(room, "Which door?")
    fields = {"body": "The red one", "nonce": "mine", "reply_to": "1", "attach": "1", "framed": framed}
    answer = await bob.post(f"{room.path}/messages", fields)
    page = Page(answer)
    assert answer.status_code == 200
    assert page.one("textarea[name=body]").text() == "The red one"
    values = {one.attributes["name"]: one.attributes["value"] for one in page.all("main form input[type=hidden]")}
    assert (values["nonce"], values["reply_to"]) == ("mine", "1")
    assert len(page.all("main input[type=file]")) == 4
    assert page.one("#voice").attributes["accept"] == "audio/*"
    assert "where they were taken is removed" in words(answer)
    assert (await now(room)).last_number == 1


async def test_the_composer_has_the_button_behind_the_one_that_enter_presses(bob: Person, room: Room) -> None:
    for path, target in ((room.path, None), (f"{room.path}/composer", "_top")):
        send, button = Page(await bob.get(path)).all("#composer button")
        assert "name" not in send.attributes
        assert (button.attributes["name"], button.attributes["value"]) == ("attach", "1")
        assert "formnovalidate" in button.attributes
        assert button.attributes.get("formtarget") == target


async def test_words_and_files_in_one_form_are_one_message(bob: Person, room: Room) -> None:
    answer = await attach(bob, room.path, PLAN, NOTHING, ROTA, body="For Saturday")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(room.path)
    assert await sent(room) == [("For Saturday", [("plan.txt", "about plan.txt"), ("rota.txt", "about rota.txt")])]


async def test_a_file_has_the_name_that_its_form_gives_in_any_script(bob: Person, room: Room) -> None:
    assert (await attach(bob, room.path, ("Größe 東京.txt", b"Dig", "text/plain"))).status_code == 303
    assert await sent(room) == [("", [("Größe 東京.txt", "about Größe 東京.txt")])]


async def test_what_is_no_code_is_asked_of_no_database(bob: Person, room: Room) -> None:
    fields = {"body": "words", "file": "\0", "describe-\0": "a bed"}
    assert (await bob.post(f"{room.path}/messages", fields)).status_code == 422
    await bob.say(room, "words")
    for body in ("words", "other words"):
        edited = await bob.client.post(f"{room.path}/messages/1/edit", data={"body": body, "remove_file": "\0"})
        assert edited.status_code == 303
        assert [row.edited_at is None for row in await Message.all()] == [body == "words"]
    assert not faults().database.is_on


async def test_a_form_that_is_sent_twice_is_one_message(bob: Person, room: Room) -> None:
    for _attempt in range(2):
        assert (await attach(bob, room.path, PLAN, nonce="once")).status_code == 303
    assert await sent(room) == [("", [("plan.txt", "about plan.txt")])]
    assert (await attach(bob, room.path, ROTA, nonce="once")).status_code == 303
    assert len(await sent(room)) == 2


async def test_what_has_arrived_need_not_be_sent_again(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MAX_FILE_BYTES", 2**20)
    large = ("film.bin", bytes(2**20 + 1), "video/mp4")
    answer = await attach(bob, room.path, PLAN, large, body="For Saturday", nonce="mine")
    assert answer.status_code == 422
    page = Page(answer)
    assert page.one("textarea[name=body]").text() == "For Saturday"
    assert page.one("input[name=nonce]").attributes["value"] == "mine"
    assert "film.bin" in words(page.one("main .problem"))
    kept = page.one("input[type=checkbox][name=file]")
    assert "checked" in kept.attributes
    assert await sent(room) == []

    code = kept.attributes["value"]
    answer = await attach(bob, room.path, body="For Saturday", nonce="mine", **{"file": [code]})
    assert answer.status_code == 303
    assert await sent(room) == [("For Saturday", [("plan.txt", "about plan.txt")])]


async def test_what_is_said_of_a_file_can_be_changed_until_it_is_sent(alice: Person, bob: Person, room: Room) -> None:
    answer = await attach(bob, room.path, PLAN, body="words", more="1")
    code = Page(answer).one("input[type=checkbox]").attributes["value"] or ""
    fields = {"body": "words", "nonce": "n", "file": code, f"describe-{code}": " All of\tthe  beds "}
    long = fields | {f"describe-{code}": "x" * 301}
    assert (await bob.post(f"{room.path}/messages", long)).status_code == 422
    assert (await alice.post(f"{room.path}/messages", fields)).status_code == 422
    assert (await bob.post(f"{room.path}/messages", fields)).status_code == 303
    said = [("words", [("plan.txt", "All of the beds")])]
    assert await sent(room) == said
    # Once more, with other words about it: the message is the first one.
    again = fields | {f"describe-{code}": "something else"}
    assert (await bob.post(f"{room.path}/messages", again)).status_code == 303
    assert await sent(room) == said


async def test_more_fields_are_there_for_who_asks_and_never_more_than_ten_files(bob: Person, room: Room) -> None:
    answer = await attach(bob, room.path, PLAN, ROTA, body="words", more="1")
    page = Page(answer)
    assert (answer.status_code, len(page.all("input[type=checkbox]"))) == (200, 2)
    assert len(page.all("input[type=file]")) == 8
    assert not page.all("button[name=more]")
    kept = [one.attributes["value"] for one in page.all("input[type=checkbox]")]
    many = [(f"{number}.txt", b"x%d" % number, "text/plain") for number in range(9)]
    answer = await attach(bob, room.path, *many, body="words", file=kept)
    assert answer.status_code == 422
    assert "10" in words(Page(answer).one("main .problem"))
    assert await sent(room) == []
    assert (await attach(bob, room.path, *many, ("10.txt", b"", ""), ("11.txt", b"", ""))).status_code == 400


async def test_nothing_at_all_is_no_message(bob: Person, room: Room) -> None:
    answer = await attach(bob, room.path, NOTHING, body=" ", nonce="mine")
    assert answer.status_code == 422
    assert "Write something first" in words(answer)


async def test_the_token_in_the_address_says_where_a_form_comes_from(bob: Person, room: Room) -> None:
    token = await token_of(bob, room.path)
    del bob.client.headers["Sec-Fetch-Site"]
    assert (await attach(bob, room.path, PLAN, token="other", body="forged")).status_code == 403
    answer = await attach(bob, room.path, PLAN, token=token, headers={"Origin": "https://evil.example"}, body="forged")
    assert answer.status_code == 403
    assert await Attachment.all().count() == 0
    assert (await attach(bob, room.path, PLAN, token=token, body="mine")).status_code == 303


async def test_who_may_not_write_attaches_nothing(
    app: object, alice: Person, charlie: Person, visitor: Person, room: Room
) -> None:
    await charlie.post(f"/friends/{who(alice).code}/ask")
    await alice.post(f"/friends/{who(charlie).code}/accept")
    await alice.post(f"{chat_of(charlie)}/messages", {"body": "between us", "nonce": "n"})
    chat = await Room.get(low__not_isnull=True)
    assert (await charlie.get(f"{chat.path}/attach")).status_code == 200
    outsider = await person(app, "dora")
    for path in (chat.path, "/rooms/nowhere"):
        assert (await outsider.get(f"{path}/attach")).status_code == 404
        assert (await attach(outsider, path, PLAN, token="t")).status_code == 404
    assert (await visitor.get(f"{room.path}/attach")).status_code == 303
    assert (await attach(visitor, room.path, PLAN, token="t")).status_code in (303, 401)
    await alice.post(f"{room.path}/settings", {"do": "lock"})
    assert (await charlie.get(f"{room.path}/attach")).status_code == 403
    assert (await attach(charlie, room.path, PLAN, token="t")).status_code == 403
    assert await Attachment.all().count() == 0


async def test_script_gets_the_words_and_the_limits(bob: Person, room: Room) -> None:
    answer = await bob.get(f"{room.path}/attach", HX_Request="true")
    panel = Page(answer).one(".attach")
    assert answer.status_code == 200
    assert panel.attributes["data-bytes"] == str(settings.MAX_FILE_MB * 2**20)
    assert panel.attributes["data-most"] == "10"
    assert "<html" not in answer.text
    german = await bob.get(f"{room.path}/attach", HX_Request="true", Accept_Language="de")
    assert "Sprachnachricht aufnehmen" in german.text


async def test_the_first_message_of_a_chat_has_files_where_it_is_no_request(alice: Person, charlie: Person) -> None:
    await befriend(alice, charlie)
    await Room.all().delete()
    path = chat_of(charlie)
    assert Page(await alice.get(path)).all("#composer button[name=attach]")
    answer = await alice.post(f"{path}/messages", {"body": "Hello", "nonce": "mine", "attach": "1"})
    assert Page(answer).one("main form[enctype]").attributes["action"].startswith(f"{path}/attach?token=")

    # Until there is a message nobody finds it.
    answer = await attach(alice, path, PLAN, ROTA, body="Hello", nonce="mine", more="1")
    kept = [one.attributes["value"] for one in Page(answer).all("input[type=checkbox]")]
    assert Page(answer).one("main form[enctype]").attributes["action"].startswith(f"{path}/attach?token=")
    assert (await charlie.get(chat_of(alice))).status_code == 200
    answer = await attach(alice, path, ("last.txt", b"!", "text/plain"), body="Hello", nonce="mine", file=kept)
    assert answer.status_code == 303
    room = await Room.get(low__not_isnull=True)
    [(body, files)] = await sent(room)
    assert (body, [name for name, _said in files]) == ("Hello", ["plan.txt", "rota.txt", "last.txt"])


async def test_a_first_message_that_is_a_request_has_no_files(app: object, alice: Person) -> None:
    dora = await person(app, "dora")
    await User.filter(id=who(dora).id).update(written_by=FRIENDS)
    assert not Page(await alice.get(chat_of(dora))).all("#composer button[name=attach]")
    assert (await alice.get(f"{chat_of(dora)}/attach")).status_code == 404
    assert (await attach(alice, chat_of(dora), PLAN, token="t", body="Hello")).status_code == 404
    assert await Attachment.all().count() == await Message.all().count() == 0
