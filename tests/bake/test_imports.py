"""Imports run down four floors, never up and never in a circle; the wings of the third floor meet through files."""

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.unit.stages.graph import imports, needs
from tools.bake import TEMPLATE

SOURCE = TEMPLATE / "<<cookiecutter.project>>" / "src"
FLOORS: dict[str, int] = {
    "cli": 4,
    **dict.fromkeys(("stages", "compare", "compress", "release", "serve", "track", "predict", "outcome"), 3),
    **dict.fromkeys(("doctor", "guard", "fetch"), 3),
    **dict.fromkeys(("config", "bundle", "objects", "frames", "store", "state", "refits", "claims"), 2),
    **dict.fromkeys(("trials", "monitor", "events", "experiments"), 2),
    **dict.fromkeys(("errors", "columns", "metrics", "statistics", "verdict", "files", "processes", "progress"), 1),
    **dict.fromkeys(("repo", "forge", "model"), 1),
}


def room(module: str) -> str | None:
    """Name the room of a module: mergeline.stages.train is in stages, model.features in model."""
    package, _, rest = module.partition(".")
    if package == "model":
        return "model"
    return rest.partition(".")[0] or None if package == "mergeline" else None


def module(path: Path) -> str:
    """Name the module of a file."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


FILES = sorted(path for path in SOURCE.rglob("*.py") if room(module(path)))


def rooms_that(path: Path) -> set[str]:
    """Give the rooms that a file imports, its own not."""
    found = {room(name) for name in imports(SOURCE, path.relative_to(SOURCE).as_posix())}
    return {name for name in found if name in FLOORS} - {room(module(path)) or ""}


def test_every_room_has_a_floor() -> None:
    assert {room(module(path)) for path in FILES} <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_room_imports_from_its_own_floor_or_below(path: Path) -> None:
    here = room(module(path)) or ""

    above = {there for there in rooms_that(path) if FLOORS[there] > FLOORS[here]}
    assert not above, f"{here} (floor {FLOORS[here]}) imports {above}"


@pytest.mark.parametrize("path", [path for path in FILES if FLOORS[room(module(path)) or ""] == 3], ids=module)
def test_wings_of_the_third_floor_do_not_import_each_other(path: Path) -> None:
    assert not {there for there in rooms_that(path) if FLOORS[there] == 3}


def test_no_imports_run_in_a_circle() -> None:
    names = {module(path) for path in FILES}
    graph = {
        module(path): imports(SOURCE, path.relative_to(SOURCE).as_posix()) & names - {module(path)} for path in FILES
    }
    # A package whose __init__ chooses among its own files is asked for their names.
    graph["mergeline.forge"] -= {name for name in names if name.startswith("mergeline.forge.")}

    TopologicalSorter(graph).prepare()


def test_your_part_imports_nothing_of_the_loop() -> None:
    for path in SOURCE.glob("model/*.py"):
        assert not [
            name for name in imports(SOURCE, path.relative_to(SOURCE).as_posix()) if name.startswith("mergeline")
        ]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_nothing_that_is_shipped_imports_from_tests(path: Path) -> None:
    assert not [name for name in imports(SOURCE, path.relative_to(SOURCE).as_posix()) if name.startswith("tests")]


def test_no_rooms_know_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for path in FILES:
        rooms.setdefault(room(module(path)) or "", set()).update(rooms_that(path))

    TopologicalSorter(rooms).prepare()


@pytest.mark.parametrize("part", sorted(SOURCE.glob("mergeline/serve/**/*.py")), ids=module)
def test_the_server_needs_no_training_package(part: Path) -> None:
    training = {"sklearn", "pandas", "polars", "mlflow", "skl2onnx", "onnx", "scipy", "dvc", "pandera", "plotly"}

    for path in needs(SOURCE, module(part)):
        assert not {name.partition(".")[0] for name in imports(SOURCE, path)} & training, path


def test_your_part_is_short() -> None:
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.glob("model/*.py")) < 300


def test_the_image_holds_what_its_server_imports_and_no_more() -> None:
    lines = (SOURCE.parent / ".dockerignore").read_text(encoding="utf-8").splitlines()
    server = needs(SOURCE, "mergeline.serve.command") | needs(SOURCE, "mergeline.serve.gateway")
    packages = {f"{Path(name).parent.as_posix()}/__init__.py" for name in server}
    start = {"mergeline/cli.py", "mergeline/repo.py", *packages}
    read = {"mergeline/serve/docs.html"}

    assert {line.removeprefix("!src/") for line in lines if line.startswith("!src/")} == server | start | read
