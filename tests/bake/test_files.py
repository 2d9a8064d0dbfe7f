"""Which files a project holds, and which of them are rendered: a closed list."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.bake import TEMPLATE

from .choices import name

PROJECT = TEMPLATE / "<<cookiecutter.project>>"
MANIFEST = Path(__file__).with_name("manifest.txt")
DELIMITER = re.compile(rb"<<|<%|<#|%>|#>")
OPENING = re.compile(rb"<<|<%|<#")
RENDERED = {
    ".github/CODEOWNERS",
    "LICENSE",
    "README.md",
    "params.yaml",
    "pyproject.toml",
    *(
        f"infra/environments/{e}/{f}"
        for e in ("dev", "staging", "production")
        for f in ("target.tf", "terraform.tfvars")
    ),
    *(f".variants/docker/infra/environments/{e}/target.tf" for e in ("staging", "production")),
}
"""The only files that hold answers; everything else is copied as it stands."""


def tracked() -> Iterator[str]:
    """Give the paths below the project's folder that git tracks."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
    yield from (path for path in done.stdout.split("\0") if (PROJECT / path).is_file())


def files(folder: Path) -> set[str]:
    """Give the paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def expected(choice: dict[str, str]) -> set[str]:
    """Read the manifest: the files of the first choices, then what an answer takes away or adds."""
    everywhere, *differences = MANIFEST.read_text(encoding="utf-8").split("\n\n")
    wanted = set(everywhere.splitlines())
    for difference in differences:
        answer, *lines = difference.strip().splitlines()
        if answer.strip("[]") in choice.values():
            wanted -= {line[2:] for line in lines if line.startswith("- ")}
            wanted |= {line[2:] for line in lines if line.startswith("+ ")}
    return wanted


@pytest.mark.slow
def test_a_project_holds_exactly_the_files_of_the_manifest(choice: dict[str, str], generated: Path) -> None:
    found, wanted = files(generated), expected(choice)

    assert found == wanted, (
        f"{name(choice)}: not in manifest.txt: {sorted(found - wanted)}; not generated: {sorted(wanted - found)}. "
        "Run `python -m tools.manifest` and review what it writes."
    )


def test_only_the_listed_files_hold_a_delimiter() -> None:
    assert {path for path in tracked() if OPENING.search((PROJECT / path).read_bytes())} == RENDERED


@pytest.mark.slow
def test_no_answer_is_left_open_in_a_project(generated: Path) -> None:
    left = {path for path in files(generated) & RENDERED if DELIMITER.search((generated / path).read_bytes())}

    assert not left
    assert not [path for path in files(generated) if b"cookiecutter." in (generated / path).read_bytes()]


@pytest.mark.slow
def test_a_file_that_is_not_listed_is_copied_byte_by_byte(generated: Path, choice: dict[str, str]) -> None:
    moved = {
        path: PROJECT / ".variants" / answer
        for answer in choice.values()
        if (PROJECT / ".variants" / answer).is_dir()
        for path in files(PROJECT / ".variants" / answer)
    }

    for path in files(generated) - RENDERED:
        source = moved.get(path, PROJECT) / path
        assert (generated / path).read_bytes() == source.read_bytes(), path
        assert (generated / path).stat().st_mode == source.stat().st_mode, path


@pytest.mark.parametrize("path", sorted(path for path in tracked() if path.startswith(".variants/")))
def test_a_variant_replaces_a_file_that_is_there(path: str) -> None:
    assert (PROJECT / path.split("/", 2)[2]).is_file()


@pytest.mark.slow
def test_the_licence_is_the_chosen_one(choice: dict[str, str], generated: Path) -> None:
    titles = {"MIT": "MIT License", "Apache-2.0": "Apache License", "BSD-3-Clause": "BSD 3-Clause License"}
    licence = generated / "LICENSE"

    assert licence.is_file() == (choice["licence"] in titles)
    if licence.is_file():
        text = licence.read_text(encoding="utf-8")
        assert text.split("\n")[0].strip() == titles[choice["licence"]]
        assert "your-github-name" in text
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
