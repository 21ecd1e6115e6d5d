"""The settings of a room: what its members do for themselves, and what its owner and administrators do."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.models import User
from webapp.accounts.queries import CODE_PATTERN
from webapp.conversations import access, broadcasts, members
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.levels import ALL, MENTIONS
from webapp.conversations.member_changes import NOT_ALLOWED
from webapp.conversations.members import MAX_KICK
from webapp.conversations.models import Membership, Room
from webapp.conversations.read_marks import read_marks
from webapp.conversations.roles import Act, Change, has_several_owners, may
from webapp.conversations.seats import OWNER, MembershipRow, Seat
from webapp.core import text
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import choice, query, whole
from webapp.http.urls import path_for
from webapp.live import hub
from webapp.messages import changes, pins
from webapp.messages.retention import delete_closed_rooms
from webapp.people import acts
from webapp.rooms import kind_page, naming, rules
from webapp.sidebar.layout import EMPTY_FORM, render_with_sidebar

NO_PROBLEMS = EMPTY_FORM | dict.fromkeys(("rename", "level", *rules.FIELDS), "")
FIELDS = (
    "do", "topic", "face", "who", "minutes", "name", "number", "level", "kind",
    *rules.FIELDS,
)  # fmt: skip
# What a form of the settings does; it returns where that leads, None for back to them.
Action = Callable[[Seat, dict[str, str]], Awaitable[str | None]]

SUCCESS_MESSAGES = {
    "rename": _("The room has a new name."),
    "named": _("The group is a private room now, and you are its owner."),
    "topic": _("Saved."),
    "face": _("Saved."),
    "posting": _("Saved."),
    "slow": _("Saved."),
    "inviting": _("Saved."),
    "retention": _("Saved."),
    "lock": _("The room is locked."),
    "unlock": _("The room is open again."),
    "kick": _("They are banned for now."),
    "pardon": _("They may come back."),
    "hand_over": _("The room has a new owner."),
    "unread": _("Marked as unread."),
    "level": _("Saved."),
    # Of pages that the version before has served: for one release, as are the acts of these names.
    "mute": _("Only mentions of you are counted here."),
    "unmute": _("New messages here are counted again."),
}


async def show_settings(request: Request) -> Response:
    user = require_account(request)
    seat = await access.for_reading(request)
    if request.method != "POST":
        if client(request).is_fragment:
            token = client(request).form_token
            return responses.fragment_response("rooms/_card.html", seat=seat, room=seat.room, token=token)
        show = kind_page.show if query(request, "do") == "kind" else _settings
        return await show(request, seat)
    await throttle(settings.RATE_CHANGE, "room", str(user.id))
    form = await read_form(request, *FIELDS)
    if form["do"] == "kind":
        return await kind_page.convert(request, seat, form["kind"], form["name"])
    needed = Act.MODERATE if form["do"] in MODERATOR_ACTIONS else Act.OWN
    open_to_members = MEMBER_ACTIONS | (GROUP_ACTIONS if seat.kind.is_group else {})
    if form["do"] not in open_to_members and not may(seat, needed):
        raise Forbidden(NOT_ALLOWED[needed])
    action = (OWNER_ACTIONS | open_to_members).get(form["do"])
    if action is None:
        raise Invalid(do=_("This can't be done here."))
    try:
        goto = await action(seat, form)
    except Invalid as error:
        stored = _stored(seat)
        if form["do"] == "rename":
            stored["rename"], problems = form.pop("name"), {"rename": error.problems["name"]}
        else:
            stored.pop(form["do"], None)
            problems = error.problems
        shown = EMPTY_FORM | form | stored
        return await _settings(request, seat, error.status, form=shown, problems=NO_PROBLEMS | problems)
    if form["do"] in OWNER_ACTIONS and is_on_behalf(seat, needed):
        person = await User.get_or_none(code=form["who"]) if CODE_PATTERN.fullmatch(form["who"]) else None
        await record_act(request, form["do"], seat, person)
    if client(request).is_fragment and not goto:
        return responses.fragment_response("_done.html", done=SUCCESS_MESSAGES[form["do"]])
    return responses.see_other(goto or f"{seat.path}/settings?done={form['do']}")


def _stored(seat: Seat) -> dict[str, str]:
    """Return what the fields of the forms hold; `name` is that of the form that deletes the room."""
    return {"rename": seat.room.name, "topic": seat.room.topic, "face": seat.room.face}


async def _settings(request: Request, seat: Seat, status: int = 200, **context: Any) -> Response:
    defaults: dict[str, Any] = {
        "seat": seat,
        "room": seat.room,
        "owns_alone": seat.membership is not None
        and seat.membership.role == OWNER
        and not await has_several_owners(seat.room.id),
        "current_key": seat.room.key,
        "address": str(request.base_url).rstrip("/") + seat.path,
        "can_convert": kind_page.can_convert(seat),
        "notice": choice(request, "done", SUCCESS_MESSAGES | kind_page.SUCCESS_MESSAGES, ""),
        **rules.choices(seat.room),
        "form": EMPTY_FORM | _stored(seat),
        "problems": NO_PROBLEMS,
    }
    return await render_with_sidebar(request, seat.viewer, "rooms/settings.html", status, **(defaults | context))


async def _level(seat: Seat, form: dict[str, str]) -> None:
    level = {"mute": MENTIONS, "unmute": ALL}.get(form["do"], form["level"])
    await Membership.set_level(_require_membership(seat).id, level)
    broadcasts.membership_changed(seat.room.id, seat.viewer.id)


async def _unread(seat: Seat, form: dict[str, str]) -> None:
    """Mark as unread from this message on; another open window of the room would read it at once, and is not asked."""
    last = seat.room.last_number
    number = whole(form["number"], default=last)
    await read_marks().settle(seat.viewer.id)
    await Membership.mark_unread_from(_require_membership(seat).id, number, last)
    broadcasts.membership_changed(seat.room.id, seat.viewer.id)


def _require_membership(seat: Seat) -> MembershipRow:
    if seat.membership is None:
        raise Forbidden(_("You are not in this room. Join it first."))
    return seat.membership


MEMBER_ACTIONS: dict[str, Action] = {"level": _level, "mute": _level, "unmute": _level, "unread": _unread}


async def _name_group(seat: Seat, form: dict[str, str]) -> str:
    changes.log_changed(seat.room.id, await naming.name_group(seat, form["name"]))
    await broadcasts.kind_changed(seat.room.id)
    pins.changed(seat.room.id)
    return f"{seat.path}/settings?done=named"


GROUP_ACTIONS: dict[str, Action] = {"rename": _name_group}


async def _rename(seat: Seat, form: dict[str, str]) -> None:
    await Room.rename(seat.room.id, form["name"])
    broadcasts.looks_changed(seat.room.id)


async def _topic(seat: Seat, form: dict[str, str]) -> None:
    await Room.set_topic(seat.room.id, form["topic"])
    broadcasts.details_changed(seat.room.id)


async def _face(seat: Seat, form: dict[str, str]) -> None:
    await Room.set_face(seat.room.id, form["face"])
    broadcasts.looks_changed(seat.room.id)


async def _lock(seat: Seat, form: dict[str, str]) -> None:
    await Room.set_locked(seat.room.id, form["do"] == "lock")
    broadcasts.details_changed(seat.room.id)


# What is done with people, as the pages of the version before ask for it: today's have people/act_views.py.


async def _kick(seat: Seat, form: dict[str, str]) -> None:
    await members.by_code(seat.room.id, form["who"])
    # More digits than any time has: the longest there is.
    length = timedelta(minutes=max(1, whole(form["minutes"][:9], default=60)))
    await acts.carry_out(seat, form["who"], Change.BAN, min(length, MAX_KICK))


async def _pardon(seat: Seat, form: dict[str, str]) -> None:
    await acts.carry_out(seat, form["who"], Change.UNBAN)


async def _hand_over(seat: Seat, form: dict[str, str]) -> str:
    await acts.hand_over(seat, form["who"])
    return f"{seat.path}/settings?done=hand_over"


async def _delete(seat: Seat, form: dict[str, str]) -> str:
    if text.fold(form["name"]) != text.fold(seat.room.name):
        raise Invalid(name=_("That is not the name of this room."))
    await Room.close(seat.room.id)
    broadcasts.room_deleted(seat.room.id)
    hub().spawn(delete_closed_rooms())
    return path_for("lobby")


# Those of the following that moderators may do, too.
MODERATOR_ACTIONS = frozenset({"lock", "unlock", "kick", "pardon"})
OWNER_ACTIONS: dict[str, Action] = {
    "rename": _rename,
    "topic": _topic,
    "face": _face,
    "lock": _lock,
    "unlock": _lock,
    **rules.ACTIONS,
    "kick": _kick,
    "pardon": _pardon,
    "hand_over": _hand_over,
    "delete": _delete,
}
