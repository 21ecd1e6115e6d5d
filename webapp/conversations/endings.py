"""Why streams end because of a room."""

from webapp.conversations.kinds import CANNOT_WRITE
from webapp.core.i18n import _
from webapp.live import Ending

_LOBBY = "{lobby}", _("Go to the lobby")

KICKED = Ending("kicked", _("The owner of the room has kicked you for a while."), *_LOBBY, ends_writing=True)
REMOVED = Ending("removed", _("You are not in this room any more."), *_LOBBY, ends_writing=True)
BLOCKED = Ending("blocked", CANNOT_WRITE, *_LOBBY, ends_writing=True)
DELETED = Ending("deleted", _("This room has been deleted."), *_LOBBY, ends_writing=True)
