"""Moments in the way that people read them: in the viewer's time zone, where it is known, else in the site's."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from markupsafe import Markup

from webapp import settings
from webapp.core.i18n import _, current_language, use_language

# Those that a person chooses from: of the others most are old names, or no place.
REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")

_zone: ContextVar[ZoneInfo | None] = ContextVar("zone", default=None)


@cache
def zones() -> frozenset[str]:
    """Return all that a browser or a person may name; read once, for it looks through many folders."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def current_zone() -> ZoneInfo:
    """Return the zone of the times that are written: of the viewer, or of the pages that something is rendered for."""
    return _zone.get() or settings.SITE_TIMEZONE


def set_zone(name: str) -> None:
    """Use this zone from here on if there is one of that name; else it stays as it is."""
    if name and name != settings.SITE_TIMEZONE.key and name in zones():
        _zone.set(ZoneInfo(name))


def current_locale() -> str:
    """Return what words and times depend on: "de", or "de Europe/Berlin" where the zone is not the site's."""
    code, zone = current_language().code, _zone.get()
    return f"{code} {zone.key}" if zone else code


@contextlib.contextmanager
def use_locale(locale: str) -> Iterator[None]:
    """In this language and zone, until the block ends."""
    code, _space, zone = locale.partition(" ")
    with use_language(code):
        before = _zone.set(ZoneInfo(zone) if zone else None)
        try:
            yield
        finally:
            _zone.reset(before)


def zone_choices() -> list[tuple[str, list[str]]]:
    """Return the zones that a person may choose, by region."""
    return [(region, sorted(name for name in zones() if name.startswith(f"{region}/"))) for region in REGIONS]


def to_site_time(moment: datetime) -> datetime:
    """The moment in the site's time zone."""
    return moment.astimezone(settings.SITE_TIMEZONE)


def to_local_time(moment: datetime) -> datetime:
    """The moment in the zone of the times that are written."""
    return moment.astimezone(current_zone())


def today() -> date:
    return to_local_time(datetime.now(UTC)).date()


def beginning_of(day: date) -> datetime:
    """The moment at which a day begins for the viewer."""
    return datetime.combine(day, time.min, current_zone()).astimezone(UTC)


def format_time(moment: datetime) -> str:
    return current_language().clock(to_local_time(moment))


def format_long_day(day: date) -> str:
    return current_language().day(day, "full")


def first_day(moment: datetime) -> str:
    """For the least day of a field: that of the moment, wherever the browser is."""
    return (moment - timedelta(days=1)).date().isoformat()


def near_days() -> dict[date, str]:
    """Return what today and yesterday are called."""
    now = today()
    return {now: str(_("Today")), now - timedelta(days=1): str(_("Yesterday"))}


def format_brief(moment: datetime) -> str:
    """As short as a list wants it: a time today, else a day."""
    then, now = to_local_time(moment), to_local_time(datetime.now(UTC))
    if then.date() == now.date():
        return format_time(moment)
    return current_language().day(then.date(), "day" if then.year == now.year else "day and year")


def format_datetime(when: datetime) -> str:
    return current_language().moment(to_local_time(when))


def stamp(when: datetime) -> str:
    """For `<time datetime>`: on the clock of what is written, so that script sees whether the reader's is another."""
    return to_local_time(when).isoformat(timespec="minutes")


def datetime_html(when: datetime) -> Markup:
    return Markup('<time class="moment" datetime="{}">{}</time>').format(stamp(when), format_datetime(when))


class LazyDatetime(NamedTuple):
    """A moment within a sentence, written when the sentence is rendered; script shows it in the reader's zone."""

    when: datetime

    def __str__(self) -> str:
        return format_datetime(self.when)

    def __html__(self) -> Markup:
        return datetime_html(self.when)
