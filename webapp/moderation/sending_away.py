"""Who was banned loses what they have open."""

from webapp.accounts.viewer import Person
from webapp.moderation import broadcasts
from webapp.strangers import broadcasts as strangers
from webapp.strangers.models import Stranger


async def send_away(person: Person) -> None:
    """End the person's open pages in every process, and their anonymous chat, so that its other side need not wait."""
    broadcasts.banned(person.id)
    stranger = await Stranger.of(person.id)
    if stranger is None:
        return
    broadcasts.banned(stranger.mask_id)
    await stranger.stop_waiting()
    if seat := await stranger.leave():
        strangers.left(seat.room.id, stranger.mask_id)
