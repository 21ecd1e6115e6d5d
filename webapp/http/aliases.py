"""
Styles without names that only stand for another name, or for something shorter.

tokens.css names raw values, and then what they mean, which is what components read. A page needs one of the two: where
`--surface` is `var(--paper)` and nothing else, `var(--paper)` is served in place of `var(--surface)`, and `.5rem` in
place of `var(--space-2)`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_DEFINED = re.compile(r"(?<![\w(-])--([\w-]+):\s*([^;}]*)")
_READ = re.compile(r"var\(--([\w-]+)")


def resolve(sheets: Mapping[str, str], others: str) -> dict[str, str]:
    """Return the minified sheets without such names; what `others`, which is served as it is, reads stays defined."""
    values, read = dict(_replaceable(sheets.values(), others)), set(_READ.findall(others))
    any_name = "|".join(values) or "(?!)"
    definition = re.compile(rf"(?<![\w(-])--({any_name}):[^;}}]*;?")
    use = re.compile(rf"var\(--({any_name})(?:\)(?=([\w.#%+-])?)|,)")

    def value(found: re.Match[str]) -> str:
        # A parenthesis ends what it closes; of all else the minifier has taken no space away.
        shown = use.sub(value, values[found[1]])
        if found[0].endswith(","):
            return f"{shown[:-1]},"  # of names alone: see below
        return shown + " " if found[2] else shown

    def remaining(found: re.Match[str]) -> str:
        return found[0] if found[1] in read else ""

    return {sheet: use.sub(value, definition.sub(remaining, text)) for sheet, text in sheets.items()}


def _replaceable(sheets: Collection[str], others: str) -> Iterator[tuple[str, str]]:
    """Yield each name that is defined once, for the whole page, with what is served in its place."""
    rules = [rule for sheet in sheets for rule in _RULE.findall(sheet)]
    defined = Counter(name for _, body in rules for name, _ in _DEFINED.findall(body))
    parts = [body for selector, body in rules if ":root" not in selector]
    local = {name for body in (*parts, others) for name, _ in _DEFINED.findall(body)}
    optional = {name for sheet in sheets for name in re.findall(r"var\(--([\w-]+),", sheet)}
    for body in (body for selector, body in rules if selector == ":root"):
        for name, value in _DEFINED.findall(body):
            other = re.fullmatch(r"var\(--([\w-]+)\)", value)
            is_short = len(value) < len(f"var(--{name})") and name not in optional
            # Another name is read where this one would be: no component may redefine either.
            if defined[name] == 1 and name not in local and (other[1] not in local if other else is_short):
                yield name, value
