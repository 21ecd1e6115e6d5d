"""The last frame of a stream that ends: why, and how to go on."""

from webapp.core.clock import use_locale
from webapp.core.i18n import _
from webapp.http import render
from webapp.http.urls import path_for
from webapp.live import Ending, Reader, frames

PAUSED = Ending("paused", _("This page is paused, because you have opened others since."), "{page}", _("Use this page"))


def last_frame(reader: Reader, ending: Ending) -> bytes:
    """Return the frame that takes the place of the page's connection, so that it does not connect again."""
    # A frame whose document ended would ask for it again every three seconds.
    reader.is_parked = reader.framing == "html"
    paths = {name: path_for(name) for name in ("lobby", "login", "strangers", "moderation")}
    link = ending.link.format(page=reader.page, **paths)
    with use_locale(reader.language):
        html = render.fragment(
            "streams/_ended.html", code=ending.name, reason=ending.text, link=link, link_text=ending.link_text
        )
    if reader.framing == "sse":
        # What the viewer had begun to write is stored by the script, as a draft.
        removed = ["#composer"] if ending.ends_writing else []
        removed += [ending.removes.format(**paths)] if ending.removes else []
        rest = "".join(frames.hx_partial(target, "delete", "") for target in removed)
        return frames.sse_event(frames.hx_partial("#stream", "outerHTML", html) + rest)
    return f'<li class="ended">{html}</li>'.encode()
