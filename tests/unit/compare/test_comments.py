"""The whole comment in every situation, as files to be read: `SNAPSHOTS=write` writes them anew, and git shows what moved."""

import os
from pathlib import Path

import pytest

from tests.tools import without
from tests.unit.compare.checkouts import masked, said
from tests.unit.compare.situations import SITUATIONS
from tools import mermaid
from tools.need import Missing

FOLDER = Path(__file__).parent / "comments"


def path(name: str) -> Path:
    return FOLDER / f"{name.replace(',', '').replace(' ', '-')}.md"


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_comment_is_the_one_that_was_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = masked(said(SITUATIONS[name], tmp_path, monkeypatch))

    if os.environ.get("SNAPSHOTS") == "write":
        path(name).write_text(found, encoding="utf-8")
    assert found == path(name).read_text(encoding="utf-8")
    code = SITUATIONS[name].code
    assert found.startswith(f"`model compare` exits with {code}")


def test_every_file_is_of_a_situation() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {path(name).name for name in SITUATIONS}


def test_mermaid_reads_every_chart_of_these_comments() -> None:
    charts = [chart for file in sorted(FOLDER.iterdir()) for chart in mermaid.fenced(file.read_text(encoding="utf-8"))]
    try:
        found = mermaid.parse(charts)
    except Missing as missing:
        without(str(missing))

    assert len(found) > len(SITUATIONS)
    assert [one.problem for one in found if one.kind != "xychart"] == []
