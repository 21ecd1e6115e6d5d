"""The rules of the house: which package imports which, what a template may not hold, what stands at the top."""

import ast
import builtins
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.house_figures import DOCUMENTED, RIDDLES, TUPLE, is_private, own_names, private_parts, prose, state
from tests.servers import ROOT

WEBAPP = ROOT / "webapp"
# A package imports only from its left.
ORDER = (
    "settings core db live http media accounts presence relationships conversations files sidebar messages streams "
    "inbox people invitations rooms chats search strangers moderation exports deletion home ops app cli __main__"
).split()


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
IMPORTS = {name: sorted(set(imports(path, KNOWN))) for name, path in KNOWN.items()}


def package(module: str) -> str:
    return module.partition(".")[0]


def rises(importer: str, imported: str) -> bool:
    """Whether the imported module stands to the right of the one that imports it."""
    return ORDER.index(package(imported)) > ORDER.index(package(importer))


def is_view(module: str) -> bool:
    return module.endswith((".views", "_views"))


def circle(start: str, imports: Mapping[str, Sequence[str]]) -> list[str]:
    """A way from the module back to itself by imports within its package; empty when there is none."""
    ways = [[start]]
    seen = set[str]()
    while ways:
        way = ways.pop()
        for other in imports.get(way[-1], ()):
            if other == start:
                return [*way, other]
            if package(other) == package(start) and other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def test_every_package_has_its_place() -> None:
    assert {package(name) for name in KNOWN} - {""} == set(ORDER)


@pytest.mark.parametrize("name", sorted(set(KNOWN) - {""}))
def test_a_module_imports_only_from_the_left(name: str) -> None:
    assert [other for other in IMPORTS[name] if other and rises(name, other)] == []


@pytest.mark.parametrize("name", sorted(set(KNOWN) - {""}))
def test_no_modules_of_a_package_import_each_other_in_a_circle(name: str) -> None:
    assert circle(name, IMPORTS) == []


def test_views_are_imported_by_the_map_alone() -> None:
    importers = {name for name, others in IMPORTS.items() if any(map(is_view, others))}
    assert importers == {"app"}


def test_the_rules_of_imports_find_what_breaks_them() -> None:
    assert rises("accounts.models", "rooms.views")
    assert not rises("rooms.views", "accounts.models")
    assert not rises("rooms.views", "rooms.opening")
    assert circle("db.a", {"db.a": ["db.b", "core.text"], "db.b": ["db.c"], "db.c": ["db.a"]})
    assert circle("db.a", {"db.a": ["db.a"]})
    assert not circle("db.a", {"db.a": ["db.b", "db.c"], "db.b": ["db.c"]})
    assert is_view("rooms.views")
    assert is_view("rooms.settings_views")
    assert not is_view("accounts.viewer")


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "rooms.py"
    file.write_text(
        "import webapp.settings\nfrom webapp import live, settings\nfrom webapp.messages.models import Message, a\n"
        "import os\n\ndef late():\n    from webapp.messages import changes\n"
    )
    found = list(imports(file, KNOWN))
    assert found == ["settings", "live", "settings", "messages.models", "messages.models", "messages.changes"]


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


TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
TESTS = [path for path in TEST_FILES if path.name.startswith("test_")]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_a_test_imports_nothing_from_another(path: Path) -> None:
    """What two of them need is in a module with a noun, like tests/people.py and tests/page.py."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [f"{getattr(node, 'module', '')}.{alias.name}" for node in nodes for alias in node.names]
    assert [name for name in names if re.search(r"\btests\..*\btest_", name)] == []


def test_only_settings_reads_the_environment() -> None:
    reading = [name for name, path in KNOWN.items() if uses(path, "os.environ", "os.getenv", "starlette.config")]
    assert reading == ["settings"]


def test_only_render_knows_jinja() -> None:
    assert [name for name, path in KNOWN.items() if uses(path, "jinja2")] == ["http.render"]


# Beside the queries modules, which test_queries.py walks: checks within a post's transaction (that of slow mode is
# explained in test_slow_mode.py), the rights of open streams, and a query of a constant.
INLINE_READERS = {
    "conversations.kinds", "conversations.roles", "conversations.stream_access", "messages.slow_mode", "ops.health",
}  # fmt: skip


def test_only_queries_that_are_explained_are_read_in_the_event_loop() -> None:
    reading = {name for name, path in KNOWN.items() if uses(path, "sql.fetch_inline")}
    assert {name for name in reading if not name.endswith("queries")} == INLINE_READERS


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


# A person reads a template as they read code: 160 characters hold an element with its attributes, 80 lines a page.
MAX_TEMPLATE_COLUMNS, MAX_TEMPLATE_LINES = 160, 80
USED = re.compile(r"""{%-? *(?:include|from|import) "([^"]+)\"""")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_can_be_read(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_TEMPLATE_LINES
    assert [line for line in lines if len(line) > MAX_TEMPLATE_COLUMNS] == []


def test_fragments_and_no_pages_have_names_that_begin_with_a_line() -> None:
    used = {name for path in TEMPLATES for name in USED.findall(path.read_text())}
    assert used, "nothing is included anywhere"
    assert sorted(name for name in used if not Path(name).name.startswith("_")) == []


def test_every_template_is_html_or_says_what_else_it_is() -> None:
    others = [path.name for path in ROOT.joinpath("templates").rglob("*.*") if path.suffix != ".html"]
    assert sorted(others) == ["export.css", "me.css"]


def test_at_the_top_stands_what_a_reader_expects_and_nothing_else() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {line.partition("/")[0] for line in tracked.splitlines() if not line.startswith(".")}
    assert found == {"pyproject.toml", "Procfile", "README.md", "LICENSE", "webapp", "templates", "static", "tests"}


def test_every_package_is_named_for_the_wheel_and_for_a_fresh_clone() -> None:
    """A folder that stays behind in a checkout that is older, with nothing but bytecode, is none."""
    named = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in WEBAPP.rglob("*.*") if path.suffix in (".py", ".po")}
    assert sorted(named) == sorted(
        {".".join(folder.parts) for folder in folders} | {"webapp.static", "webapp.templates"}
    )


# The example of how a feature is added names what is not there yet.
EXAMPLES = {"messages/reactions.py", "tests/test_reactions.py"}


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", ROOT / "pyproject.toml", *KNOWN.values()], ids=lambda path: path.name
)
def test_every_python_file_that_a_text_names_is_there(path: Path) -> None:
    named = set(re.findall(r"[\w/]+\.py\b", path.read_text(encoding="utf-8"))) - EXAMPLES
    files = [f"/{file.relative_to(ROOT)}" for file in [*ROOT.glob("webapp/**/*.py"), *ROOT.glob("tests/**/*.py")]]
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []


def test_every_file_and_folder_of_the_readme_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {*re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.(?:html|css|js))?)`", text)} - {"var/"}
    assert "live/" in named
    assert [path for path in named if not any((root / path).exists() for root in (ROOT, WEBAPP, ROOT / "static"))] == []


# Private parts of libraries, which pyproject.toml pins exactly: how many each module uses, so that a new one is seen.
# The first are the adapters, whose work it is; the others should get fewer. What is ours to override is not counted.
PRIVATE_PARTS = {
    "db.postgresql": 1,  # Tortoise: the lock of a pool
    "db.sqlite": 2,  # aiosqlite: the connection below; Tortoise: the lock of transactions
    "db.tortoise_import": 1,  # Tortoise: comments of models
    "live.shards": 1,  # broadcaster: the type of a backend
    "live.sse": 1,  # sse-starlette: the signal of a shutdown
}


def test_private_parts_of_libraries_are_used_where_it_is_known() -> None:
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in KNOWN.items()}
    own = {name for tree in trees.values() for name in own_names(tree)}
    found = {name: private_parts(tree, own) for name, tree in trees.items()}
    assert {name: len(parts) for name, parts in found.items() if parts} == PRIVATE_PARTS, found


def test_private_parts_would_be_found() -> None:
    file = ast.parse(
        "from a._b import c\nfrom a import _d\nfrom webapp.a import _e\nfrom a import f\n"
        "f._g(f.h)\nf._ours\nf._replace(x=1)\nf.__class__\n"
    )
    assert private_parts(file, {"_ours"}) == {"a._b", "_d", "_g"}


def naming(pattern: str) -> list[str]:
    """The modules in whose text this is found."""
    return [name for name, path in KNOWN.items() if re.search(pattern, path.read_text(encoding="utf-8"))]


def test_only_negotiate_reads_what_a_browser_accepts() -> None:
    assert naming(r"""(?i)headers(?:\.get\(|\[)\s*b?["']accept-(?:language|encoding)""") == ["http.negotiate"]


def test_only_params_reads_the_query() -> None:
    assert naming(r"\bquery_params\b") == ["http.params"]


# A module's variables live as long as the process: the next test finds them as the last one left them. So they are
# constants, pure caches, or Slots that app.py fills. Everything else is here, with the reason why no test resets it.
MODULE_STATE = {
    "accounts.passwords.hasher": "parameters alone",
    "accounts.passwords.pool": "threads, idle between tests",
    "app.app": "what uvicorn serves; its lifespan makes everything that changes",
    "app.entrances": "one for each kind of address",
    "app.masked": "the same for strangers",
    "app.page_layouts": "the map",
    "app.routes": "the map",
    "app.stranger_routes": "the map",
    "core.data_folder._serving": "the lock of the data folder, which a process has until it ends",
    "db.transaction._writing": "running transactions, which take themselves out",
    "exports.archive._thread": "a thread, idle between tests",
    "http.render.environment": "Jinja's environment: compiled templates",
    "http.urls._formats": "the addresses by name, made from the map",
    "media.images.process": "a thread and its child process, idle between tests",
    "messages.links._checker": "rules alone",
    "messages.markdown._cleaner": "rules alone",
    "messages.posting._group": "groups of posts, which take themselves out",
    "messages.reactions._group": "groups of reactions, which take themselves out",
    "settings._file": "read once",
    "settings._names": "the names of the settings",
}


def test_no_module_has_state_that_a_test_must_reset() -> None:
    found = {f"{name}.{variable}" for name, path in KNOWN.items() for variable in state(ast.parse(path.read_text()))}
    assert found == MODULE_STATE.keys()


def test_module_state_would_be_found() -> None:
    tree = ast.parse(
        "A = [1]\n_B = dict()\nT = TypeVar('T')\nhub = Slot[Hub]('hub')\na = {}\nb: set[int] = set()\nc = Hub()\n"
    )
    assert list(state(tree)) == ["a", "b", "c"]


# Tests ask from outside, as everybody else does: private attributes are for the tests of the adapters, and for the one
# shortcut through a library that makes each test a third shorter.
KNOW_PRIVATE_PARTS = {
    "conftest.py",  # Tortoise: what it makes of the models, once
    "live/test_adapters.py",
    # The simulation of many processes: it counts at the adapter of the database, and has slots for each process.
    "bench/wide/counts.py",
    "bench/wide/virtual.py",
}


def private_attributes(tree: ast.AST) -> list[str]:
    """The private attributes that a file reads, sets or imports and does not define itself."""
    own, found = set(own_names(tree)) | TUPLE, list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) != "os._exit":
            found.append(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if alias.name != "_"]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr") and len(node.args) > 1:
            found += [node.args[1].value] if isinstance(node.args[1], ast.Constant) else []
    return sorted(name for name in found if is_private(str(name)) and name not in own)


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_only_tests_of_adapters_touch_private_attributes(path: Path) -> None:
    is_known = str(path.relative_to(ROOT / "tests")) in KNOW_PRIVATE_PARTS
    assert is_known or private_attributes(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_private_attribute_in_a_test_would_be_found() -> None:
    file = ast.parse(
        "from a import _b, c\nc._d\nc._d = 1\nmonkeypatch.setattr(c, '_e', 1)\nos._exit(1)\n"
        "class F:\n    def _own(self) -> None: ...\nF()._own()\nrow._replace(x=1)\n"
    )
    assert private_attributes(file) == ["_b", "_d", "_d", "_e"]


RAISES = re.compile(r"\b[Rr]aises? ((?:[A-Z]\w+(?:, and |, | and | or )?)+)")
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in KNOWN.items()}


def class_names(tree: ast.Module) -> Iterator[str]:
    """The names in the code of a file that may be those of an error."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


CLASS_NAMES = {name for tree in TREES.values() for name in class_names(tree)} | set(dir(builtins))


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_docstring_names_only_errors_that_there_are(name: str) -> None:
    texts = (ast.get_docstring(node) or "" for node in ast.walk(TREES[name]) if isinstance(node, DOCUMENTED))
    named = {word for text in texts for found in RAISES.findall(text) for word in re.findall(r"[A-Z]\w+", found)}
    assert named - CLASS_NAMES == set()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_comments_say_what_they_mean(name: str) -> None:
    """A member, the viewer, a client; sent, stored, deleted, again: in place of words that may be any of these."""
    found = [text for text in prose(KNOWN[name].read_text(encoding="utf-8")) if re.search(RIDDLES, text)]
    assert found == []


def test_a_test_is_named_by_who_does_what_with_which_result() -> None:
    names = {name for path in TESTS for name in re.findall(r"def test_(\w+)", path.read_text(encoding="utf-8"))}
    assert [name for name in sorted(names) if re.search(RIDDLES, name.replace("_", " "))] == []
