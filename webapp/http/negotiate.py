"""What a browser asks for in its headers: languages and encodings."""

import re
from collections.abc import Iterable
from functools import lru_cache

from webapp.core.i18n import ENGLISH, LANGUAGES


def negotiate(accept_encoding: str, offered: Iterable[str]) -> str:
    """The offered coding that an Accept-Encoding header wants most, br before gzip; else `identity`."""
    weights = dict(_weight(part) for part in accept_encoding.lower().split(","))
    plain = weights.get("identity", 0.0)
    others = weights.get("*", 0.0)
    wanted = {coding: weights.get(coding, others) for coding in ("br", "gzip") if coding in offered}
    best = max(wanted, key=lambda coding: wanted[coding], default="identity")
    return best if wanted.get(best, 0.0) > 0 and wanted[best] >= plain else "identity"


def _weight(part: str) -> tuple[str, float]:
    """`gzip;q=0.5` as the pair of both; a weight that cannot be read counts as a no."""
    coding, _, parameter = part.replace(" ", "").replace("\t", "").partition(";")
    match = re.fullmatch(r"(?:q=(0(?:\.\d*)?|1(?:\.0*)?))?", parameter)
    return coding, 0.0 if match is None else float(match[1] or 1)


# More of what a browser asks for is not read: what was read is cached, and a header may be long.
MAX_ACCEPTED, MAX_ASKED_LENGTH = 10, 200


def accepted_language(accept_language: str) -> str:
    """The code of the language that a browser's header likes best, of those there are; else English."""
    return _asked_for(accept_language[:MAX_ASKED_LENGTH])


@lru_cache(1000)
def _asked_for(accept_language: str) -> str:
    best, best_weight = ENGLISH.code, 0.0
    for part in accept_language.split(",")[:MAX_ACCEPTED]:
        name, _, weight = part.partition(";")
        code = name.strip().lower().partition("-")[0]
        try:
            liked = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if code in LANGUAGES and liked > best_weight:
            best, best_weight = code, liked
    return best
