"""What open pages get when something was posted."""

from webapp.conversations import broadcasts as rooms
from webapp.conversations.seats import Seat
from webapp.messages import changes, receipts, typing
from webapp.messages.posting import Posted
from webapp.sidebar import chat_typing


def posted(seat: Seat, posted: Posted) -> None:
    row = posted.message if posted.message and posted.message.is_whole else ""
    changes.log_changed(seat.room.id, posted.version, row)
    if seat.membership is None:
        rooms.membership_changed(seat.room.id, seat.viewer.id)
    receipts.schedule_refresh(seat.room)
    typing.stopped(seat.room.id, seat.viewer)
    chat_typing.stopped(seat)
