"""Ending streams: whose right has ended, and what they are told."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from webapp import database, faults, render
from webapp.friends.models import Block
from webapp.language import _, speaking
from webapp.live import Reader, frames, sources
from webapp.rooms.models import KICKED, PARTED
from webapp.rooms.sidebar import BREATH_SECONDS
from webapp.strangers.models import LOUNGE, Stranger

AT_ONCE = 250
# The reason, and the way on: an address and its name.
REASONS = {
    "paused": (_("This page is paused, because you have opened others since."), "{page}", _("Use this page")),
    "signed_out": (_("You are signed out."), "/login?next={page}", _("Sign in")),
    "renewed": (_("Your password was changed in another window."), "{page}", _("Load this page again")),
    "banned": (_("You are kept out."), "{page}", _("Why, and until when")),
    "kicked": (_("The owner of the room has sent you away for a while."), "/lobby", _("Go to the lobby")),
    "parted": (PARTED, "/lobby", _("Go to the lobby")),
    "went_on": (_("You are not in this chat any more."), "/strangers", _("Go on")),
    "gone": (_("This room has been deleted."), "/lobby", _("Go to the lobby")),
}

# For these the person may not write here either: what they had begun to write is kept by the script, as a draft.
ENDS_WRITING = ("kicked", "parted", "gone")


@sources.goodbye
def goodbye(reader: Reader, reason: str) -> bytes:
    """The page's last frame takes the connection's place, so that it does not connect again."""
    words, way, way_name = REASONS[reason]
    # A frame whose document ended would ask for it anew every three seconds.
    reader.is_parked = reader.framing == "html"
    with speaking(reader.language):
        goto = way.format(page=reader.page)
        html = render.fragment("streams/_ended.html", code=reason, reason=words, way=goto, way_name=way_name)
    if reader.framing == "sse":
        removed = frames.partial("#composer", "delete", "") if reason in ENDS_WRITING else ""
        return frames.event(frames.partial("#stream", "outerHTML", html) + removed)
    return f'<li class="ended">{html}</li>'.encode()


sources.failure(faults.read)


@sources.access
async def access(readers: Sequence[Reader]) -> Sequence[tuple[Reader, str]]:
    """Who may read no more: their session has ended, they are kept out, or blocked by whom they talk to."""
    ended: list[tuple[Reader, str]] = []
    for start in range(0, len(readers), AT_ONCE):
        some = readers[start : start + AT_ONCE]
        sessions = await _open_sessions({reader.labels["session"] for reader in some})
        kept_out = await _kept_out({reader.labels["user"] for reader in some})
        seated = await _seated({reader.labels["user"] for reader in some if "stranger" in reader.labels})
        parted = await _parted({(reader.labels["user"], reader.labels.get("other")) for reader in some})
        for reader in some:
            if reader.labels["session"] not in sessions:
                ended.append((reader, "signed_out"))
            elif sessions[reader.labels["session"]]:
                ended.append((reader, "banned"))
            elif (reader.labels["user"], reader.channel) in kept_out:
                ended.append((reader, "kicked"))
            elif "stranger" in reader.labels and (reader.labels["user"], reader.channel) not in seated:
                ended.append((reader, "went_on"))
            elif (reader.labels["user"], reader.labels.get("other")) in parted:
                ended.append((reader, "parted"))
        if start + AT_ONCE < len(readers):
            await asyncio.sleep(BREATH_SECONDS)
    return ended


async def _open_sessions(sessions: set[int]) -> dict[int, bool]:
    """Those of the sessions that have not ended, and whether an administrator keeps their person out."""
    now = datetime.now(UTC)
    rows = await database.rows(
        'SELECT session.id, banned_until > ? AS is_banned FROM session JOIN "user" ON "user".id = user_id '
        f"WHERE session.id IN ({database.marks(sessions)})",
        database.stored(now), *sessions,
    )  # fmt: skip
    return {row["id"]: bool(row["is_banned"]) for row in rows}


async def _kept_out(users: set[int]) -> set[tuple[int, int]]:
    """Who of these users is kept out of which room."""
    rows = await database.rows(
        f"SELECT user_id, room_id FROM membership WHERE user_id IN ({database.marks(users)}) AND role = ? "
        "AND kicked_until > ?",
        *users, KICKED, database.stored(datetime.now(UTC)),
    )  # fmt: skip
    return {(row["user_id"], row["room_id"]) for row in rows}


async def _seated(masks: set[int]) -> set[tuple[int, int]]:
    """Which of these strangers is where: in a chat, or where people wait for one."""
    if not masks:
        return set()
    rows = await Stranger.filter(mask_id__in=masks).values("mask_id", "room_id")
    return {(row["mask_id"], row["room_id"]) for row in rows} | {(mask, LOUNGE) for mask in masks}


async def _parted(pairs: set[tuple[int, int | None]]) -> set[tuple[int, int | None]]:
    """Between which of these people, of whom one talks to the other in a chat, a block stands, whoever made it."""
    people = {person for pair in pairs if pair[1] is not None for person in pair}
    if not people:
        return set()
    blocks = Block.filter(blocker_id__in=people, blocked_id__in=people)
    found = {(row["blocker_id"], row["blocked_id"]) for row in await blocks.values("blocker_id", "blocked_id")}
    return {(one, other) for one, other in pairs if {(one, other), (other, one)} & found}
