"""The words by which messages are found: what is cut and folded, how long that takes, and where the words stand."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search_cases import CASES
from webapp.core import text
from webapp.messages import words
from webapp.messages.models import MAX_LENGTH
from webapp.messages.words import MARK, Phrase

ANY = st.text(max_size=80)
# What messages are made of: letters of many scripts, marks, emoji and signs, close to each other.
LETTERS = (
    "aBzß éÅıİſœﬁ 1² _-./@'\"✓€👍🏽👩‍🚀🇩🇪1️⃣日本語かなカナｶﾞﾊﾟ・ー한글각สวัสดี नमस्ते مَرْحَبًا שָׁלוֹם ёЙ \u0301\u0323\u3099\u200c\n"
)
MADE = st.text(LETTERS, max_size=60)


def is_found(body: str, typed: str) -> bool | None:
    phrases = words.phrases(typed)
    stored = words.words_of(body).split(" ")
    return all(list(words.find_phrase(stored, phrase)) for phrase in phrases) if phrases else None


@pytest.mark.parametrize(("name", "body", "typed", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_is_written_is_found_by_what_people_type(name: str, body: str, typed: str, expected: bool | None) -> None:
    assert is_found(text.clean_text(body), typed) is expected


@pytest.mark.parametrize(("name", "body", "typed", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_places_of_words_are_those_in_the_text(name: str, body: str, typed: str, expected: bool | None) -> None:
    pieces = words.pieces(body)
    stored = words.words_of(body).split(f" {MARK} ")[0]
    assert " ".join(piece.word for piece in pieces) == stored
    for piece in pieces:
        assert piece.word in words.fold(body[piece.start : piece.end])


@given(ANY | MADE)
def test_folding_again_changes_nothing_and_places_cover_the_text(typed: str) -> None:
    body = text.clean_text(typed)
    folded, places = words.fold_with_places(body)
    assert len(folded) == len(places)
    assert all(0 <= start < end <= len(body) for start, end in places)
    assert places == sorted(places)
    assert words.fold(words.fold(body)) == words.fold(body)


@given(ANY | MADE)
def test_words_are_of_letters_digits_and_symbols_alone(typed: str) -> None:
    """What SQLite's tokenizer takes for one word, and PostgreSQL needs no more than quotes for."""
    for word in words.words_of(text.clean_text(typed)).split(" "):
        assert all(c.isalnum() or not c.isascii() for c in word)
        assert word == word.lower() or not word.isascii()
        assert len(word) <= words.MAX_WORD_LENGTH
        assert not any(
            unicodedata.category(c)[0] in "ZC" and c != MARK for c in word if unicodedata.category(c) != "Cn"
        )


@given(ANY | MADE, st.integers(0, 80), st.integers(1, 20))
@settings(max_examples=300)
def test_a_part_of_a_text_that_begins_with_a_word_is_found(typed: str, start: int, length: int) -> None:
    """Whatever somebody copies from the beginning of a word, up to anywhere in another, finds the message."""
    body = text.clean_line(typed)
    all_words = [piece.word for piece in words.pieces(body)]
    # Not within what folds to several words, as ¼ does.
    starts = [
        piece.start
        for place, piece in enumerate(words.pieces(body))
        if [one.word for one in words.pieces(body[piece.start :])] == all_words[place:]
    ]
    if not starts:
        return
    begin = starts[start % len(starts)]
    clusters = text.clusters(body[begin:])[:length]
    asked = text.clean_line("".join(clusters)).replace('"', " ")
    if words.phrases(asked):
        assert is_found(body, asked), asked


def test_what_people_type_never_has_a_word_of_ours() -> None:
    typed = f"{MARK}r12 {MARK}u45 {MARK}link {MARK}"
    assert words.words_of(typed) == "r12 u45 link"
    assert [phrase.words for phrase in words.phrases(typed)] == [("r12",), ("u45",), ("link",)]


def test_a_query_is_bounded() -> None:
    assert len(words.phrases("a b c d e f g h i j k l")) == words.MAX_PHRASES
    [phrase] = words.phrases('"' + " ".join(f"w{n}" for n in range(40)))
    assert phrase == Phrase(tuple(f"w{n}" for n in range(words.MAX_PHRASE_WORDS)), is_prefix=False)
    assert words.phrases("tea tea TEA") == [Phrase(("tea",), is_prefix=True)]


def test_a_word_that_comes_too_often_is_a_mark_from_then_on() -> None:
    """PostgreSQL would forget its places, and find other phrases than SQLite."""
    stored = words.words_of("ha " * 300 + "end").split(" ")
    assert stored == ["ha"] * words.MAX_REPEATS + [MARK] * 45 + ["end"]


# Each as long as a message may be, and made to take long: nothing may take more than a multiple of plain words.
HARD = {
    "one word": "a" * MAX_LENGTH,
    "camel case": "aB" * (MAX_LENGTH // 2),
    "camel case with digits": "aB1" * (MAX_LENGTH // 3),
    "marks": "a" + "\u0301" * (MAX_LENGTH - 1),
    "points": "ש" + "\u05b8\u05b0" * (MAX_LENGTH // 2 - 1),
    "vowels": "न" + "\u0940" * (MAX_LENGTH - 1),
    "letters and vowels": "नी" * (MAX_LENGTH // 2),
    "what folds to eighteen": "\ufdfa" * MAX_LENGTH,
    "ideographs": "語" * MAX_LENGTH,
    "emoji": "👩‍🚀" * (MAX_LENGTH // 3),
    "quotes": '"' * MAX_LENGTH,
    "quotes and words": '"a' * (MAX_LENGTH // 2),
    "joiners": "\u200d" * MAX_LENGTH,
}


@pytest.mark.parametrize("name", HARD)
def test_no_text_takes_long(name: str) -> None:
    body = text.clean_text(HARD[name])
    begun = time.process_time()
    stored = words.words_of(body)
    words.pieces(body)
    words.phrases(HARD[name])
    assert time.process_time() - begun < 0.5
    assert len(stored.split(" ")) <= words.MAX_WORDS + words.MAX_CAMEL_WORDS + 1
    assert len(stored.encode()) < 300_000
