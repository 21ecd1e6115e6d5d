"""Events of security for the operator's log: one line of JSON each, without secrets."""

import hmac
import json
import logging
import re
import time
from hashlib import sha256

from starlette.requests import Request

from webapp import settings
from webapp.core.lifetime import Slot
from webapp.http.client import client

logger = logging.getLogger("parley.security")
logger.setLevel(logging.INFO)  # also where everything else is logged from warnings on

# What opens something to a reader of the log: the tokens of invitations and of new passwords, also as where one is led.
_TOKENS = re.compile(r"(?i)((?:/|%2F)(?:join|reset)(?:/|%2F))[^/?&# ]+")
# Attackers decide how often something is refused: a flood of requests must not become a flood of lines.
MAX_PER_SECOND = 50


class WithoutTokens(logging.Filter):
    """Takes tokens out of the addresses in uvicorn's log of requests, which there is with DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(without_tokens(part) if isinstance(part, str) else part for part in record.args)
        return True


def without_tokens(address: str) -> str:
    """Return the path, or the path and query, with dots for what nobody else may read."""
    return _TOKENS.sub(r"\1...", address)


class LineBudget:
    """Counts the lines of this second, and those that were left out."""

    def __init__(self) -> None:
        self._second = self._written = self.left_out = 0

    def allows_one(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        self._written += 1
        self.left_out += self._written > MAX_PER_SECOND
        return self._written <= MAX_PER_SECOND


budget = Slot[LineBudget]("budget of lines")


def record(request: Request, event: str, account: str = "", **facts: str | int) -> None:
    """
    Write one line about the request; `account` is the code of the account that it concerns.

    Never pass what was typed: a password is easily typed into the wrong field.
    """
    if not budget().allows_one():
        return
    left_out, budget().left_out = budget().left_out, 0
    line: dict[str, str | int] = {"event": event, "address": _address(request), "account": account, **facts}
    line["left_out"] = left_out
    logger.info(json.dumps({name: value for name, value in line.items() if value != "" and value != 0}))


def _address(request: Request) -> str:
    """Return the address itself, or its hash with the secret key, by the settings."""
    if settings.LOG_ADDRESSES:
        return request.client.host if request.client else ""
    key = settings.secret_key().encode()
    return hmac.new(key, f"log {client(request).address}".encode(), sha256).hexdigest()[:16]
