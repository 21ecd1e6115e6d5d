"""Pages of a room as tests of messages read them, and what they send."""

import re
from html import unescape

import httpx2

from tests.conftest import Person
from tests.page import words
from tests.people import post_as, who
from webapp.conversations.models import Room
from webapp.messages.models import Message, new_nonce


def log(page: httpx2.Response) -> dict[int, str]:
    """The messages on the page: number and HTML of each."""
    parts = re.split(r'<li id="message-\d+-(\d+)" class="message', page.text)[1:]
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))


def said(page: httpx2.Response) -> dict[int, str]:
    """The messages on the page: number and words of each."""
    found = {
        number: re.search(r'"message__body" dir="auto">(.*?)</div>', html, re.DOTALL)
        for number, html in log(page).items()
    }
    return {
        number: words(re.sub(r'(?s)<span class="message__meta".*?</time></span>', "", body[1]))
        for number, body in found.items()
        if body
    }


def draft(page: httpx2.Response) -> str | None:
    """What a person would find in the text field, or beside the problem."""
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)
    return unescape(found[1]) if found else None


def nonce_in(page: httpx2.Response) -> str:
    [nonce] = re.findall(r'name="nonce" value="([^"]*)"', page.text)
    return str(nonce)


async def message(room: Room, number: int = 1) -> Message:
    return await Message.get(room_id=room.id, number=number)


async def fill(room: Room, author: Person, count: int) -> None:
    """So many messages: "line 1", "line 2" ..."""
    for number in range(1, count + 1):
        await post_as(who(author), room, f"line {number}", new_nonce())
