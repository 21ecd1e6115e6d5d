"""What people type, made safe to store: normalised, bounded, without invisible characters."""

import re
import unicodedata

import regex

# Bidirectional embeddings, overrides and isolates turn the text around them; zero-width and tag characters hide.
# The joiners (emoji, Persian) and the two plain direction marks stay.
# What a name may take on average: a flag is two characters, a family with hues eleven.
CHARACTERS_PER_LETTER = 4
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Tags stay where they are seen, after the black flag of which they make another (England, Scotland, Wales).
_HIDDEN = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e007a]{2,6}\U000e007f)|"
    "[\u00ad\u061c\u180e\u200b\u2060-\u2065\ufdd0-\ufdef\ufeff\ufff0-\ufff8\U000e0000-\U000e00ff]"
)
# What is drawn as nothing, or only on another character; and the letters and one symbol that are blank all the same.
_UNSEEN = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Mn", "Mc", "Me")
_BLANK = "\u115f\u1160\u2800\u3164\uffa0\ufffc\U00013441\U00013442\U0001d159"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What terminals take as commands (ECMA-48), of which "[31m" would be left: with parameters, with words, and short ones.
_COMMANDS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b(?:[()][0AB]|[78=>])",
)
# Marks that are drawn above and below a letter. Hebrew and Tibetan need four of them, a heap covers its neighbours.
_HEAP = regex.compile(r"([\p{Mn}\p{Me}\u200c-\u200f]{5})[\p{Mn}\p{Me}\u200c-\u200f]+")
# Python sorts the marks of a letter by insertion: 64,000 of them take three seconds. No language has so many (Unicode
# Standard Annex 15, "stream-safe").
_MARKS = regex.compile(r"(\P{ccc=0}{30})\P{ccc=0}+")
# What a reader takes for one letter or one emoji (Unicode Standard Annex 29).
_CLUSTER = regex.compile(r"\X")
_SPACES = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n{4,}")


def _printable(text: str, keep: str = "") -> str:
    """The text without control characters, half surrogates and characters of no agreed meaning."""
    return "".join(c for c in text if c in keep or _has_meaning(c))


def _has_meaning(c: str) -> bool:
    # The last two of every 65,536 are no characters. What this Python does not know yet (new emoji) stays.
    return unicodedata.category(c) not in ("Cc", "Cs", "Co") and ord(c) & 0xFFFE != 0xFFFE


def _keep_flag(found: re.Match[str]) -> str:
    return found[1] or ""


def clean_text(text: str) -> str:
    """Return a text of several lines, trimmed at its ends."""
    text = _COMMANDS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if text.isascii():  # of which all but the controls is what it looks like
        text = _CONTROLS.sub("", text)
    else:
        # Composed last: a letter and its accent may have had a hidden character between them.
        text = _HIDDEN.sub(_keep_flag, _TURNING.sub("", _printable(text, keep="\n\t")))
        text = unicodedata.normalize("NFC", _MARKS.sub(r"\1", text))
        text = _HEAP.sub(r"\1", text)
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n\n", lines).strip("\n").rstrip()


def clean_line(text: str) -> str:
    """A text of one line: every run of white space is one space."""
    return _SPACES.sub(" ", clean_text(text)).strip()


def fold(text: str) -> str:
    """What two texts have in common when a person would call them the same: NFKC, case and spaces aside."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", clean_line(text)).casefold())
    return _SPACES.sub(" ", folded).strip()


def strip_accents(text: str) -> str:
    """The folded text without the accents of Latin, Greek and Cyrillic letters: many leave them out in a search."""
    letters = unicodedata.normalize("NFD", fold(text))
    return unicodedata.normalize("NFC", "".join(c for c in letters if not "\u0300" <= c <= "\u036f"))


def slug(text: str) -> str:
    """The folded text as part of an address: letters (with their marks) and digits of any script, hyphens between."""
    kept = ""
    for c in fold(text):
        is_mark = unicodedata.category(c)[0] == "M" and kept[-1:] not in ("", "-")
        kept += c if c.isalnum() or is_mark else "-"
    return re.sub("-+", "-", kept).strip("-")


def clusters(text: str) -> list[str]:
    """The letters and emoji of it as a reader would count them: 👨‍👩‍👧 is one, and so is é however it is spelt."""
    return [*text] if _is_plain(text) else [cluster[0] for cluster in _CLUSTER.finditer(text)]


def _is_plain(text: str) -> bool:
    """Whether each of its characters is one that a reader counts."""
    return text.isascii() and "\r" not in text


def is_longer(text: str, letters: int) -> bool:
    """Whether it has more letters than that as a reader counts them, or more than four characters for each of them."""
    return len(text) > letters and (len(text) > CHARACTERS_PER_LETTER * letters or len(clusters(text)) > letters)


def shorten(text: str, length: int) -> str:
    """At most so many characters of it, the last of them … when there were more; no letter, flag or family is torn."""
    if len(text) <= length:
        return text
    if _is_plain(text[:length]):
        return text[: length - 1].rstrip() + "…"
    end = 0
    for cluster in _CLUSTER.finditer(text):
        if cluster.end() >= length:
            break
        end = cluster.end()
    return text[: end or length - 1].rstrip() + "…"


def has_visible(text: str) -> bool:
    """Whether there is anything to see in it."""
    return any(unicodedata.category(c) not in _UNSEEN and c not in _BLANK for c in text)
