"""What can go wrong with a request: each problem has its status, its title and a sentence in plain words."""

import random
from datetime import datetime
from math import ceil

from webapp.core.clock import LazyDatetime
from webapp.core.i18n import Text, _, ngettext

NOT_FOUND = _("This page does not exist, or it is not for you.")
TOO_LARGE = _("That is too large to send. Go back and make it shorter.")
UNAVAILABLE = _("Parley can't read or keep anything right now. Try again in a moment.")


class Problem(Exception):
    """An error with a page of its own. `message` is a sentence for the person who sees it."""

    status = 500
    title: Text = _("Something went wrong")
    page = "error.html"

    def __init__(self, message: Text, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class Invalid(Problem):
    """What was typed can't be taken. `problems` says why, by field."""

    status = 422
    title = _("That can't be used")

    def __init__(self, **problems: Text) -> None:
        super().__init__(" ".join(map(str, problems.values())))
        self.problems = problems


class Unsure(Problem):
    """What was sent has to be meant: it is done when it is sent once more with the button that says `answer`."""

    status = 422

    def __init__(self, message: Text, answer: Text) -> None:
        super().__init__(message)
        self.answer = answer


class Forbidden(Problem):
    status = 403
    title = _("That is not possible")


class Banned(Forbidden):
    """The account is suspended or banned. `reason` is the administrator's sentence for its owner."""

    title = _("Your account is suspended")
    page = "accounts/banned.html"

    def __init__(self, until: datetime | None, reason: str) -> None:
        """For ever without `until`."""
        told = _("An administrator has banned you. %(reason)s", reason=reason)
        if until is None:
            self.title = _("Your account is banned")
        else:
            told = _(
                "An administrator has suspended you until %(until)s. %(reason)s",
                until=LazyDatetime(until),
                reason=reason,
            )
        super().__init__(told)


class NotFound(Problem):
    """There is nothing here, or nothing that this person may see: the answer is the same."""

    status = 404
    title = _("There is nothing here")

    def __init__(self, message: Text = NOT_FOUND) -> None:
        super().__init__(message)


class TooLarge(Problem):
    """More than is read: the connection ends with the answer."""

    status = 413
    title = _("Too large")

    def __init__(self, message: Text = TOO_LARGE) -> None:
        super().__init__(message, {"Connection": "close"})


class Stalled(Problem):
    """The rest of what was being sent never came: the connection ends with the answer."""

    status = 408
    title = _("It did not arrive")

    def __init__(self) -> None:
        super().__init__(_("What you sent stopped half-way. Go back and send it again."), {"Connection": "close"})


class TooManyRequests(Problem):
    """Too often. `seconds` is when to try again."""

    status = 429
    title = _("Slow down")

    def __init__(self, seconds: int, told: Text = "") -> None:
        super().__init__(told or _slow_down(seconds), {"Retry-After": str(seconds)})


def _slow_down(seconds: int) -> Text:
    if seconds >= 2 * 3600:
        return _("Too many attempts. Wait %(hours)s hours and try again.", hours=ceil(seconds / 3600))
    if seconds >= 120:
        return _("Too many attempts. Wait %(minutes)s minutes and try again.", minutes=ceil(seconds / 60))
    return ngettext(
        "Too many attempts. Wait a second and try again.",
        "Too many attempts. Wait %(count)s seconds and try again.",
        seconds,
    )


class Unavailable(Problem):
    status = 503
    title = _("Back in a moment")

    def __init__(self, message: Text = UNAVAILABLE) -> None:
        super().__init__(message, {"Retry-After": "5"})


class TooManyStreams(Problem):
    """
    More pages are open than this process can bear; who waited for a stream tries again by itself.

    The connection ends, because idle ones would use up the files that are left for pages.
    """

    status = 503
    title = _("The server is busy")

    def __init__(self) -> None:
        wait = {"Retry-After": str(random.randint(5, 20)), "Connection": "close"}  # not all of them at once
        super().__init__(_("So many people are here that new messages can't come by themselves. Try again soon."), wait)


class Moved(Problem):
    """What was asked for has another address, to which who asked is led on."""

    status = 404

    def __init__(self, path: str) -> None:
        super().__init__(NOT_FOUND)
        self.path = path


class SignInRequired(Problem):
    """Only for people who are signed in."""

    status = 401
    title = _("Please sign in")

    def __init__(self) -> None:
        super().__init__(_("You are signed out."))


class RedirectToStrangers(NotFound):
    """The page is not for a mask, or no longer: redirect to the chat that the mask is in."""
