"""Telling people's open pages what they are to each other now."""

from webapp.accounts.viewer import Person
from webapp.live import hub


def relationships_changed(*people: Person) -> None:
    """What these people are to somebody has changed: their pages have something else to show."""
    for person in people:
        hub().broadcast_reliably("ties", user=person.id)
