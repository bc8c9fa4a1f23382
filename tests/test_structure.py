"""The plan of docs/design.md holds: short files, short functions, imports in one direction."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("mnist_cnn", "scripts") for path in (ROOT / folder).rglob("*.py"))

ORDER = (
    ("start", "atomic", "hints"),
    ("arguments", "calibration", "hardware"),
    ("networks",),
    ("checkpoints",),
    ("reading", "scenes"),
    ("data",),
    ("tasks",),
    ("callbacks", "export"),
    ("errors",),
    ("page", "cli"),
)
"""Packages and modules of `mnist_cnn`: each imports only from those above it in this list. None of a line imports
another of the same line."""
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
HEAVY = re.compile(r"(torch|lightning|mnist_cnn|matplotlib|onnx|onnxscript|onnxruntime|pillow_heif|speed)\b")
"""What may be imported within a function: what takes long, or comes with an extra."""
BESIDE = sorted(path.name for path in (ROOT / "scripts").iterdir() if (path / "__init__.py").exists())
"""The packages beside the scripts."""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST, package: str) -> list[str]:
    """The modules of our package that an import names, as `package.module`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.startswith(package)]
    if isinstance(node, ast.ImportFrom) and str(node.module).startswith(package):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(path: Path) -> Iterator[str]:
    """Modules that are imported when this one is, not those for type hints alone."""
    module = tree(path)
    skipped = [node for node in module.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    hidden = {id(inner) for node in skipped for inner in ast.walk(node)}
    for node in ast.walk(module):
        if id(node) not in hidden:
            yield from imported(node, "mnist_cnn")


def home(path: Path) -> str:
    """The package or module of `mnist_cnn` that a file belongs to."""
    return path.relative_to(ROOT / "mnist_cnn").with_suffix("").parts[0]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The functions of a file, and the lines of each without its docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = node.body[0] if ast.get_docstring(node) else None
            said = 0 if text is None else (text.end_lineno or 0) - text.lineno + 1
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - said


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
    assert {name: length for name, length in functions(path) if length > 50} == {}


def test_imports_go_one_way() -> None:
    wrong = []
    for path in (ROOT / "mnist_cnn").rglob("*.py"):
        if home(path) not in RANK:  # what starts the program, and what is imported from the package itself
            assert home(path) in ("__init__", "__main__")
            continue
        for name in imports(path):
            other = f"{name}.".split(".")[1]
            if other in RANK and other != home(path) and RANK[other] >= RANK[home(path)]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_no_two_modules_import_each_other() -> None:
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES}
    modules = {name.removesuffix(".__init__").removeprefix("scripts."): path for path, name in names.items()}
    graph = {}
    for name, path in modules.items():
        packages = ("mnist_cnn", *BESIDE)
        found = [other for node in tree(path).body for package in packages for other in imported(node, package)]
        known = {other if other in modules else other.rpartition(".")[0] for other in found}
        graph[name] = (known & modules.keys()) - {name, name.rpartition(".")[0]}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle: {' -> '.join((*above[above.index(name) :], name))}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_within_functions_are_of_heavy_modules(path: Path) -> None:
    for function in ast.walk(tree(path)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    assert HEAVY.match(ast.unparse(node).split()[1]), ast.unparse(node)
