"""
Figures of a checkout, to compare two: `python -m tests.house_figures [CHECKOUT ...]`; `--draw` for its packages.

Each figure is counted the same way in every checkout, also in those from before the packages were what they are now.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

LONG_FUNCTION, LONG_MODULE, LONG_LINE = 25, 300, 160
Modules = dict[str, ast.Module]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = FunctionNode | ast.ClassDef | ast.Module
RIDDLES = r"(?i)\b(somebody|whoever|anew|at hand|as far as|told|tells?|kept|keeps?|gone|goes on|lets? go)\b"
# What a module may bind and still have nothing that changes.
PURE = {"TypeVar", "ParamSpec", "ContextVar", "getLogger", "Slot", "cache", "lru_cache", "compile", "frozenset", "_"}
# Attributes of named tuples.
TUPLE = {"_asdict", "_replace", "_fields"}


def read(root: Path) -> Modules:
    """The modules of webapp by name, without the migrations."""
    found = {}
    for path in sorted((root / "webapp").rglob("*.py")):
        parts = path.relative_to(root / "webapp").with_suffix("").parts
        if parts[0] != "migrations":
            found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def functions(tree: ast.AST) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def length(node: FunctionNode) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def imports(tree: ast.AST, known: Modules) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "webapp":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("webapp.")
                yield inner if inner in known else inner.rpartition(".")[0]


def package(module: str) -> str:
    return module.partition(".")[0]


def arrows(modules: Modules) -> dict[str, set[str]]:
    """Which package imports which."""
    found = defaultdict[str, set[str]](set)
    for name, tree in modules.items():
        found[package(name)] |= {package(other) for other in imports(tree, modules)} - {package(name), ""}
    return {name: others for name, others in found.items() if name}


def ranks(packages: dict[str, set[str]]) -> tuple[list[list[str]], list[str]]:
    """The packages in order, each after all that it imports; and those for which there is none, being in a circle."""
    order, left = list[list[str]](), dict(packages)
    while ready := sorted(name for name, others in left.items() if not others & left.keys()):
        order.append(ready)
        left = {name: others for name, others in left.items() if name not in ready}
    return order, sorted(left)


def pairs(packages: dict[str, set[str]]) -> int:
    """How many pairs of packages import each other."""
    return sum(name < other and name in packages.get(other, ()) for name in packages for other in packages[name])


def state(tree: ast.Module) -> Iterator[str]:
    """The variables of a module that are no constants by their name and hold what can change."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if not isinstance(target, ast.Name) or target.id.isupper() or target.id.startswith("__"):
            continue
        if isinstance(value, ast.Call):
            made = value.func.value if isinstance(value.func, ast.Subscript) else value.func
            if ast.unparse(made).rpartition(".")[2] not in PURE:
                yield target.id
        elif isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
            yield target.id


def registrations(tree: ast.Module) -> Iterator[str]:
    """What happens to another module's object when this one is imported: by a call, a decorator, an assignment."""
    named = (node.names for node in tree.body if isinstance(node, ast.ImportFrom) and "webapp" in str(node.module))
    foreign = {alias.asname or alias.name for names in named for alias in names}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = [node.value.func]
        elif isinstance(node, ast.Assign):
            called = [target for target in node.targets if isinstance(target, ast.Subscript | ast.Attribute)]
        elif isinstance(node, FunctionNode | ast.ClassDef):
            called = [wrap.func if isinstance(wrap, ast.Call) else wrap for wrap in node.decorator_list]
        else:
            continue
        yield from (text for text in map(ast.unparse, called) if re.split(r"[.(\[]", text)[0] in foreign)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def own_names(tree: ast.AST) -> Iterator[str]:
    """The names that a file defines: functions, classes, variables, attributes of `self`, and those in `__slots__`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            yield from (str(name.value) for name in ast.walk(node.value) if isinstance(name, ast.Constant))


def private_parts(tree: ast.AST, own: set[str]) -> set[str]:
    """The private attributes and modules that a file uses, without our own and those of named tuples."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            found |= {node.attr} - own - TUPLE
        elif isinstance(node, ast.ImportFrom) and any(map(is_private, str(node.module).split("."))):
            found.add(str(node.module))
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith("webapp"):
            found |= {alias.name for alias in node.names if is_private(alias.name)}
    return found


def repeats_its_name(node: ast.AST) -> bool:
    """Whether a docstring of one line has at most two words, a verb for example, that are not in the name."""
    if not isinstance(node, FunctionNode | ast.ClassDef) or not (text := ast.get_docstring(node)) or "\n" in text:
        return False
    small = {"the", "a", "an", "of", "to", "is", "it", "and", "for", "in", "this", "all", "one"}
    name = {word[:4] for word in re.findall("[a-z]+", re.sub("([A-Z])", r" \1", node.name).lower())}
    return len({word[:4] for word in re.findall("[a-z]+", text.lower()) if word not in small} - name) <= 2


def texts(root: Path) -> Iterator[str]:
    """All comments and docstrings of webapp."""
    for path in sorted((root / "webapp").rglob("*.py")):
        yield from prose(path.read_text("utf-8"))


def prose(source: str) -> Iterator[str]:
    """The comments and docstrings of a file."""
    yield from re.findall(r"#\s(.*)", source)
    yield from (ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED))


def figures(root: Path) -> Iterator[tuple[str, int]]:
    modules = read(root)
    trees, packages = modules.values(), arrows(modules)
    own = {name for tree in trees for name in own_names(tree)}
    lines = {name: tree.body[-1].end_lineno or 0 for name, tree in modules.items() if tree.body}
    yield "modules", len(modules)
    yield "lines of modules", sum(lines.values())
    yield f"modules over {LONG_MODULE} lines", sum(count > LONG_MODULE for count in lines.values())
    yield (
        f"functions over {LONG_FUNCTION} lines",
        sum(length(node) > LONG_FUNCTION for tree in trees for node in functions(tree)),
    )
    yield "variables of modules that can change", sum(len(list(state(tree))) for tree in trees)
    yield "private parts of libraries", sum(len(private_parts(tree, own)) for tree in trees)
    yield "modules that use some", sum(bool(private_parts(tree, own)) for tree in trees)
    yield (
        "registrations at import",
        sum(len(list(registrations(tree))) for name, tree in modules.items() if name != "app"),
    )
    yield "pairs of packages that import each other", pairs(packages)
    yield "packages in a circle or behind one", len(ranks(packages)[1])
    yield "docstrings that repeat the name", sum(repeats_its_name(node) for tree in trees for node in ast.walk(tree))
    yield "words of riddles in comments and docstrings", sum(len(re.findall(RIDDLES, text)) for text in texts(root))
    templates = [line for path in (root / "templates").rglob("*.html") for line in path.read_text("utf-8").splitlines()]
    yield f"lines over {LONG_LINE} in templates", sum(len(line) > LONG_LINE for line in templates)
    yield "files of tests", len(tests := list((root / "tests").rglob("*.py")))
    yield "lines of tests", sum(len(path.read_text("utf-8").splitlines()) for path in tests)


def draw(root: Path) -> Iterator[str]:
    """The packages from left to right, a line each, with what they import."""
    packages = arrows(read(root))
    order, circle = ranks(packages)
    for level, names in enumerate([*order, circle]):
        for name in names:
            yield f"{level:2} {name:14} -> {' '.join(sorted(packages[name]))}"


def main() -> None:
    roots = [Path(argument) for argument in sys.argv[1:] if argument != "--draw"] or [Path.cwd()]
    if "--draw" in sys.argv:
        print(*draw(roots[0]), sep="\n")
        return
    columns = [dict(figures(root)) for root in roots]
    for name in columns[0]:
        print(f"{name:42}", *(f"{column[name]:8,}" for column in columns))


if __name__ == "__main__":
    main()
