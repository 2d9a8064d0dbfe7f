"""The release room with a forge: hand-over from a pull request, releases, proposals and records there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mergeline import bundle, store
from mergeline.errors import Integrity, RepositoryTrouble, Usage
from mergeline.release import build, experiment, ledger, pins, promotion, records, restore, setback
from mergeline.release.manifest import Release
from mergeline.release.records import Deployment
from tests.local_forge.api import GitHubAPI, running
from tests.unit.project import Project

pytestmark = pytest.mark.slow

REPOSITORY = "octo/flight-delays"


@pytest.fixture
def api(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubAPI]:
    """The project on a forge that is checked against GitHub's own description."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", project.root, origin], check=True)
    project.git("remote", "add", "origin", str(origin))
    with running(REPOSITORY, origin) as served:
        monkeypatch.setenv("GITHUB_TOKEN", "workflow-token")
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_API_URL", served.url)
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        yield served
    # Merging when green is asked for by GraphQL, which GitHub's OpenAPI description does not hold.
    assert [line for line in served.wrong if "/graphql" not in line] == []


def reviewed(project: Project, api: GitHubAPI, tmp_path: Path, *, fork: str | None = None) -> int:
    """Train model 2 on a branch, hand it over, merge it, and come back to main with nothing of it here."""
    project.git("checkout", "--quiet", "-b", "better")
    (project.root / "notes.txt").write_text("better")
    head = project.commit("Use the weather")
    project.git("push", "--quiet", "origin", "better")
    project.train(2)
    (project.root / "report").mkdir()
    (project.root / "report/report.json").write_text("{}")
    shutil.rmtree(tmp_path / "handover", ignore_errors=True)
    restore.keep(project.root, tmp_path / "handover")
    number = api.open("better" if fork is None else head, fork=fork)
    run = api.finish_run("train.yml", head, fork)
    api.upload(run, "training", tmp_path / "handover")
    api.merge(number)
    project.git("checkout", "--quiet", "main")
    project.git("pull", "--quiet", "origin", "main")
    for litter in ("bundle", "results", "report", "data", ".dvc/cache"):
        shutil.rmtree(project.root / litter, ignore_errors=True)
    (project.root / "dvc.lock").unlink()
    return number


def merged(project: Project) -> str:
    return restore.run(project.root, base=False, pr=None, merged=True, release=None)


def expected(seed: int, project: Project) -> str:
    other = Project(project.root.parent / f"only-{seed}")
    (other.root).mkdir()
    (other.root / "dvc.yaml").write_text((project.root / "dvc.yaml").read_text())
    other.train(seed)
    return bundle.identify(other.root / "bundle")


def test_what_was_reviewed_is_restored_byte_by_byte_and_nothing_runs(
    project: Project, api: GitHubAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = reviewed(project, api, tmp_path)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    said = merged(project)

    assert said.startswith(f"Restored pull request #{number}: nothing ran")
    assert bundle.identify(project.root / "bundle") == expected(2, project)
    assert (project.root / "report/report.json").is_file()
    assert (tmp_path / "output").read_text() == "reviewed=true\n"


def test_an_input_that_moved_on_main_is_said_and_the_old_report_left_out(
    project: Project, api: GitHubAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed(project, api, tmp_path)
    spare = Project(tmp_path / "spare")
    spare.root.mkdir()
    spare.train(3)
    text = (project.root / "dvc.yaml").read_text()
    moved = f"cmd: mkdir -p bundle && cp {spare.root}/bundle/* bundle/"
    (project.root / "dvc.yaml").write_text(
        text.replace("cmd: 'true'\n    outs:\n    - bundle", f"{moved}\n    outs:\n    - bundle")
    )
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    said = merged(project)

    assert "inputs of export moved since. Train and judge the model again" in said
    assert not (project.root / "report").exists()
    assert (tmp_path / "output").read_text() == "reviewed=false\n"


def test_a_stage_whose_input_moved_and_whose_rows_were_not_handed_over_is_left_to_the_training(
    project: Project, api: GitHubAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed(project, api, tmp_path)
    stages = yaml.safe_load((project.root / "dvc.yaml").read_text())
    stages["stages"]["export"] |= {"cmd": "cat data/raw.parquet", "deps": ["data/raw.parquet"]}
    (project.root / "dvc.yaml").write_text(yaml.safe_dump(stages))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    said = merged(project)

    assert "Train and judge the model again" in said
    assert (tmp_path / "output").read_text() == "reviewed=false\n"


def test_a_forks_results_are_never_used(project: Project, api: GitHubAPI, tmp_path: Path) -> None:
    number = reviewed(project, api, tmp_path, fork="eve/flight-delays")

    assert "whose results are never used" in merged(project)
    with pytest.raises(Usage, match="from a fork"):
        restore.run(project.root, base=False, pr=number, merged=False, release=None)
    assert not (project.root / "bundle").exists()


@pytest.mark.usefixtures("api")
def test_a_direct_push_has_nothing_to_restore(project: Project) -> None:
    project.commit("Change main directly")
    project.git("push", "--quiet", "origin", "main")

    assert "nothing was handed over" in merged(project)


def test_a_changed_object_in_the_hand_over_is_refused_and_nothing_is_touched(
    project: Project, api: GitHubAPI, tmp_path: Path
) -> None:
    reviewed(project, api, tmp_path)
    model = max((tmp_path / "handover/files").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    model.write_bytes(model.read_bytes()[:-1])
    api.artifacts.clear()
    api.upload(api.runs[0]["id"], "training", tmp_path / "handover")

    with pytest.raises(Integrity, match="has the md5"):
        merged(project)
    assert not (project.root / "bundle").exists()
    assert not (project.root / "dvc.lock").exists()


def test_without_a_kept_training_a_named_pull_request_is_refused(
    project: Project, api: GitHubAPI, tmp_path: Path
) -> None:
    number = reviewed(project, api, tmp_path)
    api.artifacts.clear()

    with pytest.raises(RepositoryTrouble, match="no successful training run"):
        restore.run(project.root, base=False, pr=number, merged=False, release=None)


def test_what_lifted_a_gate_stands_in_the_commit_that_pins_its_model_and_in_the_ledger(
    project: Project, api: GitHubAPI, tmp_path: Path
) -> None:
    gates = project.root / "gates.yaml"
    gates.write_text("primary: roc_auc\nmetrics: {roc_auc: {matters: 0.005, rules: {not_worse: true}}}\n")
    project.commit("Ask that nothing gets worse")
    project.git("push", "--quiet", "origin", "main")
    number = reviewed(project, api, tmp_path)
    api.roles["ann"] = "maintain"
    api.label(number, "override", by="ann")
    api.say(number, "override roc_auc.not_worse: May is wrong\noverride auc.better: no such gate", by="ann")
    project.train(2)
    build.run(project.root, image=None)

    promotion.promote(project.root, "staging", release=None, pull_request=False)

    assert "Override: roc_auc.not_worse (May is wrong (ann))" in project.git("log", "-1", "--format=%B").splitlines()
    assert ledger.run(project.root, "staging").moves[0].override == "roc_auc.not_worse (May is wrong (ann))"


def test_names_exactly_one_state(project: Project) -> None:
    with pytest.raises(Usage, match="one state"):
        restore.run(project.root, base=True, pr=3, merged=False, release=None)


@pytest.mark.usefixtures("api")
def test_a_release_of_the_forge_gives_bundle_and_results_to_another_machine(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build.run(project.root, image=None)
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "another-machine"))
    shutil.rmtree(project.root / ".dvc/cache")
    project.train(2)

    found = store.fetch(made.release.model.bundle_id, project.root, made.release.id)
    said = restore.run(project.root, base=False, pr=None, merged=False, release=made.release.id[:10])

    assert made.kept[-1] == f"the forge's release {made.release.id[:12]}"
    assert bundle.identify(found) == made.release.model.bundle_id
    assert "from the forge" in said
    assert bundle.identify(project.root / "bundle") == made.release.model.bundle_id


def test_a_proposal_opens_one_pull_request_and_updates_it(project: Project, api: GitHubAPI) -> None:
    for seed in (1, 2):
        project.train(seed)
        build.run(project.root, image=None)
        said = promotion.promote(project.root, "staging", release=None, pull_request=True)

    assert len(api.pulls) == 1
    assert "pull request #" in said
    (pull,) = api.pulls.values()
    assert (pull["head"], pull["base"]) == ("pin/staging", "main")
    assert "Environment: staging" in pull["body"]


def test_where_actions_may_not_open_pull_requests_the_link_is_given(project: Project, api: GitHubAPI) -> None:
    api.may_open_pull_requests = False
    build.run(project.root, image=None)

    said = promotion.promote(project.root, "staging", release=None, pull_request=True)

    assert "compare/main...pin/staging?expand=1" in said


@pytest.fixture
def two(project: Project) -> list[Release]:
    """Two releases that were pinned in staging, on the forge; the second is pinned now."""
    made = []
    for seed in (1, 2):
        project.train(seed)
        project.commit(f"Train {seed}")
        made.append(build.run(project.root, image=None).release)
        promotion.promote(project.root, "staging", release=None, pull_request=False)
    project.git("push", "--quiet", "origin", "main")
    return made


def test_a_release_that_failed_is_rolled_back_by_pull_request(
    project: Project, api: GitHubAPI, two: list[Release]
) -> None:
    first, second = two
    pin = pins.committed(project.root, "staging")

    setback.tell(project.root, "staging", pin, first.id, "an answer is off", "the first runs again")

    assert [pull["title"] for pull in api.pulls.values()] == [f"Roll staging back to {first.id[:12]}"]
    assert [issue["title"] for issue in api.issues.values()] == [f"Release {second.id[:12]} failed in staging"]


def test_an_experiment_that_failed_is_stopped_by_pull_request_and_its_release_stays(
    project: Project, api: GitHubAPI, two: list[Release]
) -> None:
    first, second = two
    experiment.start(
        project.root,
        "staging",
        release=first.id,
        kind="shadow",
        share=None,
        key=None,
        limits=[],
        pull_request=False,
    )
    project.git("push", "--quiet", "origin", "main")
    pin = pins.committed(project.root, "staging")

    setback.tell(project.root, "staging", pin, second.id, "its bundle is gone", "the release runs alone")

    (pull,) = api.pulls.values()
    assert pull["title"].startswith(f"Stop shadow of {first.id[:12]}")
    assert f"Release: {second.id}" in pull["body"]
    (issue,) = api.issues.values()
    assert issue["title"] == f"The experiment beside release {second.id[:12]} failed in staging"


def test_a_deployment_of_the_release_that_ran_before_proposes_no_other_release(
    project: Project, api: GitHubAPI, two: list[Release]
) -> None:
    _, second = two
    pin = pins.committed(project.root, "staging")

    said = setback.tell(project.root, "staging", pin, second.id, "a port is taken", "it runs again")

    assert api.pulls == {}
    assert "mend the environment, or revert the commit" in said
    assert [i["title"] for i in api.issues.values()] == [f"A deployment of release {second.id[:12]} failed in staging"]


def test_a_rollback_by_pull_request_moves_production_back_only_once_it_is_merged(
    project: Project, api: GitHubAPI, two: list[Release]
) -> None:
    first, second = two
    head = project.git("rev-parse", "HEAD")

    said = promotion.rollback(project.root, "staging", to=None, reason="It misses\nlate flights", pull_request=True)

    (number,) = api.pulls
    assert f"pull request #{number}" in said
    assert (project.git("rev-parse", "HEAD"), project.pinned("staging")) == (head, second.id)
    pull = api.pulls[number]
    assert (pull["head"], pull["base"]) == ("pin/staging", "main")
    assert pull["title"] == f"Roll staging back to {first.id[:12]}"
    assert f"Release: {first.id}" in pull["body"]
    assert "Reason: It misses late flights" in pull["body"]
    changed = project.git("diff", "--name-only", head, api.commit("refs/heads/pin/staging"))
    assert changed == "infra/environments/staging/pin.json"

    api.merge(number)
    project.git("pull", "--quiet", "origin", "main")
    assert project.pinned("staging") == first.id
    move = ledger.run(project.root, "staging").moves[0]
    assert (move.action, move.reason) == ("rolled back", "It misses late flights")


def test_records_are_commit_statuses_that_the_next_promotion_asks_for(project: Project, api: GitHubAPI) -> None:
    made = build.run(project.root, image=None).release
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    project.git("push", "--quiet", "origin", "main")
    done = Deployment(
        environment="staging", release=made.id, state="success", description="runs", created=records.now()
    )

    kept = records.write(project.root, pins.commit_of(project.root, "staging"), done)

    assert kept == "commit status deploy (staging)"
    assert api.statuses[-1]["context"] == "deploy (staging)"
    promotion.promote(project.root, "production", release=None, pull_request=False)
    last = ledger.run(project.root, "staging").moves[0].last
    assert last is not None
    assert last.state == "success"


def test_a_forge_that_is_down_leaves_a_git_note(project: Project, api: GitHubAPI) -> None:
    made = build.run(project.root, image=None).release
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    api.fail["repos/create-commit-status"] = (500, {"message": "down"})
    done = Deployment(
        environment="staging", release=made.id, state="success", description="runs", created=records.now()
    )

    kept = records.write(project.root, pins.commit_of(project.root, "staging"), done)

    assert kept.startswith("git note (")


def test_the_ledger_names_who_approved_a_pin_that_a_merge_brought(project: Project, api: GitHubAPI) -> None:
    build.run(project.root, image=None)
    promotion.promote(project.root, "staging", release=None, pull_request=True)
    (number,) = api.pulls
    api.review(number, "grace")
    api.merge(number)
    (project.root / "dvc.lock").unlink()
    project.git("pull", "--quiet", "origin", "main")

    move = ledger.run(project.root, "staging").moves[0]

    assert move.action == "promoted"
    assert move.approved_by == ["grace"]
