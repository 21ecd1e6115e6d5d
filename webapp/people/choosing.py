"""The page on which people are chosen, for a group or a room, with a box for each; it needs no script."""

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.queries import CODE_PATTERN, people_by_code
from webapp.accounts.viewer import PersonRow, Viewer
from webapp.core import text
from webapp.core.errors import Problem
from webapp.core.i18n import Text
from webapp.http.limits import throttle
from webapp.relationships.queries import friends, without_blocked
from webapp.relationships.search import MAX_QUERY_LENGTH, is_searchable, search
from webapp.sidebar.layout import render_with_sidebar

# Of more friends the others are found by their names.
MOST_FRIENDS = 50
# So many stay chosen from one look to the next.
MOST_CHOSEN = 25


async def find(
    request: Request, viewer: Viewer, template: str, typed: str, codes: Collection[str], **context: Any
) -> Response:
    """Return the page with who was found by what is typed; what was chosen stays so."""
    words = text.clean_line(typed)[:MAX_QUERY_LENGTH]
    if words:
        await throttle(settings.RATE_SEARCH, "search", str(viewer.id))
    found = [one.user for one in await search(viewer, words)] if is_searchable(words) else []
    return await show(
        request,
        viewer,
        template,
        codes,
        q=words,
        found=found,
        is_short=bool(words) and not is_searchable(words),
        **context,
    )


async def refuse(
    request: Request, viewer: Viewer, template: str, codes: Collection[str], problem: Problem, **context: Any
) -> Response:
    """Return the page with the reason, and what was chosen."""
    problems: Mapping[str, Text] = getattr(problem, "problems", {})
    reason = problems.get("code", problem.message)
    response = await show(request, viewer, template, codes, problem.status, problem=reason, **context)
    response.headers.update(problem.headers)
    return response


async def show(
    request: Request,
    viewer: Viewer,
    template: str,
    codes: Collection[str] = (),
    status: int = 200,
    without: Collection[int] = (),
    **context: Any,
) -> Response:
    """Return the page: who was chosen, who was found, friends, without those of these ids."""
    chosen = await _chosen(viewer, codes)
    left_out = {person.id for person in chosen}
    found = [person for person in context.pop("found", ()) if person.id not in left_out | {viewer.id}]
    left_out |= {person.id for person in found}
    known = [person for person in await friends(viewer) if person.id not in left_out.union(without)]
    defaults: dict[str, Any] = {
        "chosen": chosen,
        "found": found,
        "friends": known[:MOST_FRIENDS],
        "has_more_friends": len(known) > MOST_FRIENDS,
        "q": "",
        "is_short": False,
        "problem": "",
    }
    return await render_with_sidebar(request, viewer, template, status, **(defaults | context))


async def _chosen(viewer: Viewer, codes: Collection[str]) -> list[PersonRow]:
    """Return whom these codes name, as the viewer may see them."""
    possible = [code for code in dict.fromkeys(codes) if CODE_PATTERN.fullmatch(code)][:MOST_CHOSEN]
    people = await without_blocked(viewer, await people_by_code(*possible)) if possible else []
    return [person for person in people if person.id != viewer.id]
