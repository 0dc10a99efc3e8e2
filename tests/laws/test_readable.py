"""What is public says what it is, and nothing grows past one sitting."""

import ast
from collections.abc import Iterator

import source

FILE_LINES = 400
FUNCTION_LINES = 60


def undocumented(file: source.File) -> list[str]:
    """Public modules, classes, functions and methods without a docstring."""
    found = [] if ast.get_docstring(file.tree) else [f"{file.path}: the module"]
    for name, node in _public(file.tree):
        if not ast.get_docstring(node):
            found.append(f"{file.path}:{node.lineno} {name}")
    return found


def _public(
    scope: ast.Module | ast.ClassDef, within: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in scope.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_") or _is_overload(node):
            continue
        yield f"{within}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{within}{node.name}.")


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Typing overloads and property setters speak through the function that they go with."""
    names = [source.dotted(decorator) or "" for decorator in node.decorator_list]
    return any(name.split(".")[-1] in ("overload", "setter", "deleter") for name in names)


def too_long(file: source.File) -> list[str]:
    """Files and functions over the hard stops; a function's docstring does not count."""
    lines = len(file.text.splitlines())
    found = [f"{file.path}: {lines} lines"] if lines > FILE_LINES else []
    for node in source.functions(file):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        first = node.body[0]
        if ast.get_docstring(node):
            length -= (first.end_lineno or first.lineno) - first.lineno + 1
        if length > FUNCTION_LINES:
            found.append(f"{file.path}:{node.lineno} {node.name}: {length} lines")
    return found


def test_everything_public_is_documented():
    found = [name for file in source.files() for name in undocumented(file)]
    assert not found, "\n".join(found)


def test_files_and_functions_stay_short():
    found = [name for file in source.files() for name in too_long(file)]
    assert not found, "\n".join(found)


def test_the_laws_notice():
    bare = source.parse("x.py", "class A:\n    def b(self): ...\n    def _c(self): ...\n")
    assert undocumented(bare) == ["x.py: the module", "x.py:1 A", "x.py:2 A.b"]
    full = source.parse("x.py", '"""M."""\n\n\ndef f():\n    """F."""\n')
    assert undocumented(full) == []
    body = "    x = 1\n" * 60
    long = source.parse("x.py", f"def f():\n{body}\n\ndef g():\n{body[:-10]}\n")
    assert too_long(long) == ["x.py:1 f: 61 lines"]
    documented = source.parse("x.py", f'def f():\n    """F\n\n    F\n    """\n{body[:-10]}')
    assert too_long(documented) == []
    assert too_long(source.parse("x.py", "x = 1\n" * 401)) == ["x.py: 401 lines"]
