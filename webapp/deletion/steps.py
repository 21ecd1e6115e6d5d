"""The steps in which an account goes away: each may be repeated, so that a crash between two of them does no harm."""

import asyncio
import logging

from tortoise.queryset import QuerySet

from webapp.accounts.administrators import require_another
from webapp.accounts.models import SearchName, User
from webapp.accounts.names import new_code
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import CODE, Person
from webapp.conversations import members
from webapp.conversations.models import Membership
from webapp.db import sql, transaction
from webapp.exports.jobs import Export
from webapp.files import removal
from webapp.files.models import Attachment
from webapp.media.store import picture_store
from webapp.messages import changes, pacing, reactions
from webapp.messages.models import Mention, Message, Reaction, Saved
from webapp.strangers.models import Stranger

logger = logging.getLogger(__name__)

MESSAGE_BATCH_SIZE = 500
FILES_BATCH_SIZE = 50


def accounts_being_deleted() -> QuerySet[User]:
    """Return the accounts whose deletion has begun and is not finished."""
    return User.filter(username=None, is_guest=False)


async def start_deletion(user: Person, takes_files: bool = False) -> list[int]:
    """
    The account is nobody's from now on; the sessions that ended with it. The rest is done by `finish`.

    `takes_files` is whether the files in their messages go too; what is in their composers goes at once. Raises
    Forbidden for the last administrator.
    """
    picture = user.picture
    ended = await _anonymize(user, takes_files)
    await removal.delete_pending_of(user.id)
    await Stranger.delete_mask(user.id)
    await Export.drop(user)
    if picture:
        await picture_store().release(picture)
    return ended


async def _anonymize(user: Person, takes_files: bool) -> list[int]:
    """
    Make of the account one that nobody can sign in to or recognise, at once; the sessions that ended.

    What is left to do is found by its row: an account without a user name that is no guest is being deleted.
    """

    async def write() -> list[int]:
        if user.is_admin:
            await require_another(user.id)
        nameless = {
            "display_name": "Deleted account",
            "bio": "",
            "found_by": CODE,
            "picture": None,
            "takes_files": takes_files,
        }
        await User.filter(id=user.id).update(
            username=None, skeleton=None, password_hash=None, is_admin=False, is_guest=False, **nameless
        )
        await SearchName.filter(user_id=user.id).delete()
        sessions = await Session.filter(user_id=user.id)
        await Session.filter(user_id=user.id).delete()
        return [session.id for session in sessions]

    return await transaction.transact(write)


async def finish(user: Person) -> dict[int, bool]:
    """
    Take the person out of every room, off every message and out of every count of reactions, and delete their row;
    return the rooms that they were in, each with whether nobody is left there.

    Friendships, blocks, visits and memberships go with the row. A request that was let in before the account
    ended may still write: so the row goes only when there is nothing left of them in any room.
    """
    await Export.drop(user)
    rooms: dict[int, bool] = {}
    while True:
        rooms |= await _leave_rooms(user)
        await _leave_files(user)
        await _leave_messages(user)
        await _leave_reactions(user)
        await sql.delete_in_batches(Mention.filter(user_id=user.id))
        await sql.delete_in_batches(Saved.filter(user_id=user.id))
        if await transaction.transact(erase_account, user):
            return rooms


async def _leave_rooms(user: Person) -> dict[int, bool]:
    memberships = await Membership.filter(user_id=user.id)
    return {one.room_id: await members.leave_permanently(one.room_id, user) for one in memberships}


async def _leave_files(user: Person) -> None:
    """
    What is in a composer still goes, and so does all where they chose that; the rest stays with the messages.

    A message at a time: each is a transaction of its room, which open pages learn of.
    """
    await removal.delete_pending_of(user.id)
    if await User.exists(id=user.id, takes_files=True):
        while (
            some := await Attachment.filter(author_id=user.id)
            .limit(FILES_BATCH_SIZE)
            .values_list("message_id", flat=True)
        ):
            for message in await Message.filter(id__in=some):
                changes.log_changed(message.room_id, await message.take_files())
            # Those of a room that is deleted go with it.
            await Attachment.filter(message_id__in=some).update(author_id=None)
    while some := await Attachment.filter(author_id=user.id).limit(MESSAGE_BATCH_SIZE).values_list("id", flat=True):
        await Attachment.filter(id__in=some).update(author_id=None)


async def _leave_messages(user: Person) -> None:
    """In small batches, so that nobody else waits for it."""
    while some := await Message.filter(author_id=user.id).limit(MESSAGE_BATCH_SIZE).values_list("id", flat=True):
        await Message.filter(id__in=some).update(author_id=None)


async def _leave_reactions(user: Person) -> None:
    """Theirs are counted no more, and open pages see it; those that they received stay with the messages."""
    async for room_id, version in reactions.withdraw_all(user.id):
        pacing.reacted(room_id, version)
    while some := await Reaction.filter(to_user_id=user.id).limit(MESSAGE_BATCH_SIZE).values_list("id", flat=True):
        await Reaction.filter(id__in=some).update(to_user_id=None)


async def erase_account(user: Person) -> bool:
    # A new value in a column with a unique index makes PostgreSQL lock the row against those that would refer to it:
    # who is about to write a membership, a message or a reaction of theirs waits here, and then finds no such person.
    # Rows that call them may come until then: those go with theirs.
    await User.filter(id=user.id).update(code=new_code())
    left = Membership.filter(user_id=user.id), Reaction.filter(user_id=user.id), Attachment.filter(author_id=user.id)
    for rows in left:
        if await rows.exists():
            return False
    await User.filter(id=user.id).delete()
    return True


async def finish_all() -> None:
    """Finish what was begun before a crash or a restart."""
    for user in await accounts_being_deleted():
        try:
            await finish(user)
        except Exception as error:
            logger.error("account %s is not quite gone; the next start tries again: %r", user.id, error)
        await asyncio.sleep(0)
