"""Sample data for an empty installation: people, rooms and conversations as they might be, written in batches."""

import random
import time
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, chain, count, islice, pairwise, product
from typing import Any, NamedTuple

import click
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F

from webapp import settings
from webapp.accounts import passwords
from webapp.accounts.models import User
from webapp.accounts.names import RESERVED, new_code, search_keys, skeleton
from webapp.cli import demo_words as words
from webapp.conversations.models import LINE_LENGTH, MEMBER, OWNER, PUBLIC, Room
from webapp.core import text
from webapp.core.clock import to_site_time
from webapp.db import sql, transaction
from webapp.messages.markdown import first_line, render_markdown
from webapp.messages.posting import GROUPING_WINDOW

PASSWORD = "parley-demo"  # noqa: S105  it is printed: the people are not real
BATCH = 5000
LARGEST_CROWD = 300
MONTHS_BACK = timedelta(days=200)

Row = Any  # a tuple, or what the drivers take for one


class Talk(NamedTuple):
    """A room that is to be filled: whose it is, what is talked about there, and how much."""

    name: str
    topic: str
    theme: int
    members: list[int]
    messages: int
    begins: datetime
    ends: datetime
    id: int = 0


async def fill(users: int, rooms: int, messages: int) -> None:
    """
    Fill the installation with so many users, rooms and messages; raises ClickException when it is not empty.

    One room holds half of the messages and everybody. Each batch is a transaction that leaves whole rooms:
    a run that is interrupted leaves fewer messages, never a log with gaps.
    """
    if await User.exists() or await Room.exists():
        raise click.ClickException(
            "There are people or rooms here already. Sample data goes into an empty installation."
        )
    chance, started = random.Random(14), time.monotonic()
    with click.progressbar(length=users + messages, label="Filling") as bar:
        try:
            people = await _people(chance, users, bar)
        except IntegrityError:
            raise click.ClickException("Somebody created an account just now. Nothing more was written.") from None
        for talk in await _rooms(chance, list(people), _shares(rooms, messages)):
            await _talk(chance, talk, bar)
    click.echo(
        f"{users:,} people, {rooms:,} rooms and {messages:,} messages in {time.monotonic() - started:.0f} s.\n"
        f"Sign in as {next(iter(people.values()))} with the password {PASSWORD}; it is the same for everybody."
    )


async def _write(table: str, columns: str, rows: list[Row]) -> None:
    """Many rows at once, in the transaction that is under way."""
    if settings.ON_SQLITE:
        marks = sql.placeholders(rows[0])
        await sql.connection().execute_many(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', rows)
        return
    connection: Any = sql.connection().acquire_connection()
    async with connection as raw:
        await raw.copy_records_to_table(table, records=rows, columns=columns.split(", "))


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


# People.


async def _people(chance: random.Random, users: int, bar: Any) -> dict[int, str]:
    """The new accounts: user names by id."""
    password = await passwords.hash_password(PASSWORD)
    columns = "code, username, skeleton, display_name, bio, password_hash, is_guest, is_admin, created_at, last_seen_at"
    for batch in _batches(_accounts(chance, users, password)):
        await transaction.transact(_write, "user", columns, batch)
        bar.update(len(batch))
    named = await User.all().order_by("id").values_list("id", "username", "display_name")
    found_by: Iterator[Row] = ((user, name) for user, *names in named for name in search_keys(*names))
    for batch in _batches(found_by):
        await transaction.transact(_write, "search_name", "user_id, folded", batch)
    return {user: username for user, username, _ in named}


def _accounts(chance: random.Random, users: int, password: str) -> Iterator[Row]:
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
        yield code, username, skeleton(username), shown, bio, password, False, False, joined, seen


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


# Rooms.


async def _rooms(chance: random.Random, people: list[int], shares: list[int]) -> list[Talk]:
    """The rooms, empty for now: the first one is everybody's."""
    talks = [
        _plan(chance, people, place, share, *named)
        for place, (share, named) in enumerate(zip(shares, _room_names(), strict=False))
    ]
    columns = "key, kind, name, folded, topic, version, last_number, last_at, member_count, created_at"
    rows: Iterator[Row] = (
        (text.slug(one.name), PUBLIC, one.name, text.fold(one.name), one.topic, 0, 0, one.begins, 0, one.begins)
        for one in talks
    )
    for batch in _batches(rows):
        await transaction.transact(_write, "room", columns, batch)
    ids = dict(await Room.all().values_list("name", "id"))
    return [talk._replace(id=ids[talk.name]) for talk in talks]


def _plan(chance: random.Random, people: list[int], place: int, share: int, name: str, topic: str, theme: int) -> Talk:
    """Who will say how much between when and when in the room of that place among the rooms."""
    is_everybodys = place == 0
    crowd = min(LARGEST_CROWD, max(3, int(len(people) * chance.uniform(0.02, 0.3))))
    members = chance.sample(people, len(people) if is_everybodys else min(crowd, len(people)))
    if is_everybodys or (place < 20 and people[0] not in members):  # who signs in first has rooms to look at
        members = [people[0], *(member for member in members if member != people[0])]
    silent = timedelta(seconds=40 if is_everybodys else chance.paretovariate(0.4) * 300 % (20 * 86400))
    ends = datetime.now(UTC) - silent
    begins = ends - MONTHS_BACK * (1 if is_everybodys else chance.uniform(0.3, 0.85))
    return Talk(name, topic, theme, members, share, begins, ends)


def _room_names() -> Iterator[tuple[str, str, int]]:
    """Names, topics and themes: each name alone, then by place, then by number."""
    names = [
        (name, topic, theme)
        for row in zip(*(list(rooms.items()) for rooms, _ in words.THEMES), strict=True)
        for theme, (name, topic) in enumerate(row)
    ]
    yield from names
    for suffix in chain(words.PLACES, count(2)):
        for name, topic, theme in names:
            yield f"{name} {suffix}", topic, theme


def _shares(rooms: int, messages: int) -> list[int]:
    """How many messages each room gets: the first one half, of the others each a little less than the one before."""
    first = messages if rooms == 1 else messages // 2
    weights = list(accumulate(1 / place**0.8 for place in range(1, rooms)))
    ends = [0, *(round((messages - first) * weight / weights[-1]) for weight in weights)]
    return [first, *(end - start for start, end in pairwise(ends))]


# Conversations.


async def _talk(chance: random.Random, talk: Talk, bar: Any) -> None:
    """Everything that was said in a room, then who is in it."""
    columns = "room_id, number, posted_version, version, author_id, body, html, continues, opens_day, created_at"

    async def write(batch: list[Row]) -> None:
        _, number, _, _, author, _, html, *_, last_at = batch[-1]
        await _write("message", columns, batch)
        line = first_line(html, LINE_LENGTH)
        await Room.filter(id=talk.id).update(
            version=number, last_number=number, last_at=last_at, last_line=line, last_author=author
        )

    for batch in _batches(_messages(chance, talk)):
        await transaction.transact(write, batch)
        bar.update(len(batch))
    for batch in _batches(_memberships(chance, talk)):
        await transaction.transact(_enter, talk.id, batch)


async def _enter(room_id: int, batch: list[Row]) -> None:
    columns = "room_id, user_id, role, read_number, delivered_number, muted, joined_at"
    await Room.filter(id=room_id).update(member_count=F("member_count") + len(batch))
    await _write("membership", columns, batch)


def _memberships(chance: random.Random, talk: Talk) -> Iterator[Row]:
    """Most have read everything, some all but a few messages, a few have not looked in for long."""
    for place, member in enumerate(talk.members):
        unread = 0 if chance.random() < 0.6 else int(min(400, chance.paretovariate(0.8)))
        read, role = max(0, talk.messages - unread), MEMBER if place else OWNER
        joined = talk.begins + timedelta(seconds=place % 3600)
        yield talk.id, member, role, read, read, chance.random() < 0.03, joined


def _messages(chance: random.Random, talk: Talk) -> Iterator[Row]:
    last_author, last_at = 0, None
    for number, (author, body, at) in enumerate(_said(chance, talk), 1):
        is_same_day = last_at is not None and to_site_time(last_at).date() == to_site_time(at).date()
        continues = is_same_day and author == last_author and last_at is not None and at - last_at < GROUPING_WINDOW
        yield talk.id, number, number, number, author, body, _html(body), continues, not is_same_day, at
        last_author, last_at = author, at


_html = cache(render_markdown)  # sentences come again


def _said(chance: random.Random, talk: Talk) -> Iterator[tuple[int, str, datetime]]:
    """
    Author, words and time of every message, conversation by conversation, up to the end.

    Each conversation has a stretch of the room's time in proportion to its length: it takes place
    somewhere in it, in its own hurry where there is room, faster where there is none.
    """
    subjects = _subjects(talk.theme)
    per_message = (talk.ends - talk.begins) / max(1, talk.messages)
    said = 0
    while said < talk.messages:
        length = min(talk.messages - said, 2 + int(chance.expovariate(1 / 12)))
        start, stretch = talk.begins + per_message * said, per_message * length
        is_last = said + length == talk.messages
        partners = chance.sample(talk.members, min(len(talk.members), chance.randint(2, 5)))
        gaps = [chance.lognormvariate(3.3, 0.9) for _ in range(length)]
        natural = timedelta(seconds=sum(gaps))
        hurry = min(1.0, stretch / natural)
        at = start + (stretch - natural * hurry) * (1 if is_last else chance.random())
        author, subject = chance.choice(partners), chance.choice(subjects)
        for place in range(length):
            at += timedelta(seconds=gaps[place] * hurry)
            yield author, _sentence(chance, subject, place, length), at
            if chance.random() > 0.25:
                author = chance.choice(partners)
        said += length


class Subject(NamedTuple):
    """Something to talk about: how a conversation about it opens, and what is said then."""

    openers: list[str]
    replies: list[str]


@cache
def _subjects(theme: int) -> list[Subject]:
    return [
        Subject(*([line.format(thing=thing) for line in lines] for lines in (words.OPENERS, words.REPLIES_ABOUT)))
        for thing in words.THEMES[theme][1].split("|")
    ]


def _sentence(chance: random.Random, subject: Subject, place: int, length: int) -> str:
    if place == 0:
        return chance.choice(subject.openers)
    if place == length - 1 and length > 4 and chance.random() < 0.4:
        return chance.choice(words.FAREWELLS)
    kind = chance.random()
    if kind < 0.12:
        return chance.choice(words.REACTIONS)
    return chance.choice(subject.replies if kind < 0.4 else words.REPLIES)
