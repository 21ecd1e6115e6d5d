"""The languages of the interface: what its sentences say in each, and how each writes numbers, days and times."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import DateTimePattern
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from webapp.core.start_cache import cached

CATALOGUES = Path(__file__).parent.parent / "locales"
# What a visitor without an account has chosen.
COOKIE = "language"


def _translations(code: str) -> NullTranslations:
    """The catalogue of the language as a dictionary, made once, at the start; English is what the code says itself."""
    if code == "en":
        return NullTranslations()
    path = CATALOGUES / f"{code}.po"
    return GNUTranslations(BytesIO(cached(f"{code}.mo", [path, Path(__file__)], lambda: _compiled(path))))


def _compiled(path: Path) -> bytes:
    """The catalogue as gettext reads it: to read what translators write takes ten times as long."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    packed = BytesIO()
    with path.open("rb") as file:
        write_mo(packed, read_po(file, locale=path.stem))
    return packed.getvalue()


class Language:
    """`code` stands in `<html lang>`, `name` is what the language calls itself, `locale` how it writes (CLDR)."""

    def __init__(self, code: str, name: str, locale: str) -> None:
        self.code, self.name = code, name
        translations = _translations(code)
        self.gettext, self.ngettext = translations.gettext, translations.ngettext
        self._locale = Locale.parse(locale)
        self.is_rtl = self._locale.text_direction == "rtl"
        self._days = {
            "day": self._locale.datetime_skeletons["MMMd"],
            "day and year": self._locale.datetime_skeletons["yMMMd"],
            "long": self._locale.date_formats["long"],
            "full": self._locale.date_formats["full"],
        }
        self._thousands: str = self._locale.number_symbols["latn"]["group"]
        # Babel takes 15 microseconds for what every message shows; there are few minutes and days.
        self._clock = lru_cache(24 * 60)(self._written)
        self._day = lru_cache(1000)(self._written)

    @property
    def attributes(self) -> Markup:
        """What `<html>` says of the language of its page."""
        return Markup('lang="{}"{}').format(self.code, Markup(' dir="rtl"') if self.is_rtl else "")

    def number(self, number: float) -> str:
        if isinstance(number, int):  # by far the most
            return f"{number:,}".replace(",", self._thousands)
        return format_decimal(number, locale=self._locale)

    def size(self, size: int) -> str:
        """So many bytes, in the largest unit of which there is one."""
        units = [(10**9, "GB"), (10**6, "MB"), (1000, "kB"), (1, "B")]
        unit, name = next((one for one in units if size >= one[0]), units[-1])
        return f"{self.number(round(size / unit, 1))} {name}"

    def clock(self, moment: datetime) -> str:
        return self._clock(self._locale.time_formats["short"], time(moment.hour, moment.minute))

    def day(self, day: date, length: str) -> str:
        """`length` is "day" or "day and year", both for lists, "long", or "full", which names the day of the week."""
        return self._day(self._days[length], day)

    def moment(self, moment: datetime) -> str:
        joined = str(self._locale.datetime_formats["medium"])
        return joined.replace("{1}", self.day(moment.date(), "long")).replace("{0}", self.clock(moment))

    def _written(self, pattern: DateTimePattern, value: date | time) -> str:
        return pattern.apply(value, self._locale)


# English as it is written where dates and times look as in most of the world.
LANGUAGES = {one.code: one for one in (Language("en", "English", "en_GB"), Language("de", "Deutsch", "de_DE"))}
ENGLISH = LANGUAGES["en"]


_current: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def current_language() -> Language:
    """The language of what is being done: of a request, or of the pages that something is rendered for."""
    return _current.get()


def set_language(code: str) -> None:
    """Use this language from here on if it is one of ours; else it stays as it is."""
    if language := LANGUAGES.get(code):
        _current.set(language)


@contextlib.contextmanager
def use_language(code: str) -> Iterator[None]:
    """In this language, until the block ends."""
    before = _current.set(LANGUAGES[code])
    try:
        yield
    finally:
        _current.reset(before)


class LazyText:
    """
    Words of the interface that are translated when they are shown, into the reader's language.

    So they may be written where nobody's language is known: at import, in another thread, for many readers at once.
    Numbers among the values are written as the language writes them.
    """

    __slots__ = ("_count", "_many", "_text", "_values")

    def __init__(self, text: str, many: str, count: int, values: dict[str, object]) -> None:
        self._text, self._many, self._count, self._values = text, many, count, values

    def __str__(self) -> str:
        return self._fill(self._template())

    def __html__(self) -> Markup:
        return Markup(self._fill(escape(self._template())))  # noqa: S704  Markup escapes the values that it is filled with

    def _template(self) -> str:
        language = current_language()
        return language.ngettext(self._text, self._many, self._count) if self._many else language.gettext(self._text)

    def _fill(self, template: str) -> str:
        values = {
            name: current_language().number(value) if isinstance(value, int | float) else value
            for name, value in self._values.items()
        }
        return template % values if values else template

    def __repr__(self) -> str:
        return f"Sentence({self._text!r})"

    # It equals no text: what it says depends on who reads it, and equal things must have one hash for good.

    def __eq__(self, other: object) -> bool:
        return self._facts == other._facts if isinstance(other, LazyText) else NotImplemented

    def __hash__(self) -> int:
        return hash((self._text, self._many, self._count))

    @property
    def _facts(self) -> tuple[object, ...]:
        return self._text, self._many, self._count, self._values


# What may stand in place of a sentence: what people wrote is the same in every language.
Text = str | LazyText


def _(text: str, **values: object) -> LazyText:
    """The sentence, with `%(name)s` for each value."""
    return LazyText(text, "", 0, values)


def ngettext(one: str, many: str, count: int, **values: object) -> LazyText:
    """The sentence for so many, which is the value `count`."""
    return LazyText(one, many, count, {"count": count, **values})
