"""The rules of the house: who imports whom, what a template may not hold, what stands at the top."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

WEBAPP = ROOT / "webapp"
# A domain knows those to its left.
DOMAINS = ("accounts", "presence", "friends", "rooms", "messages", "strangers", "moderation", "leaving", "streams")
PLUMBING = (
    "env_file",
    "database_url",
    "settings",
    "listen",
    "data_folder",
    "lifetime",
    "text",
    "clock",
    "language",
    "database",
    "schema",
    "prepared",
    "group_commit",
    "sqlite",
    "postgresql",
    "errors",
    "security",
    "assets",
    "render",
    "pool",
    "uploads",
    "live",
    "faults",
    "health",
    "metrics",
)
RULES = ("models", "chats")  # those that views of every domain may use
TELLING = ("render", "live")  # what rules do without, and broadcasts and views have
COMMANDS = ("backup", "checks", "demo", "demo_words", "purge")


def may_import(importer: str, imported: str) -> bool:
    """
    Whether a module of webapp may import another; both are named within webapp, as `rooms.views`.

    Views may use the rules and broadcasts of any domain, and the frame that every page has with the sidebar in it
    (`rooms.split`). Pages are made of each other (the front page is the home of who is signed out): so views may use
    views to their left.
    """
    who, _, part = importer.partition(".")
    whom, _, piece = imported.partition(".")
    if whom in ("app", "__main__"):
        return False
    if who in ("app", "__main__"):
        return True
    if whom in COMMANDS:
        return who in COMMANDS
    if who in COMMANDS:
        return piece != "views"
    if who == "live":
        return whom in ("live", "lifetime")
    if who in PLUMBING:
        return whom in PLUMBING
    if who not in DOMAINS:
        return False
    if whom in PLUMBING:
        return part != "models" or whom not in TELLING
    if whom not in DOMAINS:
        return False
    if who == whom:
        return piece != "views" and not (part == "models" and piece == "broadcasts")
    is_left = DOMAINS.index(whom) < DOMAINS.index(who)
    if piece == "views":
        return part == "views" and is_left
    if piece in ("broadcasts", "split"):
        return part == "views"
    return is_left or (part == "views" and piece in RULES)


def modules() -> dict[str, Path]:
    """The modules of webapp by their names within it, without the migrations, which stand for themselves."""
    found = {}
    for path in WEBAPP.rglob("*.py"):
        parts = path.relative_to(WEBAPP).with_suffix("").parts
        if parts[0] != "migrations":
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of webapp that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "webapp":
                inner = name.removeprefix("webapp").removeprefix(".")
                yield inner if inner in known else inner.rpartition(".")[0]


KNOWN = modules()


@pytest.mark.parametrize("name", sorted(set(KNOWN) - {""}))
def test_a_module_imports_only_what_it_may(name: str) -> None:
    package = name.split(".")[0]
    assert package in (*DOMAINS, *PLUMBING, *COMMANDS, "app", "__main__"), "where does it belong?"
    breaches = [other for other in imports(KNOWN[name], KNOWN) if other and not may_import(name, other)]
    assert breaches == []


@pytest.mark.parametrize(
    ("importer", "imported", "may"),
    [
        ("rooms.models", "accounts.models", True),
        ("accounts.models", "rooms.models", False),
        ("rooms.models", "render", False),
        ("messages.models", "rooms.chats", True),
        ("rooms.models", "live.hub", False),
        ("rooms.models", "rooms.broadcasts", False),
        ("rooms.models", "rooms.views", False),
        ("rooms.broadcasts", "live", True),
        ("rooms.broadcasts", "messages.models", False),
        ("rooms.views", "messages.models", True),
        ("friends.views", "rooms.chats", True),
        ("friends.models", "rooms.chats", False),
        ("rooms.views", "messages.broadcasts", True),
        ("messages.views", "rooms.views", True),
        ("rooms.views", "messages.views", False),
        ("presence.attendance", "live", True),
        ("presence.attendance", "rooms.models", False),
        ("streams.stream", "presence.attendance", True),
        ("streams.stream", "rooms.views", False),
        ("streams.stream", "strangers.watch", True),
        ("streams.stream", "strangers.broadcasts", False),
        ("live.hub", "database", False),
        ("live.hub", "live.bell", True),
        ("security.cookie", "accounts.models", False),
        ("render", "assets", True),
        ("demo", "messages.models", True),
        ("rooms.models", "demo", False),
        ("rooms.views", "app", False),
        ("app", "streams.views", True),
    ],
)
def test_the_rule_of_imports_tells_left_from_right(importer: str, imported: str, may: bool) -> None:
    assert may_import(importer, imported) is may


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "rooms.py"
    file.write_text(
        "import webapp.render\nfrom webapp import database, live\nfrom webapp.messages.models import PAGE, Message\n"
        "import os\n\ndef late():\n    from webapp.messages import broadcasts\n"
    )
    found = list(imports(file, KNOWN))
    assert found == ["render", "database", "live", "messages.models", "messages.models", "messages.broadcasts"]


def uses(path: Path, *names: str) -> bool:
    """Whether the file says one of these dotted names, or imports one."""
    tree = ast.walk(ast.parse(path.read_text()))
    return any(
        (isinstance(node, ast.Attribute) and ast.unparse(node) in names)
        or (isinstance(node, ast.Import) and any(alias.name in names for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module in names)
        or (isinstance(node, ast.ImportFrom) and any(f"{node.module}.{alias.name}" in names for alias in node.names))
        for node in tree
    )


def test_only_settings_reads_the_environment() -> None:
    reading = [name for name, path in KNOWN.items() if uses(path, "os.environ", "os.getenv", "starlette.config")]
    assert reading == ["settings"]


def test_only_render_knows_jinja() -> None:
    assert [name for name, path in KNOWN.items() if uses(path, "jinja2")] == ["render"]


def test_only_live_and_the_map_know_the_broadcaster() -> None:
    knowing = {
        name.split(".")[0] for name, path in KNOWN.items() if uses(path, "broadcaster", "broadcaster._backends.base")
    }
    assert knowing == {"app", "live"}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_text_file_is_never_read_in_whatever_encoding_the_system_has(name: str) -> None:
    """Under LC_ALL=POSIX that is ASCII, and the first umlaut is an error."""
    for call in ast.walk(ast.parse(KNOWN[name].read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name):
            function = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
            if function == "read_text":
                assert call.args or call.keywords, f"line {call.lineno}"


# Templates. The policy of the pages forbids the first four, so they would not even work; the others turn off the
# escaping of what people wrote.
FORBIDDEN = {
    "an inline style": r"\sstyle\s*=",
    "a style element": r"<style",
    "an inline handler": r"\s(?:hx-)?on[a-z:-]+\s*=",
    "an inline script": r"<script(?![^>]*\ssrc=)|javascript:",
    "an unescaped value": r"\|\s*safe\b",
    "no escaping at all": r"{%-?\s*autoescape",
}
TEMPLATES = sorted(ROOT.joinpath("templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_holds_nothing_inline_and_nothing_unescaped(path: Path) -> None:
    text = path.read_text()
    assert [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize(
    ("what", "html"),
    [
        ("an inline style", '<p style="color:red">'),
        ("a style element", "<style>p{}</style>"),
        ("an inline handler", "<p\nonclick='x'>"),
        ("an inline handler", '<p hx-on:click="x">'),
        ("an inline handler", '<p hx-on::after-request="x">'),
        ("an inline script", "<script>x</script>"),
        ("an inline script", '<a href="javascript:x">'),
        ("an unescaped value", "{{ body | safe }}"),
        ("an unescaped value", "{{ body|safe }}"),
        ("no escaping at all", "{% autoescape false %}"),
    ],
)
def test_what_a_template_may_not_hold_would_be_found(what: str, html: str) -> None:
    assert re.search(FORBIDDEN[what], html)


def test_every_template_is_html_or_says_what_else_it_is() -> None:
    others = [path.name for path in ROOT.joinpath("templates").rglob("*.*") if path.suffix != ".html"]
    assert sorted(others) == ["export.css", "me.css"]


def test_at_the_top_stands_what_a_reader_expects_and_nothing_else() -> None:
    expected = {"pyproject.toml", "Procfile", "README.md", "LICENSE", "webapp", "templates", "static", "tests"}
    made = {"var", "build"}  # by running and building it; .gitignore knows them
    found = {path.name for path in ROOT.iterdir() if path.name[0] != "." and path.suffix != ".egg-info"}
    assert found - made == expected
