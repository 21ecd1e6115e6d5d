"""DATABASE_URL, parsed: what can't be used stops the start, and no part of it is ignored."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

WANTED = (
    "sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME; "
    "in a password, / # ? [ ] must be percent-encoded: %2F %23 %3F %5B %5D"
)
PLACE = ("host", "port", "user", "password", "dbname")
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
SESSION = ("options", "search_path", "application_name")
OPTIONS = (*PLACE, *TLS, *SESSION, "connect_timeout", "statement_cache_size")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
CONNECT_SECONDS = 60


class Unusable(ValueError):
    """Says what is wrong with it without any part of the password."""


@dataclass(frozen=True)
class Postgres:
    """Where a PostgreSQL is, and how it is spoken to."""

    host: str
    port: int
    user: str
    password: str | None
    database: str
    # In the words of libpq.
    tls: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    connect_seconds: int = CONNECT_SECONDS
    # asyncpg's own number when None. Behind a pgbouncer that shares connections it must be 0.
    statement_cache_size: int | None = None

    @property
    def place(self) -> str:
        """For people: where it is, without user and password."""
        return f"{self.host}:{self.port}, database {self.database}"

    def url(self, with_password: bool = False) -> str:
        """As libpq and its programs read it: what is only ours is left out."""
        user = quote(self.user, safe="")
        if with_password and self.password:
            user += f":{quote(self.password, safe='')}"
        name = quote(self.database, safe="")
        query = urlencode(self.tls | self.settings, quote_via=quote)
        host = self.host if ":" not in self.host else f"[{self.host}]"
        if self.host.startswith("/"):
            host = quote(self.host, safe="")
        return f"postgres://{user}@{host}:{self.port}/{name}{'?' if query else ''}{query}"


def read(text: str) -> Postgres | None:
    """Return where the PostgreSQL of the URL is, None for SQLite; raise ValueError where it can't be used."""
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite":
        _check_sqlite(rest)
        return None
    if scheme not in ("postgres", "postgresql"):
        raise ValueError
    parts = urlsplit(text)
    # A raw / ? or # in the password ends the place of the server, and with it what comes before the @.
    if "@" in parts.path + parts.query or "#" in text or "/" in parts.path[1:]:
        raise ValueError
    auth, _, place = parts.netloc.rpartition("@")
    user, _, password = auth.partition(":")
    host, port = _host_and_port(place)
    options = _options(parts.query)
    port = options.get("port") or port or "5432"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError
    return Postgres(
        host=options.get("host") or host or "localhost",
        port=int(port),
        user=options.get("user") or unquote(user) or "postgres",
        password=options.get("password") or unquote(password) or None,
        database=options.get("dbname") or unquote(parts.path[1:]) or "parley",
        tls={name: options[name] for name in TLS if name in options},
        settings=_server_settings(options),
        connect_seconds=_number(options, "connect_timeout", CONNECT_SECONDS) or CONNECT_SECONDS,
        statement_cache_size=_number(options, "statement_cache_size", None),
    )


def _server_settings(options: dict[str, str]) -> dict[str, str]:
    """Those for the session; libpq, and with it pg_dump, knows no `search_path` but within `options`."""
    wanted = {name: value for name, value in options.items() if name in ("options", "application_name")}
    if path := options.get("search_path"):
        escaped = path.replace("\\", "\\\\").replace(" ", "\\ ")
        wanted["options"] = f"{wanted.get('options', '')} -c search_path={escaped}".strip()
    return wanted


def _check_sqlite(path: str) -> None:
    if not path or "?" in path:
        raise Unusable("must be sqlite:// and the path of a file alone, as in sqlite:///srv/parley.sqlite3.")
    if path == ":memory:":
        raise Unusable("must be sqlite:// and the path of a file: what is in memory is gone with the process.")


def _host_and_port(place: str) -> tuple[str, str]:
    """Of one server; the host may be an address in brackets, or the folder of a socket, percent-encoded."""
    if "," in place:
        raise Unusable("must name one host; several are not supported.")
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = place.partition(":")
    return unquote(host), port


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    if "ssl" in options:
        options.setdefault("sslmode", options.pop("ssl"))
    if unknown := [name for name in options if name not in OPTIONS]:
        raise Unusable(f"has {', '.join(unknown)} behind the ?, but it must be some of {', '.join(OPTIONS)}.")
    if options.get("sslmode", "disable") not in SSL_MODES:
        raise Unusable(f"has an sslmode that is not known: it must be {', '.join(SSL_MODES)}.")
    for name in TLS[1:]:
        if name in options and not Path(options[name]).is_file():
            raise Unusable(f"must name a file as {name}, but there is none at {options[name]}.")
    if "," in options.get("host", ""):
        raise Unusable("must name one host; several are not supported.")
    return options


def _number(options: dict[str, str], name: str, default: int | None) -> int | None:
    if name not in options:
        return default
    if not options[name].isdecimal():
        raise Unusable(f"has a {name} that must be a whole number.")
    return int(options[name])
