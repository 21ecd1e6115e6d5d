"""What holds for everybody in a room, in words: who writes, how often, and how long messages stay."""

from datetime import UTC, datetime
from math import ceil

from webapp.core.clock import LazyDatetime
from webapp.core.i18n import Text, _, ngettext

ONLY_MODERATORS = _("Only moderators write here.")


def slow_mode(seconds: int) -> Text:
    return _("Slow mode: %(time)s", time=span(seconds)) if seconds else ""


def retention(days: int) -> Text:
    return ngettext("Messages go after a day", "Messages go after %(count)s days", days) if days else ""


def next_retention(days: int | None, changes_at: datetime | None) -> Text:
    """Fewer days are said from the moment on at which they were chosen, which is before they hold."""
    if not days or not changes_at or changes_at <= datetime.now(UTC):
        return ""
    when = LazyDatetime(changes_at)
    return ngettext("After a day from %(when)s on", "After %(count)s days from %(when)s on", days, when=when)


def span(seconds: int) -> Text:
    """Return a time in words, rounded up to whole minutes and hours where it is long."""
    if seconds < 120 and seconds != 60:
        return ngettext("one second", "%(count)s seconds", seconds)
    if seconds < 3600:
        return ngettext("one minute", "%(count)s minutes", ceil(seconds / 60))
    return ngettext("one hour", "%(count)s hours", ceil(seconds / 3600))
