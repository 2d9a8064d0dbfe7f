"""The history of an environment's releases, read from real repositories, and where a degradation began."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from mergeline import bundle, frames, state
from mergeline.errors import RepositoryTrouble, Usage
from mergeline.release import build, claimed, degradation, history, pins, promotion, records, timeline
from mergeline.release.degradation import Degradation, Point
from mergeline.release.manifest import Release
from mergeline.release.records import Deployment
from mergeline.release.timeline import History
from tests.unit.project import Project

pytestmark = pytest.mark.slow

Measured = tuple[float, float] | None
LEVEL = 0.95


def release(
    project: Project,
    seed: int,
    *,
    auc: Measured = (0.7, 0.02),
    as_of: str | None = "2013-07-01",
    until: str | None = None,
    judged: dict[str, Any] | None = None,
) -> Release:
    """Release a model whose roc_auc is value and half width of its interval, and take it to production."""
    project.train(seed)
    data = f'data: {{as_of: "{as_of}"}}' if as_of else ""
    (project.root / "params.yaml").write_text(f'python: "3.11"\ntask: classification\n{data}\n')
    value, half = auc or (None, 0.0)
    found = {
        "roc_auc": _measured(value, half),
        "log_loss": _measured(None if value is None else 1 - value, half),
    }
    (project.root / "results/metrics.json").write_text(json.dumps({"metrics": found}))
    if judged is not None:
        own = {"candidate": {"bundle": bundle.identify(project.root / "bundle")}}
        (project.root / "report").mkdir(exist_ok=True)
        (project.root / "report/report.json").write_text(
            json.dumps({"schema": 1, "primary": "roc_auc", **own, **judged})
        )
    if until is not None:
        times = {"kind": "time", "first": "2013-01-01 05:15:00", "last": until}
        (project.root / "results/profile.json").write_text(json.dumps({"rows": 12, "columns": {"sched": times}}))
    project.commit(f"Merge pull request #{seed} from ada/better")
    made = build.run(project.root, image=None).release
    for environment in ("staging", "production"):
        promotion.promote(project.root, environment, release=None, pull_request=False)
        _deployed(project, environment)
    return made


def verdict(against: Release, difference: float = 0.03, word: str = "better") -> dict[str, Any]:
    row = {
        "name": "roc_auc",
        "difference": {"value": difference, "interval": [difference - 0.02, difference + 0.02]},
    }
    return {"word": word, "base": {"bundle": against.model.bundle_id}, "metrics": [row]}


def command(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mergeline.cli", "history", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def drawn(found: History, width: int = 160) -> str:
    console = Console(width=width, soft_wrap=True)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


def point(name: str, value: float, half: float = 0.02) -> Point:
    return Point(release=name, value=value, interval=(value - half, value + half), level=LEVEL)


def points(values: Sequence[float], half: float = 0.02) -> list[Point]:
    return [point(str(i), value, half) for i, value in enumerate(values)]


def test_every_release_is_told_once_in_the_order_of_first_going_live(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release(project, 1, auc=(0.70, 0.02), as_of="2013-07-01")
    second = release(project, 2, auc=(0.71, 0.02), as_of="2013-08-01", judged=verdict(first))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-01-01T00:00:00Z")
    promotion.rollback(project.root, "production", to=None, reason=None, pull_request=False)

    found = history.run(project.root, "production", None)

    assert [e.release for e in found.releases] == [first.id, second.id]
    assert [e.as_of for e in found.releases] == ["2013-07-01", "2013-08-01"]
    assert [e.value for e in found.releases] == [0.70, 0.71]
    assert found.releases[0].interval == pytest.approx((0.68, 0.72))
    assert [e.pinned for e in found.releases] == [True, False]
    assert project.git("log", "-1", "--format=%cI").startswith("2099")
    assert not [e for e in found.releases if e.when.startswith("2099")]
    assert found.releases[0].verdict is None
    assert found.releases[1].verdict == second.verdict
    assert (found.metric, found.better, found.matters) == ("roc_auc", "higher", 0.005)


def test_the_table_draws_all_intervals_on_one_axis(project: Project) -> None:
    first = release(project, 1, auc=(0.60, 0.02))
    release(project, 2, auc=(0.70, 0.02), judged=verdict(first))

    text = drawn(history.run(project.root, "production", None))

    rows = [line for line in text.splitlines() if "●" in line]
    left, right = (row.index("●") for row in rows)
    assert right - left == pytest.approx(0.10 / 0.14 * (timeline.WIDTH - 1), abs=1)
    assert "0.600 [0.580, 0.620]" in rows[0]
    assert "better +0.030 [+0.010, +0.050]" in rows[1]
    assert "none: no base" in rows[0]
    assert "Higher is better" in text


def test_a_narrow_terminal_cuts_nothing(project: Project) -> None:
    first = release(project, 1)
    release(project, 2, judged=verdict(first, word="cannot tell"))

    text = drawn(history.run(project.root, "production", None), width=80)

    assert text.count("├") == text.count("┤") == 2
    assert "…" not in text
    assert "[0.680, 0.720]" in text
    assert "[+0.010, +0.050]" in text


@pytest.mark.parametrize(("width", "on_one_line"), [(160, True), (110, False)])
def test_a_release_takes_one_line_where_the_plot_has_room_beside_it(
    project: Project, width: int, on_one_line: bool
) -> None:
    made = release(project, 1)

    text = drawn(history.run(project.root, "production", None), width=width)

    first = next(line for line in text.splitlines() if "├" in line)
    assert (made.id[:12] in first) == on_one_line
    assert first.index("┤") - first.index("├") == timeline.WIDTH - 1


def test_where_a_degradation_began_is_said_in_one_sentence(project: Project) -> None:
    made = [release(project, i + 1, auc=(value, 0.01)) for i, value in enumerate((0.71, 0.72, 0.60, 0.61))]

    found = history.run(project.root, "production", None)

    assert found.degradation is not None
    assert (found.degradation.release, found.degradation.best) == (made[2].id, made[1].id)
    assert found.summary.startswith(f"A degradation began at release {made[2].id[:12]}, live since {date.today():%Y}")
    assert f"0.600 is worse than the 0.720 of {made[1].id[:12]} (-0.120, 98.33% interval" in found.summary
    assert "So is the 1 after it." in found.summary
    assert "Held-out months differ" in found.summary


def test_a_metric_where_lower_is_better_degrades_upwards(project: Project) -> None:
    made = [release(project, i + 1, auc=(value, 0.01)) for i, value in enumerate((0.60, 0.71, 0.60))]

    found = history.run(project.root, "production", "log_loss")

    assert (found.better, found.matters) == ("lower", None)
    assert found.degradation is not None
    assert found.degradation.release == made[2].id
    assert found.degradation.difference == pytest.approx(0.11)
    assert "Lower is better" in drawn(found)


def test_a_release_without_a_value_keeps_its_row_and_says_why(project: Project) -> None:
    release(project, 1, auc=(0.71, 0.01))
    release(project, 2, auc=None)
    worse = release(project, 3, auc=(0.60, 0.01))

    found = history.run(project.root, "production", None)

    assert found.releases[1].reason == "all held-out rows have one label"
    assert "all held-out rows have" in drawn(found)
    assert found.degradation is not None
    assert found.degradation.release == worse.id


def test_one_release_shows_no_degradation(project: Project) -> None:
    release(project, 1)

    found = history.run(project.root, "production", None)

    assert found.degradation is None
    assert found.summary == (
        "No degradation can be shown: that takes two releases with an interval of roc_auc, and 1 of 1 has one."
    )


def test_releases_that_are_all_alike_show_no_degradation(project: Project) -> None:
    release(project, 1, auc=(0.700, 0.02))
    release(project, 2, auc=(0.695, 0.02))

    assert history.run(project.root, "production", None).summary.startswith("No degradation shown among 2 releases.")


def test_an_environment_without_a_release_names_the_remedy(project: Project) -> None:
    with pytest.raises(RepositoryTrouble, match=r"production has had no release. Run `model promote production`"):
        history.run(project.root, "production", None)


def test_another_environment_or_metric_is_refused_with_those_that_are_there(project: Project) -> None:
    release(project, 1)

    with pytest.raises(Usage, match="Name one of: dev, staging, production"):
        history.run(project.root, "nowhere", None)
    with pytest.raises(Usage, match=r"no release of staging carries the metric 'f1'. Name one.*: log_loss, roc_auc"):
        history.run(project.root, "staging", "f1")


def test_a_shallow_clone_says_that_releases_are_missing(project: Project, tmp_path: Path) -> None:
    release(project, 1)
    second = release(project, 2)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", project.root.as_uri(), clone], check=True)

    found = history.run(clone, "production", None)

    assert [e.release for e in found.releases] == [second.id]
    assert found.notes == ["This clone is shallow, so earlier releases are missing: run `git fetch --unshallow`."]
    with pytest.raises(RepositoryTrouble, match="git fetch --unshallow"):
        history.run(clone, "dev", None)


def test_a_broken_pin_is_left_out_and_said(project: Project) -> None:
    made = release(project, 1)
    project.pin("production").write_text("{}")
    project.commit("Break it")

    found = history.run(project.root, "production", None)

    assert [(e.release, e.pinned) for e in found.releases] == [(made.id, False)]
    assert "`model ledger production`" in found.notes[0]


def test_the_command_prints_the_table_and_json(project: Project) -> None:
    made = release(project, 1)

    said, machines = command(project.root), command(project.root, "--env", "staging", "--json")

    assert (said.returncode, machines.returncode) == (0, 0), said.stderr + machines.stderr
    assert made.id[:12] in said.stdout
    assert json.loads(machines.stdout)["releases"][0]["release"] == made.id


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ((), 8, "production has had no release"),
        (("--env", "nowhere"), 2, "there is no environment nowhere"),
        (("--fresh", "--metric", "roc_auc"), 2, "Leave --metric out"),
        (("--fresh",), 8, "production has had no release"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    project: Project, options: tuple[str, ...], code: int, sentence: str
) -> None:
    done = command(project.root, *options)

    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_a_claim_names_both_bundles_and_the_first_day_that_neither_knew(project: Project) -> None:
    first = release(project, 1, as_of="2013-08-01")
    second = release(project, 2, as_of="2013-07-01", judged=verdict(first, -0.01, "worse"))

    [claim] = claimed.run(project.root, "production")

    assert (claim.release, claim.word, claim.difference) == (second.id, "worse", -0.01)
    assert claim.models is not None
    assert [folder.name for folder in claim.models] == [first.model.bundle_id, second.model.bundle_id]
    assert (claim.end, claim.by_as_of) == ("2013-08-01", True)


def test_a_claim_whose_base_is_gone_says_so_and_the_others_go_on(project: Project) -> None:
    first = release(project, 1)
    second = release(project, 2, judged=verdict(first))
    release(project, 3, judged=verdict(second))
    at = state.bundle_folder(state.project(project.root), first.model.bundle_id)
    (at / bundle.MODEL).unlink()

    gone, there = claimed.run(project.root, "production")

    assert gone.models is None
    assert f"bundle {first.model.bundle_id[:12]} is neither in the store nor in the remote" in (gone.reason or "")
    assert there.reason is None


def test_a_release_that_does_not_say_what_it_knew_cannot_be_judged_anew(project: Project) -> None:
    first = release(project, 1, as_of=None)
    release(project, 2, as_of=None, judged=verdict(first))

    [claim] = claimed.run(project.root, "production")

    assert "does not say until when it knew rows" in (claim.reason or "")


def test_where_as_of_is_not_set_the_days_of_the_data_say_what_a_release_knew(project: Project) -> None:
    first = release(project, 1, as_of=None, until="2013-06-29 23:00:00")
    release(project, 2, as_of=None, until="2013-06-30 23:00:00-04:00", judged=verdict(first))

    [claim] = claimed.run(project.root, "production")

    assert (claim.end, claim.by_as_of) == ("2013-07-02", False)
    assert "2013-01-01 to 2013-06-30" in drawn(history.run(project.root, "production", None))


def test_the_command_judges_claims_on_the_rows_of_the_snapshot(project: Project) -> None:
    first = release(project, 1, as_of="2013-06-01")
    second = release(project, 2, as_of="2013-07-01", judged=verdict(first))
    release(project, 3, as_of="2013-09-01", judged=verdict(second))
    frames.write(project.root / "data/raw.parquet", _flights(days=61))

    said, machines = command(project.root, "--fresh"), command(project.root, "--fresh", "--json")

    assert (said.returncode, machines.returncode) == (0, 0), said.stderr + machines.stderr
    newer, nothing = json.loads(machines.stdout)["releases"]
    assert newer["release"] == second.id
    assert (newer["claimed"], newer["claimed_interval"]) == (0.03, pytest.approx([0.01, 0.05]))
    assert newer["judged"]["period"] == ["2013-07-01", "2013-07-31"]
    assert newer["difference"]["groups"] == 31
    assert newer["word"] in ("confirmed", "refuted", "not confirmed yet")
    assert nothing["word"] == "no newer rows"
    assert "Of 2 claims: 1 " in said.stdout


def test_the_command_says_when_there_is_no_snapshot(project: Project) -> None:
    first = release(project, 1)
    release(project, 2, judged=verdict(first))
    (project.root / "data/raw.parquet").unlink()

    done = command(project.root, "--fresh")

    assert done.returncode == 5
    assert "error data/raw.parquet is not here" in done.stderr
    assert "Run `model ingest`, or `make train`." in done.stderr


def test_releases_that_were_never_judged_claim_nothing(project: Project) -> None:
    release(project, 1)

    with pytest.raises(RepositoryTrouble, match="none claimed a gain"):
        claimed.run(project.root, "production")


@pytest.mark.parametrize(
    ("values", "begins"),
    [
        ([0.70, 0.71, 0.60, 0.61], "2"),
        ([0.70, 0.60, 0.70], None),
        ([0.70, 0.60, 0.70, 0.60, 0.61], "3"),
        ([0.60, 0.70, 0.71], None),
        ([0.70, 0.697], None),
        ([0.70], None),
        ([], None),
    ],
)
def test_the_run_that_lasts_until_now_is_the_degradation(values: list[float], begins: str | None) -> None:
    found = degradation.find(points(values, half=0.01), "higher", 0.005, LEVEL)

    assert (found.release if found else None) == begins


def test_a_difference_that_matters_less_than_it_should_is_none() -> None:
    two = points([0.70, 0.69], half=0.001)

    assert degradation.find(two, "higher", 0.02, LEVEL) is None
    assert isinstance(degradation.find(two, "higher", 0.005, LEVEL), Degradation)


def test_intervals_of_other_levels_are_brought_to_one() -> None:
    wide = Point(release="b", value=0.6, interval=(0.6 - 0.0258, 0.6 + 0.0258), level=0.99)
    narrow = Point(release="b", value=0.6, interval=(0.6 - 0.0196, 0.6 + 0.0196), level=0.95)

    assert wide.standard_error == pytest.approx(narrow.standard_error, rel=0.01)


def test_noise_is_called_a_degradation_no_oftener_than_the_level_says() -> None:
    rng = np.random.default_rng(7)
    error, histories = 0.01, 2000

    alarms = sum(
        degradation.find(points(rng.normal(0.7, error, 12).tolist(), half=1.96 * error), "higher", 0.005, LEVEL)
        is not None
        for _ in range(histories)
    )

    assert alarms / histories < 0.025


def _measured(value: float | None, half: float) -> dict[str, Any]:
    if value is None:
        return {"value": None, "interval": None, "reason": "all held-out rows have one label"}
    return {"value": value, "interval": [value - half, value + half], "reason": None}


def _flights(days: int) -> pl.DataFrame:
    """Give flights from June 2013 on, with the columns of the bundles and of the example's schema.py."""
    rng = np.random.default_rng(7)
    at = [datetime(2013, 6, 1) + timedelta(days=i // 40, hours=int(rng.integers(0, 24))) for i in range(days * 40)]
    distance = rng.uniform(100, 2500, len(at))
    late = distance / 2500 + np.array([when.hour > 17 for when in at]) + rng.normal(0, 0.3, len(at)) > 1
    return pl.DataFrame(
        {
            "flight_id": [f"f{i}" for i in range(len(at))],
            "date": [when.date().isoformat() for when in at],
            "sched": at,
            "distance": distance,
            "carrier": rng.choice(["UA", "B6"], len(at)),
            "late": np.where(late, "late", "in time"),
        }
    )


def _deployed(project: Project, environment: str) -> None:
    ran = Deployment(
        environment=environment,
        release=project.pinned(environment),
        state="success",
        description="runs",
        created=records.now(),
    )
    records.write(project.root, pins.commit_of(project.root, environment), ran)
