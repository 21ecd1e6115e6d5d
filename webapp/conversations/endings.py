"""Why streams end because of a room."""

from datetime import UTC, datetime

from webapp.accounts.viewer import PERMANENT
from webapp.conversations.kinds import CANNOT_WRITE
from webapp.core.i18n import _
from webapp.live import Ending

_LOBBY = "{lobby}", _("Go to the lobby")

KICKED = Ending("kicked", _("You have been banned from this room for a while."), *_LOBBY, ends_writing=True)
BANNED = Ending("banned_here", _("You have been banned from this room."), *_LOBBY, ends_writing=True)
# Where everybody reads: who is removed may come back.
PUT_OUT = Ending(
    "put_out", _("You have been removed from this room."), "{page}", _("Back to the room"), ends_writing=True
)
REMOVED = Ending("removed", _("You are not in this room any more."), *_LOBBY, ends_writing=True)
BLOCKED = Ending("blocked", CANNOT_WRITE, *_LOBBY, ends_writing=True)
DELETED = Ending("deleted", _("This room has been deleted."), *_LOBBY, ends_writing=True)


def out_of_room(until: datetime, is_private: bool, opened_at: datetime) -> Ending | None:
    """
    Return why the stream of one who was removed or banned ends that was opened at this time; None where it does not.

    They are out until this time: for ever, for a while, or, who was removed, for as long as it took. What is older
    ends then; where everybody reads, they have come back with what is newer.
    """
    if until >= PERMANENT:
        return BANNED
    if until > datetime.now(UTC):
        return KICKED
    if is_private:
        return REMOVED
    return PUT_OUT if opened_at < until else None
