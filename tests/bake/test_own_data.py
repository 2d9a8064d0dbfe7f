"""A newcomer's own CSV and second round: the lines of the generated README, typed to the letter."""

import json
import os
import re
import subprocess
from pathlib import Path

import polars as pl
import pytest
from sklearn.datasets import load_wine

from tests.newcomer import (
    GENERATED,
    OWN_DATA,
    PAGES,
    SETTINGS,
    Shell,
    changed,
    clone,
    describe,
    inline,
    lines,
    section,
    tumours,
)
from tests.projects import small_project
from tools.bake import bake

pytestmark = pytest.mark.slow

FEATURES = "src/model/features.py"
WITHOUT_GH = next(code for code in inline(OWN_DATA) if code.startswith("git remote add origin URL"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A terminal in a project as it was generated; git knows nothing of it yet."""
    return Shell(bake(tmp_path), tmp_path / "home")


def origin(shell: Shell) -> str:
    """Make the empty repository that a person makes in the browser; give its URL."""
    at = shell.project.parent / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", at], check=True)
    return str(at)


def report(shell: Shell) -> dict[str, object]:
    """Read what `model compare` wrote."""
    found: dict[str, object] = json.loads(shell.read("report/report.json"))
    return found


def test_ten_lines_of_the_readme_take_a_csv_to_a_verdict(shell: Shell) -> None:
    typed = lines(OWN_DATA)
    assert len(typed) <= 10
    tumours(Path(shell.env["HOME"]) / "tumours.csv")
    shell.will_edit("params.yaml", changed(shell.read("params.yaml"), SETTINGS))
    shell.will_edit("src/model/schema.py", PAGES["src/model/schema.py"])
    smoother = changed(PAGES[FEATURES], {'("radius", "texture")': '("radius", "texture", "smoothness")'})
    shell.will_edit(FEATURES, PAGES[FEATURES], smoother)

    for line in typed:
        if line.startswith("gh repo create"):
            line = WITHOUT_GH.replace("URL", origin(shell))
        if not line.startswith("gh "):
            shell.type(line)
    shell.type("make compare")

    assert report(shell)["word"] == "better", "the smoothness tells much of tumours"
    assert "rows were judged as if independent" in shell.read("report/report.md")
    assert not shell.type("git ls-tree --name-only HEAD dvc.lock")
    shell.type("make check && make test")


def test_a_second_round_after_a_pulled_release_takes_the_same_lines(tmp_path: Path) -> None:
    shell = Shell(small_project(tmp_path), tmp_path / "home")
    branch, edit, commit, compare = lines(section("Make the model better"))
    release = [line for line in lines(section("Release, promote, roll back")) if line.startswith("model release")]
    [pull] = re.findall(r"```bash\n(rm .*)\n```", section("Make the model better"))
    first = changed(shell.read(FEATURES), {'"plane_age", "seats")': '"plane_age")'})
    shell.will_edit(FEATURES, first, changed(first, {'"plane_age")': '"plane_age", "seats")'}))
    shell.type(GENERATED)
    shell.type(WITHOUT_GH.replace("URL", origin(shell)) + " && pre-commit install")
    colleague = clone(tmp_path / "origin.git", tmp_path / "colleague")

    for line in (branch, edit, commit, compare, "git push --quiet origin HEAD:main"):
        shell.type(line)
    colleague.type(" && ".join(["git pull --quiet", "make train", *release, "git push --quiet"]))
    assert "overwritten" in shell.try_("git switch main && git pull")[1], "else the line of the README is not needed"
    shell.type(pull)
    assert shell.read("dvc.lock") == colleague.read("dvc.lock")

    shell.type(branch.replace("tail-wind", "again"))
    for line in (edit, compare, commit):
        shell.type(line)
    assert report(shell)["base"]["bundle"] != report(shell)["candidate"]["bundle"]  # type: ignore[index]
    assert shell.type("git status --porcelain").split() == ["M", "dvc.lock"]
    code, said = shell.try_("git commit --all --message 'By habit'")
    assert code == 1, said
    shell.type(
        f"echo '# A note.' >> params.yaml && {re.findall(r'commit with `([^`]+)`', said)[0]} --message 'By the remedy'"
    )
    assert shell.type("git diff --name-only main HEAD").split() == ["params.yaml", FEATURES]
    shell.type(f"{pull} && dvc repro")
    assert shell.read("dvc.lock"), "nothing was released since, so training wrote it"


def test_three_classes_are_judged_by_the_gates_as_they_are_generated(shell: Shell) -> None:
    shell.type(GENERATED)
    wine = load_wine(as_frame=True)
    kinds = pl.Series([f"kind {name}" for name in wine.target])
    rows = pl.DataFrame({"sample": [f"w{i}" for i in range(len(kinds))], "cultivar": kinds})
    for name, column in {"radius": "ash", "texture": "magnesium", "smoothness": "flavanoids"}.items():
        rows = rows.with_columns(pl.Series(name, wine.data[column].to_numpy()))
    rows.write_csv(shell.project / "data/files/wine.csv")
    describe(
        shell,
        {n: p.replace("malignant: bool", "cultivar: str").replace("malignant", "cultivar") for n, p in PAGES.items()},
    )
    shell.type("git add --all ':!dvc.lock' && git commit --quiet --message 'Predict cultivars'")
    shell.type("git switch --quiet --create smoothness")
    (shell.project / FEATURES).write_text(changed(shell.read(FEATURES), {'"texture")': '"texture", "smoothness")'}))
    shell.type("git add --all ':!dvc.lock' && git commit --quiet --message 'Look' && make compare")

    found = report(shell)
    assert (found["primary"], found["word"]) == ("roc_auc", "better"), "flavanoids tell the cultivars apart"
    assert {row["gate"]: row["state"] for row in found["gates"]} == dict.fromkeys(  # type: ignore[attr-defined]
        ("roc_auc.not_worse", "roc_auc.at_least", "log_loss.not_worse"), "passed"
    )


def test_rows_over_50_mb_stay_out_of_git_and_smaller_ones_do_not(shell: Shell) -> None:
    shell.type(GENERATED)
    for name, size in {"small": 3_000_000, "large": 51 * 1024**2}.items():
        with (shell.project / f"data/files/{name}.csv").open("wb") as file:
            file.truncate(size)

    shell.type("git add data/files/small.csv && pre-commit run large-files && pre-commit run large-data")
    code, said = shell.try_("git add data/files/large.csv && pre-commit run large-data")

    assert code == 1, said
    assert "large.csv" in said
    assert "small.csv" not in said


def test_data_beside_git_is_fetched_before_training(shell: Shell, tmp_path: Path) -> None:
    shell.type(GENERATED)
    (shell.project / "dvc.yaml").write_text(
        "stages: {copy: {cmd: cp data/files/rows.csv out.csv, deps: [data/files/rows.csv], outs: [out.csv]}}\n"
    )
    (shell.project / "data" / "files" / "rows.csv").write_text("id,value\na,1\n")
    shell.type(f"dvc add --quiet data/files/rows.csv && dvc remote add --quiet --default storage '{tmp_path}/storage'")
    shell.type("dvc push --quiet && git add --all && git commit --quiet --message 'Add rows'")
    cloned = clone(shell.project, tmp_path / "clone")
    # Of the project's own verbs only the one that fetches is there: nothing of this pipeline trains a model.
    fetch = '#!/bin/sh\n[ "$1" != fetch ] || PYTHONPATH=src exec python -m mergeline.cli fetch\n'
    (cloned.project / ".venv" / "bin" / "model").write_text(fetch)

    cloned.type("make train")

    assert (cloned.project / "out.csv").read_text() == "id,value\na,1\n"


@pytest.mark.parametrize(("there", "used"), [("python3.99", "python3.99"), ("other", "python3")])
def test_setting_up_takes_the_python_of_params_yaml_where_it_is_there(tmp_path: Path, there: str, used: str) -> None:
    project = bake(tmp_path)
    params = project / "params.yaml"
    params.write_text(re.sub(r'python: ".*"', 'python: "3.99"', params.read_text()))
    (tmp_path / there).write_text("#!/bin/sh\necho 1\n")
    (tmp_path / there).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    def planned(*more: str) -> str:
        return subprocess.run(
            ["make", "--dry-run", "setup", *more],
            cwd=project,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert f"{{ {used} -m venv .venv" in planned()
    assert "{ mine -m venv .venv" in planned("PYTHON=mine")
