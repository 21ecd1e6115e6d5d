"""A person who posts without a page: a thread that repeats each message until it is accepted."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import httpx2

from tests.browser.person import BrowserPerson

TIMEOUT_SECONDS = 30.0


class Writer:
    """Posts `words(1)` to `words(count)`, one after the other, each with its nonce until it is accepted."""

    def __init__(self, person: BrowserPerson, room: str, count: int, words: Callable[[int], str] = str) -> None:
        self.address, self.count, self.words = f"{room}/messages", count, words
        self.sent = 0
        self.client = httpx2.Client(
            cookies=person.cookies(), headers={"Sec-Fetch-Site": "same-origin", "HX-Request": "true"}, timeout=5
        )
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(TIMEOUT_SECONDS)
        self.client.close()
        assert self.sent == self.count, f"{self.sent} of {self.count} messages were accepted"

    @property
    def all_words(self) -> list[str]:
        return [self.words(number) for number in range(1, self.count + 1)]

    def _write(self) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.sent < self.count and time.monotonic() < deadline:
            number = self.sent + 1
            form = {"body": self.words(number), "nonce": f"writer-{number}"}
            with suppress(httpx2.HTTPError):
                if self.client.post(self.address, data=form).status_code == 200:
                    self.sent = number
                    continue
            time.sleep(0.05)
