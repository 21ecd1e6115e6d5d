"""Lists of invitations with the form that makes one: the same for a room and for the site."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.viewer import Viewer
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import Page, choice, page_number
from webapp.invitations import links, making, queries
from webapp.invitations.making import DEFAULT_DAYS, DEFAULT_USES, Terms
from webapp.messages.models import new_nonce

Render = Callable[..., Awaitable[Response]]
EMPTY_FORM = {"days": str(DEFAULT_DAYS), "uses": str(DEFAULT_USES), "note": ""}
NO_PROBLEMS = {"days": "", "uses": "", "note": ""}
SUCCESS_MESSAGES = {"revoked": _("Revoked. The link brings nobody any more.")}
MAX_NONCE_LENGTH = 40
DAYS = (1, 7, 30, 90)
USES = (1, 5, 10, 25, 100, 1000)


@dataclass(frozen=True, slots=True)
class InvitationList:
    """The invitations to a room, or without `room_id` to the site, as this viewer has them at `path`."""

    viewer: Viewer
    path: str
    room_id: int | None = None
    # Whether the viewer sees and revokes what others have made.
    has_all: bool = True

    @property
    def _maker(self) -> int | None:
        return None if self.has_all else self.viewer.id

    async def show(self, request: Request, render: Render, status: int = 200, **context: Any) -> Response:
        """Return the page, with the link in it that was made just now, if there is one: no browser may store it."""
        number = page_number(request)
        found = await queries.list_invitations(self.room_id, self._maker, number)
        page = Page.of(found, number, queries.PAGE_SIZE)
        defaults: dict[str, Any] = {
            "invitations": page.rows,
            "page": page.number,
            "more": page.has_more,
            "current_path": self.path,
            "has_all": self.has_all,
            "days": DAYS,
            "uses": USES,
            "invitation_form": EMPTY_FORM | {"nonce": new_nonce()},
            "invitation_problems": NO_PROBLEMS,
            "address": "",
            "notice": choice(request, "done", SUCCESS_MESSAGES, ""),
        }
        return await render(status=status, is_cacheable=False, **(defaults | context))

    async def make(self, request: Request, render: Render) -> Response:
        """Make the invitation of the form, and answer with its link, which is shown this once."""
        await throttle(settings.RATE_ROOM, "invitation", str(self.viewer.id))
        form = await read_form(request, "days", "uses", "note", "nonce")
        form["nonce"] = form["nonce"][:MAX_NONCE_LENGTH] or new_nonce()
        try:
            terms = Terms.of(form, self.viewer.is_admin)
        except Invalid as error:
            problems = NO_PROBLEMS | error.problems
            return await self.show(request, render, error.status, invitation_form=form, invitation_problems=problems)
        token = await making.make(self.viewer, self.room_id, terms, form["nonce"])
        address = links.address_of(request, token)
        return await self.show(request, render, address=address, qr_code=links.qr_code(address))

    async def revoke(self, request: Request) -> Response:
        await throttle(settings.RATE_CHANGE, "invitation", str(self.viewer.id))
        await making.revoke(request.path_params["id"], self.room_id, self._maker)
        return responses.see_other(f"{self.path}?done=revoked")
