"""`model compare` in a generated project with few rows: real git, real DVC, real training."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mergeline.bundle import identify
from mergeline.compare import base

from .repository import Repository

pytestmark = pytest.mark.slow


def test_a_first_model_is_judged_alone_and_says_so(trained: Repository) -> None:
    text = (trained.root / "report/report.md").read_text()

    assert (trained.report()["word"], trained.report()["base"]) == (None, None)
    assert text.startswith("**First model**: roc_auc 0.")
    assert "roc_auc.at_least" in text


def test_a_line_in_features_gives_another_bundle_and_the_base_is_restored_without_training(project: Repository) -> None:
    first = identify(project.root / "bundle")
    project.git("switch", "--quiet", "--create", "weather")
    project.use_weather()
    head = project.commit("Use the weather")
    project.git("checkout", "--quiet", "--detach")

    report = project.compare("--base", "main")

    assert report["base"]["bundle"] == first
    assert report["base"]["stages"] == []
    assert report["candidate"]["commit"] == head
    assert report["candidate"]["bundle"] == identify(project.root / "bundle") != first
    assert report["judged"]["group"] == "day"
    assert report["judged"]["groups"] == 30
    assert report["code"] == ["src/model/features.py"]
    assert report["data"] == []
    assert report["notes"] == []
    assert (project.root / "report/report.html").read_text().startswith("<!doctype html>")
    assert project.git("worktree", "list").count("\n") == 0
    assert project.git("status", "--porcelain") in ("", "M dvc.lock", " M dvc.lock")


def test_a_pull_request_that_drops_a_sensitive_column_is_judged_by_it_still(project: Repository) -> None:
    project.edit("src/model/schema.py", "SENSITIVE: tuple[str, ...] = ()", 'SENSITIVE = ("origin",)')
    project.commit("Name what is sensitive")
    project.git("switch", "--quiet", "--create", "weather")
    project.edit("src/model/schema.py", 'SENSITIVE = ("origin",)', "SENSITIVE = ()")
    project.use_weather()
    project.commit("Use the weather")

    report = project.compare("--base", "main")

    assert {row["column"] for row in report["fairness"]["rows"]} == {"origin"}
    assert "src/model/schema.py drops origin, by which the base is judged; so is this." in report["notes"]


def test_what_is_sensitive_is_judged_as_such_and_shown_nowhere_else(project: Repository) -> None:
    project.edit("src/model/schema.py", "SENSITIVE: tuple[str, ...] = ()", 'SENSITIVE = ("origin", "flight_id")')
    project.edit("params.yaml", "rule: fixed", "rule: best_f1")
    project.git("switch", "--quiet", "--create", "weather")
    project.use_weather()
    project.commit("Use the weather")

    report = project.compare("--base", "main")

    slices = report["slices"]
    assert not [name for name in slices["too_small"] if name.startswith("origin")]
    assert slices["tested"] + slices["small"] > 0
    assert {row["column"] for row in report["fairness"]["rows"]} == {"origin"}
    assert report["flips"]["rows"] == report["judged"]["rows"]
    assert all(row["row"].startswith("row ") for row in report["flips"]["moved"])
    matrices = [report["calibration"][side] for side in ("base", "candidate")]
    assert [sum(map(sum, matrix["counts"])) for matrix in matrices] == [report["judged"]["rows"]] * 2
    assert matrices[0]["threshold"] == 0.5 != matrices[1]["threshold"]
    text = (project.root / "report/report.md").read_text()
    assert "Expected calibration error" in text
    assert "`origin` = `JFK`" in text


def test_a_base_without_lock_and_objects_is_trained_by_its_own_code(project: Repository) -> None:
    first = identify(project.root / "bundle")
    project.git("rm", "--quiet", "dvc.lock")
    project.commit("No lock yet")
    project.git("switch", "--quiet", "--create", "weather")
    project.use_weather()
    project.commit("Use the weather")
    for folder in (".dvc/cache", "results", "bundle"):
        shutil.rmtree(project.root / folder)

    report = project.compare("--base", "main")

    assert "train" in report["base"]["stages"]
    assert report["base"]["bundle"] == first
    assert report["candidate"]["bundle"] != first


def test_a_worse_model_is_stopped_with_the_reason(project: Repository) -> None:
    project.git("switch", "--quiet", "--create", "worse")
    project.edit(
        "src/model/features.py", '"departure_minute": raw["departure_minute"]', '"departure_minute": 0 * raw["seats"]'
    )
    project.edit("src/model/features.py", '"carrier": raw["carrier"]', '"carrier": raw["origin"]')
    project.edit(
        "src/model/features.py", '(raw["arrival_minute"] - raw["departure_minute"]) % 1440', '0 * raw["seats"]'
    )
    project.edit("gates.yaml", "at_least: 0.5", "at_least: 0.1")
    project.edit("params.yaml", "learning_rate: 0.1", "learning_rate: 0.2")
    project.commit("Forget when it leaves")

    report = project.compare("--base", "main", expected=3)

    assert "roc_auc" in project.said.splitlines()[-1]
    assert [gate["gate"] for gate in report["gates"] if gate["state"] == "failed"]
    assert report["protected"] == ["gates.yaml"]
    assert report["params"] == [{"name": "model.learning_rate", "base": "0.1", "candidate": "0.2"}]
    assert "**Blocked** by gates.yaml" in (project.root / "report/report.md").read_text()


def test_rules_beside_the_metrics_are_asked_of_what_was_found(project: Repository) -> None:
    asked = "slices: { carrier: { at_least: 0.99 } }\ndata: { suspects: { at_most: 0 } }\noverrides: []"
    project.edit("gates.yaml", "overrides: []", asked)
    project.commit("Ask for more")
    project.git("switch", "--quiet", "--create", "weather")
    project.use_weather()
    project.commit("Use the weather")

    report = project.compare("--base", "main", expected=3)

    states = {gate["gate"]: gate["state"] for gate in report["gates"]}
    assert (states["slices.carrier.at_least"], states["data.suspects.at_most"]) == ("failed", "passed")
    assert "slices.carrier.at_least: carrier=" in project.said.splitlines()[-1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("slices: { airline: { not_worse: true } }", "slices.airline: SLICES of src/model/schema.py has no airline"),
        ("fairness: { sex: { selection rate: { at_most: 0.1 } } }", "fairness.sex: SENSITIVE of src/model/schema.py"),
    ],
)
def test_a_rule_about_a_column_that_is_none_is_an_error(project: Repository, asked: str, said: str) -> None:
    project.edit("gates.yaml", "overrides: []", f"{asked}\noverrides: []")
    project.commit("Ask for what is not there")

    project.compare("--base", "main", expected=6)

    assert f"gates.yaml: {said}" in project.said.splitlines()[-1]


def test_rules_come_from_the_base_branch(project: Repository) -> None:
    project.edit("gates.yaml", "at_least: 0.5", "at_least: 0.99")
    project.commit("Ask for much")
    project.git("switch", "--quiet", "--create", "loose")
    project.edit("gates.yaml", "at_least: 0.99", "at_least: 0.1")
    project.commit("Ask for little")

    report = project.compare("--base", "main", expected=3)

    assert [gate["gate"] for gate in report["gates"] if gate["state"] == "failed"] == ["roc_auc.at_least"]


def test_a_base_that_cannot_be_built_any_more_is_said_and_stops_nothing(project: Repository) -> None:
    project.edit("src/model/estimator.py", "def estimator(", "def renamed(")
    project.commit("Break main")
    project.git("switch", "--quiet", "--create", "repair")
    project.edit("src/model/estimator.py", "def renamed(", "def estimator(")
    project.commit("Repair it")

    report = project.compare("--base", "main")

    assert report["word"] == "cannot tell"
    assert report["reason"].startswith("the base has no model: it cannot be built any more (")
    assert report["metrics"][0]["candidate"] is not None
    assert (project.root / "report/report.md").read_text().startswith("**Cannot tell**: the base has no model")


def test_other_packages_alone_need_no_training_of_a_base_that_is_there(project: Repository) -> None:
    project.git("switch", "--quiet", "--create", "packages")
    with (project.root / "requirements/train.txt").open("a") as file:
        file.write("# another line\n")
    project.commit("Update the packages")

    report = project.compare("--base", "main")

    assert report["base"]["stages"] == []
    assert report["word"] == "same"
    assert report["protected"] == ["requirements/train.txt"]
    assert "Both bundles are byte for byte the same." in report["notes"]


def test_a_base_whose_objects_are_only_in_the_remote_is_fetched(
    project: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{project.tools}{os.pathsep}{os.environ['PATH']}")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run(
        [*dvc, "remote", "add", "--local", "--default", "store", str(tmp_path / "store")], cwd=project.root, check=True
    )
    subprocess.run([*dvc, "push", "--quiet"], cwd=project.root, check=True)
    shutil.rmtree(project.root / ".dvc/cache")

    with base.restored(project.root, project.git("rev-parse", "HEAD"), "main") as found:
        assert (found.ran, found.problem) == ([], None)
        assert identify(found.root / "bundle") == identify(project.root / "bundle")
        assert not (found.root / "data/raw.parquet").exists()


def in_cache(project: Repository) -> Path:
    """Give where DVC's cache has the model that is in place now."""
    name = hashlib.md5((project.root / "bundle/model.onnx").read_bytes(), usedforsecurity=False).hexdigest()
    return project.root / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"


def damage(at: Path) -> None:
    """Overwrite an object, as a bad disk does."""
    at.chmod(0o644)
    at.write_bytes(b"broken")


def test_a_base_whose_objects_are_damaged_is_made_again(project: Repository) -> None:
    first = identify(project.root / "bundle")
    damage(in_cache(project))
    project.git("switch", "--quiet", "--create", "weather")
    project.use_weather()
    project.commit("Use the weather")

    report = project.compare("--base", "main")

    assert report["base"]["bundle"] == first
    assert report["base"]["stages"] == ["export"]
    assert report["metrics"][0]["difference"] is not None


def test_a_base_whose_objects_are_damaged_is_fetched_where_a_remote_has_them(
    project: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{project.tools}{os.pathsep}{os.environ['PATH']}")
    dvc = [sys.executable, "-m", "dvc"]
    remote = [*dvc, "remote", "add", "--local", "--default", "store", str(tmp_path / "store")]
    subprocess.run(remote, cwd=project.root, check=True)
    subprocess.run([*dvc, "push", "--quiet"], cwd=project.root, check=True)
    damage(in_cache(project))

    with base.restored(project.root, project.git("rev-parse", "HEAD"), "main") as found:
        assert (found.ran, found.problem) == ([], None)
        assert identify(found.root / "bundle") == identify(project.root / "bundle")


def test_a_damaged_base_that_cannot_be_made_again_stops_the_judgement(project: Repository, tmp_path: Path) -> None:
    of_base = in_cache(project)
    project.git("switch", "--quiet", "--create", "weather")
    project.use_weather()
    project.commit("Use the weather")
    project.compare("--base", "main")
    damage(of_base)
    without_the_command = Repository(project.root, tmp_path / "no-tools")
    (project.root / "report/report.json").unlink()

    without_the_command.compare("--base", "main", expected=7)

    assert "the DVC cache held damaged objects of the base's bundle" in without_the_command.said
    assert not (project.root / "report/report.json").exists()


def test_a_stage_that_fails_is_said_once_with_its_own_exit_code(project: Repository) -> None:
    project.edit("params.yaml", "iterations: 30", "iterations: many")

    project.compare("--base", "main", expected=6)

    assert [line for line in project.said.splitlines() if "iterations" in line or "rror" in line] == [
        "error params.yaml: model.iterations: The 'max_iter' parameter of HistGradientBoostingClassifier must be an int in "
        "the range [1, inf). Got 'many' instead. Correct the file and run the command again."
    ]


@pytest.mark.parametrize(
    ("rev", "code", "sentence"),
    [("nowhere", 8, "git knows no revision nowhere"), ("--help", 8, "git knows no revision")],
)
def test_a_base_that_is_no_revision_is_refused_in_one_line(
    project: Repository, rev: str, code: int, sentence: str
) -> None:
    project.compare(f"--base={rev}", expected=code)

    assert sentence in project.said
    assert "Traceback" not in project.said


def test_a_shallow_clone_names_the_remedy(project: Repository, tmp_path: Path) -> None:
    project.git("switch", "--quiet", "--create", "one")
    (project.root / "note.md").write_text("one")
    project.commit("One more")
    project.git("switch", "--quiet", "main")
    (project.root / "other.md").write_text("two")
    project.commit("Another")
    clone = tmp_path / "clone"
    source = f"file://{project.root}"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", "--branch", "one", source, clone], check=True)
    subprocess.run(["git", "fetch", "--quiet", "--depth", "1", "origin", "main:main"], cwd=clone, check=True)

    shallow = Repository(clone, project.tools)
    shallow.compare("--base", "main", expected=8)

    assert "git fetch --unshallow" in shallow.said


def test_the_job_summary_gets_the_report_and_machines_get_json(
    project: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    project.compare("--base", "main", "--summary", "--json")

    assert (tmp_path / "summary.md").read_text().startswith("**Same**: roc_auc")
    assert '"schema": 1' in project.said


def test_a_column_that_leaks_the_label_is_named_at_the_top(project: Repository) -> None:
    project.git("switch", "--quiet", "--create", "poison")
    leak = '.with_columns((pl.col("late").cast(pl.Int64) * 3 + pl.col("distance") % 2).alias("crew"))'
    project.edit("src/model/source.py", 'files(Path(params["path"]))', f'files(Path(params["path"])){leak}')
    project.edit("src/model/schema.py", "    late: bool", "    crew: int = pa.Field(ge=0)\n    late: bool")
    project.edit("src/model/features.py", '"plane_age", "seats")', '"plane_age", "seats", "crew")')
    project.edit("src/model/features.py", "    return {\n", '    return {\n        "crew": raw["crew"],\n')
    project.commit("Know the crew")

    report = project.compare("--base", "main")

    assert [suspect["column"] for suspect in report["checks"]["suspects"]] == ["crew"]
    assert (
        (project.root / "report/report.md")
        .read_text()
        .splitlines()[2]
        .startswith("> **Does a column hold the answer?** Alone it predicts the label suspiciously well: `crew` (AUC ")
    )
    assert (report["rows"]["added"], report["rows"]["removed"], report["rows"]["unchanged"]) == (0, 0, 0)
    assert report["rows"]["changed"] > report["judged"]["held_out"]
    assert {cost["name"] for cost in report["cost"]} >= {"training", "latency of 1,000 rows"}
