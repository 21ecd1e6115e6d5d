"""Who and what is there when it begins: people with sessions and friends, rooms with their members."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.bench import fill
from webapp.accounts.names import new_code
from webapp.conversations.kinds import PUBLIC
from webapp.conversations.seats import MEMBER, OWNER
from webapp.http import cookie

ROOM_SIZE = 20
# Each person is a friend of the next so many, and so of as many before.
FRIENDS = 2
# That everybody has read.
FIRST_MESSAGES = 2


class Installation(NamedTuple):
    """People and rooms by number, from 1 as in the database."""

    codes: list[str]
    cookies: list[str]
    rooms_of: list[list[int]]


def create(file: Path, people: int, rooms: int, seed: int) -> Installation:
    """Fill the file, which has the schema and nothing else."""
    chance, now = Random(f"installation {seed}"), datetime.now(UTC)
    members = _members(people, rooms, chance)
    codes = ["", *(new_code() for _ in range(people))]
    everyone = range(1, people + 1)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA synchronous = OFF")

        def write(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
            places = ", ".join("?" * len(columns.split(", ")))
            connection.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', rows)

        names = ((codes[n], f"p{n}", f"p{n}", f"Person {n}", "", False, False, now, now) for n in everyone)
        write("user", fill.PEOPLE, names)
        write("session", fill.SESSIONS, ((cookie.digest(fill.token(n)), n, "Firefox", now, now) for n in everyone))
        pairs = {(n, (n + step - 1) % people + 1) for n in everyone for step in range(1, FRIENDS + 1)}
        ordered = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
        write("friendship", fill.FRIENDSHIPS, ((low, high, low, now, now, False) for low, high in ordered))
        count = FIRST_MESSAGES
        named = (
            (f"r{n}", PUBLIC.stored, f"Room {n}", f"room {n}", "", count, count, now, ROOM_SIZE, "Hello", now)
            for n in range(1, rooms + 1)
        )
        write("room", fill.ROOMS, named)
        for number, here in enumerate(members, 1):
            write("message", fill.MESSAGES, fill.said(number, here, count))
            roles = enumerate(here)
            seats = ((number, n, MEMBER if place else OWNER, count, count, False, now) for place, n in roles)
            write("membership", fill.MEMBERSHIPS, seats)
        connection.execute("ANALYZE")
    signer, rooms_of = cookie.signer("session"), [list[int]() for _ in codes]
    for number, here in enumerate(members, 1):
        for person in here:
            rooms_of[person].append(number)
    cookies = [f"{cookie.name('http')}={signer.sign(fill.token(n)).decode()}" for n in range(people + 1)]
    return Installation(codes, cookies, rooms_of)


def _members(people: int, rooms: int, chance: Random) -> list[list[int]]:
    """Everybody is in about as many rooms as everybody else."""
    members = list[list[int]]()
    while len(members) < rooms:
        shuffled = chance.sample(range(1, people + 1), people)
        members += [shuffled[start : start + ROOM_SIZE] for start in range(0, people - ROOM_SIZE + 1, ROOM_SIZE)]
    return members[:rooms]
