"""Sample data for an empty installation: people, rooms and conversations as they might be, written in batches."""

import random
import time

import click
from tortoise.exceptions import IntegrityError

from webapp.accounts.models import User
from webapp.cli.demo.attachments import write_attachments
from webapp.cli.demo.chats import write_company
from webapp.cli.demo.inboxes import write_inboxes, write_saved
from webapp.cli.demo.logs import Log, write_logs
from webapp.cli.demo.people import PASSWORD, write_people
from webapp.cli.demo.rooms import share_out, write_empty_rooms, write_memberships
from webapp.cli.demo.talks import say
from webapp.conversations.models import Room
from webapp.messages import indexing


async def fill(users: int, rooms: int, messages: int) -> None:
    """
    Fill the installation with so many users, rooms and messages; raises ClickException when it is not empty.

    One room holds half of the messages and everybody. The first accounts have friends and chats besides. Each batch is
    a transaction that leaves whole rooms: a run that is interrupted leaves fewer messages, never a log with gaps.
    """
    if await User.exists() or await Room.exists():
        raise click.ClickException(
            "There are people or rooms here already. Sample data goes into an empty installation."
        )
    started = time.monotonic()
    people = await fill_rooms(users, share_out(rooms, messages), has_company=True)
    await write_inboxes(next(iter(people)))
    await write_saved(next(iter(people)))
    await write_attachments(next(iter(people)))
    await indexing.start_over()  # the server writes their words
    click.echo(
        f"{users:,} people, {rooms:,} rooms and {messages:,} messages in {time.monotonic() - started:.0f} s.\n"
        f"Sign in as {next(iter(people.values()))} with the password {PASSWORD}; it is the same for everybody."
    )


async def fill_rooms(users: int, shares: list[int], has_company: bool = False) -> dict[int, str]:
    """Write so many accounts, and a room for each number of messages; user names by id."""
    chance = random.Random(14)
    with click.progressbar(length=users + sum(shares), label="Filling") as bar:
        try:
            people = await write_people(chance, users, bar)
        except IntegrityError:
            raise click.ClickException("Somebody created an account just now. Nothing more was written.") from None
        talks = await write_empty_rooms(chance, list(people), shares)
        for room_id, talk in talks.items():
            await write_memberships(chance, room_id, talk)
        logs = {room_id: Log(say(random.Random(room_id), talk), talk.people) for room_id, talk in talks.items()}
        logs |= await write_company(random.Random(15), list(people)) if has_company else {}
        await write_logs(logs, bar.update)
    return people
