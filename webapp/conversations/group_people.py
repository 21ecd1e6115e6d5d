"""The people of groups: by them a group is called and known, to each of them by the others."""

from collections.abc import Sequence
from typing import NamedTuple

from webapp.accounts.viewer import Avatar
from webapp.core.i18n import Text, _

# Of more than so many others two are named, and the rest is counted.
MAX_NAMED = 3
NAMED_OF_MANY = 2
MAX_FACES = 3
ONLY_YOU = _("Only you")


class GroupPerson(NamedTuple):
    """One of a group, as its lists show them."""

    id: int
    code: str
    name: str
    picture: str | None

    @property
    def avatar(self) -> Avatar:
        return Avatar.of(self.name, self.code, self.picture)


# Everybody in a group, in the order in which they came.
GroupPeople = tuple[GroupPerson, ...]


class GroupFace(NamedTuple):
    """The tile of a group: two or three faces; that of the viewer where they are alone."""

    faces: tuple[Avatar, ...]

    @classmethod
    def of(cls, people: GroupPeople, viewer_id: int) -> "GroupFace":
        return cls(tuple(person.avatar for person in (_others(people, viewer_id) or people)[:MAX_FACES]))


def group_title(people: GroupPeople, viewer_id: int) -> Text:
    """Return how the viewer reads the group's name: its others, in the order in which they came."""
    others = _others(people, viewer_id)
    if not others:
        return ONLY_YOU
    names = _short_names(others)
    if len(names) <= MAX_NAMED:
        return ", ".join(names)
    shown, count = names[:NAMED_OF_MANY], len(names) - NAMED_OF_MANY
    return _("%(names)s and %(count)s others", names=", ".join(shown), count=count)


def _others(people: GroupPeople, viewer_id: int) -> GroupPeople:
    return tuple(person for person in people if person.id != viewer_id)


def _short_names(people: Sequence[GroupPerson]) -> list[str]:
    """Return the first word of each name; the whole one where two would be the same, and of who is the only one."""
    if len(people) == 1:
        return [people[0].name]
    first = [person.name.partition(" ")[0] for person in people]
    return [one if first.count(one) == 1 else person.name for one, person in zip(first, people, strict=True)]
