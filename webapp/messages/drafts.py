"""What is about to be posted, as it is stored: checked, rendered, and with the files that go with it."""

from collections.abc import Sequence
from typing import NamedTuple

from webapp.conversations.models import LINE_LENGTH
from webapp.conversations.seats import Seat
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.files import claims, sending_queries
from webapp.files.sending_queries import SentFile
from webapp.messages import mentions
from webapp.messages.markdown import first_line, mentions_everyone, render_markdown, render_plain
from webapp.messages.mentions import Call, Meant, calls_of
from webapp.messages.models import new_nonce, validate_body

ORIGINAL_NOT_FOUND = _("The message that you answer is not in this room.")


class Draft(NamedTuple):
    """A message that is about to be stored, and its author's seat as it was found."""

    seat: Seat
    body: str
    html: str
    nonce: str
    reply_to: int | None
    meant: Meant
    files: tuple[SentFile, ...] = ()

    @classmethod
    async def validated(
        cls, seat: Seat, typed: str, nonce: str, reply_to: int | None = None, codes: Sequence[str] = ()
    ) -> "Draft":
        """
        Return what was typed as it is stored, with the files of these codes.

        Raise Invalid, also where no message can have that number, and NotFound where messages have no files.
        """
        if reply_to is not None and not 0 < reply_to <= seat.room.last_number:
            raise Invalid(reply_to=ORIGINAL_NOT_FOUND)
        codes = claims.validate_codes(seat, codes)
        body = validate_body(typed, has_files=bool(codes))
        files = await sending_queries.sent_files(seat.room.id, seat.viewer.id, codes)
        meant = await mentions.meant_by(seat, body)
        html = render_markdown(body, meant.names) if seat.kind.formats_markdown else render_plain(body)
        return cls(seat, body, html, text.clean_line(nonce)[:32] or new_nonce(), reply_to, meant, files)

    @property
    def room_id(self) -> int:
        return self.seat.room.id

    @property
    def author_id(self) -> int:
        return self.seat.viewer.id

    @property
    def line(self) -> str:
        """What lists have of it; the name of its first file where it has no words."""
        words = first_line(self.html, LINE_LENGTH)
        return words if words or not self.files else claims.line_of_files(self.files[0].name, LINE_LENGTH)

    @property
    def calls_everyone(self) -> bool:
        return mentions_everyone(self.html)

    def without_everyone(self) -> "Draft":
        """Return the same words, in which nobody but those who are named is called."""
        meant = self.meant._replace(everyone=False)
        return self._replace(meant=meant, html=render_markdown(self.body, meant.names))

    def calls(self, number: int, answered: int | None) -> list[Call]:
        """Return whom it calls as the message of that number; `answered` is the author of what it answers."""
        return calls_of(number, self.html, self.meant, answered) if self.seat.kind.allows_mentions else []

    @property
    def identity(self) -> tuple[int, str]:
        """What a draft has in common with its repeats."""
        return self.author_id, self.nonce
