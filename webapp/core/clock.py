"""Moments in the way that people read them, on the site's own clock; script makes it the reader's."""

from datetime import UTC, date, datetime
from typing import NamedTuple

from markupsafe import Markup

from webapp import settings
from webapp.core.i18n import current


def local(moment: datetime) -> datetime:
    """The moment in the site's time zone."""
    return moment.astimezone(settings.SITE_TIMEZONE)


def clock(moment: datetime) -> str:
    return current().clock(local(moment))


def long_day(day: date) -> str:
    return current().day(day, "full")


def brief(moment: datetime) -> str:
    """As short as a list wants it: a time today, else a day."""
    then, today = local(moment), local(datetime.now(UTC))
    if then.date() == today.date():
        return clock(moment)
    return current().day(then.date(), "day" if then.year == today.year else "day and year")


def moment(when: datetime) -> str:
    return current().moment(local(when))


def stamp(when: datetime) -> str:
    """For `<time datetime>`: on the site's own clock, so that script sees whether the reader's is another."""
    return local(when).isoformat(timespec="minutes")


def moment_html(when: datetime) -> Markup:
    return Markup('<time class="moment" datetime="{}">{}</time>').format(stamp(when), moment(when))


class Moment(NamedTuple):
    """A moment in a sentence: written when the sentence is said; in HTML script makes it the reader's."""

    when: datetime

    def __str__(self) -> str:
        return moment(self.when)

    def __html__(self) -> Markup:
        return moment_html(self.when)
