"""What stands within the lines of a message: bold, italic, struck, code, links and mentions."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from itertools import groupby

import regex

from webapp.core import text
from webapp.messages.links import ADDRESS, CLOSING, href, is_true, link

# Scripts without blanks between words: a star beside one of their letters stands at the border of a word.
_SCRIPTS = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3005-\u3007\u30fc]"
)
_UNSPACED = regex.compile(_SCRIPTS)
# What may stand outside of signs, and, of a single one, inside: else `*.log`, `-_-` and `¯\_(ツ)_/¯` were markup.
_QUOTES = r"\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{So}\u3001-\u3003\u30fb\uff01-\uff0f\uff1a-\uff20\ufe0f\"'"
_STOPS = ".,;!?…،؛؟।"
_BEFORE = regex.compile(rf"[[{_QUOTES}\s\-–—|:]--[)\]}}]]", regex.V1)
_AFTER = regex.compile(rf"[[{_QUOTES}\s\-–—|:{_STOPS}]--[(\[{{]]", regex.V1)
_FIRST = regex.compile(rf"[[{_QUOTES}\p{{L}}\p{{N}}\p{{Sc}}`#@/&+¿¡<…]--[)\]}}]]", regex.V1)
_LAST = regex.compile(rf"[[{_QUOTES}\p{{L}}\p{{N}}\p{{M}}\p{{Sc}}`#:%+>{_STOPS}]--[(\[{{]]", regex.V1)
_WORD = regex.compile(r"[\p{L}\p{N}\p{So}]")
_BLANK = regex.compile(r"\s")

# `@name`: not in a word, an address or a path, neither as its beginning (`@types/node`, `@ada@example.com`).
_CALL = (
    rf"(?<![[\p{{L}}\p{{M}}\p{{N}}@/.:+&=#%\-]--{_SCRIPTS}])@(?P<called>[A-Za-z0-9_.\-]{{3,}}+)"
    rf"(?!\\?@|/[A-Za-z0-9]|[[\p{{L}}\p{{M}}\p{{N}}]--{_SCRIPTS}])"
)


@cache
def _tokens(has_calls: bool) -> regex.Pattern[str]:
    """Compiled for the first message that needs it, in 15 ms: of all patterns of Parley only this one takes long."""
    more = f"|{_CALL}" if has_calls else ""
    return regex.compile(
        r"(?P<backslashes>\\\\)|(?P<signs>(?:\\?[*_~])+)|(?P<kept>\\)?(?:(?P<code>`+)|"
        rf"(?P<named>\[(?P<name>(?:[^\[\]\n]++|\[[^\[\]\n]*+\])++)\]\((?P<target>{ADDRESS})\))|"
        rf"(?P<angled><(?P<inside>{ADDRESS})>){more})|(?<![A-Za-z0-9])(?P<bare>{ADDRESS})",
        regex.V1,
    )


# A name, by what it is written as, and the HTML that begins and ends a mention of it.
Names = Mapping[str, tuple[str, str]]
NO_NAMES: Names = {}
MIN_NAME, MAX_NAME = 3, 30
# Words and markup of one paragraph; the rest of it is shown as it was typed. Nobody writes so many: it bounds the time.
MOST_PIECES = 1000
_PIECES = re.compile(r"\\?[*_~]")
_TICKS = regex.compile("`+")
_TAGS = {("*", 1): "em", ("_", 1): "em", ("*", 2): "strong", ("_", 2): "strong", ("~", 2): "del"}
_MARKUP = regex.compile(r"[\\*_~`\[<]|://|mailto:", regex.IGNORECASE)


def inline(source: str, *, has_links: bool = True, names: Names = NO_NAMES) -> str:
    """The HTML of a text of one or more lines, in which these names are mentions."""
    if not _MARKUP.search(source) and not (names and "@" in source):
        return escape(source, quote=False)
    return _Inline(source, has_links, names).html()


def called(body: str) -> list[str]:
    """Return what may be the names of mentions in a body, in order: more than there are, as code and links count."""
    if "@" not in body:
        return []
    found = dict[str, None]()
    for run in _RUN.findall(body):
        found.update(dict.fromkeys(_candidates(run)))
    return list(found)


_RUN = regex.compile(_CALL, regex.V1)


def _candidates(run: str) -> Iterable[str]:
    """
    Return what of `ada.smith_` may be a name, the longest first: ada.smith_, ada.smith, ada.

    Never a part of a word: a low line only ends one where nothing but signs follow, as in `_hello @ada_`.
    """
    run = run.casefold()
    words = run.rstrip("_.-")
    for end in range(min(len(run), MAX_NAME), MIN_NAME - 1, -1):
        if end >= len(words) or (run[end] in ".-" and run[end - 1].isalnum()):
            yield run[:end]


@dataclass(slots=True)
class _Sign:
    """One to three equal signs that may begin or end something, and the tags that they have become."""

    kind: str
    count: int
    typed: str
    start: int
    end: int
    is_escaped: bool
    opening: str = ""
    closing: str = ""

    def __str__(self) -> str:
        return self.closing + self.typed + self.opening

    def unescape(self) -> None:
        self.typed, self.count = self.typed.replace("\\", ""), 0


class _Inline:
    def __init__(self, source: str, has_links: bool, names: Names) -> None:
        self.source, self.has_links, self.names = source, has_links, names
        self.out: list[str | _Sign] = []
        self.done = 0
        # By sign and count; of two that are open, the newer counts. So nothing is nested more than a few tags deep.
        self.open: dict[tuple[str, int], _Sign] = {}
        self.ticks: dict[int, list[int]] = {}
        for found in _TICKS.finditer(source):
            self.ticks.setdefault(len(found[0]), []).append(found.start())

    def html(self) -> str:
        at, token = 0, _tokens(bool(self.names))
        while len(self.out) < MOST_PIECES and (found := token.search(self.source, at)):
            at = self._signs(found) if found.lastgroup == "signs" else self._token(found)
        self._put("", len(self.source), len(self.source))
        return "".join(map(str, self.out))

    def _put(self, piece: str | _Sign, start: int, end: int) -> None:
        """Add a piece in the place of what stands from start to end, and before it what was only words."""
        if start > self.done:
            self.out.append(escape(self.source[self.done : start], quote=False))
        self.out.append(piece)
        self.done = end

    def _token(self, found: re.Match[str]) -> int:
        """Add what was found, if it is meant; where to go on."""
        begin, end = found.span()
        if found.lastgroup == "backslashes":
            return end
        is_cacheable = self.source[begin] == "\\"
        begin += is_cacheable
        if ticks := found["code"]:
            (html, end), typed = self._code(ticks, begin), begin + len(ticks)
        elif self.names and (run := found["called"]):
            (html, end), typed = self._call(run, begin), begin + 1
        else:
            (html, end), typed = self._link(found, begin), begin + 1
        if not html:
            return typed
        if is_cacheable:  # from being markup: of that backslash nothing is shown
            self._put("", begin - 1, begin)
            return typed
        self._put(html, begin, end)
        return end

    def _link(self, found: re.Match[str], begin: int) -> tuple[str, int]:
        """The HTML of a link and where it ends; none when it is not surely meant."""
        if not self.has_links:
            return "", begin
        if name := found["name"]:
            is_meant = text.has_visible(name) and is_true(name, found["target"]) and (target := href(found["target"]))
            return (link(target, inline(name, has_links=False)) if is_meant else ""), found.end()
        address = found["inside"] or self._ended(found["bare"], begin)
        target = href(address)
        end = begin + len(address) + 2 * bool(found["inside"])
        return (link(target, escape(address, quote=False)) if target else ""), end

    def _call(self, run: str, begin: int) -> tuple[str, int]:
        """The HTML of a mention and where it ends; none where it names nobody."""
        name = next((name for name in _candidates(run) if name in self.names), "") if self.has_links else ""
        if not name:
            return "", begin
        end = begin + 1 + len(name)
        opening, closing = self.names[name]
        return f"{opening}{self.source[begin:end]}{closing}", end

    def _ended(self, address: str, begin: int) -> str:
        """Without what ends the sentence, or what stands around the address: `_https://example.com/_`."""
        around = "".join(sign for sign in "*_~" if self.source.find(sign, 0, begin) >= 0)
        return address.rstrip(CLOSING + around)

    def _code(self, ticks: str, begin: int) -> tuple[str, int]:
        """The HTML of code and where it ends; none when it is not surely meant."""
        start, count = begin + len(ticks), len(ticks)
        places = self.ticks[count]
        place = bisect_right(places, begin)
        before = self.source[begin - 1 : begin] if begin else ""
        # One as an apostrophe: l`école et l`hôpital.
        if place == len(places) or (count == 1 and before.isalnum() and not _UNSPACED.match(before)):
            return "", start
        code, end = self.source[start : places[place]], places[place] + count
        is_spaced = code[:1] == " " == code[-1:] and "`" in (code[1:2], code[-2:-1])
        code = code[1:-1] if is_spaced else code
        if (count == 1 and not is_spaced and code != code.strip()) or not text.has_visible(code):
            return "", start
        return f"<code>{escape(code, quote=False)}</code>", end

    def _signs(self, run: re.Match[str]) -> int:
        at, end = run.span()
        before, after = self.source[at - 1] if at else "", self.source[end : end + 1]
        for kind, typed in _groups(run[0]):
            count = typed.count(kind)
            opens, closes = _sides(before, after, kind, count)
            if opens or (closes and self.open):
                sign = _Sign(kind, count, typed, at, at + len(typed), "\\" in typed)
                self._put(sign, sign.start, sign.end)
                if closes:
                    self._close(sign)
                if opens and sign.count:
                    self.open[kind, sign.count] = sign
            at += len(typed)
        return end

    def _close(self, sign: _Sign) -> None:
        while sign.count and (opening := self._opening(sign)):
            count = min(sign.count, opening.count, 2)
            for key in [key for key, one in self.open.items() if one.start >= opening.start]:
                del self.open[key]
            if not self._is_meant(opening, sign, count):
                return
            if opening.is_escaped or sign.is_escaped:
                opening.unescape()
                sign.unescape()
                return
            tag = _TAGS[sign.kind, count]
            opening.opening = f"<{tag}>{opening.opening}"
            sign.closing += f"</{tag}>"
            for one in (opening, sign):
                one.count -= count
                one.typed = one.kind * one.count
            if opening.count:
                self.open[opening.kind, opening.count] = opening

    def _opening(self, sign: _Sign) -> _Sign | None:
        """What these signs close: as many of them, or else a part of three."""
        if same := self.open.get((sign.kind, sign.count)):
            return same
        parts = (1, 2) if sign.count == 3 else (3,)
        others = [self.open[sign.kind, count] for count in parts if (sign.kind, count) in self.open]
        return max(others, key=lambda one: one.start, default=None)

    def _is_meant(self, opening: _Sign, sign: _Sign, count: int) -> bool:
        """Not around signs alone; and `__init__` is a name."""
        if (opening.is_escaped or sign.is_escaped) and opening.count != sign.count:
            return False
        if sign.kind == "_" and count == 2 and not _BLANK.search(self.source, opening.end, sign.start):
            return False
        return self.source[opening.end].isalnum() or bool(_WORD.search(self.source, opening.end, sign.start))


def _groups(run: str) -> Iterable[tuple[str, str]]:
    """The equal signs of a run, each with its backslashes."""
    if run == run[0] * len(run):
        return [(run[0], run)]
    pieces = groupby(_PIECES.findall(run), key=lambda piece: piece[-1])
    return [(kind, "".join(group)) for kind, group in pieces]


@lru_cache(4096)
def _class(c: str) -> tuple[bool, bool, bool, bool, bool]:
    patterns = (_BEFORE, _AFTER, _UNSPACED, _FIRST, _LAST)
    before, after, is_unspaced, first, last = (bool(pattern.match(c)) for pattern in patterns)
    return before, after, is_unspaced, first, last


def _sides(before: str, after: str, kind: str, count: int) -> tuple[bool, bool]:
    """Whether signs between these two characters may begin something, and whether they may end something."""
    if count > 3 or (kind == "~" and count != 2):
        return False, False
    begins, _, follows_unspaced, _, may_end = _class(before or " ")
    _, ends, precedes_unspaced, may_begin, _ = _class(after or " ")
    opens = begins or (follows_unspaced and kind != "_")
    closes = ends or (precedes_unspaced and kind != "_")
    if count == 1:
        opens, closes = opens and may_begin, closes and may_end
    else:
        opens, closes = opens and bool(after.strip()), closes and bool(before.strip())
    # Alone in quotes or brackets they are what the talk is about: "*" and "*".
    is_named = opens and closes and not before.isalnum() and not after.isalnum()
    return opens and not is_named, closes and not is_named
