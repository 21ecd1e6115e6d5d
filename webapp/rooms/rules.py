"""What the owners of a room decide for all in it: who writes and invites, slow mode, and how long messages stay."""

from collections.abc import Awaitable, Callable
from typing import Any

from webapp import settings
from webapp.conversations import broadcasts, rules
from webapp.conversations.models import SLOW_SECONDS, Room
from webapp.conversations.seats import RoomRow, Seat, kept_days
from webapp.core.i18n import Text, _, ngettext
from webapp.http.params import whole
from webapp.messages import retention

FIELDS = ("who_posts", "slow_seconds", "who_invites", "keep_days")
# What the form offers; the address takes every number of days up to retention.MAX_DAYS.
KEEP_DAYS = (1, 7, 30, 90, 180, 365, 1095)
NO_PAUSE, NEVER = _("Off"), _("Never")


def choices(room: RoomRow) -> dict[str, Any]:
    """Return what the forms offer, and what of it is chosen where the room's row does not say so itself."""
    waiting = rules.next_retention(room.next_keep_days, room.keep_changes_at)
    days = kept_days(room.keep_days, room.next_keep_days, room.keep_changes_at)
    if waiting and room.next_keep_days:
        days = room.next_keep_days
    return {
        "slow_choices": [(seconds, rules.span(seconds) if seconds else NO_PAUSE) for seconds in SLOW_SECONDS],
        "keep_choices": _keep_choices(days),
        "kept_choice": days,
        "keep_hint": waiting or _("What is shorter counts from a day later on, and everybody is told."),
    }


def _keep_choices(days: int) -> list[tuple[int, Text]]:
    """Return how long messages may stay, up to what the site sets; and what is chosen, whatever that is."""
    most = settings.KEEP_MESSAGES_DAYS
    offered = [some for some in KEEP_DAYS if not most or some < most]
    return [
        (0, _after(most) if most else NEVER),
        *((some, _after(some)) for some in sorted({*offered, days} - {0})),
    ]


def _after(days: int) -> Text:
    return ngettext("After a day", "After %(count)s days", days)


async def set_who_posts(seat: Seat, form: dict[str, str]) -> None:
    await Room.set_who_posts(seat.room.id, form["who_posts"])
    broadcasts.details_changed(seat.room.id)


async def set_slow_seconds(seat: Seat, form: dict[str, str]) -> None:
    await Room.set_slow_seconds(seat.room.id, whole(form["slow_seconds"], default=-1))
    broadcasts.details_changed(seat.room.id)


async def set_who_invites(seat: Seat, form: dict[str, str]) -> None:
    await Room.set_who_invites(seat.room.id, form["who_invites"])


async def set_keep_days(seat: Seat, form: dict[str, str]) -> None:
    await retention.set_keep_days(seat.room.id, whole(form["keep_days"], default=-1))


# By what the forms call them.
ACTIONS: dict[str, Callable[[Seat, dict[str, str]], Awaitable[None]]] = {
    "posting": set_who_posts,
    "slow": set_slow_seconds,
    "inviting": set_who_invites,
    "retention": set_keep_days,
}
