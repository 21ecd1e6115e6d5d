"""What calls a person, what they react to, and their inbox as they read it."""

from tests.conftest import Person
from tests.page import Page, words
from tests.people import post_as, who
from webapp.conversations import access, members
from webapp.conversations.models import Room
from webapp.messages import reactions
from webapp.messages.mentions import NAMED
from webapp.messages.models import Mention, Message


async def call(called: Person | None, room: Room, author: Person, body: str, kind: str = NAMED) -> Message:
    """Post a message that calls somebody, or everyone; return it."""
    posted = await post_as(who(author), room, body)
    message = await Message.get(room_id=room.id, number=posted.number)
    user_id = who(called).id if called else None
    known = Mention.filter(user_id=user_id, message_id=message.id)
    if not await known.exists():
        await Mention.create(user_id=user_id, room_id=room.id, message_id=message.id, number=message.number, kind=kind)
    return message


async def react(person: Person, room: Room, number: int, kind: str = "👍") -> None:
    await reactions.react(await access.by_key(who(person), room.key), number, kind, is_on=True)


async def join(person: Person, room: Room) -> None:
    await members.join(await access.by_key(who(person), room.key))


async def inbox(person: Person, query: str = "") -> Page:
    answer = await person.get(f"/inbox{query}")
    assert answer.status_code == 200
    return Page(answer)


async def lines(person: Person, query: str = "") -> list[str]:
    """Return what each line of the page says, without its time."""
    page = await inbox(person, query)
    for time in page.all(".hit time"):
        time.decompose()
    return [words(line) for line in page.all(".hit")]
