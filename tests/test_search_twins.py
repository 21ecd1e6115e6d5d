"""The two databases find the same: random texts, and what may be typed to find them, asked of SQLite and PostgreSQL."""

import asyncio
import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.servers import Postgres
from webapp.core import text
from webapp.messages.index import room_word, vector
from webapp.messages.words import words_of
from webapp.search.filters import read_query
from webapp.search.queries import Wanted, match_of, tsquery_of

TABLES = importlib.import_module("webapp.migrations.0027_message_words")
ROOM = 1
# What is cut in different ways, and what either engine might take for syntax or for the end of a text.
FRAGMENTS = (
    "fox foxes the über Straße İstanbul ığdır 東京都庁 会議場 の ｶﾀｶﾅ 上海 한글 학교에서 สวัสดีครับ مَرْحَبًا ё नमस्ते "
    "👍🏽 👨\u200d👩\u200d👧 🇩🇪 getUserName user_id example.com/a-b don't a'b 10.1.2.3 "
    "' \\ '' \" * ( ) & | ! : <-> AND NOT NEAR - ^ { } \\' ½ ﬁ ² ǅ ß ς 𝔘 \u0301 e\u0301"
).split(" ")
PIECES = st.one_of(
    st.sampled_from(FRAGMENTS),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Co")), max_size=6),
    st.text("ab東京 '\"\\:*&|!()", max_size=8),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=8).map(" ".join)


@st.composite
def texts_and_queries(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Texts, and of each a part that is cut anywhere, whole or in quotation marks; and anything else."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=8))
    queries = [draw(TEXTS)]
    for one in texts:
        start = draw(st.integers(0, len(one)))
        part = one[start : start + draw(st.integers(1, 12))]
        queries += [part, f'"{part}"']
    return texts, queries


class Twins:
    """The tables of words of both engines, without any messages."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._sqlite = sqlite3.connect(":memory:")
        self._sqlite.execute(TABLES.SQLITE[0])
        self._postgresql = self._runner.run(asyncpg.connect(url))
        self._ask("CREATE TEMPORARY TABLE found_by (id INT, words TSVECTOR)")

    def close(self) -> None:
        self._runner.run(self._postgresql.close())
        self._runner.close()
        self._sqlite.close()

    def _ask(self, query: str, *values: object) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = self._runner.run(self._postgresql.fetch(query, *values))
        return found

    def write(self, texts: list[str]) -> None:
        made = [words_of(text.clean_text(one)) for one in texts]
        self._sqlite.execute("DELETE FROM message_words")
        rows = [(number, f"{room_word(ROOM)} {words}") for number, words in enumerate(made)]
        self._sqlite.executemany("INSERT INTO message_words (rowid, words) VALUES (?, ?)", rows)
        insert = "INSERT INTO found_by SELECT n - 1, w::tsvector FROM unnest($1::text[]) WITH ORDINALITY AS made (w, n)"
        self._ask("DELETE FROM found_by")
        self._ask(insert, [vector(words) for words in made])

    def find(self, typed: str) -> tuple[list[int], list[int]]:
        """Return the numbers of the texts that either finds."""
        wanted = Wanted([ROOM], read_query(typed).phrases)
        if not wanted.phrases:
            return [], []
        query = "SELECT rowid FROM message_words WHERE message_words MATCH ? ORDER BY rowid"
        theirs = self._ask("SELECT id FROM found_by WHERE words @@ $1::text::tsquery ORDER BY id", tsquery_of(wanted))
        return [row[0] for row in self._sqlite.execute(query, (match_of(wanted),))], [row["id"] for row in theirs]


@pytest.fixture
def twins(postgres_server: Postgres) -> Iterator[Twins]:
    with closing(Twins(postgres_server.create())) as twins:
        yield twins


@how(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@example((["word " * 300, "wo rd"], ['"word word"', "wo", "word wo"]))
@example((["getUserName getUserName"], ["username", '"username getusername"']))
@given(texts_and_queries())
def test_both_databases_find_the_same(twins: Twins, both: tuple[list[str], list[str]]) -> None:
    texts, queries = both
    twins.write(texts)
    for typed in queries:
        sqlite, postgresql = twins.find(typed)
        assert sqlite == postgresql, typed


def test_what_is_cut_out_of_a_text_at_words_finds_it_in_both(twins: Twins) -> None:
    """Else the two might agree in finding nothing."""
    bodies = [
        f"{before} {word} {after}"
        for before, word, after in zip(FRAGMENTS, FRAGMENTS[7:], FRAGMENTS[13:], strict=False)
    ]
    twins.write(bodies)
    count = 0
    for number, body in enumerate(bodies):
        for typed in (body, f'"{body}"', body.upper()):
            sqlite, postgresql = twins.find(typed)
            assert sqlite == postgresql
            if read_query(typed).phrases:
                assert number in sqlite, typed
                count += 1
    assert count > len(bodies)
