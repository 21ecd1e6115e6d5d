"""Every setting, read once from the environment or a `.env` file. No other module reads the environment."""

import contextlib
import os
import resource
import secrets
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from limits import RateLimitItem, parse_many

from webapp.settings import database_url, env_file, media_url
from webapp.settings.database_url import Unusable
from webapp.settings.env_file import InvalidSetting as InvalidSetting

T = TypeVar("T")

# Beside the package in a checkout, inside it when it was installed from a wheel.
_PACKAGE = Path(__file__).parent.parent
_ROOT = _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent
TEMPLATES = _ROOT / "templates"
STATIC = _ROOT / "static"
MAX_FILES = 65_536
MAX_DAYS = 36_500


_file = env_file.read(Path(".env"))
_names: list[str] = []


def _value(name: str) -> str:
    """Return the value of the environment, else that of the file, without blanks around it."""
    _names.append(name)
    return os.environ.get(name, _file.get(name, "")).strip()


def _read(name: str, default: str, convert: Callable[[str], T], wanted: str) -> T:
    """Return the converted value; raise InvalidSetting, which says what is wanted and never shows a password."""
    text = _value(name) or default
    try:
        return convert(text)
    except Unusable as error:
        raise InvalidSetting(f"{name} {error}") from error
    except Exception as error:
        # An address may hold a password, which must not get into a log.
        shown = "not usable" if name.endswith("_URL") else repr(text)
        raise InvalidSetting(f"{name} is {shown}, but it must be {wanted}.") from error


def _text(text: str) -> str:
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    return lambda text: choices[choices.index(text.lower())]


def _switch(text: str) -> bool:
    return _one_of("off", "on")(text) == "on"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _days(text: str) -> int:
    """Return a number of days that can be counted back from today."""
    number = _not_negative(text)
    if number > MAX_DAYS:
        raise ValueError(text)
    return number


def _folder(text: str) -> Path:
    """Return the path from the working folder; refuse the root of the machine, where systemd starts what has none."""
    if not Path(text).is_absolute() and Path.cwd() == Path("/"):
        raise Unusable(
            f"is {text!r}, but it must begin with / where Parley is started in the folder /. "
            "Set it, or start Parley elsewhere (systemd: WorkingDirectory=)."
        )
    return Path(text).resolve()


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _hosts(text: str) -> list[str]:
    """Return names as in an address: `chat.example`, `[::1]` or `*`, without scheme, port and path."""
    for host in _words(text):
        is_name = "*" not in host and urlsplit(f"//{host}").hostname == host.strip("[]").lower()
        if host != "*" and not is_name:
            raise ValueError(host)
    return _words(text)


def _networks(text: str) -> list[str]:
    for network in _words(text):
        if network != "*":
            ip_network(network)
    # A proxy that connects to `localhost` comes from either address.
    return [*_words(text), "::1"] if "127.0.0.1" in _words(text) else _words(text)


def _rates(count: int) -> Callable[[str], list[RateLimitItem]]:
    def convert(text: str) -> list[RateLimitItem]:
        rates = parse_many(text)
        if len(rates) != count or not all(rate.amount for rate in rates):
            raise ValueError(text)
        return rates

    return convert


def _redis_url(text: str) -> str:
    if text and not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(text)
    return text


def max_files() -> int:
    """Return how many files and connections a process may have open after raising its limit, as `serve` does."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)


def _max_streams() -> int:
    """Leave a quarter of the files for everything else; 10,000 streams of 40 kB are 400 MB."""
    return min(10_000, max_files() * 3 // 4)


def _rate(name: str, default: str) -> RateLimitItem:
    return _read(name, default, _rates(1), "a rate like 20/10 seconds")[0]


DATA_DIR = _read("DATA_DIR", "var", _folder, "a folder")
DATABASE_URL, POSTGRES = _read(
    "DATABASE_URL",
    f"sqlite://{DATA_DIR}/parley.sqlite3",
    lambda text: (text, database_url.read(text)),
    database_url.WANTED,
)
ON_SQLITE = POSTGRES is None
# For people: without user and password.
DATABASE_PLACE = POSTGRES.place if POSTGRES else DATABASE_URL.removeprefix("sqlite://")
MEDIA = _read("MEDIA_URL", "", media_url.read, media_url.WANTED)
REDIS_URL = _read("REDIS_URL", "", _redis_url, "redis://HOST:PORT, or empty for one process")
REDIS_MESSAGES = _read("REDIS_MESSAGES", "on", _switch, "on or off")
ALLOWED_HOSTS = _read(
    "ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", _hosts, "host names with commas between, like chat.example,[::1]"
)
TRUSTED_PROXIES = _read("TRUSTED_PROXIES", "", _networks, "addresses or networks with commas between")
HSTS_DAYS = _read("HSTS_DAYS", "0", _not_negative, "a whole number of 0 or more")
DEBUG = _read("DEBUG", "off", _switch, "on or off")
WORKERS = _read("WORKERS", "1", _positive, "a whole number of 1 or more")
SITE_NAME = _read("SITE_NAME", "Parley", _text, "a name")
SITE_TIMEZONE = _read("SITE_TIMEZONE", "UTC", ZoneInfo, "a time zone like Europe/Berlin")
REGISTRATION = _read("REGISTRATION", "open", _one_of("open", "invited", "closed"), "open, invited or closed")
STRANGERS = _read("STRANGERS", "on", _switch, "on or off")
DIRECTORY = _read("DIRECTORY", "on", _switch, "on or off")
MAX_UPLOAD_MB = _read("MAX_UPLOAD_MB", "15", _positive, "a whole number of 1 or more")

MAX_FILE_MB = _read("MAX_FILE_MB", "25", _positive, "a whole number of 1 or more")
MAX_FILES_GB = _read("MAX_FILES_GB", "1", _positive, "a whole number of 1 or more")

RATE_LIMITS = _read("RATE_LIMITS", "on", _switch, "on or off")
RATE_POST = _rate("RATE_POST", "20/10 seconds")
RATE_REACT = _rate("RATE_REACT", "30/10 seconds")
RATE_SIGN_IN, RATE_SIGN_IN_ADDRESS = _read(
    "RATE_SIGN_IN", "10/minute;30/minute", _rates(2), "two rates, per account; per address: 10/minute;30/minute"
)
RATE_GUESS = _rate("RATE_GUESS", "100/hour")
RATE_REGISTER = _rate("RATE_REGISTER", "20/hour")
RATE_PICTURE = _rate("RATE_PICTURE", "20/hour")
RATE_FILE = _rate("RATE_FILE", "200/day")
RATE_PIECE = _rate("RATE_PIECE", "1200/minute")
RATE_SEARCH = _rate("RATE_SEARCH", "30/minute")
RATE_DIRECTORY = _rate("RATE_DIRECTORY", "60/minute")
RATE_TYPEAHEAD = _rate("RATE_TYPEAHEAD", "120/minute")
RATE_FRIEND = _rate("RATE_FRIEND", "30/hour")
RATE_PROFILE = _rate("RATE_PROFILE", "30/10 minutes")
RATE_ROOM = _rate("RATE_ROOM", "20/hour")
RATE_GROUP = _rate("RATE_GROUP", "20/hour")
RATE_JOIN = _rate("RATE_JOIN", "30/minute")
RATE_CHANGE = _rate("RATE_CHANGE", "60/minute")
RATE_SIGNAL = _rate("RATE_SIGNAL", "300/minute")
RATE_EXPORT = _rate("RATE_EXPORT", "5/day")
RATE_GUEST = _rate("RATE_GUEST", "20/hour")
RATE_FIND = _rate("RATE_FIND", "30/minute")
RATE_REPORT = _rate("RATE_REPORT", "10/hour")
RATE_STREAM = _rate("RATE_STREAM", "60/minute")
MAX_STREAMS = _read("MAX_STREAMS", str(_max_streams()), _positive, "a whole number of 1 or more")
MAX_STREAMS_PER_SESSION = _read("MAX_STREAMS_PER_SESSION", "5", _positive, "a whole number of 1 or more")

LOG_ADDRESSES = _read("LOG_ADDRESSES", "off", _switch, "on or off")
DIRECT_WRITES = _read("DIRECT_WRITES", "on", _switch, "on or off")
METRICS_TOKEN = _value("METRICS_TOKEN")
if 0 < len(METRICS_TOKEN) < 16:  # not by _read, whose message would show it
    raise InvalidSetting("METRICS_TOKEN is too short: it must have 16 characters or more.")

KEEP_SESSIONS = timedelta(days=_read("KEEP_SESSIONS_DAYS", "90", _positive, "a whole number of 1 or more"))
KEEP_MESSAGES_DAYS = _read("KEEP_MESSAGES_DAYS", "0", _days, f"a whole number of 0 to {MAX_DAYS}")
KEEP_REPORTS = timedelta(days=_read("KEEP_REPORTS_DAYS", "90", _positive, "a whole number of 1 or more"))

_SECRET_KEY = _value("SECRET_KEY")
if 0 < len(_SECRET_KEY) < 32:  # not by _read, whose message would show it
    raise InvalidSetting("SECRET_KEY is too short: it must have 32 characters or more.")


def is_local_only() -> bool:
    """Whether people open the site under names of this machine alone."""
    return all(_is_local(host.strip("[]").lower()) for host in ALLOWED_HOSTS)


def _is_local(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


@cache
def environment(names: Collection[str]) -> dict[str, str]:
    """Return these variables of the environment where they are set, for a program that needs no settings."""
    return {name: os.environ[name] for name in names if name in os.environ}


def secret_key() -> str:
    """Return the key that signs cookies and links: SECRET_KEY, else one made once in the data folder (0600)."""
    if _SECRET_KEY:
        return _SECRET_KEY
    path = DATA_DIR / "secret"
    if not path.exists():
        make_secret(path)
    key = path.read_text(encoding="utf-8").strip()
    if len(key) < 32:
        raise InvalidSetting(f"The file {path} holds no usable key. Remove it, and a new one is made.")
    return key


def make_secret(path: Path) -> None:
    """Write a new key. Of processes that start together one wins; none sees half a file, and no other user reads it."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix="secret-") as file:  # 0600 by itself
        file.write(secrets.token_urlsafe(48))
        file.flush()
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


@cache
def installation() -> str:
    """Return a name that separates this installation from others in a Redis that they share."""
    return f"parley:{sha256(secret_key().encode()).hexdigest()[:12]}"


if not (TEMPLATES.is_dir() and STATIC.is_dir()):
    raise InvalidSetting(f"Parley is not all there: {TEMPLATES} and {STATIC} must be. Install it again.")

# Names in the file that are not ours: other programs may read it too (honcho, compose), so `serve` and `check` say so.
WARNINGS = env_file.check_names(_file, _names)
