"""Bad answers: one sentence that says what is allowed, and nothing is left behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.bake import copy_tracked


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as git tracks it: what a person names to cookiecutter."""
    folder = tmp_path_factory.mktemp("template") / "mergeline"
    copy_tracked(folder)
    return folder


def cookiecutter(template: Path, into: Path, *answers: str) -> subprocess.CompletedProcess[str]:
    """Type the command as a person does."""
    command = [sys.executable, "-m", "cookiecutter", str(template), "--no-input", "--output-dir", str(into), *answers]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("project=Flight_Delays", "project: 'Flight_Delays' must start with a letter"),
        ("project=ends-", "project: 'ends-' must start with a letter, end with a letter or digit"),
        ("project=" + "a" * 33, "hold 3 to 32 of a-z, 0-9 and '-'"),
        ("project=../up", "project: '../up' must start with a letter"),
        ("owner=two words", "owner: 'two words' must be a GitHub user, or organisation/team."),
        ("owner=", "owner: '' must be a GitHub user, or organisation/team."),
        ("description=", "description: must be one sentence"),
        ('description=Says "late"', "description: must be one sentence without double quotes"),
        ("description=C:\\temp", "description: must be one sentence without double quotes and backslashes."),
        ("task=clustering", "the choices are ['classification', 'regression']"),
        ("target=moon", "the choices are ['local', 'docker']"),
        ("licence=GPL", "the choices are ['MIT', 'Apache-2.0', 'BSD-3-Clause', 'proprietary']"),
    ],
)
def test_a_bad_answer_is_refused_in_one_sentence(template: Path, tmp_path: Path, answer: str, sentence: str) -> None:
    done = cookiecutter(template, tmp_path, answer)

    assert done.returncode != 0
    [said] = [line for line in (done.stdout + done.stderr).splitlines() if sentence in line]
    assert len(said) < 200
    assert not list(tmp_path.iterdir())


def test_every_bad_answer_gets_its_own_sentence(template: Path, tmp_path: Path) -> None:
    done = cookiecutter(template, tmp_path, "project=X", "owner=two words")

    assert "project: 'X'" in done.stderr + done.stdout
    assert "owner: 'two words'" in done.stderr + done.stdout


def test_a_team_may_own_a_project(template: Path, tmp_path: Path) -> None:
    done = cookiecutter(template, tmp_path, "project=late-or-not", "owner=octo/pilots", "licence=MIT")
    project = tmp_path / "late-or-not"

    assert done.returncode == 0, done.stderr
    assert "/gates.yaml           @octo/pilots" in (project / ".github" / "CODEOWNERS").read_text(encoding="utf-8")
    assert "Copyright (c) octo\n" in (project / "LICENSE").read_text(encoding="utf-8")
