"""When a person was last online, as others read it."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.core import clock
from webapp.core.i18n import Text, _
from webapp.db.sql import batches

# It is shown by the day, and not written again so soon.
LAST_SEEN_INTERVAL = timedelta(minutes=5)


async def update_last_seen(users: Collection[int], moment: datetime) -> None:
    """The last pages of these people have closed; nothing is written for those noted within SEEN_AGAIN before."""
    for some in batches(users):
        await User.filter(id__in=some, last_seen_at__lt=moment - LAST_SEEN_INTERVAL).update(last_seen_at=moment)


LAST_SEEN_TEXTS = (
    (0, _("Last seen today")),
    (1, _("Last seen yesterday")),
    (6, _("Last seen this week")),
    (30, _("Last seen this month")),
)


LONG_AGO = _("Last seen a while ago")


def last_seen_text(last_seen_at: datetime, now: datetime | None = None) -> Text:
    """
    When a person was last online, in words too coarse for their hours, by the days of the site's time zone.

    A week is the seven days before, not the calendar's: three days ago is this week on a Monday too.
    """
    days = (clock.to_local_time(now or datetime.now(UTC)).date() - clock.to_local_time(last_seen_at).date()).days
    return next((words for most, words in LAST_SEEN_TEXTS if days <= most), LONG_AGO)


def last_seen_for(user: Person) -> Text:
    """The words for a friend of theirs, empty when the person does not show when they are here."""
    return last_seen_text(user.last_seen_at) if user.shows_presence else ""
