"""Telling open pages that their session has ended."""

from webapp.live import hub


def signed_out(*sessions: int) -> None:
    for session in sessions:
        hub.dismiss("signed_out", session=session)
