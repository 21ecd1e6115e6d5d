"""What can go wrong with a request, and the page (or fragment, or framed document) that each becomes."""

import random
from datetime import datetime
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from webapp import faults, render
from webapp.clock import Moment
from webapp.language import Words, _, ngettext

NOT_HERE = _("This page does not exist, or it is not for you.")
TOO_LARGE = _("That is too large to send. Go back and make it shorter.")
AWAY = _("Parley can't read or keep anything right now. Try again in a moment.")


class Problem(Exception):
    """Something a person is told. `message` is a sentence in plain words."""

    status = 500
    title: Words = _("Something went wrong")
    page = "error.html"

    def __init__(self, message: Words, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class Invalid(Problem):
    """What was typed can't be taken. `problems` says why, by field."""

    status = 422
    title = _("That can't be used")

    def __init__(self, **problems: Words) -> None:
        super().__init__(" ".join(map(str, problems.values())))
        self.problems = problems


class Refused(Problem):
    status = 403
    title = _("That is not possible")


class Banned(Refused):
    """An administrator keeps this person out. `reason` is what they were told."""

    title = _("You are kept out")
    page = "accounts/banned.html"

    def __init__(self, until: datetime | None, reason: str) -> None:
        """For good without `until`."""
        told = _("An administrator keeps you out of here for good. %(reason)s", reason=reason)
        if until:
            told = _(
                "An administrator keeps you out of here until %(until)s. %(reason)s", until=Moment(until), reason=reason
            )
        super().__init__(told)


class Missing(Problem):
    """There is nothing here, or nothing that this person may see: nobody can tell which."""

    status = 404
    title = _("There is nothing here")

    def __init__(self, message: Words = NOT_HERE) -> None:
        super().__init__(message)


class TooLarge(Problem):
    """More than is read: the connection ends with the answer."""

    status = 413
    title = _("Too large")

    def __init__(self, message: Words = TOO_LARGE) -> None:
        super().__init__(message, {"Connection": "close"})


class Stalled(Problem):
    """The rest of what was being sent never came: the connection ends with the answer."""

    status = 408
    title = _("It did not arrive")

    def __init__(self) -> None:
        super().__init__(_("What you sent stopped half-way. Go back and send it again."), {"Connection": "close"})


class TooMany(Problem):
    """Too often. `seconds` is when to try again."""

    status = 429
    title = _("A little slower")

    def __init__(self, seconds: int) -> None:
        told = ngettext(
            "That was a lot at once. Wait a second and try again.",
            "That was a lot at once. Wait %(count)s seconds and try again.",
            seconds,
        )
        if seconds >= 120:
            told = _("That was a lot at once. Wait %(minutes)s minutes and try again.", minutes=ceil(seconds / 60))
        if seconds >= 2 * 3600:
            told = _("That was a lot at once. Wait %(hours)s hours and try again.", hours=ceil(seconds / 3600))
        super().__init__(told, {"Retry-After": str(seconds)})


class Unavailable(Problem):
    status = 503
    title = _("Back in a moment")

    def __init__(self, message: Words = AWAY) -> None:
        super().__init__(message, {"Retry-After": "5"})


class Full(Problem):
    """
    More pages are open than this process can bear; who waited for a stream tries again by itself.

    The connection ends, because idle ones would use up the files that are left for pages.
    """

    status = 503
    title = _("Very full right now")

    def __init__(self) -> None:
        wait = {"Retry-After": str(random.randint(5, 20)), "Connection": "close"}  # not all of them at once
        super().__init__(_("So many people are here that new messages can't come by themselves. Try again soon."), wait)


class SignedOut(Problem):
    """Only for people who are signed in."""

    status = 401
    title = _("Please sign in")

    def __init__(self) -> None:
        super().__init__(_("You are signed out."))


class AmongStrangers(Missing):
    """Not for somebody in a mask, or not any more: they are led to where they are."""


# What is over by itself after a while.
PASSING = (TooMany, Unavailable)
WORDS = {
    400: _("The request could not be read."),
    404: NOT_HERE,
    405: _("This can't be done here in this way."),
    500: _("That is our fault, not yours. It has been written down. Try again, or go back."),
    503: AWAY,
}


async def problem(request: Request, error: Exception) -> Response:
    """Starlette's handler for all of the above, its own HTTP errors, and whatever nobody expected."""
    if isinstance(error, HTTPException) and error.status_code == 404 and (path := _without_slash(request)):
        return RedirectResponse(_here(request, path), 307)
    told = _told(error)
    if isinstance(told, SignedOut) and _is_page(request):
        target = _here(request) if request.method == "GET" else "/lobby"
        return RedirectResponse("/login?" + urlencode({"next": target}), 303)
    if isinstance(told, AmongStrangers) and _is_page(request):
        return RedirectResponse("/strangers", 303)
    return respond(request, told)


def respond(request: Request, told: Problem) -> Response:
    """The problem as the kind of document that was asked for, with the message that the person would lose."""
    way, way_name = ("/login", _("Sign in")) if isinstance(told, SignedOut) else _way_back(request)
    if request.headers.get("hx-request"):
        response = render.part("_problem.html", told.status, problem=told.message)
    else:
        name = "error_frame.html" if render.is_framed(request) else told.page
        said = {"title": told.title, "message": told.message, "way": way, "way_name": way_name}
        response = render.page(request, name, told.status, **_kept(request, told) | said)
    response.headers.update(told.headers)
    return response


def _kept(request: Request, told: Problem) -> dict[str, Any]:
    """What was typed, and the address to ask once more where that may do: for a page, or with what was typed."""
    typed = getattr(request.state, "typed", {})
    draft = typed.get("body", "")
    may_do = isinstance(told, PASSING) and (draft or request.method == "GET")
    return {"draft": draft, "nonce": typed.get("nonce", ""), "again": _here(request) if may_do else ""}


def _told(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return Missing()
    if status == 413:
        return TooLarge()
    told = Problem(WORDS.get(status, HTTPStatus(status).phrase), dict(getattr(error, "headers", None) or {}))
    told.status = status
    return told


def _without_slash(request: Request) -> str:
    """The path without slashes at its ends, where there is one with them and a page without; else empty."""
    path = "/" + request.scope["path"].strip("/")
    scope = {**request.scope, "path": path}
    is_there = any(route.matches(scope)[0] is not Match.NONE for route in request.app.routes)
    return path if is_there and path != request.scope["path"] else ""


def _here(request: Request, path: str = "") -> str:
    """
    The path and query that were asked for, or another path with that query.

    Not by `request.url`, which raises where they are not UTF-8.
    """
    query = request.scope["query_string"].decode("latin-1")
    return quote(path or request.scope["path"]) + (f"?{query}" if query else "")


def _is_page(request: Request) -> bool:
    """Whether a whole page was asked for; streams, fragments and frames are told, not led away."""
    is_stream = "is_stream" in request.scope or "text/event-stream" in request.headers.get("accept", "")
    return not (is_stream or request.headers.get("hx-request") or render.is_framed(request))


def _way_back(request: Request) -> tuple[str, Words]:
    user = request.scope.get("user")
    if getattr(user, "is_guest", False):
        return "/strangers", _("Go on")
    if getattr(user, "is_authenticated", False):
        return "/lobby", _("Go to the lobby")
    return "/", _("Go to the front page")


async def unavailable(request: Request, error: Exception) -> Response:
    """Starlette's handler for a database that is away."""
    faults.data.notice(error)
    return respond(request, Unavailable())
