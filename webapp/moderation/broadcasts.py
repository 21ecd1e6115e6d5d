"""Telling the open pages of somebody who is kept out."""

from webapp.live import hub


def banned(user_id: int) -> None:
    """Every stream of theirs ends, in every process."""
    hub().close_streams("banned", user=user_id)
