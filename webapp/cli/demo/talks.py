"""What is said in the sample data: conversation by conversation, at times when people might have held them."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from webapp.cli.demo import words


class Talk(NamedTuple):
    """What is to be said in a room: by whom, about which theme, how much, and between when and when."""

    people: list[int]
    theme: int
    messages: int
    begins: datetime
    ends: datetime


def say(chance: random.Random, talk: Talk) -> Iterator[tuple[int, str, datetime]]:
    """
    Yield author, words and time of every message, conversation by conversation, up to the end.

    Each conversation has a stretch of the room's time in proportion to its length: it takes place
    somewhere in it, in its own hurry where there is room, faster where there is none.
    """
    people, theme, messages, begins, ends = talk
    subjects = _subjects(theme)
    per_message = (ends - begins) / max(1, messages)
    said = 0
    while said < messages:
        length = min(messages - said, 2 + int(chance.expovariate(1 / 12)))
        start, stretch = begins + per_message * said, per_message * length
        is_last = said + length == messages
        partners = chance.sample(people, min(len(people), chance.randint(2, 5)))
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
