"""deploy.yml, run: what is due is deployed, and what does not come up is taken back."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mergeline import bundle, state, store
from mergeline.release import manifest, terraform
from mergeline.release.manifest import Pin, Release
from mergeline.serve import local
from tests.local_forge.api import Token
from tests.workflows.hosted import APP, PRODUCTION, STAGING, Hosted, git, propose
from tests.workflows.runner import Run
from tools.caller import Caller

pytestmark = pytest.mark.slow


@pytest.fixture
def lasting(project: Hosted) -> Iterator[Hosted]:
    """The project, on a machine that stays; nothing is left running."""
    yield project
    for name in ("staging", "production"):
        local.stop(terraform.folder(project.clone, name) / "run")


def broken(project: Hosted, folder: Path) -> Release:
    """Make a release whose bundle is whole and whose model does not answer as its bundle says it was tested."""
    good = manifest.read_pin(project.clone / STAGING).release
    assert good is not None
    shutil.copytree(store.fetch(good.model.bundle_id, project.clone), folder)
    smoke = json.loads((folder / bundle.SMOKE).read_text())
    smoke["scores"] = [[1 - score for score in row] for row in smoke["scores"]]
    (folder / bundle.SMOKE).write_text(json.dumps(smoke))
    bundle.seal(folder)
    model = msgspec.structs.replace(good.model, bundle_id=store.store(folder, project.clone))
    made = msgspec.structs.replace(good, model=model)
    return msgspec.structs.replace(made, id=manifest.identify(made.identity()))


@pytest.mark.nightly
def test_a_push_deploys_also_what_an_apps_push_before_it_left_to_a_run_that_never_happened(project: Hosted) -> None:
    api, clone = project.api, project.clone
    api.tokens["app-token"] = Token("releases[bot]")
    born = api.commit("main")
    released = project.push(born, **APP)
    assert released.jobs == {"release": "success"}, released.printed  # the App's push starts a deployment of its own
    pushes = [login for _, path, login, _ in api.log if path.endswith("git-receive-pack")]
    assert set(pushes) == {"releases[bot]"}
    pinned = api.commit("main")
    assert "Nothing to release" in project.push(born, **APP).printed

    # GitHub has replaced the pending deployment of that push by the one of this, which is of production alone.
    git(clone, "switch", "--quiet", "main")
    values = clone / PRODUCTION.replace("pin.json", "terraform.tfvars")
    values.write_text(values.read_text() + "# a wider note\n")
    git(clone, "commit", "--quiet", "--all", "--message", "Change production")
    git(clone, "push", "--quiet", str(api.origin), "HEAD:refs/heads/main")
    deployed = project.push(pinned, "deploy.yml", **APP)

    assert deployed.code == 0, deployed.printed
    assert project.deployments() == [
        ("deploy (staging)", "success", pinned),
        ("deploy (production)", "success", api.commit("main")),
        ("deploy (production)", "success", born),
    ]
    (promotion,) = api.pulls.values()
    assert (promotion["head"], promotion["user"]) == ("pin/production", "releases[bot]")
    again = project.push(pinned, "deploy.yml", **APP)
    assert again.code == 0, again.printed
    assert len(project.deployments()) == 3, "what stands is not deployed again"


def test_a_release_that_fails_is_taken_back_and_its_rollback_is_a_pull_request(lasting: Hosted, tmp_path: Path) -> None:
    api, clone = lasting.api, lasting.clone
    assert lasting.push(api.commit("main"), lasting=True).code == 0
    first = lasting.pinned(STAGING)
    lasting.fetch()
    before = api.commit("main")
    bad = broken(lasting, tmp_path / "bundle")
    manifest.write(clone / STAGING, Pin(release=bad))
    git(clone, "commit", "--quiet", "--all", "--message", "Pin it by hand")
    git(clone, "push", "--quiet", str(api.origin), "HEAD:refs/heads/main")

    failed = lasting.push(before, "deploy.yml", lasting=True)

    assert failed.jobs["deploy"] == "failure"
    assert "runs again" in failed.printed
    (issue,) = api.issues.values()
    assert f"Release {bad.id[:12]} failed in staging" == issue["title"]
    assert lasting.deployments()[-1] == ("deploy (staging)", "failure", api.commit("main"))
    (rollback,) = [p for p in api.pulls.values() if p["head"] == "pin/staging"]
    assert (rollback["user"], rollback["state"]) == ("github-actions[bot]", "open")
    assert lasting.pinned(STAGING, "pin/staging") == first
    port = state.supervisor(terraform.folder(clone, "staging") / "run")["port"]
    good = json.loads(api.git("show", f"pin/staging:{STAGING}"))["release"]["id"]
    assert Caller(int(str(port))).version() == good

    back = lasting.merge(rollback["number"], "deploy.yml", lasting=True)

    assert back.code == 0, back.printed
    assert "watched for 0.05 min" in back.printed
    assert issue["state"] == "closed"
    assert lasting.deployments()[-1][1] == "success"
    assert Caller(int(str(port))).version() == good


def test_a_pull_request_that_changes_the_infrastructure_shows_the_plan_of_each_environment(project: Hosted) -> None:
    api, values = project.api, PRODUCTION.replace("pin.json", "terraform.tfvars")
    number = propose(api, project.clone, "grow", {values: ("port = ", "replicas = { min = 2, max = 4 }\nport = ")})

    planned = project.run("deploy.yml", "pull_request", api.event(number))

    assert planned.jobs == {"plan": "success", "comment": "success"}, planned.printed
    (comment,) = api.comments
    assert "### Plan for production" in comment["body"]
    assert "It will ask for 2 to 4 servers, 2 to 4 cores and 1,024 to 2,048 MB in all." in comment["body"]


def test_a_pull_request_that_changes_no_environment_shows_no_plan(project: Hosted) -> None:
    number = propose(project.api, project.clone, "note", {"infra/notes.md": ("", "Who to call.\n")})

    planned = project.run("deploy.yml", "pull_request", project.api.event(number))

    assert planned.jobs == {"plan": "success"}, planned.printed
    assert project.api.comments == []


ROLE = "arn:aws:iam::123456789012:role/mergeline-flight-delays-"
AWS = {
    "AWS_REGION": "eu-central-1",
    "AWS_ROLES": json.dumps({name: ROLE + name for name in ("read", "release", "staging", "production")}),
}


def assumed(run: Run) -> list[str]:
    """Name the roles in AWS that a run asked for."""
    return sorted(set(re.findall(rf"assumed {ROLE}(\w+) in eu-central-1", run.printed)))


def test_a_pull_request_takes_the_role_that_reads(project: Hosted) -> None:
    number = propose(project.api, project.clone, "note", {"infra/notes.md": ("", "Who to call.\n")})

    planned = project.run("deploy.yml", "pull_request", project.api.event(number), variables=AWS)

    assert planned.jobs == {"plan": "success"}, planned.printed
    assert assumed(planned) == ["read"]


def test_a_deployment_takes_the_role_of_its_environment(project: Hosted) -> None:
    deployed = project.push(project.api.commit("main"), "deploy.yml", variables=AWS)

    assert deployed.code == 0, deployed.printed
    assert assumed(deployed) == ["production", "staging"]


def test_the_schedule_looks_at_what_runs(project: Hosted) -> None:
    git(project.clone, "switch", "--quiet", "main")

    looked = project.run("deploy.yml", "schedule", {"schedule": "17 5 * * *"})

    assert looked.code == 0, looked.printed
    assert looked.jobs == {"status": "success"}
    assert "staging" in looked.printed
    assert "Nothing differs." in looked.printed
    assert project.api.writes() == []
