"""
The walk: every address of a room, asked by everyone whom a room may know, for each kind that is read by its key.

Who may not read a room gets what a key gets that never was, byte for byte. Of all others a table has the status of each
answer to a form in which nothing is right: where one may do it at all that is 422, else 403 or 404.
"""

import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.attached import attach
from tests.conftest import Person, person
from tests.people import who
from webapp.app import app as the_app
from webapp.conversations.models import Membership, Room, RoomAlias
from webapp.conversations.seats import KICKED, MEMBER, MODERATOR, OWNER
from webapp.messages.models import Message
from webapp.relationships.models import Block

SECRET, NAME, TOPIC = "the surprise is on Friday", "Party for Charlie", "Nobody tells him"
NEVER, OLD = "~neverneverneverneve", "party-before"
OUTSIDERS = ("outsider", "blocked", "left", "removed")
INSIDERS = ("asked", "banned", "member", "moderator", "owner", "administrator")
# Whose answers the table has, of each kind.
COLUMNS = {"public": ("outsider", *INSIDERS[1:]), "private": INSIDERS[:-1], "group": ("asked", "member")}
# What changes the message or who is in the room comes last.
LAST = ("/remove", "/join", "/leave")
TABLE = """
DELETE /files/CODE: 404 404 404 404 404 404 404 404 404 404 404 404 404
GET /: 200 403 200 200 200 200 200 403 200 200 200 200 200
GET /attach: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /bans: 404 403 404 200 200 200 404 403 404 200 200 404 404
GET /composer: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /events: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /files/CODE-thumb.webp: 200 404 200 200 200 200 404 404 200 200 200 404 200
GET /files/CODE/photo.webp: 200 404 200 200 200 200 404 404 200 200 200 404 200
GET /invitations: 403 403 403 403 200 200 404 403 403 403 200 404 404
GET /live: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /messages: 303 403 303 303 303 303 404 403 303 303 303 404 303
GET /messages/N: 303 403 303 303 303 303 404 403 303 303 303 404 303
GET /messages/N/edit: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /messages/N/more: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /messages/N/reactions: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /people: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /pins: 200 403 200 200 200 200 404 403 200 200 200 404 200
GET /settings: 200 403 200 200 200 200 404 403 200 200 200 404 200
HEAD /files/CODE: 404 404 404 404 404 404 404 404 404 404 404 404 404
HEAD /files/CODE-thumb.webp: 200 404 200 200 200 200 404 404 200 200 200 404 200
HEAD /files/CODE/photo.webp: 200 404 200 200 200 200 404 404 200 200 200 404 200
PATCH /files/CODE: 404 404 404 404 404 404 404 404 404 404 404 404 404
POST /attach: 422 403 422 422 422 422 404 403 422 422 422 404 422
POST /files: 422 403 422 422 422 422 404 403 422 422 422 404 422
POST /invitations: 403 403 403 403 200 200 404 403 403 403 200 404 404
POST /invitations/999999999/revoke: 403 403 403 403 404 404 404 403 403 403 404 404 404
POST /join: 303 403 303 303 303 303 303 403 303 303 303 303 303
POST /leave: 303 403 303 303 200 303 303 403 303 303 200 303 303
POST /messages: 422 403 422 422 422 422 404 403 422 422 422 404 422
POST /messages/N/edit: 404 403 404 404 422 404 404 403 404 404 422 404 404
POST /messages/N/pin: 403 403 403 303 303 303 404 403 403 303 303 404 303
POST /messages/N/reactions: 422 403 422 422 422 422 404 403 422 422 422 404 422
POST /messages/N/remove: 404 403 404 303 303 303 404 403 404 303 303 404 404
POST /messages/N/save: 303 403 303 303 303 303 404 403 303 303 303 404 303
POST /messages/N/unpin: 403 403 403 303 303 303 404 403 403 303 303 404 303
POST /messages/N/unsave: 303 403 303 303 303 303 404 403 303 303 303 404 303
POST /people: 403 403 403 403 403 403 404 403 403 403 422 404 422
POST /people/AAAA-AAAA: 422 403 422 422 422 422 404 403 422 422 422 404 422
POST /read: 204 403 204 204 204 204 404 403 204 204 204 404 204
POST /settings: 403 403 403 403 422 422 404 403 403 403 422 404 403
POST /typing: 204 403 204 204 204 204 404 403 204 204 204 404 204
"""

Cast = dict[str, Person]


def addresses(key: str, file: str, number: int = 1) -> list[tuple[str, str]]:
    """Every address in which a room is named by its key, with the methods that it has."""
    values = {"{key}": key, "{number:number}": str(number), "{id:number}": "999999999", "{name}": "photo.webp"}
    found = []
    for route in the_app.routes:
        path = getattr(route, "path", "")
        if "{key}" in path:
            for field, value in values.items():
                path = path.replace(field, value)
            path = re.sub(r"\{code(:code)?\}", file if "/files/" in path else "AAAA-AAAA", path)
            methods: set[str] = route.methods  # type: ignore[attr-defined]
            found += [(method, path) for method in sorted(methods) if method != "HEAD" or "/files/" in path]
    return sorted(found, key=lambda one: 1 + LAST.index(end) if (end := "/" + one[1].rpartition("/")[2]) in LAST else 0)


async def ask(one: Person, method: str, path: str) -> httpx2.Response:
    if method == "GET" and path.endswith(("/events", "/live")):  # endless for who may read them
        return await one.client.head(path)
    return await one.client.request(method, path, content=b"" if method == "PATCH" else None)


def comparable(answer: httpx2.Response, key: str) -> tuple[object, ...]:
    """All that an answer tells, but for what differs each time and the key that was asked for."""
    text = re.sub(r'name="(?:nonce|token)" value="[^"]*"|nonce-[\w-]+', "", answer.text.replace(key, "KEY"))
    kept = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
    headers = sorted((name, value.replace(key, "KEY")) for name, value in kept.items())
    return answer.status_code, re.sub(r"max-age=\d+|nonce-[\w-]+", "", str(headers)), text


async def people_of(app: object) -> Cast:
    return {name: await person(app, name, name == "administrator") for name in (*OUTSIDERS, *INSIDERS)}


async def room_of(cast: Cast, kind: str) -> Room:
    """A room of that kind with an address that it had, whom it knows, and a message for each of them."""
    is_open, is_group = kind == "public", kind == "group"
    room = await Room.create(
        key="party" if is_open else "~party", kind=kind, name="" if is_group else NAME,
        folded=NAME.casefold() if is_open else None, topic=TOPIC, member_count=3,
    )  # fmt: skip
    await RoomAlias.create(room=room, key=OLD)
    roles = {"owner": MEMBER if is_group else OWNER, "member": MEMBER, "left": MEMBER, "removed": MEMBER}
    for name, role in (roles if is_group else roles | {"moderator": MODERATOR}).items():
        await Membership.create(room=room, user=who(cast[name]), role=role)
    for name in ("left", "removed"):
        assert (await cast[name].get(room.path)).status_code == 200
        await Membership.filter(room_id=room.id, user_id=who(cast[name]).id).delete()
    await Membership.create(room=room, user=who(cast["asked"]), role=KICKED, is_request=True)
    if not is_group:
        until = datetime.now(UTC) + timedelta(days=1)
        await Membership.create(room=room, user=who(cast["banned"]), role=KICKED, kicked_until=until)
    await Block.create(blocker=who(cast["owner"]), blocked=who(cast["blocked"]))
    # One for each, so that what one does with it is nothing to the next.
    for name in COLUMNS["public"]:
        assert (await cast["owner"].say(room, f"{SECRET} ({name})")).status_code == 303
    return room


async def state_of(room: Room) -> object:
    people = await Membership.filter(room_id=room.id).order_by("id").values_list("user_id", "role", "read_number")
    messages = await Message.filter(room_id=room.id).order_by("number").values("number", "body", "version")
    return await Room.filter(id=room.id).values(), people, messages


@pytest.mark.parametrize("kind", ["private", "group"])
async def test_who_may_not_read_a_room_gets_what_a_key_gets_that_never_was(app: object, kind: str) -> None:
    cast = await people_of(app)
    room = await room_of(cast, kind)
    file = (await attach(room, who(cast["owner"]), 1)).code
    before = await state_of(room)
    for name in (*OUTSIDERS, "administrator"):
        asked = zip(addresses(room.key, file), addresses(OLD, file), addresses(NEVER, file), strict=True)
        for (method, path), (_, old), (_, never) in asked:
            expected = comparable(await ask(cast[name], method, never), NEVER)
            for tried, key in ((path, room.key), (old, OLD)):
                assert comparable(await ask(cast[name], method, tried), key) == expected, (name, method, tried)
    assert await state_of(room) == before


async def test_the_answers_of_every_address_to_everyone(app: object) -> None:
    cast = await people_of(app)
    cells: dict[str, list[str]] = {}
    for kind, names in COLUMNS.items():
        room = await room_of(cast, kind)
        file = (await attach(room, who(cast["owner"]), 1)).code
        for number, name in enumerate(names, 1):
            for method, path in addresses(room.key, file, number):
                short = path.removeprefix(room.path).replace(file, "CODE").replace(f"messages/{number}", "messages/N")
                status = (await ask(cast[name], method, path)).status_code
                cells.setdefault(f"{method} {short or '/'}", []).append(str(status))
        await Room.filter(id=room.id).delete()
        await Block.all().delete()
    found = {address: " ".join(answers) for address, answers in cells.items()}
    expected = dict(line.split(": ") for line in TABLE.strip().splitlines())
    assert found == expected
