"""What lines that nobody wrote say, in the language of who reads them."""

from datetime import datetime, timedelta
from typing import NamedTuple

from webapp.core.clock import format_long_day, to_local_time
from webapp.core.i18n import Text, _, ngettext

# Before the column `room.last_line` such a line begins with it: of what people write, no line has it.
MARK = "\x1f"
# How long before it takes effect a room says that messages will go sooner: so long members have to copy them.
WARNING = timedelta(days=1)
SENTENCES = {
    "public": _("The room is public now."),
    "private": _("The room is private now."),
    "named": _("The group has a name now, and is a private room."),
}
# Of words that a later version has stored.
OTHER = _("The room was changed.")


class LazyDay(NamedTuple):
    """A day within a sentence, written when the sentence is rendered."""

    when: datetime

    def __str__(self) -> str:
        return format_long_day(to_local_time(self.when).date())


def sentence(notice: str, at: datetime) -> Text:
    """Return what the line says that was stored at that time: `notice` is a word and what it is about."""
    word, _colon, about = notice.partition(":")
    if word == "retention" and about.isdecimal():
        return ngettext(
            "From %(when)s on, messages go after %(count)s day.",
            "From %(when)s on, messages go after %(count)s days.",
            int(about),
            when=LazyDay(at + WARNING),
        )
    return SENTENCES.get(word, OTHER)


def list_line(stored: str, at: datetime) -> Text:
    """Return the newest line of a room for lists, given what is stored of it."""
    return sentence(stored.removeprefix(MARK), at) if stored.startswith(MARK) else stored
