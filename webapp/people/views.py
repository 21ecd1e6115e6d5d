"""Finding people, their profiles, and what two people may be to each other."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import signed_in
from webapp.accounts.models import User
from webapp.conversations import broadcasts as rooms
from webapp.conversations import direct
from webapp.core import text
from webapp.core.errors import Invalid, Refused
from webapp.core.i18n import _
from webapp.http import render
from webapp.http.forms import form
from webapp.http.limits import throttle
from webapp.presence import broadcasts as presence
from webapp.presence.last_seen import last_seen
from webapp.presence.queries import online
from webapp.relationships import broadcasts
from webapp.relationships.models import Block, Friendship, Tie, VeiledBlock
from webapp.relationships.queries import circle, meet
from webapp.relationships.search import is_name, search
from webapp.sidebar.layout import split

LONGEST_QUERY = 60
SHOWS = ("shows_presence", "shows_receipts", "shows_typing")
NO_PROBLEMS = {"found_by": "", "written_by": ""}


async def find(request: Request) -> Response:
    user = signed_in(request)
    words = text.line(request.query_params.get("q", ""))[:LONGEST_QUERY]
    if words:
        await throttle(settings.RATE_SEARCH, "search", str(user.id))
    found = await search(user, words) if is_name(words) else []
    return await split(request, user, "people/find.html", q=words, found=found, is_short=not is_name(words))


async def show(request: Request) -> Response:
    """Somebody's profile, with what the viewer can do about them."""
    user = signed_in(request)
    person, tie = await meet(user, request.path_params["code"])
    is_online = tie is Tie.FRIENDS and bool(await online([person.id]))
    shown: dict[str, Any] = {
        "person": person,
        "tie": tie,
        "is_online": is_online,
        "seen": last_seen(person),
        "here": person.path,
    }
    return await split(request, user, "people/show.html", **shown)


async def index(request: Request) -> Response:
    """Everybody whom the viewer has something with."""
    user = signed_in(request)
    found = await circle(user)
    there = await online([friend.id for friend in found.friends])
    shown = found._asdict() | {"here": "/friends"}
    shown["friends"] = sorted(found.friends, key=lambda friend: friend.id not in there)
    return await split(request, user, "people/index.html", online=there, waiting=len(found.asking), **shown)


# Between two people.


async def _two(request: Request) -> tuple[User, User, Tie]:
    """
    Who asks, whom it is about, and what they are to each other.

    Raises Missing, Refused about oneself, and TooMany: every act between two people is counted here.
    """
    user = signed_in(request)
    await throttle(settings.RATE_CHANGE, "people", str(user.id))
    other, tie = await meet(user, request.path_params["code"])
    if tie is Tie.SELF:
        raise Refused(_("That is you."))
    return user, other, tie


async def _back(request: Request, other: User) -> Response:
    """To the page with the button that was pressed."""
    typed = await form(request, "from")
    goto = {"friends": "/friends", "lobby": "/lobby"}.get(typed["from"], other.path)
    return render.see_other(goto)


def _tell(user: User, other: User, before: Tie) -> None:
    """The other only when something of theirs has ended: who was nothing to them must not feel it."""
    broadcasts.changed(user, *([other] if before in (Tie.FRIENDS, Tie.ASKED, Tie.ASKING) else []))


async def ask(request: Request) -> Response:
    await throttle(settings.RATE_FRIEND, "friend", str(signed_in(request).id))
    user, other, tie = await _two(request)
    if tie is Tie.BLOCKED:
        raise Refused(_("You have blocked this person. Unblock them first."))
    await direct.ask(user, other)
    broadcasts.changed(user, other)
    return await _back(request, other)


async def accept(request: Request) -> Response:
    user, other, _ = await _two(request)
    await direct.accept(user, other)
    broadcasts.changed(user, other)
    return await _back(request, other)


async def decline(request: Request) -> Response:
    user, other, _ = await _two(request)
    await Friendship.decline(user, other)
    broadcasts.changed(user)  # the other is not told
    return await _back(request, other)


async def cancel(request: Request) -> Response:
    user, other, tie = await _two(request)
    await Friendship.cancel(user, other)
    _tell(user, other, tie)
    return await _back(request, other)


async def remove(request: Request) -> Response:
    user, other, tie = await _two(request)
    await Friendship.remove(user, other)
    _tell(user, other, tie)
    return await _back(request, other)


async def block(request: Request) -> Response:
    user, other, tie = await _two(request)
    await Block.put(user, other)
    rooms.parted(user.id, other.id)
    _tell(user, other, tie)
    return await _back(request, other)


async def unblock(request: Request) -> Response:
    user, other, _ = await _two(request)
    await Block.lift(user, other)
    broadcasts.changed(user)
    return await _back(request, other)


async def lift(request: Request) -> Response:
    """Lift a block that has no name."""
    user = signed_in(request)
    await throttle(settings.RATE_CHANGE, "people", str(user.id))
    await VeiledBlock.lift(user, request.path_params["id"])
    return render.see_other("/friends")


# What everybody may know of me.


async def privacy(request: Request) -> Response:
    user = signed_in(request)
    if request.method != "POST":
        chosen = {name: getattr(user, name) for name in ("found_by", "written_by", *SHOWS)}
        return _privacy(request, form=chosen, problems=NO_PROBLEMS)
    typed = await form(request, "found_by", "written_by", *SHOWS)
    shows = {name: bool(typed[name]) for name in SHOWS}
    try:
        await throttle(settings.RATE_CHANGE, "privacy", str(user.id))
        await user.choose(typed["found_by"], typed["written_by"], **shows)
    except Invalid as error:
        return _privacy(request, error.status, form=typed, problems=NO_PROBLEMS | error.problems)
    if shows["shows_presence"] != user.shows_presence:
        await presence.chosen(user.id)
    return render.see_other("/settings/privacy?done=privacy")


def _privacy(request: Request, status: int = 200, **context: Any) -> Response:
    done = _("Saved.") if request.query_params.get("done") == "privacy" else ""
    return render.page(request, "people/privacy.html", status, here=request.scope["path"], done=done, **context)
