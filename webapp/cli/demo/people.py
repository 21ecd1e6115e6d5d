"""The accounts of the sample data: names from many cultures, and portraits for the first of them."""

import asyncio
import random
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, count, product
from typing import Any

from webapp.accounts import passwords
from webapp.accounts.models import User
from webapp.accounts.names import RESERVED, new_code, search_keys, skeleton, sort_key
from webapp.accounts.viewer import EVERYONE
from webapp.cli.demo import words
from webapp.cli.demo.faces import draw_face
from webapp.cli.demo.rows import Row, batches, write_rows
from webapp.db import transaction
from webapp.http.forms import Upload
from webapp.media import store
from webapp.media.images import process_image
from webapp.media.places import open_place

PASSWORD = "parley-demo"  # noqa: S105  it is printed: the people are not real
MONTHS_BACK = timedelta(days=200)
# So many accounts may have a picture: to draw and encode one takes 60 ms.
PORTRAITS = 30


async def write_people(chance: random.Random, users: int, bar: Any) -> dict[int, str]:
    """The new accounts: user names by id."""
    password = await passwords.hash_password(PASSWORD)
    portraits = await _store_portraits(min(users, PORTRAITS))
    columns = (
        "code, username, skeleton, display_name, sort_name, presence_for, bio, picture, password_hash, is_guest, "
        "is_admin, created_at, last_seen_at"
    )
    for batch in batches(_accounts(chance, users, password, portraits)):
        await transaction.transact(write_rows, "user", columns, batch)
        bar.update(len(batch))
    named = await User.all().order_by("id").values_list("id", "username", "display_name")
    found_by: Iterator[Row] = ((user, name) for user, *names in named for name in search_keys(*names))
    for batch in batches(found_by):
        await transaction.transact(write_rows, "search_name", "user_id, folded", batch)
    return {user: username for user, username, _ in named}


def _accounts(chance: random.Random, users: int, password: str, portraits: dict[int, str]) -> Iterator[Row]:
    now = datetime.now(UTC)
    codes: set[str] = set()
    names, taken = _names(chance), set(RESERVED)
    while len(codes) < users:
        if (code := new_code()) in codes:
            continue
        codes.add(code)
        shown, plain = next(names)
        username = _username(chance, plain, taken)
        bio = chance.choice(words.BIOS) if chance.random() < 0.4 else ""
        joined = now - MONTHS_BACK - timedelta(days=2, seconds=chance.randrange(90 * 86400))
        seen = max(joined, now - timedelta(minutes=min(1e6, chance.paretovariate(0.5))))
        picture = portraits.get(len(codes))
        names_of = code, username, skeleton(username), shown, sort_key(shown), EVERYONE
        yield *names_of, bio, picture, password, False, False, joined, seen


async def _store_portraits(people: int) -> dict[int, str]:
    """Store the pictures of the first people, two of three of whom have one; their digests by the person's place."""
    pictures, digests = store.Store(open_place(store.FOLDER)), {}
    for place in (place for place in range(1, people + 1) if place % 3):
        portrait = await asyncio.to_thread(draw_face, random.Random(place))
        image = await process_image(Upload(len(portrait), portrait))
        await pictures.save(image)
        digests[place] = image.digest
    return digests


def _names(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Names as they are shown, and in plain letters, from one culture after another."""
    pools = []
    for *order, given, family in words.PEOPLE:
        pairs = list(product(given.split(), family.split()))
        chance.shuffle(pairs)
        pools.append((bool(order), pairs))
    for number in count():
        for family_first, pairs in pools:
            yield _name(chance, *pairs[number % len(pairs)], family_first)


def _name(chance: random.Random, given: str, family: str, family_first: bool) -> tuple[str, str]:
    (first, own_first), (last, own_last) = (word.split("=") if "=" in word else (word, "") for word in (given, family))
    plain = f"{first} {last}"
    if own_first and own_last and chance.random() < 0.4:
        return (own_last + own_first if family_first else f"{own_first} {own_last}"), plain
    return (first if chance.random() < 0.15 else plain), plain


# What has no decomposition into a letter and its marks.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "ı": "i", "ß": "ss", "đ": "d", "æ": "ae"})


def _username(chance: random.Random, name: str, taken: set[str]) -> str:
    """A user name that nobody has, nor one that looks like it."""
    letters = unicodedata.normalize("NFD", name.casefold()).translate(_PLAIN)
    first, last = "".join(c for c in letters if c.isascii()).split()
    wishes = [first, f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last[0]}", f"{last}{first[0]}"]
    chance.shuffle(wishes)
    numbered = (f"{first}{number}" for number in count(len(taken)))
    for wish in chain(wishes, numbered):
        if len(wish) >= 3 and (key := skeleton(wish)) not in taken:
            taken.add(key)
            return wish
    raise AssertionError("numbers never end")
