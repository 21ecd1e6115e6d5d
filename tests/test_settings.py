"""Settings: what may be set, and that a start with a value that can't be used says which one and why."""

import importlib.util
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest

from tests.servers import ROOT
from webapp import settings

Read = Callable[..., ModuleType]
SOURCE = (ROOT / "webapp/settings/__init__.py").read_text()
NAMES = [*re.findall(r'_(?:read|rate)\(\s*"([A-Z_]+)"', SOURCE), "SECRET_KEY", "METRICS_TOKEN"]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the settings as a new process would: `read(WORKERS="3").WORKERS`. The working folder is empty."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def read(**environment: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location("fresh_settings", settings.__file__)
        assert spec
        assert spec.loader
        fresh = importlib.util.module_from_spec(spec)
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            spec.loader.exec_module(fresh)
        return fresh

    return read


def why_not(read: Read, **environment: str) -> str:
    """The sentence that stops the start."""
    with pytest.raises(ValueError, match="must") as caught:
        read(**environment)
    assert type(caught.value).__name__ == "InvalidSetting"
    return str(caught.value)


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of Parley's in an empty folder, with nothing of the tester's own settings."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder), **environment}
    words = (sys.executable, "-m", "webapp", *words)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


def test_without_any_setting_there_is_a_server_for_one_machine(read: Read, tmp_path: Path) -> None:
    fresh = read()
    assert fresh.DATABASE_URL.removeprefix("sqlite://") == str(tmp_path / "var/parley.sqlite3")
    assert fresh.ON_SQLITE
    assert fresh.REDIS_URL == ""
    assert fresh.ALLOWED_HOSTS == ["localhost", "127.0.0.1", "[::1]"]
    assert fresh.TRUSTED_PROXIES == []
    assert (fresh.DEBUG, fresh.WORKERS, fresh.SITE_NAME, fresh.REGISTRATION) == (False, 1, "Parley", "open")
    assert str(fresh.SITE_TIMEZONE) == "UTC"


def test_the_limits_are_on_and_as_the_contract_has_them(read: Read) -> None:
    fresh = read()
    assert fresh.RATE_LIMITS
    assert str(fresh.RATE_POST) == "20 per 10 second"
    assert str(fresh.RATE_SIGN_IN) == "10 per 1 minute"
    assert str(fresh.RATE_SIGN_IN_ADDRESS) == "30 per 1 minute"
    assert str(fresh.RATE_REGISTER) == "20 per 1 hour"
    assert str(fresh.RATE_SEARCH) == "30 per 1 minute"
    assert str(fresh.RATE_FRIEND) == "30 per 1 hour"
    assert str(fresh.RATE_EXPORT) == "5 per 1 day"
    assert str(fresh.RATE_STREAM) == "60 per 1 minute"
    assert fresh.MAX_STREAMS_PER_SESSION == 5


def test_a_setting_of_the_environment_counts(read: Read) -> None:
    fresh = read(
        DATABASE_URL="postgres://parley@db/parley",
        REDIS_URL="redis://cache:6379/0",
        ALLOWED_HOSTS="Chat.Example, chat.example.org,[::1],10.0.0.7",
        TRUSTED_PROXIES="10.0.0.0/8, ::1",
        DEBUG="ON",
        WORKERS="4",
        SITE_NAME="Büro & Co",
        SITE_TIMEZONE="Europe/Berlin",
        REGISTRATION="closed",
        RATE_LIMITS="off",
        RATE_SIGN_IN="1/second;2/day",
    )
    assert not fresh.ON_SQLITE
    assert fresh.REDIS_URL == "redis://cache:6379/0"
    assert fresh.ALLOWED_HOSTS == ["Chat.Example", "chat.example.org", "[::1]", "10.0.0.7"]
    assert fresh.TRUSTED_PROXIES == ["10.0.0.0/8", "::1"]
    assert (fresh.DEBUG, fresh.WORKERS, fresh.SITE_NAME) == (True, 4, "Büro & Co")
    assert str(fresh.SITE_TIMEZONE) == "Europe/Berlin"
    assert (fresh.REGISTRATION, fresh.RATE_LIMITS) == ("closed", False)
    assert [str(fresh.RATE_SIGN_IN), str(fresh.RATE_SIGN_IN_ADDRESS)] == ["1 per 1 second", "2 per 1 day"]


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_value_is_as_good_as_none(read: Read, empty: str) -> None:
    fresh = read(**dict.fromkeys(NAMES, empty))
    assert (fresh.WORKERS, fresh.SITE_NAME, fresh.REDIS_URL) == (1, "Parley", "")
    assert len(fresh.secret_key()) >= 32


def test_the_file_is_read_and_the_environment_wins(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nSITE_NAME=From the file\nWORKERS=2\n")
    assert read().SITE_NAME == "From the file"
    fresh = read(SITE_NAME="From the environment")
    assert (fresh.SITE_NAME, fresh.WORKERS) == ("From the environment", 2)


FILE = """
# ours
SITE_NAME=Inn # the name
export WORKERS=2
  METRICS_TOKEN = 'a # in quotes is ours'   # and this is not
SECRET_KEY="kept#as=it is, and long enough for a key"
RATE_POST=20/10 seconds
ALLOWED_HOSTS=a.example,b#c
REDIS_URL=
PGUSER=x
"""


@pytest.mark.parametrize("before", ["", "\ufeff"])
def test_the_file_is_read_as_other_programs_read_it(read: Read, tmp_path: Path, before: str) -> None:
    (tmp_path / ".env").write_text(before + FILE.lstrip())
    fresh = read(ALLOWED_HOSTS="c.example")
    assert (fresh.SITE_NAME, fresh.WORKERS, fresh.REDIS_URL) == ("Inn", 2, "")
    assert fresh.METRICS_TOKEN == "a # in quotes is ours"
    assert fresh.secret_key() == "kept#as=it is, and long enough for a key"
    assert fresh.WARNINGS == ["PGUSER in .env is no setting of Parley's, and changes nothing."]


def test_the_first_line_counts_behind_a_byte_order_mark(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfSITE_NAME=Inn\r\nWORKERS=3\r\n")
    assert (read().SITE_NAME, read().WORKERS) == ("Inn", 3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("SITE_NAME=Inn".encode("utf-16"), "must be saved as UTF-8"),
        (b"SITE_NAME=B\xfcro", "must be saved as UTF-8"),
        (b"# ours\nSITE_NAME: Inn", "Line 2 of .env must be NAME=value"),
        (b"DATABASE_URI=postgres://a:b@c/d", "DATABASE_URI in .env is no setting; it must be DATABASE_URL"),
        (b"ALLOWED_HOST=a.example", "it must be ALLOWED_HOSTS"),
        (b"redis_url=redis://a", "it must be REDIS_URL"),
        (b"REDIS_URI=redis://a", "it must be REDIS_URL"),
        (b"SECRETKEY=x", "it must be SECRET_KEY"),
        (b"WORKER=2", "it must be WORKERS"),
    ],
)
def test_a_file_that_would_be_passed_over_stops_the_start(
    read: Read, tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert sentence in why_not(read)


@pytest.mark.parametrize("name", ["DATABASE_USER", "DATABASE_HOST", "REDIS_PORT", "POSTGRES_PASSWORD", "PORT", "TZ"])
def test_names_of_other_programs_in_the_file_are_only_warned_of(read: Read, tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{name}=s3cret")
    assert [f"{name} in .env is no setting of Parley's, and changes nothing."] == read().WARNINGS


def test_a_proxy_on_this_machine_may_come_by_either_kind_of_address(read: Read) -> None:
    assert read(TRUSTED_PROXIES="127.0.0.1").TRUSTED_PROXIES == ["127.0.0.1", "::1"]
    assert read(TRUSTED_PROXIES="10.0.0.7").TRUSTED_PROXIES == ["10.0.0.7"]


def test_started_in_the_root_folder_the_data_need_a_whole_path(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    sentence = why_not(read)
    assert sentence.startswith("DATA_DIR is 'var', but it must begin with /")
    assert "WorkingDirectory" in sentence
    assert Path("/srv/parley") == read(DATA_DIR="/srv/parley").DATA_DIR


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root@db/parley"),
        ("DATABASE_URL", "var/parley.sqlite3"),
        ("REDIS_URL", "localhost:6379"),
        ("ALLOWED_HOSTS", "https://chat.example"),
        ("ALLOWED_HOSTS", "chat.example:8000"),
        ("ALLOWED_HOSTS", "chat.example/"),
        ("ALLOWED_HOSTS", "localhost,*.example"),
        ("ALLOWED_HOSTS", "[::1"),
        ("TRUSTED_PROXIES", "10.0.0.300"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
        ("TRUSTED_PROXIES", "10.1.2.3/8"),
        ("DEBUG", "yes"),
        ("WORKERS", "0"),
        ("WORKERS", "-1"),
        ("WORKERS", "two"),
        ("WORKERS", "1.5"),
        ("SITE_TIMEZONE", "Mars/Olympus"),
        ("SITE_TIMEZONE", "../../etc/passwd"),
        ("REGISTRATION", "maybe"),
        ("RATE_LIMITS", "1"),
        ("RATE_POST", "often"),
        ("RATE_POST", "20"),
        ("RATE_POST", "20/minute;30/minute"),
        ("RATE_POST", "0/minute"),
        ("RATE_SIGN_IN", "10/minute"),
        ("RATE_REGISTER", "20/fortnight"),
        ("RATE_SEARCH", "-1/minute"),
        ("RATE_FRIEND", "30"),
        ("RATE_EXPORT", "0/day"),
        ("RATE_STREAM", "many/minute"),
        ("MAX_STREAMS_PER_SESSION", "0"),
    ],
)
def test_a_value_that_cannot_be_used_stops_the_start(read: Read, name: str, value: str) -> None:
    sentence = why_not(read, **{name: value})
    # An address may hold a password, and is not repeated.
    shown = "not usable" if name.endswith("_URL") else repr(value)
    assert sentence.startswith(f"{name} is {shown}, but it must be ")
    assert not name.endswith("_URL") or value not in sentence


# DATABASE_URL, taken apart.


@pytest.mark.parametrize(
    "password", ["p@ss", "p:ss", "50%", "a+b", "€uro", "%2F%3F%23%5B", "it%20is", "@@", "", "host=x", "*"]
)
def test_a_password_is_what_was_written_or_percent_encoded(read: Read, password: str) -> None:
    postgres = read(DATABASE_URL=f"postgres://chat:{password}@db:5433/talk").POSTGRES
    wanted = {"%2F%3F%23%5B": "/?#[", "it%20is": "it is", "": None}.get(password, password)
    assert (postgres.user, postgres.password) == ("chat", wanted)
    assert (postgres.host, postgres.port, postgres.database) == ("db", 5433, "talk")
    assert not wanted or quote(wanted, safe="") not in postgres.url()
    assert postgres == read(DATABASE_URL=postgres.url(with_password=True)).POSTGRES


@pytest.mark.parametrize("password", ["s3cret/pw", "12/pw", "12?pw", "12?pw=1", "s3cret?x", "12#pw", "[pw]", "[::1]/x"])
def test_a_raw_sign_in_a_password_is_a_sentence_that_does_not_show_it(read: Read, password: str) -> None:
    sentence = why_not(read, DATABASE_URL=f"postgres://chat:{password}@127.0.0.1/d")
    assert sentence.startswith("DATABASE_URL is not usable, but it must be sqlite://PATH or postgres://")
    assert "percent-encoded" in sentence
    assert not any(part and part in sentence for part in re.split(r"[^a-z0-9]", password) if part not in ("x", "1", ""))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgres://db", {"host": "db", "port": 5432, "user": "postgres", "database": "parley"}),
        ("postgresql://ann@[::1]:6000/d", {"host": "::1", "port": 6000, "user": "ann"}),
        ("postgres://%2Fvar%2Frun%2FPostgres/d", {"host": "/var/run/Postgres", "port": 5432}),
        ("postgres:///d?host=/var/run&port=5434&user=ann", {"host": "/var/run", "port": 5434, "user": "ann"}),
        ("postgres://db/d?sslmode=require", {"tls": {"sslmode": "require"}}),
        ("postgres://db/d?ssl=disable", {"tls": {"sslmode": "disable"}}),
        ("postgres://db/d?search_path=talk", {"settings": {"options": "-c search_path=talk"}}),
        ("postgres://db/d?options=-csearch_path%3Dtalk", {"settings": {"options": "-csearch_path=talk"}}),
        ("postgres://db/d?connect_timeout=3", {"connect_seconds": 3, "statement_cache_size": None}),
        ("postgres://db/d?statement_cache_size=0", {"connect_seconds": 60, "statement_cache_size": 0}),
    ],
)
def test_what_a_database_url_says_counts(read: Read, url: str, wanted: dict[str, object]) -> None:
    postgres = read(DATABASE_URL=url).POSTGRES
    assert {name: getattr(postgres, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgres://db/d?colour=red", "has colour behind the ?, but it must be some of host, port"),
        ("postgres://db/d?sslmode=perhaps", "sslmode"),
        ("postgres://db/d?sslmode=verify-full&sslrootcert=/no/such/file", "sslrootcert"),
        ("postgres://db/d?connect_timeout=soon", "connect_timeout"),
        ("postgres://db/d?statement_cache_size=-1", "statement_cache_size"),
        ("postgres://one,two/d", "one host"),
        ("postgres://db/d?host=one,two", "one host"),
        ("postgres://db:99999/d", "not usable"),
        ("postgres://db:port/d", "not usable"),
        ("postgres://db/one/two", "not usable"),
        ("sqlite://", "path of a file"),
        ("sqlite://:memory:", "gone with the process"),
        ("sqlite:///srv/parley.sqlite3?mode=ro", "path of a file alone"),
    ],
)
def test_what_is_not_supported_in_a_database_url_is_refused_by_name(read: Read, url: str, sentence: str) -> None:
    said = why_not(read, DATABASE_URL=url)
    assert said.startswith("DATABASE_URL ")
    assert sentence in said


def test_every_setting_is_described_in_the_example_file() -> None:
    described = re.findall(r"(?m)^#([A-Z_]+)=", (ROOT / ".env.example").read_text())
    assert sorted(described) == sorted(NAMES)


def test_a_short_secret_stops_the_start_and_is_not_printed(read: Read) -> None:
    assert len(read(SECRET_KEY="x" * 32).secret_key()) == 32
    sentence = why_not(read, SECRET_KEY="my birthday")
    assert sentence == "SECRET_KEY is too short: it must have 32 characters or more."


# The same as whoever types the command sees it.


def test_a_command_ends_with_the_sentence_alone(tmp_path: Path) -> None:
    assert command(tmp_path, "--version").stdout.startswith("Parley, version ")
    failed = command(tmp_path, "check", WORKERS="two")
    assert failed.returncode == 1
    assert failed.stderr == "WORKERS is 'two', but it must be a whole number of 1 or more.\n"
    assert failed.stdout == ""


def test_serve_with_a_short_secret_ends_with_the_sentence_alone(tmp_path: Path) -> None:
    failed = command(tmp_path, "serve", SECRET_KEY="my birthday")
    assert failed.returncode == 1
    assert failed.stderr == "SECRET_KEY is too short: it must have 32 characters or more.\n"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "SQLite serves one process."),
        ({"DATABASE_URL": "postgres://parley@127.0.0.1:1/parley"}, "Several processes need Redis"),
    ],
)
def test_several_processes_want_more_than_the_defaults(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    failed = command(tmp_path, "serve", "--workers", "2", **environment)
    assert failed.returncode == 1
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr


# The secret that nobody has to think of.


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(read: Read, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = read().secret_key()
    finally:
        os.umask(before)
    file = tmp_path / "var/secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == first
    assert len(first) >= 32
    assert read().secret_key() == first
    assert os.listdir(tmp_path / "var") == ["secret"]


def test_the_secret_that_is_set_is_used_and_none_is_made(read: Read, tmp_path: Path) -> None:
    assert read(SECRET_KEY="s" * 40).secret_key() == "s" * 40
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("content", ["", "short"])
def test_a_damaged_secret_is_not_used(read: Read, tmp_path: Path, content: str) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/secret").write_text(content)
    with pytest.raises(ValueError, match="var/secret holds no usable key"):
        read().secret_key()


def test_processes_that_start_together_get_one_secret(tmp_path: Path) -> None:
    program = "from webapp import settings; print(settings.secret_key())"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path / "var")}

    def start(_: int) -> str:
        return subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=env, text=True).strip()

    with ThreadPoolExecutor(3) as pool:
        keys = set(pool.map(start, range(3)))
    assert keys == {(tmp_path / "var/secret").read_text()}


def test_nobody_sees_the_secret_half_written(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = read()
    token = fresh.secrets.token_urlsafe

    def seen(size: int) -> str:
        assert not (tmp_path / "var/secret").exists()
        return str(token(size))

    monkeypatch.setattr(fresh.secrets, "token_urlsafe", seen)
    assert fresh.secret_key() == (tmp_path / "var/secret").read_text()


def test_a_process_that_loses_the_race_takes_the_winners_secret(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner, loser = read(), read()
    make = loser.make_secret

    def late(path: Path) -> None:
        winner.secret_key()  # between the look and the making
        make(path)

    monkeypatch.setattr(loser, "make_secret", late)
    assert loser.secret_key() == winner.secret_key()
    assert os.listdir(tmp_path / "var") == ["secret"]
