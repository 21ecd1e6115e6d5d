"""The forms of accounts, shown again with what was typed."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.core.errors import Invalid, Problem
from webapp.http import responses

EMPTY_PROBLEMS = {"username": "", "display_name": "", "password": "", "current": "", "bio": "", "picture": ""}


def redisplay(request: Request, name: str, error: Problem, **context: Any) -> Response:
    """The same form, with what was typed and what is wrong with it."""
    problems = EMPTY_PROBLEMS | (error.problems if isinstance(error, Invalid) else {})
    problem = "" if isinstance(error, Invalid) else error.message
    response = responses.page(request, name, error.status, problems=problems, problem=problem, **context)
    response.headers.update(error.headers)
    return response


def register_form(request: Request, **context: Any) -> Response:
    empty = {"username": "", "display_name": ""}
    defaults = {"form": empty, "problems": EMPTY_PROBLEMS, "problem": "", "next": "", "room": ""}
    return responses.page(request, "accounts/register.html", **(defaults | context))
