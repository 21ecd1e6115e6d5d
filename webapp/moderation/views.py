"""Reporting, for everybody; the queue of reports, bans, and the audit log, for administrators."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.audit import PAGE, Action, AuditEntry
from webapp.accounts.authentication import current_viewer, require_account
from webapp.accounts.models import User
from webapp.accounts.queries import CODE_PATTERN
from webapp.accounts.viewer import Viewer
from webapp.core.errors import Forbidden, Invalid, NotFound, Problem, TooManyRequests
from webapp.core.i18n import _
from webapp.files.usage import free_bytes, total_usage, usage_by_person
from webapp.http import responses, security_log
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import is_in_query, query, whole
from webapp.http.urls import path_for
from webapp.moderation import broadcasts
from webapp.moderation.decisions import DURATIONS, lift_ban, list_banned
from webapp.moderation.evidence import ABOUT_MASK, collect
from webapp.moderation.models import REASONS, Report
from webapp.moderation.overview import RoomEntry, rooms_by_id
from webapp.moderation.pages import number_of_page, render_form, render_list, require_admin
from webapp.moderation.sealed import files_of_report, sealed_usage
from webapp.moderation.sending_away import send_away
from webapp.relationships.models import Block
from webapp.sidebar.layout import page_beside_or_fragment
from webapp.strangers.conduct import record_report

NO_PROBLEMS = {"reason": "", "text": "", "told": "", "note": "", "hours": ""}
DECISIONS = {action.value: action for action in (Action.DISMISS, Action.WARN, Action.SUSPEND, Action.BAN)}


# For everybody.


async def report(request: Request) -> Response:
    if request.method == "POST":
        return await _report(request)
    about = query(request, "about")
    user = _reporter(request, about)
    if is_in_query(request, "done"):
        return await _reported(request, user, about)
    return await _form(request, user, about, {"reason": "", "text": ""})


def _reporter(request: Request, about: str) -> Viewer:
    """Return who reports; a guest may report a stranger alone."""
    guest = current_viewer(request) if about == ABOUT_MASK else None
    return guest or require_account(request)


async def _report(request: Request) -> Response:
    typed = await read_form(request, "about", "reason", "text")
    user = _reporter(request, typed["about"])
    try:
        await throttle(settings.RATE_REPORT, "report", str(user.id))
        evidence = await collect(user, typed["about"])
        is_new = await Report.make(user, evidence, typed["reason"], typed["text"])
        if is_new:
            await broadcasts.reports_changed()
        if is_new and evidence.person_id and typed["about"] == ABOUT_MASK:
            await record_report(evidence.person_id)
    except (NotFound, Forbidden):
        raise
    except Problem as error:
        return await _form(request, user, typed["about"], typed, error)
    if client(request).is_fragment:
        return await _reported(request, user, typed["about"])
    return responses.see_other(path_for("report") + "?" + urlencode({"about": typed["about"], "done": 1}))


async def _reported(request: Request, user: Viewer, about: str) -> Response:
    block, link = await _blocking(user, about), path_for("strangers" if about == ABOUT_MASK else "lobby")
    names = "moderation/reported.html", "moderation/_reported.html"
    return await page_beside_or_fragment(request, user, *names, block=block, link=link)


async def _form(
    request: Request, user: Viewer, about: str, typed: dict[str, str], error: Problem | None = None
) -> Response:
    evidence = await collect(user, about)
    problems = NO_PROBLEMS | (error.problems if isinstance(error, Invalid) else {})
    problem = error.message if error and not isinstance(error, Invalid) else ""
    shown: dict[str, Any] = {"evidence": evidence, "about": about, "kind": about.partition(":")[0]}
    shown |= {"form": typed, "reasons": REASONS, "problems": problems, "problem": problem}
    status = error.status if error else 200
    names = "moderation/report.html", "moderation/_report.html"
    response = await page_beside_or_fragment(request, user, *names, status, **shown)
    response.headers.update(error.headers if error else {})
    return response


async def _blocking(user: Viewer, about: str) -> str:
    """The address of the form that blocks whom the report was about; empty where there is none, or they are blocked."""
    try:
        evidence = await collect(user, about)
    except Problem:
        return ""
    if about == ABOUT_MASK:
        return evidence.block  # whether they are blocked by name would say who they are
    is_blocked = await Block.exists(blocker_id=user.id, blocked_id=evidence.person_id or 0)
    return "" if is_blocked else evidence.block


# For administrators. To everybody else there is nothing here.


async def index(request: Request) -> Response:
    """Whom open reports are about, the oldest first."""
    return await render_list(
        request, require_admin(request), "moderation/index.html", await Report.queue(number_of_page(request))
    )


async def files(request: Request) -> Response:
    """Whose files use how much, the most first."""
    admin = require_admin(request)
    used = await usage_by_person(PAGE + 1, (number_of_page(request) - 1) * PAGE)
    people = await User.in_bulk(used, "id")
    found = [(people[person], usage) for person, usage in used.items() if person in people]
    shown: dict[str, Any] = {"total": await total_usage(), "sealed": await sealed_usage(), "free": await free_bytes()}
    return await render_list(request, admin, "moderation/files.html", found, **shown)


async def show(request: Request) -> Response:
    """One report with what was frozen into it, and what can be done about it."""
    admin = require_admin(request)
    found = await Report.get_or_none(id=request.path_params["id"])
    if found is None:
        raise NotFound
    if request.method != "POST":
        return await _show(request, admin, found)
    typed = await read_form(request, "do", "hours", "told", "note", "address")
    try:
        await throttle(settings.RATE_CHANGE, "moderation", str(admin.id))
        if typed["do"] not in DECISIONS:
            raise Invalid(do=_("This can't be done here."))
        person = await found.decide(admin, DECISIONS[typed["do"]], typed)
        await broadcasts.reports_changed()
    except Problem as error:
        await found.refresh_from_db()
        return await _show(request, admin, found, error, typed)
    whom = person.code if person else found.code
    security_log.record(request, "moderated", admin.code, action=typed["do"], person=whom, report=found.id)
    if person and person.is_banned:
        await send_away(person)
    return responses.see_other(path_for("moderation_report", id=found.id) + "?done=1")


async def _show(
    request: Request, admin: Viewer, found: Report, error: Problem | None = None, typed: dict[str, str] | None = None
) -> Response:
    person = await User.get_or_none(id=found.person_id) if found.person_id else None
    shown: dict[str, Any] = {
        "report": found,
        "message": {"files": await files_of_report(found.id, path_for("moderation_report", id=found.id))},
        "reporter": await User.get_or_none(id=found.reporter_id) if found.reporter_id else None,
        "person": person,
        "counts": await found.counts(),
        "others": await found.others(),
        "decisions": await found.decisions(),
        "reasons": REASONS,
        "terms": DURATIONS,
        "current_path": path_for("moderation"),
        "notice": _("Done, and written into the log.") if is_in_query(request, "done") else "",
        "form": typed or {"told": "", "note": "", "hours": "24", "address": ""},
    }
    return await render_form(request, admin, "moderation/show.html", error, **shown)


async def banned(request: Request) -> Response:
    """Show who is suspended or banned, and lift a ban."""
    admin = require_admin(request)
    if request.method != "POST":
        return await render_list(
            request, admin, "moderation/out.html", await list_banned(number_of_page(request)), problem=""
        )
    typed = await read_form(request, "who", "note")
    try:
        await throttle(settings.RATE_CHANGE, "moderation", str(admin.id))
        # PostgreSQL takes no null character, and a fault of the database is none of who typed one.
        person = await User.get_or_none(code=typed["who"]) if CODE_PATTERN.fullmatch(typed["who"]) else None
        await lift_ban(person.id if person else 0, admin, typed["note"])
    except (Invalid, Forbidden, TooManyRequests) as error:
        found = await list_banned(number_of_page(request))
        return await render_list(request, admin, "moderation/out.html", found, error.status, problem=error.message)
    security_log.record(request, "moderated", admin.code, action="lift", person=typed["who"][:9] if person else "")
    return responses.see_other(path_for("bans"))


async def audit_log(request: Request) -> Response:
    """What administrators have decided, the latest first: all of it, or about one person or one room."""
    admin, code, room = require_admin(request), query(request, "about"), whole(query(request, "room"), default=0)
    found, about = None, User.filter(code=code, is_guest=False) if CODE_PATTERN.fullmatch(code) else None
    if code and (about is None or (found := await about.first()) is None):
        raise NotFound
    entries = await AuditEntry.page(number_of_page(request), found.id if found else None, room or None)
    asked = urlencode({"about": code} if found else {"room": room} if room else {})
    context: dict[str, Any] = {"person": found, "room": await _log_of(room) if room else None}
    return await render_list(
        request, admin, "moderation/log.html", entries, asked=f"{asked}&" if asked else "", **context
    )


async def _log_of(room: int) -> RoomEntry | None:
    """Return the room whose log is shown, None where it was deleted."""
    return next(iter(await rooms_by_id([room])), None)
