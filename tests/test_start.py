"""What a start does, and what it leaves for later: each part of it is waited for after every restart."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from tests.servers import furnish
from webapp import settings
from webapp.core import start_cache
from webapp.core.start_cache import cached
from webapp.http import compiled
from webapp.http.compiled import CompiledTemplates

# What a start on SQLite, without Redis, loads of others. What is asked for once in a while is loaded where it is used.
PACKAGES = {
    *("aiosqlite", "anyio", "argon2", "babel", "broadcaster", "brotli", "cachetools", "click", "cython_runtime"),
    *("deprecated", "httptools", "iso8601", "itsdangerous", "jinja2", "limits", "markupsafe", "nh3", "packaging"),
    *("pypika_tortoise", "python_multipart", "regex", "sse_starlette", "starlette", "tortoise", "typing_extensions"),
    *("uvicorn", "uvloop", "watchfiles", "webapp", "wrapt"),
}
# And of Python itself, of the larger packages and by our own modules, what it does not.
NOT_LOADED = {
    *("xml", "wsgiref", "unittest", "ctypes", "pydoc", "tarfile", "urllib.request"),
    *("babel.messages", "tortoise.migrations", "tortoise.backends.asyncpg", "jinja2.sandbox"),
    *("webapp.db.postgresql", "webapp.db.migrator", "webapp.migrations.0001_initial", "webapp.live.redis"),
    *("webapp.ops.metrics", "webapp.cli.backup", "webapp.cli.check", "webapp.cli.demo", "webapp.media.pixels"),
}


def loaded(*statements: str, data: Path | None = None) -> str:
    """Run statements in a process of their own, as `serve` runs its first ones; return what they print."""
    command = [sys.executable, "-c", "; ".join(("import webapp.__main__", *statements))]
    env = os.environ | ({"DATA_DIR": str(data), "DATABASE_URL": "", "REDIS_URL": ""} if data else {})
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout.strip()


def test_cycles_are_collected_once_all_is_loaded_and_never_among_what_was() -> None:
    assert loaded("import gc; print(gc.isenabled())") == "False"
    now = loaded("import webapp.app, gc; print(gc.isenabled(), gc.get_freeze_count() > 100_000, gc.get_threshold())")
    assert now == "True True (50000, 20, 50)"


def test_a_start_loads_only_what_it_needs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    furnish(data)
    serve = ("import sys", "webapp.__main__._migrate()", "import webapp.app", "print(*sys.modules)")
    modules = set(loaded(*serve, data=data).split())
    packages = {name.partition(".")[0] for name in modules if not name.startswith("_")}
    assert packages - sys.stdlib_module_names - PACKAGES == set()
    assert modules & NOT_LOADED == set()
    assert {"webapp.messages.models", "webapp.db.applied"} <= modules


@pytest.mark.parametrize(
    "change", ["INSERT INTO %s (app, name, applied_at) VALUES ('parley', '9999_new', 1)", "DROP TABLE %s"]
)
def test_a_database_that_is_not_of_this_version_is_looked_at_by_the_executor(tmp_path: Path, change: str) -> None:
    data = tmp_path / "data"
    furnish(data)
    with sqlite3.connect(data / "parley.sqlite3") as file:
        file.execute(change % "tortoise_migrations")
    file.close()
    asked = "import asyncio, sys; from webapp.db import applied, migrate; print(asyncio.run(applied.are_all()))"
    assert loaded(asked, data=data) == "False"


def test_tortoise_compiles_its_pattern_of_domains_when_it_is_used() -> None:
    there = "from tortoise.validators import validate_domain_name as valid"
    assert loaded(there, "print(type(valid.regex).__name__)") == "_PatternForLater"
    assert loaded(there, "print(valid('parley.example'), bool(valid.regex.search('no domain')))") == "None False"


class Maker:
    """Something that is made of files, and counts how often it was."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.source.write_text("one")
        self.times = 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.source.read_bytes() * 2

    def get(self, also: str = "") -> bytes:
        return cached("thing", [self.source], self, also)


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "data")
    monkeypatch.setattr(start_cache, "FOLDER", tmp_path / "data" / "cache")
    return Maker(tmp_path)


def test_what_a_start_works_out_is_stored_for_the_next_one_alone_readable_by_its_owner(maker: Maker) -> None:
    assert [maker.get(), maker.get(), maker.times] == [b"oneone", b"oneone", 1]
    paths = [start_cache.FOLDER, *start_cache.FOLDER.iterdir()]
    assert {path.name: path.stat().st_mode & 0o777 for path in paths} == {"cache": 0o700, "thing": 0o600}


def test_it_is_made_again_when_a_source_or_what_else_it_depends_on_changes(maker: Maker) -> None:
    maker.get()
    maker.source.write_text("two")
    assert [maker.get(), maker.get(), maker.times] == [b"twotwo", b"twotwo", 2]
    maker.get("another version")
    assert maker.times == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"oneone", b"nonone")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["empty", "cut", "changed", "a folder"],
)
def test_it_is_made_again_where_what_is_stored_is_not_whole(maker: Maker, damage: Callable[[Path], object]) -> None:
    maker.get()
    damage(start_cache.FOLDER / "thing")
    assert [maker.get(), maker.times] == [b"oneone", 2]
    assert len(list(start_cache.FOLDER.iterdir())) == 1  # nothing half written is left


def test_it_is_made_each_time_where_it_cannot_be_stored(maker: Maker, tmp_path: Path) -> None:
    start_cache.FOLDER.write_text("no folder")
    assert [maker.get(), maker.get(), maker.times] == [b"oneone", b"oneone", 2]


def test_no_data_folder_is_made_for_it(maker: Maker) -> None:
    settings.DATA_DIR.rmdir()
    assert [maker.get(), settings.DATA_DIR.exists()] == [b"oneone", False]


def test_processes_that_start_together_all_get_it_whole(maker: Maker) -> None:
    barrier, got = threading.Barrier(8), list[bytes]()

    def start() -> None:
        barrier.wait()
        got.extend(maker.get() for _ in range(20))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (set(got), len(got)) == ({b"oneone"}, 160)
    assert [path.name for path in start_cache.FOLDER.iterdir()] == ["thing"]


def test_a_second_start_reads_no_catalogue_and_minifies_nothing(tmp_path: Path) -> None:
    said = "from webapp.core.i18n import LANGUAGES; said = LANGUAGES['de'].gettext('Sign in')"
    served = "from webapp.http import assets; size = sum(len(file.content) for file in assets.SERVED.files.values())"
    ask = (said, served, "print(said, size, 'babel.messages.pofile' in sys.modules)")
    first = loaded("import sys", *ask, data=tmp_path).split()
    no_minifier = "from webapp.http import minifier; minifier.minify = None"
    second = loaded("import sys", no_minifier, *ask, data=tmp_path).split()
    assert (first[2], second[2]) == ("True", "False")
    assert first[:2] == second[:2]


TEXT = "{% if there %}{{ there }}{% endif %}"


@pytest.fixture
def compiler(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Renders a template with a Jinja of its own, as after a start; how often that compiled it."""

    def render(text: str = TEXT, shown: str = "this") -> int:
        times = 0
        environment = Environment(loader=DictLoader({"page.html": text}), autoescape=True)
        environment.bytecode_cache = CompiledTemplates()
        compile_source = environment.compile

        def count(*args: object, **options: object) -> object:
            nonlocal times
            times += 1
            return compile_source(*args, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(environment, "compile", count)
        assert environment.get_template("page.html").render(there="this") == shown
        return times

    return render


def test_a_template_is_compiled_once_for_all_starts(compiler: Callable[..., int]) -> None:
    assert [compiler(), compiler(), compiler()] == [1, 0, 0]
    assert [compiler("other", "other"), compiler("other", "other")] == [1, 0]


def test_a_compiled_template_that_is_not_signed_by_this_installation_is_never_run(
    compiler: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler()
    [path] = start_cache.FOLDER.iterdir()
    stored = path.read_bytes()
    made_by, code = stored[:64], stored[3 * 64 :]
    start_cache.store(path.name, made_by, b"0" * 64 + code)
    assert [compiler(), compiler()] == [1, 0]
    other = path.with_name("other.template")
    path.rename(other)
    start_cache.store(path.name, made_by, other.read_bytes()[2 * 64 :].replace(b"there", b"where"))
    assert compiler() == 1
    monkeypatch.setattr(settings, "secret_key", lambda: "y" * 40)
    assert [compiler(), compiler()] == [1, 0]


def test_a_template_is_compiled_again_by_another_version_of_what_compiles_it(
    compiler: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler()
    compiled.made_by.cache_clear()
    monkeypatch.setattr(compiled.metadata, "version", lambda name: "4.0")
    assert [compiler(), compiler()] == [1, 0]
    compiled.made_by.cache_clear()


def test_a_template_is_compiled_again_when_one_that_it_may_include_is_another(
    compiler: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    included = tmp_path / "templates" / "_included.html"
    included.parent.mkdir()
    monkeypatch.setattr(settings, "TEMPLATES", included.parent)
    for text in ("one", "two"):
        included.write_text(text)
        compiled.made_by.cache_clear()
        assert [compiler(), compiler()] == [1, 0]
    included.rename(included.with_name("_other.html"))
    compiled.made_by.cache_clear()
    assert [compiler(), compiler()] == [1, 0]
    compiled.made_by.cache_clear()
    monkeypatch.setattr(settings, "DEBUG", True)  # which puts nothing in place
    assert [compiler(), compiler()] == [1, 0]
    compiled.made_by.cache_clear()
