"""The part of a message in which what was looked for stands, with it marked: by the rule by which it was found."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from webapp.core import text
from webapp.messages.words import Phrase, find_phrase, pieces

# Before the first of what is marked, and of all.
CONTEXT_LENGTH, SNIPPET_LENGTH = 60, 240
# Of a long text first so much is cut into words, which takes 1 ms for each 500 characters of Chinese.
HEAD_LENGTH = 1000
_BLANKS = " \n"


class SnippetPart(NamedTuple):
    """Some of a snippet, all of it looked for or none."""

    text: str
    is_marked: bool


def snippet(body: str, wanted: Sequence[Phrase], context: int = CONTEXT_LENGTH) -> list[SnippetPart]:
    """
    Return the text around the first of what is wanted, its beginning where nothing of that stands in it.

    Of what stands before that it has so many characters.
    """
    spans = _marked(body, wanted)
    start = _start(body, spans[0][0] if spans else 0, context)
    end = _end(body, start, max(start + SNIPPET_LENGTH, spans[0][1] if spans else 0))
    parts = [SnippetPart("…", is_marked=False)] * (start > 0)
    at = start
    for first, last in spans:
        if first >= end:
            break
        parts += [
            SnippetPart(body[at:first], is_marked=False),
            SnippetPart(body[first : min(last, end)], is_marked=True),
        ]
        at = min(last, end)
    parts += [SnippetPart(body[at:end], is_marked=False), SnippetPart("…" * (end < len(body)), is_marked=False)]
    return [part for part in parts if part.text]


def _marked(body: str, wanted: Sequence[Phrase]) -> list[tuple[int, int]]:
    """Return the spans of the text that are marked, those of a snippet at least."""
    head = body[:HEAD_LENGTH]
    spans = _merged(sorted(_spans(head, wanted)))
    if len(head) < len(body) and not (spans and spans[0][1] < HEAD_LENGTH - SNIPPET_LENGTH - CONTEXT_LENGTH):
        spans = _merged(sorted(_spans(body, wanted)))
    return spans or _merged(sorted(_within_words(body, wanted)))


def _within_words(body: str, wanted: Sequence[Phrase]) -> Iterator[tuple[int, int]]:
    """Where a later part of a word in camel case may stand, which is found as a word of its own."""
    for phrase in wanted:
        word = phrase.words[0]
        if (
            word.isascii()
            and len(phrase.words) == 1
            and (found := re.search(re.escape(word), body, re.IGNORECASE | re.ASCII))
        ):
            yield found.span()


def _spans(body: str, wanted: Sequence[Phrase]) -> Iterator[tuple[int, int]]:
    """Return the spans in which something that is wanted stands."""
    found = pieces(body)
    words = [piece.word for piece in found]
    for phrase in wanted:
        for place in find_phrase(words, phrase):
            last = place + len(phrase.words) - 1
            end = found[last].end
            # Of scripts without spaces each word overlaps the next: of a pair that only begins so the first is meant.
            if len(words[last]) > len(phrase.words[-1]) and last + 1 < len(found):
                end = min(end, max(found[last + 1].start, found[last].start + 1))
            yield found[place].start, end


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch or overlap as one."""
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            first, last = merged[-1][0], max(last, merged.pop()[1])
        merged.append((first, last))
    return merged


def _start(body: str, hit: int, context: int) -> int:
    """Where the snippet begins: at a word, where there are spaces; no letter, flag or family is torn."""
    start = hit - context
    if start <= context // 4:
        return 0
    if blanks := [at for sign in _BLANKS if (at := body.find(sign, start, hit)) >= 0]:
        return min(blanks) + 1
    at = 0
    for cluster in text.clusters(body[:hit]):
        if at >= start:
            break
        at += len(cluster)
    return at


def _end(body: str, start: int, end: int) -> int:
    """Where it ends, in the same way."""
    if end >= len(body):
        return len(body)
    if (blank := max(body.rfind(sign, start + SNIPPET_LENGTH // 2, end) for sign in _BLANKS)) > 0:
        return blank
    return start + len(text.shorten(body[start:], end - start)) - 1
