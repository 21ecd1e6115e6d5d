"""Pages of a room as tests of messages read them, and what they send."""

import httpx2
from selectolax.lexbor import LexborNode

from tests.conftest import Person
from tests.page import Page, words
from tests.people import post_as, who
from webapp.conversations.models import Room
from webapp.messages.models import Message, new_nonce


def _messages(page: httpx2.Response) -> dict[int, LexborNode]:
    return {int((node.id or "").rpartition("-")[2]): node for node in Page(page).all("li.message[id^=message-]")}


def log(page: httpx2.Response) -> dict[int, str]:
    """Return the messages on the page: number and HTML of each."""
    return {number: node.html or "" for number, node in _messages(page).items()}


def said(page: httpx2.Response) -> dict[int, str]:
    """Return the messages on the page: number and words of each."""
    found = {}
    for number, node in _messages(page).items():
        if body := node.css_first(".message__body[dir=auto]"):
            for meta in body.css(".message__meta"):
                meta.decompose()
            found[number] = words(body)
    return found


def draft(page: httpx2.Response) -> str | None:
    """Return what a person would find in the text field, or beside the problem."""
    field = Page(page).tree.css_first("textarea")
    return field.text() if field else None


def nonce_in(page: httpx2.Response) -> str:
    return Page(page).one("[name=nonce]").attributes["value"] or ""


async def message(room: Room, number: int = 1) -> Message:
    return await Message.get(room_id=room.id, number=number)


async def fill(room: Room, author: Person, count: int) -> None:
    """So many messages: "line 1", "line 2" ..."""
    for number in range(1, count + 1):
        await post_as(who(author), room, f"line {number}", new_nonce())
