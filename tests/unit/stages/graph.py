"""Which files under src/ a module needs, read from its import statements."""

import ast
from pathlib import Path


def needs(source: Path, module: str) -> set[str]:
    """Give the paths below `source` of everything that `module` imports, itself included, packages' docstrings not."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        file = source / (name.replace(".", "/") + ".py")
        for path in (file, file.with_suffix("") / "__init__.py"):
            if path.is_file() and (relative := path.relative_to(source).as_posix()) not in found and _has_code(path):
                found.add(relative)
                waiting |= imports(source, relative)
    return found


def _has_code(path: Path) -> bool:
    """Say whether a file holds more than a docstring."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def imports(source: Path, path: str) -> set[str]:
    """Give the dotted names that the file at `path` below `source` imports; of `from a import b` both a and a.b."""
    package = path.rpartition("/")[0].split("/")
    found: set[str] = set()
    for node in ast.walk(ast.parse((source / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found
