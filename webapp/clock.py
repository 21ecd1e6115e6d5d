"""Moments in the way that people read them, on the site's own clock; script makes it the reader's."""

from datetime import UTC, date, datetime

from webapp import settings


def local(moment: datetime) -> datetime:
    """The moment in the site's time zone."""
    return moment.astimezone(settings.SITE_TIMEZONE)


def clock(moment: datetime) -> str:
    return f"{local(moment):%H:%M}"


def long_day(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B %Y}"


def brief(moment: datetime) -> str:
    """As short as a list wants it: a time today, else a day."""
    then, today = local(moment), local(datetime.now(UTC))
    if then.date() == today.date():
        return f"{then:%H:%M}"
    return f"{then.day} {then:%b}" if then.year == today.year else f"{then.day} {then:%b %Y}"


def moment(when: datetime) -> str:
    then = local(when)
    return f"{then.day} {then:%B %Y}, {then:%H:%M}"
