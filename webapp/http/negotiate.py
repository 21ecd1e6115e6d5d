"""What a browser asks for in its headers, read here alone: languages and encodings."""

import re
from collections.abc import Collection
from functools import lru_cache

from starlette.requests import Request

from webapp.core.i18n import ENGLISH

# By preference where a browser likes both as well.
ENCODINGS = ("br", "gzip")
# More of what a browser asks for is not read: what was read is cached, and a header may be long.
MAX_ACCEPTED, MAX_ACCEPTED_LENGTH = 10, 200


def encoding(request: Request, offered: Collection[str] = ENCODINGS) -> str:
    """Return the offered encoding that the browser likes best; `identity` where it wants none of them."""
    header = request.headers.get("accept-encoding", "")
    return _accepted_encoding(header[:MAX_ACCEPTED_LENGTH], frozenset(offered))


def language(request: Request, offered: Collection[str]) -> str:
    """Return the code of the offered language that the browser likes best; else English."""
    return accepted_language(request.headers.get("accept-language", ""), offered)


@lru_cache(1000)
def _accepted_encoding(accept_encoding: str, offered: frozenset[str]) -> str:
    weights = dict(_weight(part) for part in accept_encoding.lower().split(","))
    plain = weights.get("identity", 0.0)
    others = weights.get("*", 0.0)
    wanted = {coding: weights.get(coding, others) for coding in ENCODINGS if coding in offered}
    best = max(wanted, key=lambda coding: wanted[coding], default="identity")
    return best if wanted.get(best, 0.0) > 0 and wanted[best] >= plain else "identity"


def _weight(part: str) -> tuple[str, float]:
    """Return `gzip;q=0.5` as the pair of both; a weight that can't be read counts as a no."""
    coding, _, parameter = part.replace(" ", "").replace("\t", "").partition(";")
    match = re.fullmatch(r"(?:q=(0(?:\.\d*)?|1(?:\.0*)?))?", parameter)
    return coding, 0.0 if match is None else float(match[1] or 1)


def accepted_language(accept_language: str, offered: Collection[str]) -> str:
    """Return the code of the offered language that an Accept-Language header wants most; else English."""
    return _accepted_language(accept_language[:MAX_ACCEPTED_LENGTH], frozenset(offered))


@lru_cache(1000)
def _accepted_language(accept_language: str, offered: frozenset[str]) -> str:
    best, best_weight = ENGLISH.code, 0.0
    for part in accept_language.split(",")[:MAX_ACCEPTED]:
        name, _, weight = part.partition(";")
        code = name.strip().lower().partition("-")[0]
        try:
            liked = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if code in offered and liked > best_weight:
            best, best_weight = code, liked
    return best
