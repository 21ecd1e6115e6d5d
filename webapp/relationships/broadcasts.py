"""Telling people's open pages what they are to each other now."""

from webapp.accounts.viewer import Person
from webapp.live import hub


def relationships_changed(*people: Person) -> None:
    """Broadcast that what these people are to others has changed: their pages have to show it."""
    for person in people:
        hub().broadcast_reliably("ties", user=person.id)
