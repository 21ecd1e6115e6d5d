"""What is in the index of words, read past the pages that search it."""

from webapp import settings
from webapp.db import sql
from webapp.messages import index, words


def fts5(phrases: list[words.Phrase]) -> str:
    return " AND ".join(f'"{" ".join(phrase.words)}"{"*" * phrase.is_prefix}' for phrase in phrases)


def tsquery(phrases: list[words.Phrase]) -> str:
    made = []
    for phrase in phrases:
        quoted = [index.quoted(word) for word in phrase.words]
        quoted[-1] += ":*" * phrase.is_prefix
        made.append(f"({' <-> '.join(quoted)})")
    return " & ".join(made)


async def found(typed: str) -> list[str]:
    """The bodies of the messages that have what somebody types, in the order of their ids, whoever may read them."""
    return await _bodies(words.phrases(typed))


async def marked(word: str) -> list[str]:
    """The bodies of those that have this word of ours."""
    return await _bodies([words.Phrase((word,), is_prefix=False)])


async def _bodies(phrases: list[words.Phrase]) -> list[str]:
    if settings.ON_SQLITE:
        query = "SELECT body FROM message_words JOIN message ON id = message_words.rowid WHERE message_words MATCH ?"
        rows = await sql.fetch_all(f"{query} ORDER BY id", fts5(phrases))
    else:
        query = "SELECT body FROM message_words JOIN message USING (id) WHERE words @@ CAST(CAST(? AS TEXT) AS TSQUERY)"
        rows = await sql.fetch_all(f"{query} ORDER BY id", tsquery(phrases))
    return [row["body"] for row in rows]


async def size() -> int:
    """How many messages have words."""
    [row] = await sql.fetch_all("SELECT count(*) AS number FROM message_words")
    return int(row["number"])
