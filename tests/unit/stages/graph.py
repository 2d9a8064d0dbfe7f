"""Which files under src/ a module needs, read from its import statements."""

import ast
from pathlib import Path


def needs(source: Path, module: str) -> set[str]:
    """Give the paths below `source` of everything that `module` imports, itself included, packages' docstrings not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = source / (name.replace(".", "/") + ".py")
        if not path.is_file() or (relative := path.relative_to(source).as_posix()) in found:
            continue
        found.add(relative)
        package = name.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*parts, *([node.module] if node.module else [])])
                waiting += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found
