"""What open pages of strangers get: a match, who is away, and who has left."""

from collections.abc import Collection, Iterable

from starlette.responses import Response

from webapp.http import render
from webapp.live import Frame, Payload, frames, hub
from webapp.strangers.endings import MOVED_ON
from webapp.strangers.queries import Company, company_in

# As many as one ring names.
MASKS_AT_ONCE = 100
# On this event the page requests its address again.
MOVED = Frame(b"event: moved\ndata: \n\n")


def moved(masks: Iterable[int]) -> None:
    """These masks are in another place now, a chat or one with a friend: their open pages follow."""
    names = [str(mask) for mask in masks]
    for start in range(0, len(names), MASKS_AT_ONCE):
        hub().broadcast("moved", masks=" ".join(names[start : start + MASKS_AT_ONCE]))


def on_moved(masks: str) -> None:
    for mask in masks.split():
        for reader in hub().readers(f"mask:{int(mask)}"):
            reader.put(MOVED)


def moved_response() -> Response:
    """Return a stream that leads an old page on at once, instead of being asked for again and again."""
    return Response(MOVED.sse, headers={"Cache-Control": "no-store"}, media_type="text/event-stream")


def left(room_id: int, mask: int) -> None:
    """A mask has left the chat: the other page shows it, and their own other windows are led on."""
    hub().refresh(f"room:{room_id}", "company")
    hub().close_streams(MOVED_ON, f"room:{room_id}", user=mask)


async def company(rooms: Collection[int]) -> dict[int, Payload]:
    """Return for each of these chats whether the two are there."""
    return {room: company_frame(seen) for room, seen in (await company_in(rooms)).items()}


async def company_seen(room_id: int) -> Company:
    """Return who is in the chat, for the page that is served."""
    return (await company_in([room_id])).get(room_id, Company(True, ()))


def company_frame(seen: Company) -> Payload:
    def made() -> Frame:
        html = render.fragment("strangers/_company.html", company=seen)
        sse = frames.hx_partial("#company", "innerHTML", html)
        if seen.is_over:
            sse += frames.hx_partial("#composer", "delete", "") + frames.hx_partial("#typing", "innerHTML", "")
        return Frame(frames.sse_event(sse), f'<li class="live-state live-state--company">{html}</li>'.encode())

    return frames.localized(made)


def waits(total: int, seconds: int) -> Payload:
    """Return the frame of how long a stranger has waited, and how many do."""

    def made() -> Frame:
        html = render.fragment("strangers/_wait.html", total=total, seconds=seconds)
        return Frame(frames.sse_event(frames.hx_partial("#wait", "innerHTML", html)))

    return frames.localized(made)
