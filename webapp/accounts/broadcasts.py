"""Telling open pages that their session has ended."""

from webapp.accounts.models import User
from webapp.live import hub


def signed_out(*sessions: int) -> None:
    for session in sessions:
        hub.dismiss("signed_out", session=session)


def changed(person: User) -> None:
    """They have another name or picture, or have gone: what shows them is made anew."""
    hub.note("person", user=person.id)
