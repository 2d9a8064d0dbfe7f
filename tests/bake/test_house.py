"""The template's own house: its workflows, its release notes, its locks."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.bake import TEMPLATE
from tools.notes import notes

PROJECT = TEMPLATE / "<<cookiecutter.project>>"
WORKFLOWS = sorted((TEMPLATE / ".github" / "workflows").glob("*.yml"))
LOCKS = sorted([*TEMPLATE.glob("requirements/*.txt"), *PROJECT.glob("requirements/*.txt")])
GENERATED = "\n".join(path.read_text(encoding="utf-8") for path in PROJECT.glob(".github/**/*.yml"))
PINNED = {
    "actions/setup-python": "5fda3b95a4ea91299a34e894583c3862153e4b97",
    "actions/setup-node": "820762786026740c76f36085b0efc47a31fe5020",
    "actions/setup-go": "924ae3a1cded613372ab5595356fb5720e22ba16",
}
"""Commits that were seen with their version in public workflow files; the others are those of the generated project."""

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
every_lock = pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.relative_to(TEMPLATE).as_posix())


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@every_workflow
def test_a_workflow_may_nothing_but_what_each_job_names(path: Path) -> None:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert isinstance(job["permissions"], dict)
        assert job["timeout-minutes"] <= 90


@every_workflow
def test_a_step_is_a_pinned_action_or_a_short_command(path: Path) -> None:
    for step in steps(path):
        run = step.get("run", "")
        assert len(run.strip().splitlines()) <= 3
        assert "${{" not in run
        if "uses" in step:
            name, commit = step["uses"].split("@")
            assert commit == PINNED.get(name) or f"{name}@{commit} # v" in GENERATED, step["uses"]
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_required_job_waits_for_all_others() -> None:
    jobs = yaml.safe_load((TEMPLATE / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]

    assert jobs["test-pass"]["if"] == "${{ always() }}"
    assert set(jobs["test-pass"]["needs"]) == set(jobs) - {"test-pass"}


def test_release_notes_are_the_part_of_the_tag() -> None:
    changelog = "# Changelog\n\n## Unreleased\n\n## v1.1.0 (2026-08-01)\n\n- Two.\n\n## v1.0.0\n\n- One.\n"

    assert notes(changelog, "v1.1.0") == "- Two.\n"
    assert notes(changelog, "v1.0.0") == "- One.\n"
    with pytest.raises(SystemExit, match=r"says nothing below '## v2.0.0'"):
        notes(changelog, "v2.0.0")
    with pytest.raises(SystemExit, match="Unreleased"):
        notes(changelog, "Unreleased")


@every_lock
def test_a_lock_names_hashes_and_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==", text, flags=re.MULTILINE)

    assert pins
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file", text)
    assert len(re.findall(r"==\S+(?: ; .*)? \\\n    --hash=sha256:", text)) == len(pins)


def test_the_image_computes_with_the_packages_that_training_proved() -> None:
    def pinned(name: str) -> dict[str, str]:
        text = (PROJECT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, flags=re.MULTILINE))

    train, serve = pinned("train"), pinned("serve")
    assert {"numpy", "onnxruntime"} <= set(serve)
    assert serve == {package: train.get(package) for package in serve}
    assert not {"scikit-learn", "pandas", "polars", "mlflow", "skl2onnx"} & set(serve)


def test_no_lock_of_another_kind_is_kept() -> None:
    assert not [path for path in TEMPLATE.rglob("uv.lock") if ".venv" not in path.parts]
