"""What people of a test are and do, where more than one file needs it; conftest.py introduces them."""

from io import BytesIO

import httpx2
from PIL import Image

from tests.conftest import Person, show
from webapp.accounts.models import User
from webapp.conversations import access, direct, members
from webapp.conversations.models import Membership, Room
from webapp.db import transaction
from webapp.http.forms import Upload
from webapp.media import images
from webapp.messages import posting
from webapp.messages.models import Message, new_nonce
from webapp.messages.posting import Posted
from webapp.rooms import opening


def who(one: Person) -> User:
    """Return their account."""
    assert one.user
    return one.user


def at(app: object, address: str) -> Person:
    """Return a visitor with this address."""
    return Person(app, address=address, raises=True)


def chat_of(one: Person) -> str:
    return f"/chat/{who(one).code}"


async def write(one: Person, other: Person, body: str = "Hello", nonce: str = "", **headers: str) -> httpx2.Response:
    """Send a message to a person, by the address of the chat with them."""
    fields = {"body": body, "nonce": nonce or new_nonce()}
    return await one.post(f"{chat_of(other)}/messages", fields, **headers)


async def make_room(user: User, name: str, topic: str = "") -> Room:
    """Create a public room of the user's, or join the one of that name."""
    return await Room.get(id=(await opening.open_room(user, name, topic)).room.id)


async def make_private(owner: Person, *others: Person, name: str = "Nook") -> Room:
    """Make a private room, as its form does, and bring these people in."""
    made = await owner.post("/rooms", {"name": name, "kind": "private"})
    room = await Room.get(key=made.headers["Location"].removeprefix("/rooms/"))
    for other in others:
        await transaction.transact(members.join_in_transaction, room.id, who(other).id)
    return await Room.get(id=room.id)


async def post_as(user: User, room: Room, body: str, nonce: str = "", reply_to: int | None = None) -> Posted:
    """Post to a room, past its page."""
    return await posting.post(await access.by_key(user, room.key), body, nonce, reply_to)


async def now(room: Room) -> Room:
    """Return the room's row as it is."""
    return await Room.get(id=room.id)


async def roles(room: Room) -> dict[str, str]:
    """Return the role of each member of the room, by user name."""
    rows = await Membership.filter(room_id=room.id).values_list("user__username", "role")
    return {str(name): str(role) for name, role in rows}


async def befriend(one: Person, other: Person) -> None:
    await direct.ask(who(one), who(other))
    await direct.accept(who(other), who(one))


async def chat_of_two(one: Person, other: Person) -> Room:
    """Return the chat of the two, in which one of them has said something."""
    await befriend(one, other)
    assert (await write(one, other, "between us")).status_code == 303
    return await Room.get(low__not_isnull=True)


async def assert_gapless(room: Room, count: int) -> None:
    """The room has so many messages, numbered and versioned 1, 2, 3 ... in the order they are in; nothing else."""
    rows = await Message.filter(room_id=room.id).order_by("id").values_list("number", "posted_version", "version")
    assert sorted(rows) == [(number, number, number) for number in range(1, count + 1)]
    found = await Room.get(id=room.id)
    assert (found.last_number, found.version) == (count, count)
    assert found.member_count == await Membership.filter(room_id=room.id).count()


async def set_picture(one: Person, colour: str = "red") -> str:
    """Give them a picture of one colour; return its digest."""
    file = BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    content = file.getvalue()
    picture = await images.process_image(Upload(len(content), content))
    await show(who(one), picture)
    return picture.digest
