"""The house keeps its own rules: docstrings as tools read them, plain words, sizes, and doors instead of windows.

Each test lists what breaks a rule as ``file:line complaint``. ``python tests/test_house.py`` lists everything.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "src" / "fleeting"

# Rooms that do not keep the rules yet.
PENDING: set[str] = set()

MOST_CODE, MOST_LINES = 60, 450
REASON = "# Longer than most: "

# A docstring says what to do with a thing or names it; it does not begin in the middle of a sentence.
HALF = re.compile(r"(What|Of|As|Where|How|Who)\b")
SUMMARY = re.compile(r"(What|Of|As|Where|How|Who|Whether|If)\b")
# "a" for "per" is read as "one".
RATES = re.compile(
    r"\b(frames?|clips?|images?|pictures?|events?|recordings?|epochs?|steps?|times) an? "
    r"(second|minute|hour|step|unit|clip|fold|epoch)\b"
    r"|\bone an? (clip|unit|fold|subject|model|frame|row|seed|output|class|face|core|event|run|person)\b"
    r"|\b(a row|a file|a folder|a PNG|a line|``\.npy``|pixels|clips) an? (clip|unit|paper|stage|fold|run|verb|side|step)\b",
    re.IGNORECASE,
)
ENTRY = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (\S.*)$")
SECTIONS = {
    "Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Examples", "Notes",
    "References", "See Also", "Methods",
}  # fmt: skip
# Underscore names of other people's libraries that have no public name.
FOREIGN = {
    "_processes", "_replace", "_asdict", "_fields", "_conv_forward", "_forward_hooks", "_forward_pre_hooks",
    "_backward_hooks",
}  # fmt: skip


@dataclass(frozen=True)
class Complaint:
    """What breaks a rule, and where."""

    room: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where} {self.text}"


@dataclass(frozen=True, eq=False)
class Module:
    """A file of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Its dotted name."""
        parts = self.path.relative_to(HOUSE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The folder, or the file, below ``fleeting``."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else "fleeting"

    def complain(self, node: ast.AST | int, text: str) -> Complaint:
        """A complaint about a place in it."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return Complaint(self.room, f"{self.path.relative_to(ROOT).as_posix()}:{line}", text)


@cache
def modules() -> list[Module]:
    """All files of the package."""
    return [
        Module(path, text, ast.parse(text))
        for path in sorted(HOUSE.rglob("*.py"))
        for text in [path.read_text(encoding="utf-8")]
    ]


Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(module: Module) -> Iterator[Node]:
    """Its public classes, functions and methods."""

    def inside(body: list[ast.stmt]) -> Iterator[Node]:
        for node in body:
            if isinstance(node, Node) and not node.name.startswith("_"):
                yield node
                if isinstance(node, ast.ClassDef):
                    yield from inside(node.body)

    return inside(module.tree.body)


def sections(text: str) -> dict[str, list[tuple[str, list[str]]]]:
    """The sections of a docstring: entries (lines at the margin) with the indented lines below each."""
    lines = inspect.cleandoc(text).splitlines()
    found: dict[str, list[tuple[str, list[str]]]] = {}
    current: list[tuple[str, list[str]]] | None = None
    for number, line in enumerate(lines):
        if number + 1 < len(lines) and line in SECTIONS and lines[number + 1] == "-" * len(line):
            current = found.setdefault(line, [])
        elif current is None or set(line) == {"-"} or not line.strip():
            continue
        elif not line.startswith(" "):
            current.append((line, []))
        elif current:
            current[-1][1].append(line.strip())
    return found


@cache
def classes() -> dict[str, ast.ClassDef]:
    """Every class of the package by its name."""
    return {node.name: node for module in modules() for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)}


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names in a signature."""
    given = node.args
    several = [given.vararg, given.kwarg]
    names = [*given.posonlyargs, *given.args, *given.kwonlyargs, *(arg for arg in several if arg is not None)]
    return {arg.arg for arg in names}


def accepted(node: Node) -> set[str]:
    """Names that a function takes, or a class takes or has, with those of its bases in this package."""
    if not isinstance(node, ast.ClassDef):
        return arguments(node)
    names: set[str] = set()
    for item in ast.walk(node):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            names.add(item.target.id)
        elif isinstance(item, ast.Assign):
            names |= {target.id for target in item.targets if isinstance(target, ast.Name)}
        elif isinstance(item, ast.FunctionDef):
            names |= arguments(item) | {item.name}
        elif isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name) and item.value.id == "self":
            names.add(item.attr)
    for base in node.bases:
        inner = base.value if isinstance(base, ast.Subscript) else base
        name = inner.id if isinstance(inner, ast.Name) else inner.attr if isinstance(inner, ast.Attribute) else ""
        if name in classes() and classes()[name] is not node:
            names |= accepted(classes()[name])
    return names


def broken_docstrings(module: Module) -> Iterator[Complaint]:
    """numpydoc: ``name : type`` with the meaning below, of things that exist."""
    for node in public(module):
        text = ast.get_docstring(node, clean=False)
        if text is None:
            continue
        for title, entries in sections(text).items():
            if title in ("Examples", "Notes", "References", "See Also", "Methods"):
                continue
            if not entries:
                yield module.complain(node, f"{node.name}: {title} is empty")
            for head, meaning in entries:
                if title in ("Parameters", "Other Parameters", "Attributes"):
                    entry = ENTRY.match(head)
                    if entry is None:
                        yield module.complain(node, f"{node.name}: {title}: {head[:60]!r} is not `name : type`")
                        continue
                    if head.rstrip().endswith((".", ";")):
                        yield module.complain(node, f"{node.name}: {title}: the type in {head[:60]!r} is a sentence")
                    absent = [n for n in re.split(r", ", entry[1].replace("*", "")) if n not in accepted(node)]
                    if absent:
                        yield module.complain(node, f"{node.name}: there is no {', '.join(absent)}")
                elif head.endswith((".", ";")):
                    yield module.complain(node, f"{node.name}: {title}: {head[:60]!r} stands where the type belongs")
                if not meaning:
                    yield module.complain(node, f"{node.name}: {title}: {head[:60]!r} has no meaning below")


def half_sentences(module: Module) -> Iterator[Complaint]:
    """Summaries and meanings that begin in the middle of a sentence."""
    for node in (module.tree, *public(module)):
        text = ast.get_docstring(node, clean=False)
        if text is None:
            continue
        name = getattr(node, "name", module.name)
        if SUMMARY.match(text):
            yield module.complain(node, f"{name}: begins with {text.split()[0]!r}: {text.splitlines()[0][:70]}")
        for title, entries in sections(text).items():
            if title in ("Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises"):
                for head, meaning in entries:
                    if meaning and HALF.match(meaning[0]):
                        yield module.complain(node, f"{name}: {head}: begins with {meaning[0].split()[0]!r}")


def rates(module: Module) -> Iterator[Complaint]:
    """Rates with "a" for "per"."""
    for number, line in enumerate(module.text.splitlines(), start=1):
        if found := RATES.search(line):
            yield module.complain(number, f"{found[0]!r}: say per")


def _code(module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = module.text.splitlines()[node.lineno - 1 : node.end_lineno]
    documented = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    own = range(0) if documented is None else range(documented.lineno, (documented.end_lineno or 0) + 1)
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in enumerate(lines, start=node.lineno)
        if number not in own
    )


def too_long(module: Module) -> Iterator[Complaint]:
    """Functions and files that have grown."""
    lines = module.text.splitlines()
    if len(lines) > MOST_LINES and not any(line.startswith(REASON) for line in lines):
        yield module.complain(1, f"{len(lines)} lines")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (count := _code(module, node)) > MOST_CODE:
            inside = lines[max(0, node.lineno - 3) : node.end_lineno]
            if not any(line.lstrip().startswith(REASON) for line in inside):
                yield module.complain(node, f"{node.name}: {count} lines of code")


def windows(module: Module) -> Iterator[Complaint]:
    """Underscore names of another module, read from here."""
    own = {node.name for node in ast.walk(module.tree) if isinstance(node, Node)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            # Buffers and slots are registered by their names.
            own.add(node.value)
    libraries = {
        (name.asname or name.name).split(".")[0]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
        if not (getattr(node, "module", None) or name.name).startswith("fleeting")
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fleeting"):
            for name in node.names:
                if name.name.startswith("_") and not name.name.startswith("__") and node.module != "fleeting":
                    yield module.complain(node, f"imports {node.module}.{name.name}")
        elif isinstance(node, ast.Attribute) and re.match(r"_(?!_)", node.attr):
            owner = ast.unparse(node.value).split(".")[0]
            if node.attr not in own and node.attr not in FOREIGN and owner not in libraries:
                yield module.complain(node, f"reads {ast.unparse(node)[-60:]}, which is defined elsewhere")


@cache
def _imports(module: Module) -> set[str]:
    """Modules of the package that this one imports, wherever it does; not those that only a type checker follows."""
    names = {other.name for other in modules()}
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name in names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "") in names:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                found.add(inner if inner in names else str(node.module))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(module.tree)
    return found - {module.name}


def circles(module: Module) -> Iterator[Complaint]:
    """Files that, by way of others, import themselves."""
    graph = {other.name: _imports(other) for other in modules()}
    # The shortest way back.
    ways = [[module.name, name] for name in sorted(graph[module.name])]
    seen: set[str] = set()
    for way in ways:
        if way[-1] == module.name:
            yield module.complain(1, " imports ".join(name.removeprefix("fleeting.") for name in way))
            return
        if way[-1] not in seen:
            seen.add(way[-1])
            ways.extend([*way, name] for name in sorted(graph[way[-1]]))


RULES: dict[str, Callable[[Module], Iterator[Complaint]]] = {
    "docstrings follow numpydoc": broken_docstrings,
    "docstrings begin with whole words": half_sentences,
    "rates are said with per": rates,
    "files and functions fit a few screens": too_long,
    "no module reads another's underscore names": windows,
    "no file imports itself by way of others": circles,
}


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_holds(rule):
    complaints = [c for module in modules() for c in RULES[rule](module) if c.room not in PENDING]
    assert not complaints, f"{len(complaints)}:\n" + "\n".join(map(str, complaints))


def test_the_checkers_find_what_they_are_for(tmp_path, monkeypatch):
    """A file that breaks every rule breaks every rule."""
    source = '''
"""What is wrong."""

from fleeting.bad import _hidden
from fleeting import bad


def rate(clip, fps):
    """Whether it is so, in frames a second.

    Parameters
    ----------
    clip
        A clip.
    fps : Of the clip.
    gone : int
        How many.

    Returns
    -------
    The rate.
    """
    return _hidden(clip)._secret
'''
    path = HOUSE / "bad.py"
    module = Module(path, source + "\n" * MOST_LINES, ast.parse(source))
    monkeypatch.setattr(sys.modules[__name__], "modules", lambda: [module])
    found = {rule: [c.text for c in check(module)] for rule, check in RULES.items()}
    assert len(found["docstrings follow numpydoc"]) == 6, found
    assert len(found["docstrings begin with whole words"]) == 3
    assert len(found["rates are said with per"]) == 1
    assert found["files and functions fit a few screens"] == [f"{MOST_LINES + len(source.splitlines())} lines"]
    assert len(found["no module reads another's underscore names"]) == 2
    long = "def f():\n" + "    x = 1\n" * MOST_CODE
    assert [c.text for c in too_long(Module(path, long, ast.parse(long)))] == [f"f: {MOST_CODE + 1} lines of code"]
    long = long.replace("x = 1", REASON + "a table", 1).replace("def f():\n", "def f():\n    x = 1\n", 1)
    assert not list(too_long(Module(path, long, ast.parse(long))))


def layers() -> list[str]:
    """The rooms, from the last to the first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [name.removeprefix("fleeting.") for name in contract["layers"]]


def test_every_room_has_its_layer():
    there = {module.room for module in modules()} - {"fleeting", "_version", "__main__"}
    assert there == set(layers())


if __name__ == "__main__":
    only = set(sys.argv[1:])
    for title, check in RULES.items():
        for one in modules():
            for complaint in check(one):
                if not only or complaint.room in only:
                    print(complaint, f"[{title}]")
