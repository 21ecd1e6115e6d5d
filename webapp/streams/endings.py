"""Ending streams: whose right has ended, and what they are told."""

from webapp.conversations.kinds import CANNOT_WRITE
from webapp.core.i18n import _, use_language
from webapp.http import render
from webapp.live import Reader, frames

# The reason, and the way on: an address and its name.
REASONS = {
    "paused": (_("This page is paused, because you have opened others since."), "{page}", _("Use this page")),
    "signed_out": (_("You are signed out."), "/login?next={page}", _("Sign in")),
    "renewed": (_("Your password was changed in another window."), "{page}", _("Load this page again")),
    "banned": (_("Your account is suspended."), "{page}", _("Why, and until when")),
    "kicked": (_("The owner of the room has kicked you for a while."), "/lobby", _("Go to the lobby")),
    "removed": (_("You are not in this room any more."), "/lobby", _("Go to the lobby")),
    "parted": (CANNOT_WRITE, "/lobby", _("Go to the lobby")),
    "went_on": (_("You are not in this chat any more."), "/strangers", _("Continue")),
    "gone": (_("This room has been deleted."), "/lobby", _("Go to the lobby")),
}

# For these the person may not write here either: what they had begun to write is kept by the script, as a draft.
ENDS_WRITING = ("kicked", "removed", "parted", "gone")


def last_frame(reader: Reader, reason: str) -> bytes:
    """The page's last frame takes the connection's place, so that it does not connect again."""
    text, link, link_text = REASONS[reason]
    # A frame whose document ended would ask for it anew every three seconds.
    reader.is_parked = reader.framing == "html"
    with use_language(reader.language):
        goto = link.format(page=reader.page)
        html = render.fragment("streams/_ended.html", code=reason, reason=text, link=goto, link_text=link_text)
    if reader.framing == "sse":
        removed = frames.hx_partial("#composer", "delete", "") if reason in ENDS_WRITING else ""
        return frames.sse_event(frames.hx_partial("#stream", "outerHTML", html) + removed)
    return f'<li class="ended">{html}</li>'.encode()
