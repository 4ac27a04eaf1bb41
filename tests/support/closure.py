"""Which first-party modules a stage can reach, by reading imports instead of running them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def imported(module: str) -> frozenset[str]:
    """The first-party files that a file imports, anywhere in it, and the packages that they lie in."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(path for name in names if name.startswith("tasks.") for path in _files(name))


def _files(name: str) -> list[str]:
    """The file of a module and the packages around it; a package without code of its own decides nothing."""
    parts = name.split(".")
    packages = [Path(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    files = [Path(*parts).with_suffix(".py"), *(path for path in packages if has_code(path))]
    return [path.as_posix() for path in files if (ROOT / path).is_file()]


def has_code(path: Path) -> bool:
    """Whether a file holds more than a docstring."""
    full = ROOT / path
    return full.is_file() and len(ast.parse(full.read_text("utf-8")).body) > 1


def closure(*start: str, helpers: tuple[str, ...]) -> set[str]:
    """Every first-party file that importing these brings in; those in the folders `helpers` are left out."""
    todo, reached = list(start), set[str]()
    while todo:
        path = todo.pop()
        if path not in reached and not path.startswith(helpers):
            reached.add(path)
            todo += imported(path)
    return reached
