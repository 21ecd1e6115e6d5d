"""Telling open pages that their session has ended."""

from webapp.accounts.models import User
from webapp.live import hub


def signed_out(*sessions: int) -> None:
    for session in sessions:
        hub().dismiss("signed_out", session=session)


def renewed(session: int) -> None:
    """The session goes on under another token: streams that were opened with the one before end."""
    hub().dismiss("renewed", session=session)


def changed(person: User) -> None:
    """They have another name or picture, or have gone: what shows them is made anew."""
    hub().note("person", code=person.code)
