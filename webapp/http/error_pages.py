"""Answers to problems: a page, a fragment or a small document, by what was asked for."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp.core.errors import (
    NOT_FOUND,
    UNAVAILABLE,
    Moved,
    NotFound,
    Problem,
    RedirectToStrangers,
    SignInRequired,
    TooLarge,
    TooManyRequests,
    Unavailable,
)
from webapp.core.faults import faults
from webapp.core.i18n import Text, _
from webapp.db import engine
from webapp.http import forms, responses
from webapp.http.client import client
from webapp.http.urls import path_for

# These end by themselves after a while.
RETRYABLE = (TooManyRequests, Unavailable)
MESSAGES = {
    400: _("The request could not be read."),
    404: NOT_FOUND,
    405: _("This can't be done here in this way."),
    500: _("Something went wrong on our side, and it has been logged. Try again, or go back."),
    503: UNAVAILABLE,
}


# What a view may answer itself, with what was typed.
REFUSED: tuple[type[Exception], ...] = (Problem, *engine.DOWN)
# What becomes a page; anything else is a fault of ours, and goes to the log as well.
HANDLED: tuple[type[Exception], ...] = (*REFUSED, HTTPException)


def response_to(request: Request, error: Exception) -> Response:
    """Return the answer to what a view raised, one of HANDLED: it leads on, or says what is wrong."""
    if isinstance(error, engine.DOWN):
        faults().database.report(error)
        return problem_response(request, Unavailable())
    problem = _problem(error)
    if isinstance(problem, SignInRequired) and may_lead(request):
        target = asked_path(request) if request.method == "GET" else path_for("lobby")
        return RedirectResponse(path_for("login") + "?" + urlencode({"next": target}), 303)
    if isinstance(problem, RedirectToStrangers) and may_lead(request):
        return RedirectResponse(path_for("strangers"), 303)
    if isinstance(problem, Moved):
        return RedirectResponse(asked_path(request, problem.path), 303)
    return problem_response(request, problem)


async def handle_server_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what nobody expected."""
    return problem_response(request, _problem(error))


def problem_response(request: Request, problem: Problem) -> Response:
    """Return the problem as the kind of document that was asked for, with the draft of a message in it."""
    link, link_text = (path_for("login"), _("Sign in")) if isinstance(problem, SignInRequired) else _way_back(request)
    if client(request).is_fragment:
        response = responses.fragment_response("_problem.html", problem.status, problem=problem.message)
    else:
        name = "error_frame.html" if _is_framed(request) else problem.page
        context = {"title": problem.title, "message": problem.message, "link": link, "link_text": link_text}
        response = responses.page(request, name, problem.status, **_retry(request, problem) | context)
    response.headers.update(problem.headers)
    return response


def _retry(request: Request, problem: Problem) -> dict[str, Any]:
    """Return the draft, and the address to try again where that may help: for a page, or with the draft."""
    form = forms.read_fields(request)
    draft = form.get("body", "")
    files = forms.repeated_fields(request, "file")
    may_help = isinstance(problem, RETRYABLE) and (draft or files or request.method == "GET")
    path = asked_path(request) if may_help else ""
    return {"draft": draft, "nonce": form.get("nonce", ""), "files": files, "retry_path": path}


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return NotFound()
    if status == 413:
        return TooLarge()
    problem = Problem(MESSAGES.get(status, HTTPStatus(status).phrase), dict(getattr(error, "headers", None) or {}))
    problem.status = status
    return problem


def asked_path(request: Request, path: str = "") -> str:
    """
    Return the path and query of the request, or another path with that query.

    `request.url` would raise where they are not UTF-8.
    """
    query = request.scope["query_string"].decode("latin-1")
    return quote(path or request.scope["path"]) + (f"?{query}" if query else "")


def _is_framed(request: Request) -> bool:
    """Whether the answer is shown in a frame, by the request or by the field of a form that was sent from one."""
    return client(request).is_framed or bool(forms.read_fields(request).get("framed"))


def may_lead(request: Request) -> bool:
    """Whether a redirect may be followed: not by a stream, nor by what becomes a part of a page."""
    asking = client(request)
    wants_stream = not asking.kind.leads_to_sign_in or "text/event-stream" in request.headers.get("accept", "")
    return not (wants_stream or asking.is_fragment or _is_framed(request))


def _way_back(request: Request) -> tuple[str, Text]:
    viewer = client(request).viewer
    if viewer is None:
        return path_for("home"), _("Go to the front page")
    if viewer.is_guest:
        return path_for("strangers"), _("Continue")
    return path_for("lobby"), _("Go to the lobby")
