"""The package's own source, parsed; nothing of it is imported or run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "splatsmith"


@dataclass(frozen=True, eq=False)
class File:
    """One source file."""

    path: Path  # relative to the package
    text: str
    tree: ast.Module

    @property
    def part(self) -> str:
        """The folder or top-level module that it belongs to; "" for the package's front."""
        first = self.path.parts[0] if len(self.path.parts) > 1 else self.path.stem
        return "" if first == "__init__" else first

    @property
    def package(self) -> str:
        """The dotted name that relative imports start from."""
        return ".".join(["splatsmith", *self.path.parts[:-1]])


def parse(path: str, text: str) -> File:
    """A file from its text, which need not exist on disk."""
    return File(Path(path), text, ast.parse(text, filename=path))


@cache
def files() -> tuple[File, ...]:
    """Every Python file of the package."""
    found = sorted(ROOT.rglob("*.py"))
    assert found, f"no source under {ROOT}"
    return tuple(
        parse(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in found
    )


def imports(file: File) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a file imports, wherever it does so."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                upward = file.package.split(".")[
                    : len(file.package.split(".")) - node.level + 1
                ]
                base = ".".join([*upward, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` as a string; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    return None


def aliases(file: File) -> dict[str, str]:
    """What the names that a file imports stand for, such as np -> numpy."""
    known = {}
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return known


def functions(file: File) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, also nested ones."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
