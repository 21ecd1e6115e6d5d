"""Ending the open pages of a person who is suspended or banned."""

from webapp.accounts.endings import BANNED
from webapp.live import hub


def banned(user_id: int) -> None:
    """Every stream of theirs ends, in every process."""
    hub().close_streams(BANNED, user=user_id)
