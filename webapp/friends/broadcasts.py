"""Telling people's open pages what they are to each other now."""

from webapp.accounts.models import User


def changed(*people: User) -> None:
    """What these people are to somebody has changed: their pages have something else to show."""
