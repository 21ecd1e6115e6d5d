"""What open pages get when a room or a membership of it has changed."""

from collections.abc import Collection
from datetime import UTC, datetime

from markupsafe import escape

from webapp import settings
from webapp.conversations import endings, queries
from webapp.conversations.models import Room
from webapp.conversations.seats import RoomRow, room_refusal
from webapp.core.i18n import Text
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub

# For pages of those who could not write here, which then get what one writes with.
UNLOCKED = frames.sse_signal("unlocked")
# What those have in its place who do not moderate the room: the same bytes are for all.
BOUND = "#composer[data-bound], #refusal"


def details_changed(room_id: int) -> None:
    """The topic changed, or the room was locked or unlocked."""
    hub().refresh(f"room:{room_id}", "about")


def looks_changed(room_id: int) -> None:
    """The name or the face changed, which the lists of members show too."""
    details_changed(room_id)
    hub().broadcast_reliably("room", room=room_id)


def put_out(room: RoomRow, user_id: int, until: datetime) -> None:
    """The person was removed, or is banned until then: their streams of the room end, in every process."""
    ending = endings.out_of_room(until, room.kind.is_private, datetime.now(UTC))
    hub().close_streams(ending or endings.PUT_OUT, f"room:{room.id}", user=user_id)


def room_deleted(room_id: int) -> None:
    hub().close_streams(endings.DELETED, f"room:{room_id}")
    hub().broadcast_reliably("room", room=room_id)


async def kind_changed(room_id: int) -> None:
    """Other people may read the room: streams of who may not any more end, and all that shows it is read again."""
    await hub().recheck_streams(f"room:{room_id}")
    looks_changed(room_id)


def membership_changed(room_id: int, *users: int) -> None:
    """These people have joined, read or left the room (see `left`), or chosen a level."""
    for user in users:
        hub().broadcast_reliably("place", user=user, room=room_id)


def group_changed(room_id: int) -> None:
    """A member has joined a group or left it: lists and pages of the remaining members show another name."""
    hub().broadcast_reliably("room", room=room_id)


def left(room: RoomRow, user_id: int) -> None:
    """The person is no member any more: where only members read, their streams end, in every process."""
    membership_changed(room.id, user_id)
    if room.kind.is_group:
        group_changed(room.id)
    if room.kind.is_private:
        hub().close_streams(endings.REMOVED, f"room:{room.id}", user=user_id)


async def blocked(user: int, other: int) -> None:
    """A block stands between these two people: the streams of their chat end, in every process."""
    low, high = sorted((user, other))
    for room in await Room.filter(low=low, high=high).values_list("id", flat=True):
        hub().close_streams(endings.BLOCKED, f"room:{room}")


async def about(rooms: Collection[int]) -> dict[int, Payload]:
    """Return the name and topic of those rooms that look the same to all; a chat is called after the other person."""
    found = await queries.rooms_by_id(rooms)
    return {room.id: about_frame(room) for room in found if "about" in room.kind.states}


def about_frame(room: RoomRow) -> Payload:
    def render_frame() -> Frame:
        html = render.fragment("conversations/_about.html", room=room)
        tile = render.fragment("_tile.html", tile=room.tile)
        # The title first: when the rest has been swapped, the script puts the count before it again.
        title = frames.hx_partial("head > title", "innerHTML", f"{escape(room.name)} · {escape(settings.SITE_NAME)}")
        about = frames.hx_partial("#about", "outerHTML", html)
        face = frames.hx_partial(".room__header > .avatar--room", "outerHTML", tile)
        refusal = room_refusal(room)
        closed = frames.hx_partial(BOUND, "outerHTML", _refusal(room, refusal)) if refusal else ""
        sse = frames.sse_event(title + face + about + closed)
        return Frame(sse if refusal else sse + UNLOCKED)

    # All that the fragments show of a room.
    rules = room.who_posts, room.slow_seconds, room.kept_days, room.next_keep_days, room.keep_changes_at
    return frames.localized(render_frame, (room.name, room.topic, room.face, room.kind, room.locked_at, *rules))


def _refusal(room: RoomRow, refusal: Text) -> str:
    """Return what stands in the place of the composer for members; drafts.js stores what they were writing."""
    return render.fragment("messages/_refusal.html", room_path=room.path, refusal=refusal, is_live=True, is_chat=False)
