"""
What is typed into the search: words, and filters as in `in:garden from:ben before:2026-11-30 has:link`.

Nothing that is typed is an error: what looks like a filter and is none, as in `before:breakfast`, are words.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from webapp.core import text
from webapp.core.clock import beginning_of
from webapp.http.params import day
from webapp.messages.index import FILE, LINK
from webapp.messages.words import MAX_TYPED, Phrase, phrases

# Of each filter. What is more stands in the field, and is not looked for.
MAX_VALUES = 8
# In each language that the interface speaks, whichever is chosen: who follows a link finds the same.
NAMES = {
    "in": "in", "from": "from", "before": "before", "after": "after", "has": "has",
    "von": "from", "vor": "before", "nach": "after", "hat": "has",
}  # fmt: skip
_HAS = {"link": LINK, "links": LINK, "file": FILE, "files": FILE, "datei": FILE, "dateien": FILE}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
# A filter with its value, which may stand in quotes; a quotation; anything else between spaces.
_PART = re.compile(r'(?:(?P<name>[^\W\d_]{2,6}):(?:"(?P<quoted>[^"]+)"?|(?P<plain>[^\s"]+))(?!\S)|"[^"]*"?|[^\s"]+)')
_GERMAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_MONTH = re.compile(r"((?:19|20|21)\d\d)(?:-(\d\d))?")


class SearchQuery(NamedTuple):
    """What is looked for: all of it must be true of a message; of rooms, and of authors, one of them."""

    typed: str
    # What of it is no filter.
    words: str
    phrases: tuple[Phrase, ...] = ()
    rooms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    before: datetime | None = None
    after: datetime | None = None
    marks: tuple[str, ...] = ()

    @property
    def has_filters(self) -> bool:
        return bool(self.rooms or self.authors or self.before or self.after or self.marks)

    @property
    def is_empty(self) -> bool:
        return not (self.has_filters or self.phrases)

    @property
    def is_short(self) -> bool:
        """Whether it is a single letter, with which too much begins; of scripts like Chinese one is enough."""
        return not self.has_filters and len(self.phrases) == 1 and _is_letter(self.phrases[0])


def read_query(typed: str) -> SearchQuery:
    """Return what the text asks for."""
    typed = text.clean_line(typed[:MAX_TYPED])
    words, values = [], dict[str, list[Any]]()
    for part in _PART.finditer(typed.translate(_QUOTES)):
        name = NAMES.get((part["name"] or "").lower(), "")
        value = _READERS[name](part["quoted"] or part["plain"]) if name else None
        if value is None:
            words.append(part[0])
        elif len(found := values.setdefault(name, [])) < MAX_VALUES:
            found.append(value)
    rest = " ".join(words)
    asked = SearchQuery(
        typed, rest, tuple(phrases(rest)), tuple(values.get("in", ())), tuple(values.get("from", ())),
        min(values.get("before", ()), default=None), max(values.get("after", ()), default=None),
        tuple(dict.fromkeys(values.get("has", ()))),
    )  # fmt: skip
    # Then it is the whole of a word, as the name of a language is.
    return asked._replace(phrases=(asked.phrases[0]._replace(is_prefix=False),)) if asked.is_short else asked


def _is_letter(phrase: Phrase) -> bool:
    word = phrase.words[0]
    return len(phrase.words) == 1 and len(word) == 1 and word.isalpha() and word < "\u0e00"


def _name(typed: str) -> str | None:
    return typed.strip() or None


def _moment(typed: str) -> datetime | None:
    """The beginning of a day, a month or a year; None where it is none."""
    found = _day(typed.strip())
    # Beyond these the zone of the reader may leave what a date can be, and nothing was ever said there.
    return beginning_of(found) if found and date(1900, 1, 2) < found < date(2199, 12, 30) else None


def _day(typed: str) -> date | None:
    if german := _GERMAN_DAY.fullmatch(typed):
        return day(f"{german[3]}-{int(german[2]):02}-{int(german[1]):02}")
    if month := _MONTH.fullmatch(typed):
        return day(f"{month[1]}-{month[2] or '01'}-01")
    return day(typed)


_READERS: dict[str, Callable[[str], Any]] = {
    "in": _name,
    "from": _name,
    "before": _moment,
    "after": _moment,
    "has": lambda typed: _HAS.get(typed.strip().lower()),
}
