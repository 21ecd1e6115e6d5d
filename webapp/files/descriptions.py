"""What pictures show, for who does not see them, as their sender says it."""

from collections.abc import Mapping

from webapp.db import transaction
from webapp.files.models import Attachment
from webapp.files.names import validate_description
from webapp.files.sending_queries import CODE

# The field of a form that describes the file of the code behind it.
FIELD = "describe-"


async def describe(author_id: int, typed: Mapping[str, str]) -> None:
    """Store what the author says of their files, by code; of those alone that go with no message yet."""
    if typed:
        await transaction.transact(_describe, author_id, typed)


async def _describe(author_id: int, typed: Mapping[str, str]) -> None:
    for code, words in typed.items():
        if not CODE.fullmatch(code):
            continue
        theirs = Attachment.filter(code=code, author_id=author_id, message_id=None)
        await theirs.update(description=validate_description(words))
