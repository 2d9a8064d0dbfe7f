"""release.yml, run: what a merge ships, on unprotected and protected main, with and without an App."""

import json

import pytest

from tests.local_forge.api import Token
from tests.workflows.hosted import APP, PRODUCTION, SLOWER, SMOOTHER, STAGING, Hosted, git, merge_commit, propose

pytestmark = pytest.mark.slow


def test_a_merge_ships_the_model_that_was_reviewed(project: Hosted) -> None:
    api = project.api
    born = api.commit("main")
    number, reviewed = project.train("slower", SLOWER)

    released = project.merge(number)

    assert released.code == 0, released.printed
    assert "nothing ran" in released.printed
    assert project.pinned(STAGING) == reviewed
    assert f"Pull-request: #{number}" in api.git("log", "-1", "--format=%B", "main")
    assert api.commit("main^") == api.pulls[number]["merge_commit"]
    assert released.jobs["deploy"] == "success", "a push with the workflow's own token starts no workflow"
    assert project.deployments() == [
        ("deploy (staging)", "success", api.commit("main")),
        ("deploy (production)", "success", born),  # no release yet, and never again without one
    ]
    promotion = next(p for p in api.pulls.values() if p["head"] == "pin/production")
    assert project.pinned(PRODUCTION, "pin/production") == reviewed
    assert project.pinned(PRODUCTION) is None, "production moves when a person merges"

    planned = project.run("deploy.yml", "pull_request", api.event(promotion["number"]))
    assert planned.code == 0, planned.printed
    assert any("Plan for production" in c["body"] for c in api.comments)
    assert not any("Plan for staging" in c["body"] for c in api.comments)

    before = api.commit("main")
    api.merge(promotion["number"])
    deployed = project.push(before, "deploy.yml")
    assert deployed.code == 0, deployed.printed
    assert "rehearsed, nothing left running" in deployed.printed
    assert f"as planned in pull request #{promotion['number']}" in deployed.printed
    assert project.deployments()[2:] == [
        ("deploy (production)", "success", api.commit("main")),
        ("deploy (production)", "success", api.commit("pin/production")),  # for the ledger
    ]

    again = project.push(before)
    assert again.code == 0, again.printed
    assert "Nothing to release" in again.printed
    assert "deploy" not in again.jobs


def test_the_next_pull_request_restores_its_base_from_the_release(project: Hosted) -> None:
    api = project.api
    released = project.push(api.commit("main"))
    assert released.code == 0, released.printed
    number = propose(api, project.clone, "slower", SLOWER)

    project.cache = project.folder / "empty"  # as on a hosted runner
    trained = project.run("train.yml", "pull_request", api.event(number))

    assert "comment" in trained.jobs, trained.printed
    report = json.loads((trained.artifacts / "training/report/report.json").read_text())
    assert report["base"]["bundle"] == project.pinned(STAGING)
    assert report["base"]["stages"] == []
    assert "validate" not in report["candidate"]["stages"]


def test_a_merge_whose_inputs_moved_is_trained_and_judged_again(project: Hosted) -> None:
    one, first = project.train("slower", SLOWER)
    two, reviewed = project.train("smoother", SMOOTHER)
    assert project.merge(one).code == 0
    assert project.pinned(STAGING) == first

    released = project.merge(two)

    assert released.code == 0, released.printed
    assert "Train and judge the model again" in released.printed
    assert released.steps["release: Judge it"] == "success"
    release = json.loads(project.api.git("show", f"main:{STAGING}"))["release"]
    assert release["model"]["bundle_id"] not in (first, reviewed), "both changes are in it"
    assert release["verdict"]["against"] == first
    assert release["verdict"]["word"] in released.summary.lower()
    assert released.jobs["deploy"] == "success"


def test_a_gate_that_fails_on_main_is_an_issue_and_moves_no_pin(project: Hosted) -> None:
    api = project.api
    one, first = project.train("slower", SLOWER | {"gates.yaml": ("at_least: 0.5", "at_least: 0.99")})
    two, _ = project.train("smoother", SMOOTHER)
    assert project.merge(one).code == 0, "the gates that judge are those before it"
    pulls = len(api.pulls)

    refused = project.merge(two)

    assert refused.jobs == {"release": "failure"}
    assert refused.steps["release: Say why there is no release"] == "success"
    (issue,) = api.issues.values()
    assert issue["title"] == f"No release of {api.commit('main')[:12]}: a gate failed"
    assert "roc_auc.at_least" in issue["body"]
    assert project.pinned(STAGING) == first
    assert api.commit("main") == api.pulls[two]["merge_commit"]
    assert len(api.pulls) == pulls


@pytest.mark.nightly
def test_a_protected_main_gets_a_release_pull_request(project: Hosted) -> None:
    api = project.api
    api.protect()
    before = api.commit("main")

    released = project.push(before)

    assert released.code == 0, released.printed
    assert api.commit("main") == before
    (request,) = api.pulls.values()
    assert (request["head"], request["user"]) == ("pin/staging", "github-actions[bot]")
    assert project.pinned(STAGING, "pin/staging") is not None
    assert "dvc.lock" in api.git("diff", "--name-only", "main", "pin/staging").split()
    assert "deploy" not in released.jobs


def test_a_release_pull_request_passes_the_checks_until_a_hand_edits_its_pin(
    project: Hosted, providers: dict[str, str]
) -> None:
    api, clone = project.api, project.clone
    api.protect()
    assert project.push(api.commit("main")).code == 0
    (number,) = api.pulls

    git(clone, "fetch", "--quiet", str(api.origin), "+refs/heads/*:refs/remotes/origin/*")
    merge_commit(clone, "origin/pin/staging")
    checked = project.run("check.yml", "pull_request", api.event(number), providers=providers)
    assert checked.code == 0, checked.printed
    assert "id, bundle" in checked.printed

    git(clone, "switch", "--quiet", "--create", "edited", "origin/pin/staging")
    pin = clone / STAGING
    pin.write_text(pin.read_text().replace('"learning_rate": 0.1', '"learning_rate": 0.2'))
    git(clone, "commit", "--quiet", "--all", "--message", "By hand")
    git(clone, "push", "--quiet", str(api.origin), "HEAD:refs/heads/pin/staging")
    merge_commit(clone, "edited")
    edited = project.run("check.yml", "pull_request", api.event(number), providers=providers)

    assert edited.jobs == {"check": "failure", "terraform": "success", "check-pass": "failure"}
    assert edited.steps["check: Check"] == "success"
    assert edited.steps["check: Verify the pins that change"] == "failure"
    assert "staging/pin.json: the content has id" in edited.printed


def test_an_app_opens_the_release_pull_request_of_an_image_so_that_its_checks_start(project: Hosted) -> None:
    api = project.api
    api.protect()
    api.may_merge_by_itself = True
    api.tokens["app-token"] = Token("releases[bot]")

    released = project.push(api.commit("main"), **APP)

    assert released.code == 0, released.printed
    (request,) = api.pulls.values()
    assert request["user"] == "releases[bot]"
    assert request["auto_merge"]
    pin = json.loads(api.git("show", f"pin/staging:{STAGING}"))
    assert pin["release"]["image"].startswith("ghcr.io/octo/flight-delays@sha256:")
    assert (released.artifacts / "image").read_text().split() == [
        f"ghcr.io/octo/flight-delays:{api.commit('main')}",
        "NAME=flight-delays",
        f"REVISION={api.commit('main')}",
        f"SOURCE={api.url}/octo/flight-delays",
    ]
