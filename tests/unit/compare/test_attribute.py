"""`model attribute` in a generated project with few rows: real git, real DVC, real training."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from .repository import Repository, copy

pytestmark = pytest.mark.slow

MAY = ('as_of: "2013-07-01"', 'as_of: "2013-06-01"')


@pytest.fixture(scope="module")
def judged(trained: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A pull request that uses the weather and moves the data by a month, compared with main; tests read it only."""
    project = copy(trained, tmp_path_factory.mktemp("judged"))
    project.edit("params.yaml", *MAY)
    project.compare("--base", "none")
    project.commit("Judge on May")
    project.git("switch", "--quiet", "--create", "crossed")
    project.edit("params.yaml", *reversed(MAY))
    project.use_weather()
    project.commit("Use the weather, judge on June")
    project.compare("--base", "main")
    return project


@pytest.fixture
def crossed(judged: Repository, tmp_path: Path) -> Repository:
    """A copy of it to work in."""
    return copy(judged, tmp_path)


def test_what_data_and_code_did_adds_up_to_the_difference(crossed: Repository) -> None:
    asked = crossed.report()
    assert asked["attribution"] == {"rows": [], "judged": 0, "groups": 0, "reason": None}
    assert "`model attribute`" in (crossed.root / "report/report.md").read_text()

    crossed.model("attribute", "--base", "main")

    told = crossed.report()
    rows = {row["metric"]: row for row in told["attribution"]["rows"]}
    assert set(rows) == {"roc_auc", "log_loss", "brier"}
    for row in rows.values():
        parts = [row[name]["value"] for name in ("data", "code", "together")]
        assert row["total"]["value"] == pytest.approx(sum(parts))
        assert all(abs(part) > 0 for part in parts)
        assert all(row[name]["noise"] > 0 for name in ("data", "code", "together", "total"))
    verdict = asked["metrics"][0]["difference"]
    assert rows["roc_auc"]["total"]["value"] == pytest.approx(verdict["value"])
    assert rows["roc_auc"]["total"]["interval"] == pytest.approx(verdict["interval"])
    assert {**told, "attribution": None} == {**asked, "attribution": None}
    text = (crossed.root / "report/report.md").read_text()
    assert "| new data alone |" in text
    assert "new code alone" in (crossed.root / "report/report.html").read_text()
    assert crossed.git("worktree", "list").count("\n") == 0
    assert crossed.git("status", "--porcelain") in ("", "M dvc.lock", " M dvc.lock")


@pytest.mark.nightly
def test_rows_that_dvc_keeps_outside_git_are_crossed_too(project: Repository) -> None:
    rows = project.root / "data/files/flights.parquet"
    project.git("rm", "--quiet", "--cached", "data/files/flights.parquet")
    add(project)
    project.commit("Keep the rows with DVC")
    project.git("switch", "--quiet", "--create", "crossed")
    pl.read_parquet(rows).filter(pl.col("date") > "2013-03-15").write_parquet(rows)
    add(project)
    project.use_weather()
    project.commit("Use the weather, and fewer rows")

    report = project.compare("--base", "main")
    assert report["base"]["bundle"], "a base is trained on rows that DVC keeps"
    project.model("attribute", "--base", "main")

    told = project.report()["attribution"]
    assert told["reason"] is None
    assert {row["metric"] for row in told["rows"]} == {"roc_auc", "log_loss", "brier"}


@pytest.mark.parametrize("edit", [("params.yaml", 'as_of: "2013-07-01"', 'as_of: "2013-06-30"'), None])
def test_where_only_one_of_them_changed_there_is_nothing_to_attribute(
    project: Repository, edit: tuple[str, str, str] | None
) -> None:
    project.git("switch", "--quiet", "--create", "one")
    project.edit(*edit) if edit else project.use_weather()
    project.commit("Change one thing")

    report = project.compare("--base", "main")
    project.model("attribute", "--base", "main")

    assert report["attribution"] is None
    assert "Nothing to attribute" in project.said
    assert project.report() == report


def test_a_crossed_model_that_cannot_be_trained_is_said_and_is_no_failure(crossed: Repository) -> None:
    crossed.edit(
        "src/model/source.py",
        "def files(path: Path) -> pl.DataFrame:\n",
        "def files(path: Path) -> pl.DataFrame:\n    if '2013-06-01' in Path('params.yaml').read_text():\n"
        "        raise ValueError('these rows are too old')\n",
    )
    crossed.commit("Want new rows")
    crossed.compare("--base", "main")

    crossed.model("attribute", "--base", "main")

    reason = crossed.report()["attribution"]["reason"]
    assert reason.startswith("a crossed model cannot be made: ")
    assert "these rows are too old" in reason
    assert "what each of them did cannot be told" in (crossed.root / "report/report.md").read_text()


@pytest.mark.parametrize(
    ("before", "code", "sentence"),
    [
        (
            "a report of another model",
            2,
            "report/ is of another base or candidate than these. Run `model compare` first.",
        ),
        ("a change that is not committed", 8, "README.md has changes that no commit holds. Commit them"),
        ("no report", 7, "report.json cannot be read. Let `model compare` write it"),
    ],
)
def test_what_it_cannot_start_from_is_refused_in_one_line(
    crossed: Repository, before: str, code: int, sentence: str
) -> None:
    report = crossed.root / "report/report.json"
    content = report.read_bytes()
    if before == "no report":
        report.unlink()
    elif before == "a change that is not committed":
        crossed.edit("README.md", "# ", "# The ")
    else:
        report.write_bytes(content.replace(crossed.report()["candidate"]["bundle"].encode(), b"0" * 64))

    crossed.model("attribute", "--base", "main", expected=code)

    assert sentence in crossed.said.splitlines()[-1]


def add(project: Repository) -> None:
    """Let DVC keep the rows, in the cache alone."""
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "add", "--quiet", "data/files/flights.parquet"], cwd=project.root, check=True)
