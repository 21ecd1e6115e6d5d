"""What people type, made safe to keep: normalised, bounded, without characters that nobody can see."""

import re
import unicodedata

# Bidirectional embeddings, overrides and isolates turn the text around them; zero-width and tag characters hide.
# The joiners (emoji, Persian) and the two plain direction marks stay.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_HIDDEN = re.compile("[\u00ad\u061c\u180e\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_SPACES = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n{4,}")


def _printable(text: str, keep: str = "") -> str:
    """The text without control characters, half surrogates and characters of no meaning."""
    return "".join(c for c in text if c in keep or unicodedata.category(c) not in ("Cc", "Cs", "Cn", "Co"))


def block(text: str) -> str:
    """A text of several lines: newlines kept, ends trimmed."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _HIDDEN.sub("", _TURNING.sub("", _printable(text, keep="\n\t")))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n\n", lines).strip("\n").rstrip()


def line(text: str) -> str:
    """A text of one line: every run of white space is one space."""
    return _SPACES.sub(" ", block(text)).strip()


def fold(text: str) -> str:
    """What two texts have in common when a person would call them the same: NFKC, case and spaces aside."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", line(text)).casefold())
    return _SPACES.sub(" ", folded).strip()


def slug(text: str) -> str:
    """The folded text as part of an address: letters and digits of any script, hyphens between."""
    return re.sub(r"[^\w]+|_+", "-", fold(text)).strip("-")


def visible(text: str) -> bool:
    """Whether there is anything to see in it."""
    return any(unicodedata.category(c)[0] not in "ZCM" for c in text)
