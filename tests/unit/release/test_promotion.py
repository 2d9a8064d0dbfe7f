import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mergeline import processes
from mergeline.errors import Conflict, Integrity, RepositoryTrouble, Usage
from mergeline.release import build, commits, ledger, pins, promotion, records
from mergeline.release.manifest import Release
from mergeline.release.records import Deployment, State
from tests.unit.project import Project

pytestmark = pytest.mark.slow


def release(project: Project, seed: int) -> Release:
    """Train a model, build its release."""
    project.train(seed)
    project.commit(f"Merge pull request #{seed} from ada/better")
    return build.run(project.root, image=None).release


def promote(project: Project, environment: str, start: str | None = None) -> str:
    return promotion.promote(project.root, environment, release=start, pull_request=False)


def rollback(project: Project, environment: str, to: str | None = None, reason: str | None = None) -> str:
    return promotion.rollback(project.root, environment, to=to, reason=reason, pull_request=False)


def deployed(project: Project, environment: str, state: State = "success") -> None:
    """Record that what is pinned was deployed."""
    found = Deployment(
        environment=environment,
        release=project.pinned(environment),
        state=state,
        description="runs" if state == "success" else "port 8101 is taken",
        created=records.now(),
    )
    records.write(project.root, pins.commit_of(project.root, environment), found)


def shipped(project: Project, *seeds: int) -> list[Release]:
    """Take releases through staging to production, one after the other."""
    made = []
    for seed in seeds:
        made.append(release(project, seed))
        for environment in ("staging", "production"):
            promote(project, environment)
            deployed(project, environment)
    return made


def test_a_promotion_is_a_commit_with_trailers_that_touches_the_pin_and_the_lock_alone(project: Project) -> None:
    built = release(project, 4)

    promote(project, "staging")

    assert project.pinned("staging") == built.id
    touched = project.git("show", "--name-only", "--format=").split()
    assert touched == ["dvc.lock", "infra/environments/staging/pin.json"]
    trailers = project.git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    assert trailers == ["Environment: staging", f"Release: {built.id}", "Pull-request: #4"]
    assert project.git("status", "--porcelain") == ""


def test_other_changes_of_the_working_copy_stay_as_they_are(project: Project) -> None:
    release(project, 4)
    (project.root / "notes.txt").write_text("staged")
    project.git("add", "notes.txt")
    (project.root / "params.yaml").write_text("python: '3.11'\ntask: regression\n")

    promote(project, "staging")

    assert project.git("status", "--porcelain").splitlines() == ["A  notes.txt", " M params.yaml"]


def test_production_gets_what_ran_in_staging(project: Project) -> None:
    built = release(project, 4)
    promote(project, "staging")
    deployed(project, "staging")

    promote(project, "production")

    assert project.pinned("production") == built.id
    assert project.git("show", "--name-only", "--format=").split() == ["infra/environments/production/pin.json"]


def test_refuses_a_release_that_was_never_pinned_in_the_environment_before(project: Project) -> None:
    built = release(project, 4)

    with pytest.raises(Conflict, match="never pinned in staging"):
        promote(project, "production", built.id[:8])


def test_refuses_a_release_of_which_no_record_says_that_it_ran(project: Project) -> None:
    release(project, 4)
    promote(project, "staging")

    with pytest.raises(Conflict, match="no record says"):
        promote(project, "production")


def test_refuses_a_release_that_failed_in_the_environment_before(project: Project) -> None:
    release(project, 4)
    promote(project, "staging")
    deployed(project, "staging", "failure")

    with pytest.raises(Conflict, match=r"failed in staging: port 8101 is taken"):
        promote(project, "production")


def test_refuses_a_release_that_failed_there_before(project: Project) -> None:
    first, second = shipped(project, 1, 2)
    deployed(project, "production", "failure")
    rollback(project, "production")

    with pytest.raises(Conflict, match="failed in production before"):
        promote(project, "production", second.id)
    assert project.pinned("production") == first.id


def test_refuses_an_unknown_environment_and_names_the_known(project: Project) -> None:
    release(project, 4)

    with pytest.raises(Usage, match="dev, staging, production"):
        promote(project, "test")


@pytest.mark.parametrize("start", ["ffff", ""], ids=["unknown", "ambiguous"])
def test_refuses_a_start_that_names_no_single_release(project: Project, start: str) -> None:
    release(project, 4)
    promote(project, "staging")
    release(project, 5)

    with pytest.raises(Usage, match="known releases start with"):
        promote(project, "dev", start)


def test_refuses_the_release_that_is_pinned_already(project: Project) -> None:
    release(project, 4)
    promote(project, "staging")

    with pytest.raises(Usage, match="already"):
        promote(project, "staging")


def test_refuses_a_pin_that_was_edited_by_hand(project: Project) -> None:
    release(project, 4)
    promote(project, "staging")
    text = project.pin("staging").read_text()
    project.pin("staging").write_text(text.replace('"rows": 12', '"rows": 13'))

    with pytest.raises(Integrity, match="the content has id"):
        rollback(project, "staging")
    with pytest.raises(Integrity, match="the content has id"):
        promote(project, "production")


def test_refuses_a_corrupt_pin(project: Project) -> None:
    release(project, 4)
    project.pin("staging").write_text('{"release": ')

    with pytest.raises(Integrity, match=r"staging/pin\.json"):
        promote(project, "staging")


def test_refuses_a_pin_with_uncommitted_changes(project: Project) -> None:
    release(project, 4)
    project.pin("staging").write_text('{"release": null, "experiment": null}\n')

    with pytest.raises(RepositoryTrouble, match="not committed"):
        promote(project, "staging")


def test_refuses_a_release_whose_bundle_cannot_be_verified(project: Project) -> None:
    built = release(project, 4)
    model = Path(os.environ["MERGELINE_STATE"]) / f"mergeline/flight-delays/bundles/{built.model.bundle_id}/model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    project.train(5)

    with pytest.raises(Integrity, match="neither in the store"):
        promote(project, "staging", built.id)
    assert project.pinned("staging") is None


def test_refuses_a_detached_head(project: Project) -> None:
    release(project, 4)
    project.git("checkout", "--quiet", "--detach")

    with pytest.raises(RepositoryTrouble, match="detached"):
        promote(project, "staging")


def test_a_rollback_pins_the_release_before_and_keeps_the_reason(project: Project) -> None:
    first, _ = shipped(project, 1, 2)

    rollback(project, "production", reason="too many\nlate answers")

    assert project.pinned("production") == first.id
    assert "Reason: too many late answers" in project.git("log", "-1", "--format=%(trailers:only,unfold)")


def test_a_rollback_passes_over_a_release_that_failed(project: Project) -> None:
    first, _second = shipped(project, 1, 2)
    deployed(project, "production", "failure")
    shipped(project, 3)

    rollback(project, "production")

    assert project.pinned("production") == first.id


def test_a_rollback_goes_only_to_what_was_pinned_there(project: Project) -> None:
    shipped(project, 1)
    other = release(project, 2)
    promote(project, "staging")

    with pytest.raises(Usage, match="no known releases start with"):
        rollback(project, "production", to=other.id)
    with pytest.raises(Usage, match="no earlier release"):
        rollback(project, "production")


def test_two_at_once_the_second_is_refused(project: Project) -> None:
    release(project, 4)
    with processes.locked(project.root / ".git/mergeline.lock", "a test"), pytest.raises(Conflict, match="under way"):
        promote(project, "staging")

    assert project.pinned("staging") is None


def test_a_commit_that_came_in_between_is_a_conflict_and_nothing_moved(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(project, 4)
    make = commits.make

    def slow(*arguments: object) -> str:
        made = make(*arguments)  # type: ignore[arg-type]
        project.git("commit", "--quiet", "--allow-empty", "--message", "Another")
        return made

    monkeypatch.setattr(commits, "make", slow)
    with pytest.raises(Conflict, match="came in between"):
        promote(project, "staging")

    assert project.pinned("staging") is None
    assert project.git("log", "-1", "--format=%s") == "Another"


@pytest.mark.parametrize("step", ["make", "files.write", "git"])
def test_an_interrupted_promotion_leaves_the_old_pin_or_the_new_one(project: Project, step: str) -> None:
    built = release(project, 4)
    code = f"""
import os, signal
from pathlib import Path
from mergeline import repo
from mergeline.release import commits, promotion
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
git = repo.git
def until_reset(cwd, *words, **more):
    return die() if words[0] == "reset" else git(cwd, *words, **more)
if "{step}" == "git":
    repo.git = until_reset
else:
    commits.{step} = die
promotion.promote(Path({str(project.root)!r}), "staging", release=None, pull_request=False)
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(project.root / "src")})
    assert done.returncode == -signal.SIGKILL
    assert project.pinned("staging") in (None, built.id)  # never half a pin

    committed = json.loads(project.git("show", "HEAD:infra/environments/staging/pin.json"))["release"]
    if committed is None:
        promote(project, "staging")
    else:
        with pytest.raises(Usage, match="already"):
            promote(project, "staging")
    assert project.pinned("staging") == built.id
    assert project.git("status", "--porcelain") == ""


def test_a_proposal_pushes_a_branch_and_moves_nothing_here(project: Project, tmp_path: Path) -> None:
    project.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    project.git("remote", "add", "origin", str(tmp_path / "origin"))
    built = release(project, 4)
    head = project.git("rev-parse", "HEAD")

    said = promotion.promote(project.root, "staging", release=None, pull_request=True)

    assert "pushed pin/staging" in said
    assert project.git("rev-parse", "HEAD") == head
    assert project.pinned("staging") is None
    pushed = project.git("ls-remote", "origin", "refs/heads/pin/staging").split()[0]
    assert json.loads(project.git("show", f"{pushed}:infra/environments/staging/pin.json"))["release"]["id"] == built.id


def test_a_second_proposal_replaces_the_branch_of_the_first(project: Project, tmp_path: Path) -> None:
    project.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    project.git("remote", "add", "origin", str(tmp_path / "origin"))
    release(project, 4)
    promotion.promote(project.root, "staging", release=None, pull_request=True)
    built = release(project, 5)

    promotion.promote(project.root, "staging", release=None, pull_request=True)

    pushed = project.git("ls-remote", "origin", "refs/heads/pin/staging").split()[0]
    assert json.loads(project.git("show", f"{pushed}:infra/environments/staging/pin.json"))["release"]["id"] == built.id


def test_a_push_that_somebody_else_was_faster_with_is_a_conflict(project: Project, tmp_path: Path) -> None:
    project.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    project.git("remote", "add", "origin", str(tmp_path / "origin"))
    hook = project.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\ngit push --quiet --no-verify origin main:refs/heads/pin/staging\n")
    hook.chmod(0o755)
    release(project, 4)

    with pytest.raises(Conflict, match="push of pin/staging was refused"):
        promotion.promote(project.root, "staging", release=None, pull_request=True)


def test_the_ledger_tells_every_move_with_its_deployment(project: Project) -> None:
    first, second = shipped(project, 1, 2)
    rollback(project, "production", reason="slow")

    moves = ledger.run(project.root, "production").moves

    assert [(m.action, m.release) for m in moves] == [
        ("rolled back", first.id),
        ("promoted", second.id),
        ("promoted", first.id),
        ("created", None),
    ]
    assert moves[0].reason == "slow"
    assert [m.last.state if m.last else None for m in moves] == [None, "success", "success", None]
    assert {m.who for m in moves[:3]} == {"Test"}


def test_the_ledger_shows_a_revert_and_a_pin_broken_by_hand(project: Project) -> None:
    first, _ = shipped(project, 1, 2)
    project.git("revert", "--no-edit", pins.commit_of(project.root, "production"))
    reverted = project.pinned("production")
    text = project.pin("production").read_text()
    project.pin("production").write_text(text.replace('"rows": 12', '"rows": 13'))
    project.commit("Edit the pin")

    moves = ledger.run(project.root, "production").moves

    assert reverted == first.id
    assert [m.action for m in moves[:2]] == ["broken", "by hand"]


def test_a_promotion_takes_less_than_two_seconds(project: Project) -> None:
    release(project, 4)
    start = time.monotonic()

    promote(project, "staging")

    assert time.monotonic() - start < 2
