"""Parts of pages are rendered once for all who look: each person gets their own, in turn and at once."""

import asyncio
import re

import httpx2
import pytest

from tests.conftest import Person
from tests.message_pages import fill
from tests.people import who
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.conversations.read_marks import read_marks
from webapp.http import render
from webapp.presence.tracker import tracker


def without_what_is_new(page: httpx2.Response) -> str:
    text = page.text
    for new in set(re.findall(r'name="(?:token|nonce)" value="([^"]+)"', text)):
        text = text.replace(new, "")
    return text


async def different_viewers(alice: Person, bob: Person, room: Room) -> list[tuple[Person, dict[str, str]]]:
    """Two people who differ in all that a page shows of them, and each of them at another browser."""
    await User.filter(id=who(alice).id).update(language="en", theme="dark", display_name="Alice <b>&")
    await User.filter(id=who(bob).id).update(language="de", theme="light", text_size="large", time_zone="Asia/Tokyo")
    await fill(room, alice, 3)
    saving = {"Save_Data": "on"}
    return [(alice, {}), (bob, {}), (alice, saving), (bob, saving)]


@pytest.mark.parametrize("path", ["", "?plain=1", "?before=3", "/settings", "/lobby"])
async def test_nobody_is_shown_a_part_of_another_viewers_page(
    alice: Person, bob: Person, room: Room, soup: Room, path: str
) -> None:
    address = path if path == "/lobby" else f"{room.path}{path}"
    viewers = await different_viewers(alice, bob, room)
    for one, headers in viewers:
        await one.read(room)
        await one.get(address, **headers)
    await tracker().write_changes()
    for one in (alice, bob):
        await read_marks().settle(who(one).id)
    own = []
    for one, headers in viewers:
        render.parts().clear()
        own.append(without_what_is_new(await one.get(address, **headers)))
    assert len(set(own)) == len(viewers)
    tokens = [set(re.findall(r'name="token" value="([^"]+)"', (await one.get(address)).text)) for one in (alice, bob)]
    assert not tokens[0] & tokens[1]
    render.parts().clear()
    for _ in range(3):  # in turn
        assert own == [without_what_is_new(await one.get(address, **headers)) for one, headers in viewers]
    render.parts().clear()
    at_once = await asyncio.gather(*(one.get(address, **headers) for _ in range(5) for one, headers in viewers))
    assert own * 5 == [without_what_is_new(page) for page in at_once]
    nonces = [nonce for page in at_once for nonce in re.findall(r'name="nonce" value="([^"]+)"', page.text)]
    assert len(set(nonces)) == len(nonces)
    for number, page in enumerate(at_once):
        assert all(token not in page.text for token in tokens[1 - number % 2])


async def test_unread_counts_and_rights_are_those_of_who_asks(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    viewers = await different_viewers(alice, bob, room)
    await alice.read(room)
    await bob.say(soup, "one")
    for _ in range(2):
        mine, his = [(await one.get(soup.path)).text for one, _ in viewers[:2]]
        for page, one, theme, unread in ((mine, alice, "dark", ""), (his, bob, "light", "(1) ")):
            assert f'data-theme="{theme}"' in page
            assert f'data-me="{who(one).code}"' in page
            assert f"<title>{unread}Soup" in page
        assert ("log--moderated" in mine, "log--moderated" in his) == (True, False)
