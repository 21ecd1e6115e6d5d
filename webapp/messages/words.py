"""
The words by which messages are found: one rule for what is written and for what is asked, on both engines.

A text is folded (case, width, accents) and cut. A word is a run of letters and digits; whatever stands between, as in
`user_id` or `example.com`, parts two. Of scripts without spaces every character with its next one is a word, and the
last one alone, so that one, two and more of them are found wherever they stand. A symbol or an emoji is a word.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import regex

from webapp.core import text

# The first character of words that nobody can type (`text.clean_text` removes it): which room, which author, a link.
# Alone it stands where no phrase may go on.
MARK = "\ue000"
MAX_WORD_LENGTH = 64
# Of one message: more than its 4,000 characters can be, unless each of them folds to several words.
MAX_WORDS = 8_000
# Of a query. What is more is not looked for.
MAX_TYPED, MAX_PHRASES, MAX_PHRASE_WORDS = 500, 8, 16
# PostgreSQL stores so many places of one word; what comes later is a mark on both engines, so that both find the same.
MAX_REPEATS = 255
# Of one word in camel case, and of all in a message.
MAX_CAMEL_PARTS, MAX_CAMEL_WORDS = 8, 500

# Thai, Lao, Myanmar, Jamo, Khmer, Kana, Han, Hangul: without spaces, or (Hangul) with endings glued on. The middle dot
# of Katakana parts words.
_RUN = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u3130-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
# By one alternative after the other, none of which can be entered in two ways: linear, whatever the text.
_PIECE = regex.compile(
    rf"(?P<run>[{_RUN}]+)|"
    rf"(?P<word>[[\p{{L}}\p{{N}}]--[{_RUN}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_RUN}]]*)|"
    r"(?P<sign>[[\p{So}\p{Sc}\u2190-\u2bff\U0001f000-\U0001faff]--\p{ASCII}])",
    regex.V1,
)
_ASCII_WORD = re.compile("[a-z0-9]+")
# Hues of skin, selectors of variants, what joins emoji: the same to who looks for them.
_UNSEEN = re.compile("[\U0001f3fb-\U0001f3ff\ufe00-\ufe0f\u200d\U000e0100-\U000e01ef]")
# Accents, and the points of Hebrew and Arabic, which most leave out.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670\u06d6-\u06ed]"
)
_LETTERS = str.maketrans(
    {
        "ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ħ": "h",
        "\u0649": "\u064a", "\u0629": "\u0647", "\u0640": None, "\u06a9": "\u0643", "\u06cc": "\u064a",
    }
)  # fmt: skip
_IN_CAMEL_CASE = re.compile(rf"[A-Za-z0-9]{{4,{MAX_WORD_LENGTH}}}")
_CAMEL_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# A quotation that is not closed ends with the query.
_TYPED_PART = re.compile(r'"([^"]*)"?|(\S+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))


class Piece(NamedTuple):
    """A word, and where it stands in the text."""

    word: str
    start: int
    end: int


class Phrase(NamedTuple):
    """Words that stand next to each other; the last may be the beginning of one."""

    words: tuple[str, ...]
    is_prefix: bool


# Folding and cutting.


def fold(typed: str) -> str:
    """What two texts have in common when who looks for one of them means the other, too."""
    if typed.isascii():
        return typed.lower()
    # Accents first: what is left needs no sorting. And again: those that letters have in them.
    folded = unicodedata.normalize("NFKC", _ACCENTS.sub("", _UNSEEN.sub("", typed))).casefold()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", folded))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded)).translate(_LETTERS)


def fold_with_places(typed: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the folded text, and of each of its characters from where to where it stands in the text."""
    folded = ""
    places: list[tuple[int, int]] = []
    start = 0
    for cluster in text.clusters(typed):
        made, end = fold(cluster), start + len(cluster)
        folded += made
        places += [(start, end)] * len(made)
        start = end
    return folded, places


def pieces(typed: str) -> list[Piece]:
    """Return the words of a text as they are stored, each with its place in the text."""
    folded, places = fold_with_places(typed)
    return [Piece(word, places[start][0], places[end - 1][1]) for word, start, end in _pieces(folded)]


def _pieces(folded: str) -> Iterator[tuple[str, int, int]]:
    for found in _PIECE.finditer(folded):
        start, end = found.span()
        if found.lastgroup == "run":
            for place in range(start, end):
                yield folded[place : min(place + 2, end)], place, min(place + 2, end)
        else:
            yield found[0][:MAX_WORD_LENGTH], start, end


# Writing.


def words_of(body: str) -> str:
    """
    Return the words of a message in their order, with spaces between.

    Behind them are the later parts of those in camel case, so that `name` finds `getUserName`.
    """
    folded = fold(body)
    found = _ASCII_WORD.findall(folded) if folded.isascii() else [word for word, _, _ in _pieces(folded)]
    found = [word[:MAX_WORD_LENGTH] for word in found[:MAX_WORDS]]
    if len(found) > MAX_REPEATS:
        found = _without_repeats(found)
    return " ".join([*found, *_camel_words(body, set(found))])


def _without_repeats(words: list[str]) -> list[str]:
    counts = Counter[str]()
    for place, word in enumerate(words):
        counts[word] += 1
        if counts[word] > MAX_REPEATS:
            words[place] = MARK
    return words


def _camel_words(body: str, known: set[str]) -> list[str]:
    found: dict[str, None] = {}
    for word in _IN_CAMEL_CASE.findall(body):
        if word[1:].islower() or word.islower() or word.isupper():
            continue
        parts = _CAMEL_PART.findall(word)
        for place in range(1, min(len(parts), MAX_CAMEL_PARTS)):
            found["".join(parts[place:]).lower()] = None
    words = [word for word in found if word not in known][:MAX_CAMEL_WORDS]
    return [MARK, *words] if words else []


# Asking.


def phrases(typed: str) -> list[Phrase]:
    """
    Return what a query looks for, all of which must be found; nothing of it is syntax but quotation marks.

    What stands between spaces is a phrase whose last word may be the beginning of one, what stands in quotes one whose
    last word is whole.
    """
    found: dict[Phrase, None] = {}
    for quoted, plain in _TYPED_PART.findall(text.clean_line(typed[:MAX_TYPED]).translate(_QUOTES)):
        if phrase := _phrase(fold(quoted or plain), is_quoted=bool(quoted)):
            found[phrase] = None
    return list(found)[:MAX_PHRASES]


def _phrase(folded: str, is_quoted: bool) -> Phrase | None:
    matches = list(_PIECE.finditer(folded))
    if not matches:
        return None
    words = [word for word, _, _ in _pieces(folded)]
    ends_in_run = matches[-1].lastgroup == "run"
    is_lone = ends_in_run and len(matches[-1][0]) == 1
    if ends_in_run and not is_lone:
        words.pop()  # in the text the run may go on
    if len(words) > MAX_PHRASE_WORDS:
        return Phrase(tuple(words[:MAX_PHRASE_WORDS]), is_prefix=False)
    # A character alone is the beginning of its pair, in quotes too.
    return Phrase(tuple(words), is_prefix=is_lone or not is_quoted)


def find_phrase(words: Sequence[str], phrase: Phrase) -> Iterator[int]:
    """Return at which of these words the phrase begins."""
    first, last = list(phrase.words[:-1]), phrase.words[-1]
    for place in range(len(words) - len(first)):
        word = words[place + len(first)]
        if (word.startswith(last) if phrase.is_prefix else word == last) and words[place : place + len(first)] == first:
            yield place
