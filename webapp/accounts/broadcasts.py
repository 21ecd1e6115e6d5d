"""Telling open pages that their session has ended."""

from webapp.accounts.endings import RENEWED, SIGNED_OUT, UNMADE
from webapp.accounts.viewer import Person
from webapp.live import hub


def sessions_ended(*sessions: int) -> None:
    for session in sessions:
        hub().close_streams(SIGNED_OUT, session=session)


def renewed(session: int) -> None:
    """The session has a new token: streams that were opened with the previous one end."""
    hub().close_streams(RENEWED, session=session)


def person_changed(person: Person) -> None:
    """They have another name or picture, or were deleted: what shows them is rendered again."""
    hub().broadcast_reliably("person", code=person.code)


def admin_changed(person: Person) -> None:
    """They became an administrator, or are none any more: then their open pages end, in every process."""
    person_changed(person)
    if not person.is_admin:
        hub().close_streams(UNMADE, user=person.id)
