"""
Styles without names that only stand for other names.

tokens.css names raw values, and then what they mean, which is what components read. A page needs one of the two: where
`--surface` is `var(--paper)` and nothing else, `var(--paper)` is served in place of `var(--surface)`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_DEFINED = re.compile(r"(?<![\w(-])--([\w-]+):\s*([^;}]*)")
_READ = re.compile(r"var\(--([\w-]+)")


def resolve(sheets: Mapping[str, str], others: str) -> dict[str, str]:
    """Return the minified sheets without aliases, except those that `others`, which is served as it is, reads too."""
    resolved = dict(sheets)
    for alias, name in list(_aliases(sheets.values(), others)):
        for sheet, text in resolved.items():
            text = re.sub(rf"(?<![\w-])--{alias}:var\(--{name}\);?", "", text)
            resolved[sheet] = re.sub(rf"var\(--{alias}(?=[,)])", f"var(--{name}", text)
    return resolved


def _aliases(sheets: Collection[str], others: str) -> Iterator[tuple[str, str]]:
    """Yield each name defined once, for the whole page, as another one that no component redefines."""
    rules = [rule for sheet in sheets for rule in _RULE.findall(sheet)]
    defined = Counter(name for _, body in rules for name, _ in _DEFINED.findall(body))
    parts = [body for selector, body in rules if ":root" not in selector]
    local = {name for body in (*parts, others) for name, _ in _DEFINED.findall(body)}
    read = set(_READ.findall(others))
    for body in (body for selector, body in rules if selector == ":root"):
        for alias, value in _DEFINED.findall(body):
            name = re.fullmatch(r"var\(--([\w-]+)\)", value)
            if name and defined[alias] == 1 and alias not in read and name[1] not in local:
                yield alias, name[1]
