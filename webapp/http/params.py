"""Numbers and choices in queries and forms, within their bounds."""

from starlette.requests import Request

MAX_PAGES = 100


def page_number(request: Request) -> int:
    return min(MAX_PAGES, max(1, whole(request.query_params.get("page", ""), default=1)))


def whole(typed: str, default: int) -> int:
    """The number that was typed, up to nine digits of it."""
    return int(typed[:9]) if typed.isascii() and typed.isdigit() else default
