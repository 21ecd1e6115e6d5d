"""The file `.env`: NAME=value, a line each, as honcho, compose and a shell read it."""

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

LINE = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*
    (?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>(?:(?!\s\#).)*?))\s*(?:(?<!\S)\#.*)?""",
    re.VERBOSE,
)
# As alike as ALLOWED_HOST and REDIS_URI are to ours. DATABASE_USER and REDIS_PORT are less: other programs have those.
NEAR = 0.885


class InvalidSetting(ValueError):
    """A setting that can't be used; the message names it and says what it may be."""


def read(path: Path) -> dict[str, str]:
    """Return the values by name, none where there is no such file; raise InvalidSetting."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text("utf-8-sig")  # Notepad begins a file with a mark, which is no part of the first name
    except UnicodeDecodeError:
        raise InvalidSetting(f"The file {path} must be saved as UTF-8; it is in another coding.") from None
    except OSError as error:
        raise InvalidSetting(f"The file {path} can't be read ({error.strerror}), but it must be.") from None
    values = dict[str, str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not (line := line.strip()) or line.startswith("#"):
            continue
        if not (found := LINE.fullmatch(line)):
            raise InvalidSetting(f"Line {number} of {path} must be NAME=value, or begin with #.")
        values[found["name"]] = next(filter(None, (found["double"], found["single"], found["plain"])), "")
    return values


def check_names(names: Collection[str], known: Collection[str]) -> list[str]:
    """Return a warning for each unknown name; raise InvalidSetting where it is most likely one of ours, misspelt."""
    warnings = list[str]()
    for name in names:
        if name in known:
            continue
        if near := get_close_matches(name.upper(), known, 1, NEAR):
            raise InvalidSetting(f"{name} in .env is no setting; it must be {near[0]}, if that is meant.")
        warnings.append(f"{name} in .env is no setting of Parley's, and changes nothing.")
    return warnings
