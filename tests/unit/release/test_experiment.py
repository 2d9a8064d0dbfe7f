"""Experiments as commits: what they write, what the ledger says of them, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline import bundle as bundles
from mergeline.errors import Conflict, Usage
from mergeline.release import build, course, experiment, ledger, pins, promotion, records, status
from mergeline.release.manifest import Release, read_pin
from mergeline.release.records import Deployment
from tests.unit.project import Project

pytestmark = pytest.mark.slow


def release(project: Project, seed: int) -> Release:
    project.train(seed)
    return build.run(project.root, image=None).release


def promote(project: Project, environment: str = "staging", start: str | None = None) -> str:
    return promotion.promote(project.root, environment, release=start, pull_request=False)


@pytest.fixture
def two(project: Project) -> tuple[Release, Release]:
    """One release that staging is pinned to, and one that was built after it."""
    pinned = release(project, 4)
    promote(project)
    return pinned, release(project, 5)


@pytest.fixture
def start(project: Project, two: tuple[Release, Release]) -> Callable[..., str]:
    def made(**changes: Any) -> str:
        options = {"release": two[1].id, "kind": "ab", "share": 0.1, "key": None, "limits": [], "pull_request": False}
        return experiment.start(project.root, "staging", **{**options, **changes})

    return made


def step(project: Project, share: float) -> str:
    return experiment.step(project.root, "staging", share=share, pull_request=False)


def stop(project: Project) -> str:
    return experiment.stop(project.root, "staging", pull_request=False)


def deployed(project: Project, pinned: Release, state: records.State = "success") -> None:
    """Say that what staging pins was deployed."""
    done = Deployment(environment="staging", release=pinned.id, state=state, description="", created=records.now())
    records.write(project.root, pins.commit_of(project.root, "staging"), done)


def test_an_experiment_is_started_stepped_and_stopped_by_commits_that_the_ledger_tells(
    project: Project, two: tuple[Release, Release], start: Callable[..., str]
) -> None:
    pinned, other = two
    said = start(key="carrier", limits=["errors=0.05", "score_max=0.9"])

    assert said.startswith(f"Start ab of {other.id[:12]}, 10% in staging: commit ")
    assert project.git("show", "--name-only", "--format=").split() == ["infra/environments/staging/pin.json"]
    trailers = project.git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    assert f"Release: {pinned.id}" in trailers
    assert f"Experiment: ab of {other.id[:12]}, 10%" in trailers
    pin = read_pin(project.pin("staging"))
    assert pin.release == pinned
    assert pin.experiment is not None
    assert (pin.experiment.release, pin.experiment.share, pin.experiment.key) == (other, 0.1, "carrier")
    assert pin.experiment.limits == {"errors": 0.05, "score_max": 0.9}
    assert status.look(project.root, "staging").experiment == f"ab of {other.id[:12]}, 10%"

    step(project, 0.5)
    stop(project)

    assert read_pin(project.pin("staging")).experiment is None
    moves = ledger.run(project.root, "staging").moves
    assert [m.action for m in moves] == ["stopped", "stepped", "started", "promoted", "created"]
    assert [m.experiment for m in moves][:3] == [
        f"ends ab of {other.id[:12]}, 50%",
        f"ab of {other.id[:12]}, 50%",
        f"ab of {other.id[:12]}, 10%",
    ]
    assert project.git("status", "--porcelain", "infra") == ""
    told = course.of(project.root, "staging")
    assert (told.pinned, told.release, told.kind, told.share, told.key) == (pinned.id, other.id, "ab", 0.5, "carrier")
    assert told.ended is not None


def test_a_promotion_ends_the_experiment_and_says_so(
    project: Project, two: tuple[Release, Release], start: Callable[..., str]
) -> None:
    start()

    told = promote(project, start=two[1].id)

    assert told.endswith(f"This ends its experiment: ab of {two[1].id[:12]}, 10%.")
    assert read_pin(project.pin("staging")).experiment is None
    newest = ledger.run(project.root, "staging").moves[0]
    assert (newest.action, newest.experiment) == ("promoted", f"ends ab of {two[1].id[:12]}, 10%")


def test_a_release_that_only_an_experiment_served_can_be_promoted_later(
    project: Project, two: tuple[Release, Release], start: Callable[..., str]
) -> None:
    start()
    stop(project)
    (project.root / "release.json").unlink()

    promote(project, "dev", two[1].id[:10])

    assert project.pinned("dev") == two[1].id
    assert two[1].id not in ledger.releases(project.root, "staging")


def test_what_ran_before_is_the_last_pin_of_the_release_that_was_deployed_with_success(
    project: Project, two: tuple[Release, Release], start: Callable[..., str]
) -> None:
    pinned, other = two

    def ran(release: Release = pinned) -> tuple[str, str] | None:
        found = ledger.ran(project.root, "staging", release.id)
        beside = found.experiment.words() if found and found.experiment else ""
        return (found.release.id, beside) if found and found.release else None

    assert (ran(), ran(other)) == ((pinned.id, ""), None)  # no record yet; never pinned
    deployed(project, pinned)
    start()
    assert ran() == (pinned.id, "")
    deployed(project, pinned)
    step(project, 0.2)
    deployed(project, pinned, "failure")
    assert ran() == (pinned.id, f"ab of {other.id[:12]}, 10%")
    promote(project, start=other.id)
    deployed(project, other)
    assert ran() == (pinned.id, f"ab of {other.id[:12]}, 10%")
    assert ran(other) == (other.id, "")


def test_a_pin_changed_by_hand_is_told_as_such(project: Project, start: Callable[..., str]) -> None:
    start()
    pin = project.pin("staging")
    found = json.loads(pin.read_text())
    found["experiment"]["share"] = 0.9
    pin.write_text(json.dumps(found))
    project.commit("More of it")

    assert ledger.run(project.root, "staging").moves[0].action == "by hand"


def test_a_canary_without_limits_gets_one(project: Project, start: Callable[..., str]) -> None:
    start(kind="canary", share=None)

    found = read_pin(project.pin("staging")).experiment
    assert found is not None
    assert (found.share, found.limits) == (0.1, {"errors": 0.01})


def test_a_shadow_scores_everything_and_cannot_be_stepped(project: Project, start: Callable[..., str]) -> None:
    start(kind="shadow", share=None)

    found = read_pin(project.pin("staging")).experiment
    assert found is not None
    assert found.share == 1
    with pytest.raises(Usage, match="a shadow scores every request"):
        step(project, 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 0.0}, "share of 0 is not above 0"),
        ({"share": 1.1}, "share of 1.1 is not above 0"),
        ({"share": float("nan")}, "share of nan is not above 0"),
        ({"limits": ["speed=1"]}, "--limit 'speed=1' is none"),
        ({"limits": ["errors=few"]}, "--limit 'errors=few' is none"),
        ({"release": "ffff"}, "no known releases start with 'ffff'"),
        ({"key": "customer"}, "the key 'customer' is no column of the model"),
        ({"kind": "shadow"}, "a shadow scores every request and answers none"),
    ],
)
def test_refuses_what_does_not_fit_and_moves_nothing(
    project: Project, start: Callable[..., str], changes: dict[str, Any], message: str
) -> None:
    head = project.git("rev-parse", "HEAD")

    with pytest.raises(Usage, match=message):
        start(**changes)
    assert project.git("rev-parse", "HEAD") == head


def test_refuses_the_release_that_is_pinned_and_an_environment_without_one(
    project: Project, two: tuple[Release, Release], start: Callable[..., str]
) -> None:
    with pytest.raises(Usage, match=r"is pinned to .* already"):
        start(release=two[0].id)
    with pytest.raises(Usage, match="dev has no release to stand beside"):
        experiment.start(
            project.root, "dev", release=two[1].id, kind="ab", share=0.1, key=None, limits=[], pull_request=False
        )


def test_refuses_a_second_experiment_and_a_step_or_stop_of_none(project: Project, start: Callable[..., str]) -> None:
    with pytest.raises(Usage, match="no experiment runs in staging"):
        step(project, 0.5)
    with pytest.raises(Usage, match="no experiment runs in staging"):
        stop(project)
    start()
    with pytest.raises(Conflict, match="an experiment runs in staging: ab of"):
        start()
    with pytest.raises(Usage, match=r"the share in staging is 0\.1 already"):
        step(project, 0.1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"classes": ["no", "yes", "perhaps"]}, "differ in task or classes"),
        ({"columns": [{"name": "shoe", "kind": "number"}]}, "take different columns: .*shoe"),
    ],
)
def test_refuses_a_release_that_takes_other_requests_or_answers_otherwise(
    project: Project, start: Callable[..., str], changed: dict[str, Any], message: str
) -> None:
    project.train(6)
    at: Path = project.root / "bundle" / bundles.SIGNATURE
    at.write_bytes(msgspec.json.encode({**json.loads(at.read_bytes()), **changed}))
    bundles.seal(project.root / "bundle")
    project.lock()
    other = build.run(project.root, image=None).release

    with pytest.raises(Usage, match=message):
        start(release=other.id)


def test_production_tries_what_ran_in_staging_alone(project: Project, two: tuple[Release, Release]) -> None:
    pinned, other = two
    deployed(project, pinned)
    promote(project, "production")

    with pytest.raises(Conflict, match="never pinned in staging"):
        experiment.start(
            project.root, "production", release=other.id, kind="ab", share=0.1, key=None, limits=[], pull_request=False
        )
