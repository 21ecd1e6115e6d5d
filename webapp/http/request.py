"""A request whose headers and cookies are read once, whichever of its objects is asked for them."""

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import Scope

HEADERS, COOKIES = "parley.headers", "parley.cookies"


class FoundHeaders(Headers):
    """Headers by a dictionary of them: Starlette looks through all for each, and a request is asked for a dozen."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__(raw=raw)
        # Of several of one name the first counts, as with Starlette.
        self._first = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)}

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._first

    def get(self, key: str, default: Any = None) -> Any:
        return self._first.get(key.lower(), default)


class SharedRequest(Request):
    """Layers and views make objects of their own for one request; what was read is in its scope."""

    @property
    def headers(self) -> Headers:
        found: Headers | None = self.scope.get(HEADERS)
        if found is None:
            found = self.scope[HEADERS] = FoundHeaders(self.scope["headers"])
        return found

    @property
    def cookies(self) -> dict[str, str]:
        found: dict[str, str] | None = self.scope.get(COOKIES)
        if found is None:
            found = self.scope[COOKIES] = {
                name: value
                for header in self.headers.getlist("cookie")
                for name, value in cookie_parser(header).items()
            }
        return found


def forget(scope: Scope) -> None:
    """Drop what was read: a stream stays for hours, and nobody asks for it any more."""
    scope.pop(HEADERS, None)
    scope.pop(COOKIES, None)
