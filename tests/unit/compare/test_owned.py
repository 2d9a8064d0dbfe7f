from pathlib import Path

from mergeline.compare.command import PROTECTED

OWNERS = Path(__file__).resolve().parents[3] / "<<cookiecutter.project>>" / ".github" / "CODEOWNERS"


def test_the_comment_names_every_path_that_needs_an_owner() -> None:
    patterns = [line.split()[0].removeprefix("/") for line in OWNERS.read_text().splitlines() if line.startswith("/")]

    assert patterns
    assert set(patterns) <= set(PROTECTED)
