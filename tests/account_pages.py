"""Accounts with passwords that take no time to hash, and the forms that sign in."""

from typing import Literal

import httpx2
import pytest
from argon2 import PasswordHasher

from tests.conftest import PASSWORD, Person
from tests.page import Page
from webapp.accounts import passwords
from webapp.accounts.models import User

NEWCOMER = {"username": "dora", "password": PASSWORD, "display_name": "Dora D."}
GUESSED = "That one is too easy to guess. Choose another."


class CountingHasher(PasswordHasher):
    """Hashes as the real one does, with figures that take no time, and counts the work."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture(autouse=True, name="hasher")
def quick_hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    quick = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", quick)
    return quick


@pytest.fixture(name="dora")
async def signed_out_dora(app: object) -> Person:
    """She has an account and knows its password; her browser is not signed in yet."""
    return Person(app, await User.register("dora", PASSWORD, "Dora D."))


async def enter(person: Person, password: str = PASSWORD, username: str = "dora", goto: str = "") -> httpx2.Response:
    """Sends the sign-in form."""
    return await person.post("/login", {"username": username, "password": password, "next": goto})


def beside(answer: httpx2.Response, field: str) -> str:
    """Return the sentence that says what is wrong with the field, in the note that the field refers to."""
    return "".join(Page(answer).texts(f"#{field}-note.field__problem"))


def kept(answer: httpx2.Response, field: str) -> str:
    """Return what the field of the form holds."""
    node = Page(answer).one(f"input#{field}, textarea#{field}")
    return node.text() if node.tag == "textarea" else node.attributes["value"] or ""
