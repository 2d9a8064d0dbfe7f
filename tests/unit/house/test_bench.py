"""`make bench`: its table on made figures, its exit code, and the sizes of a made project."""

import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console

from tools import bench
from tools.bench import Figure

KEPT = Figure("restored base", 1.5, "s", 3, 2)
LATE = Figure("restored base", 2.5, "s", 3, 2)
BROKEN = Figure("restored base", 3.5, "s", 3, 2)


def printed(monkeypatch: pytest.MonkeyPatch, *figures: Figure) -> tuple[str, int]:
    """Print the table of made figures as `make bench` does; give it with the exit code."""
    said = io.StringIO()

    def none(*_: object) -> Iterable[Figure]:
        return ()

    monkeypatch.setattr(bench, "console", Console(file=said, width=120))
    for name in ("generation", "sizes", "check"):
        monkeypatch.setattr(bench, name, none)
    monkeypatch.setattr(bench, "loop", lambda: figures)
    with pytest.raises(SystemExit) as ended:
        bench.main()
    return said.getvalue(), int(ended.value.code or 0)


def test_goals_stand_beside_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    said, code = printed(monkeypatch, KEPT, Figure("dvc repro", 1234.5, "lines"))

    assert code == 0
    (row,) = [line for line in said.splitlines() if "restored base" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["restored base", "1.50 s", "< 2 s", "< 3 s"]
    assert "1,234 lines" in said
    assert "missed" not in said


def test_a_missed_goal_is_marked_and_a_missed_limit_exits_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    said, code = printed(monkeypatch, KEPT, LATE)
    assert (said.count("< 2 s, missed"), said.count("< 3 s, missed"), code) == (1, 0, 0)

    said, code = printed(monkeypatch, KEPT, BROKEN)
    assert (said.count("< 2 s, missed"), said.count("< 3 s, missed"), code) == (1, 1, 1)


def test_every_file_counts_in_one_part(tmp_path: Path) -> None:
    for name, text in {
        "src/model/features.py": "a\nb\n",
        "src/mergeline/serve/app.py": "a\n",
        "docs/runbook.md": "a\nb\nc\n",
        ".dvc/config": "a\n",
        "Makefile": "a\nb\n",
        "README.md": "a\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    whole, *parts = bench.sizes(tmp_path)

    assert whole.value == pytest.approx(20 / 1024)
    assert {figure.name.split(",")[0].strip(): figure.value for figure in parts} == {
        "src/model": 2, "src/mergeline": 1, "docs": 3, ".dvc": 1, "the root's files": 3,
    }  # fmt: skip
    assert {figure.name.split(",")[0].strip() for figure in parts if figure.limit} == {"src/model"}
