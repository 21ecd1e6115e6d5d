"""Moments in the way that people read them, on the site's own clock; script makes it the reader's."""

from datetime import UTC, date, datetime, time
from typing import NamedTuple

from markupsafe import Markup

from webapp import settings
from webapp.core.i18n import current_language


def to_site_time(moment: datetime) -> datetime:
    """The moment in the site's time zone."""
    return moment.astimezone(settings.SITE_TIMEZONE)


def beginning_of(day: date) -> datetime:
    """The moment at which a day begins for the site."""
    return datetime.combine(day, time.min, settings.SITE_TIMEZONE).astimezone(UTC)


def format_time(moment: datetime) -> str:
    return current_language().clock(to_site_time(moment))


def format_long_day(day: date) -> str:
    return current_language().day(day, "full")


def format_brief(moment: datetime) -> str:
    """As short as a list wants it: a time today, else a day."""
    then, today = to_site_time(moment), to_site_time(datetime.now(UTC))
    if then.date() == today.date():
        return format_time(moment)
    return current_language().day(then.date(), "day" if then.year == today.year else "day and year")


def format_datetime(when: datetime) -> str:
    return current_language().moment(to_site_time(when))


def stamp(when: datetime) -> str:
    """For `<time datetime>`: on the site's own clock, so that script sees whether the reader's is another."""
    return to_site_time(when).isoformat(timespec="minutes")


def datetime_html(when: datetime) -> Markup:
    return Markup('<time class="moment" datetime="{}">{}</time>').format(stamp(when), format_datetime(when))


class LazyDatetime(NamedTuple):
    """A moment within a sentence, written when the sentence is rendered; script shows it in the reader's zone."""

    when: datetime

    def __str__(self) -> str:
        return format_datetime(self.when)

    def __html__(self) -> Markup:
        return datetime_html(self.when)
