"""One person, as administrators see them: what there is of them, and what can be decided."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts import broadcasts as accounts
from webapp.accounts.administrators import is_last, make_admin, unmake_admin
from webapp.accounts.audit import Action, AuditEntry
from webapp.accounts.authentication import confirm
from webapp.accounts.models import User
from webapp.accounts.queries import CODE_PATTERN
from webapp.accounts.viewer import Viewer
from webapp.core.errors import Invalid, NotFound, Problem
from webapp.core.i18n import _
from webapp.http import responses, security_log
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import is_in_query
from webapp.http.urls import path_for
from webapp.moderation import broadcasts, overview
from webapp.moderation.decisions import DURATIONS
from webapp.moderation.models import Report
from webapp.moderation.pages import about_people, render_form, require_admin
from webapp.moderation.sending_away import send_away

DECISIONS = {action.value: action for action in (Action.WARN, Action.SUSPEND, Action.BAN, Action.LIFT)}
ADMIN_CHANGES = {Action.ADMIN.value: make_admin, Action.UNADMIN.value: unmake_admin}
EMPTY_DECISION = {"told": "", "note": "", "hours": "24", "address": ""}


async def show(request: Request) -> Response:
    """What there is of a person, what was decided about them, and what can be."""
    admin = require_admin(request)
    if request.method != "POST":
        return await _show(request, admin, await _find(request))
    await throttle(settings.RATE_CHANGE, "moderation", str(admin.id))
    found = await _find(request)
    typed = await read_form(request, "do", "hours", "told", "note", "address", "password")
    try:
        await _decide(request, admin, found, typed)
    except NotFound:
        raise
    except Problem as error:
        return await _show(request, admin, found, error, typed)
    security_log.record(request, "moderated", admin.code, action=typed["do"], person=found.code)
    if typed["do"] == Action.UNADMIN and found.id == admin.id:
        return responses.see_other(path_for("lobby"))
    return responses.see_other(path_for("moderation_person", code=found.code) + "?done=1")


async def _find(request: Request) -> User:
    code = request.path_params["code"].upper()
    found = await User.get_or_none(code=code, is_guest=False) if CODE_PATTERN.fullmatch(code) else None
    if found is None or found.username is None:
        raise NotFound
    return found


async def _decide(request: Request, admin: Viewer, found: User, typed: dict[str, str]) -> None:
    if change := ADMIN_CHANGES.get(typed["do"]):
        await confirm(request, admin, typed["password"])
        accounts.admin_changed(await change(found.id, admin))
        return
    if typed["do"] not in DECISIONS:
        raise Invalid(do=_("This can't be done here."))
    decided = await Report.decide_about(found, admin, DECISIONS[typed["do"]], typed)
    await broadcasts.reports_changed()
    if decided.is_banned:
        await send_away(decided)


async def _show(
    request: Request, admin: Viewer, found: User, error: Problem | None = None, typed: dict[str, str] | None = None
) -> Response:
    [entry] = await overview.find_people(found.code)
    shown: dict[str, Any] = {
        "person": found,
        "entry": entry,
        "is_self": found.id == admin.id,
        "is_last_admin": await is_last(found),
        "others": await Report.list_about(found.id),
        "decisions": await AuditEntry.about(found.id),
        "terms": DURATIONS,
        "current_path": path_for("moderation_people"),
        "notice": _("Done, and written into the log.") if is_in_query(request, "done") else "",
        "form": EMPTY_DECISION | (typed or {}),
    }
    return await render_form(request, admin, "moderation/person.html", error, **shown, **about_people())
