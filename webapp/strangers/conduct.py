"""How people behave among strangers, and what follows: a small question, or a pause. Forgotten after a day."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import wraps
from hashlib import blake2b

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response
from tortoise import fields
from tortoise.models import Model

from webapp import settings
from webapp.accounts.authentication import require_viewer
from webapp.core import text
from webapp.core.errors import Problem
from webapp.core.i18n import Text, _, ngettext
from webapp.db import sql
from webapp.db.sql import CLOCK
from webapp.messages.models import Message
from webapp.strangers.models import Met, Stranger

logger = logging.getLogger(__name__)

View = Callable[[Request], Awaitable[Response]]

# Points for what few do who want to talk, and how many lead to a question.
LINK, SAME_WORDS, REPORTED = 2, 1, 3
QUESTION_AT = 3
# So many different people have left within seconds: there is a reason.
SKIPS = 3
SKIPPED_MS, WRONG_MS = 5 * 60_000, 2 * 60_000
# A greeting is the same to everybody, and should be.
MIN_LENGTH = 20
MAX_REMEMBERED = 5
ANSWER_SECONDS = 600
NUMBERS = (
    _("zero"), _("one"), _("two"), _("three"), _("four"), _("five"), _("six"), _("seven"), _("eight"),
    _("nine"), _("ten"), _("eleven"), _("twelve"), _("thirteen"), _("fourteen"), _("fifteen"), _("sixteen"),
)  # fmt: skip
_LINK = re.compile(r"https?://|www\.|\b[\w-]+\.(?:com|net|org|info|biz|ru|xyz|top|io|me|gg|ly|cc|tv)\b", re.I)


class PauseRequired(Problem):
    """Not now. `seconds` is when to try again."""

    status = 429
    title = _("Take a short break")

    def __init__(self, seconds: int) -> None:
        told = ngettext(
            "Take a short break. You can look for someone again in a minute.",
            "Take a short break. You can look for someone again in %(count)s minutes.",
            seconds // 60 + 1,
        )
        super().__init__(told, {"Retry-After": str(seconds)})


class QuestionRequired(Exception):
    """They must answer a question first."""


class Conduct(Model):
    """What is stored of a person for a day. `firsts` are chats with the digests of their first messages there."""

    id = fields.IntField(primary_key=True)
    person = fields.IntField(unique=True)
    points = fields.IntField(default=0)
    pause_until = fields.BigIntField(default=0)
    firsts = fields.CharField(160, default="")
    # When the question was made whose right answer counted last, in seconds since 1970.
    answered = fields.BigIntField(default=0, db_default=0)
    changed_at = fields.BigIntField(db_index=True)

    class Meta:
        table = "conduct"
        table_description = (
            "What is remembered of a person. `firsts` are the chats with the digests of what they said first there."
        )

    @classmethod
    async def add(cls, person: int, points: int = 0, pause_ms: int = 0, firsts: str | None = None) -> None:
        """Add to what is stored of the person, in one statement, which others may run at the same moment."""
        pause = f"{CLOCK} + {pause_ms}" if pause_ms else "0"
        await sql.execute(
            "INSERT INTO conduct (person, points, pause_until, firsts, changed_at) "
            f"VALUES (?, ?, {pause}, ?, {CLOCK}) ON CONFLICT (person) DO UPDATE SET "
            "points = conduct.points + excluded.points, changed_at = excluded.changed_at, "
            "pause_until = CASE WHEN excluded.pause_until > conduct.pause_until "
            "THEN excluded.pause_until ELSE conduct.pause_until END"
            + (", firsts = excluded.firsts" if firsts is not None else "")
            + " RETURNING id",
            person, points, firsts or "",
        )  # fmt: skip

    @classmethod
    async def check(cls, person: int, is_asked: bool = False) -> None:
        """Raise PauseRequired or QuestionRequired where the person may not look for a stranger now."""
        await cls._count_skips(person)
        rows = await sql.fetch_all(
            f"SELECT points, pause_until - {CLOCK} AS left_ms FROM conduct WHERE person = ?", person
        )
        if rows and rows[0]["left_ms"] > 0:
            raise PauseRequired(rows[0]["left_ms"] // 1000 + 1)
        if rows and rows[0]["points"] >= QUESTION_AT and not is_asked:
            raise QuestionRequired

    @classmethod
    async def forgive(cls, person: int, made_at: int) -> bool:
        """
        Forget the points for the right answer to a question that was made at this second; whether that counts.

        No question made at or before the last one that was answered is worth anything: each seal is spent once.
        """
        if await cls.filter(person=person, answered__lt=made_at).update(points=0, answered=made_at):
            return True
        return not await cls.exists(person=person)

    @classmethod
    async def _count_skips(cls, person: int) -> None:
        if await Met.filter(skipped=person).count() >= SKIPS:
            await Met.filter(skipped=person).update(skipped=None)
            await cls.add(person, pause_ms=SKIPPED_MS)

    @classmethod
    async def record_first_message(cls, mask_id: int, room_id: int) -> None:
        """Count the first message of a mask in a chat, if it is what they have just posted."""
        said = await Message.filter(room_id=room_id, author_id=mask_id).order_by("number").limit(2)
        stranger = await Stranger.get_or_none(mask_id=mask_id) if len(said) == 1 else None
        if stranger is None:
            return
        known = await cls.get_or_none(person=stranger.person)
        firsts = known.firsts.split() if known else []
        if any(first.startswith(f"{room_id}:") for first in firsts):
            return
        words = text.fold(said[0].body)
        digest = blake2b(words.encode(), digest_size=6).hexdigest() if len(words) >= MIN_LENGTH else ""
        is_same = bool(digest) and any(first.endswith(f":{digest}") for first in firsts)
        points = LINK * bool(_LINK.search(said[0].body)) + SAME_WORDS * is_same
        if points or digest:
            await cls.add(stranger.person, points, firsts=" ".join([*firsts, f"{room_id}:{digest}"][-MAX_REMEMBERED:]))


def records_first_message(post: View) -> View:
    """Return the view that posts, which then counts what was said first in a chat."""

    @wraps(post)
    async def post_and_record(request: Request) -> Response:
        response = await post(request)
        if response.status_code < 400:
            try:
                await Conduct.record_first_message(require_viewer(request).id, request.path_params["chat"])
            except Exception as error:  # everybody reads the message: its author must not get an error
                logger.warning("what was said first to a stranger is not counted: %r", error)
        return response

    return post_and_record


async def record_report(person: int) -> None:
    """Count a report of the person behind a mask."""
    await Conduct.add(person, REPORTED)


# The question. What the right answer is stands in the form, signed: nothing is stored.


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.secret_key(), salt="parley.question")


def make_question(person: int) -> tuple[Text, str]:
    """Return a question in words, and its sealed answer."""
    one, other = secrets.randbelow(8) + 1, secrets.randbelow(8) + 1
    nonce = secrets.token_urlsafe(6)
    seal = _signer().dumps([person, _sealed(one + other, nonce), nonce])
    return _("What is %(one)s plus %(other)s?", one=NUMBERS[one], other=NUMBERS[other]), str(seal)


def _sealed(answer: int, nonce: str) -> str:
    """So that the answer can't be read from the form."""
    return blake2b(f"{answer}:{nonce}".encode(), key=settings.secret_key().encode()[:64], digest_size=12).hexdigest()


async def check_answer(person: int, typed: str, seal: str) -> bool:
    """Return whether the answer is right, which clears the points; else begin a pause."""
    word = text.fold(typed)
    number = {text.fold(str(name)): number for number, name in enumerate(NUMBERS)}.get(word, -1)
    if word.isascii() and word.isdigit():
        number = int(word[:4])
    try:
        (who, right, nonce), made_at = _signer().loads(seal, max_age=ANSWER_SECONDS, return_timestamp=True)
    except (BadSignature, ValueError):
        return False
    if who == person and secrets.compare_digest(right, _sealed(number, nonce)):
        return await Conduct.forgive(person, int(made_at.timestamp()))
    await Conduct.add(person, pause_ms=WRONG_MS)
    return False
