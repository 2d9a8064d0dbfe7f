"""Imports of the loop run down four floors, never up and never in a circle; the wings of a floor do not know each other."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tools.bake import TEMPLATE

SRC = TEMPLATE / "<<cookiecutter.project>>" / "src"
MODULES = sorted(SRC.rglob("*.py"))
FLOORS = {
    4: {"cli"},
    3: {"stages", "compare", "release", "serve", "track", "doctor", "guard"},
    2: {"config", "bundle", "repo", "monitor", "objects", "state", "store", "files", "frames", "processes", "forge"},
    1: {"errors", "columns", "metrics", "statistics", "progress"},
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


NAMES = {module_name(path) for path in MODULES}


def room(module: str) -> str:
    """Give the room of a module: the first name below the package."""
    return module.split(".")[1] if "." in module else module


def imports(path: Path, *, when_called: bool = True) -> set[str]:
    """Give the modules of src/ that a file imports, with or without those that its functions import when called."""
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if when_called else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            named = {f"{origin}.{alias.name}" for alias in node.names}
            found |= {name if name in NAMES else origin for name in named}
    return {name for name in found if name in NAMES} - {module_name(path)}


LOOP = [path for path in MODULES if module_name(path).startswith("mergeline.")]


def test_every_room_has_a_floor() -> None:
    assert {room(module_name(path)) for path in LOOP} <= set(FLOOR)


@pytest.mark.parametrize("path", LOOP, ids=module_name)
def test_a_module_imports_from_its_own_room_or_from_below(path: Path) -> None:
    here = room(module_name(path))
    rooms = {room(name) for name in imports(path) if name.startswith("mergeline.")} - {here}

    if FLOOR[here] >= 3:
        assert not {other for other in rooms if FLOOR[other] >= FLOOR[here]}
    else:
        assert not {other for other in rooms if FLOOR[other] > FLOOR[here]}


@pytest.mark.parametrize("path", [p for p in MODULES if module_name(p).startswith("model")], ids=module_name)
def test_your_part_imports_nothing_of_the_loop(path: Path) -> None:
    assert not {name for name in imports(path) if name.startswith("mergeline")}


def test_no_imports_run_in_a_circle() -> None:
    TopologicalSorter({module_name(path): imports(path, when_called=False) for path in MODULES}).prepare()


def test_no_rooms_know_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for path in LOOP:
        here = room(module_name(path))
        rooms.setdefault(here, set()).update({room(name) for name in imports(path)} - {here})

    TopologicalSorter(rooms).prepare()


def test_your_part_is_short() -> None:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (SRC / "model").glob("*.py"))

    assert lines < 300


def test_the_server_imports_no_training_package() -> None:
    heavy = {"sklearn", "pandas", "polars", "mlflow", "skl2onnx", "scipy", "dvc", "pandera", "plotly"}
    seen, todo = set(), [path for path in LOOP if room(module_name(path)) == "serve"]
    by_name = {module_name(path): path for path in MODULES}
    while todo:
        path = todo.pop()
        seen.add(path)
        todo += [by_name[name] for name in imports(path) if by_name[name] not in seen]

    for path in seen:
        top = ast.parse(path.read_text(encoding="utf-8")).body
        named = {
            name.split(".")[0]
            for node in top
            for name in (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
        }
        assert not named & heavy, path
