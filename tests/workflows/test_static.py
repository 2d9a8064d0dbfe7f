"""What a run cannot show, because `act` ignores it: permissions, pins, filters, concurrency, names of jobs."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools import need

GITHUB = Path(__file__).resolve().parents[2] / "<<cookiecutter.project>>" / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))
FILES = [*WORKFLOWS, *ACTIONS]
FACTS = {
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/upload-artifact": ("043fb46d1a93c77aae656e7c1c64a875d1fc6a0a", "v7.0.1"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "actions/attest": ("1e69f48acb82d1966a394da916b4c1698aa569d6", "v4.2.2"),
    "actions/create-github-app-token": ("bcd2ba49218906704ab6c1aa796996da409d3eb1", "v3.2.0"),
    "astral-sh/setup-uv": ("c771a70e6277c0a99b617c7a806ffedaca235ff9", "v9.0.0"),
    "hashicorp/setup-terraform": ("5e8dbf3c6d9deaf4193ca7a8fb23f2ac83bb6c85", "v4"),
    "docker/setup-buildx-action": ("bb05f3f5519dd87d3ba754cc423b652a5edd6d2c", "v4.2.0"),
    "docker/build-push-action": ("53b7df96c91f9c12dcc8a07bcb9ccacbed38856a", "v7.3.0"),
    "aws-actions/configure-aws-credentials": ("d979d5b3a71173a29b74b5b88418bfda9437d885", "v6.1.1"),
    "docker/login-action": ("dbcb813823bdd20940b903addbd779551569679f", "v4.6.0"),
}
"""Commits that were seen with this version in public workflow files; a new one needs the same."""


def read(path: Path) -> dict[str, Any]:
    """Parse a workflow or action; YAML 1.1 reads the key `on` as true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


def jobs() -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield path, name, job


def steps(path: Path) -> Iterator[dict[str, Any]]:
    found = read(path)
    for job in found.get("jobs", {}).values():
        yield from job.get("steps", ())
    yield from found.get("runs", {}).get("steps", ())


def triggers(path: Path) -> dict[str, Any]:
    on = read(path)["on"]
    return on if isinstance(on, dict) else dict.fromkeys([on] if isinstance(on, str) else on)


JOBS = [pytest.param(p, j, id=f"{p.stem}-{n}") for p, n, j in jobs()]
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
DECIDES_NOTHING = {"attribute", "complete"}
"""Jobs that a required one does not wait for: they tell what data and what code did."""
every_file = pytest.mark.parametrize("path", FILES, ids=lambda p: p.parent.name if p.stem == "action" else p.stem)


@every_workflow
def test_a_workflow_holds_no_permission_of_its_own(path: Path) -> None:
    assert read(path)["permissions"] == {}


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_every_job_says_what_it_may_and_how_long(path: Path, job: dict[str, Any]) -> None:
    assert isinstance(job["permissions"], dict), path
    assert "uses" in job or job["timeout-minutes"] <= 90


@every_workflow
def test_a_workflow_says_what_may_run_at_once(path: Path) -> None:
    concurrency = read(path)["concurrency"]

    assert concurrency["group"].startswith(path.stem)
    if path.stem in ("release", "deploy"):
        assert concurrency["cancel-in-progress"] in (False, "${{ github.event_name == 'pull_request' }}")


@every_file
def test_third_party_actions_are_pinned_to_a_known_commit(path: Path) -> None:
    for name, commit, version in re.findall(r"uses: ([\w-]+/[\w-]+)@(\S+)(?: # (\S+))?", path.read_text()):
        assert (commit, version) == FACTS[name]


@every_file
def test_actions_that_are_used_are_pinned_or_of_this_repository(path: Path) -> None:
    for step in steps(path):
        if uses := step.get("uses"):
            assert re.fullmatch(r"(\./\.github/actions/[\w-]+)|([\w-]+/[\w-]+@[0-9a-f]{40})", uses), uses


@every_file
def test_a_run_is_at_most_three_lines_without_expressions(path: Path) -> None:
    for step in steps(path):
        run = step.get("run", "")
        assert len(run.strip().splitlines()) <= 3, run
        assert "${{" not in run, run


@every_file
def test_a_checkout_keeps_no_token(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("workflow", "job"), [("check", "check-pass"), ("train", "verdict-pass")])
def test_the_required_job_answers_for_every_pull_request(workflow: str, job: str) -> None:
    path = GITHUB / "workflows" / f"{workflow}.yml"
    found = read(path)["jobs"]

    assert {"pull_request", "merge_group"} <= set(triggers(path))
    assert triggers(path)["pull_request"] in (None, {}), "a filter would leave a required check pending"
    assert list(found)[-1] == job
    assert found[job]["if"] == "${{ always() }}"
    assert set(found[job]["needs"]) == set(found) - {job} - DECIDES_NOTHING
    assert found[job]["permissions"] == {}


def test_required_jobs_have_different_names() -> None:
    names = [name for _, name, _ in jobs() if name.endswith("-pass")]

    assert sorted(names) == ["check-pass", "verdict-pass"]


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_a_write_token_is_never_beside_the_code_of_a_pull_request(path: Path, job: dict[str, Any]) -> None:
    writes = "write" in {value for name, value in job["permissions"].items() if name != "id-token"}
    by_others = any(f"github.event_name == '{event}'" in job.get("if", "") for event in ("push", "schedule"))
    by_pull_request = "pull_request" in triggers(path) and not by_others
    if not (writes and by_pull_request and "steps" in job):
        return

    checkouts = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert [c["with"]["ref"] for c in checkouts] == ["${{ github.event.pull_request.base.sha }}"]
    assert "!github.event.pull_request.head.repo.fork" in job["if"]
    for step in job["steps"]:
        assert "git" not in step.get("run", "").split(), "of the pull request comes nothing but what a job kept"


ROLES = {
    ("train", "train"): ".read",
    ("train", "attribute"): ".read",
    ("release", "release"): ".release",
    ("deploy", "plan"): ".read",
    ("deploy", "deploy"): "[matrix.environment]",
    ("deploy", "status"): ".read",
}
"""The role in AWS of each job that has one: a key of the variable AWS_ROLES."""


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_a_job_takes_its_own_role_in_aws_and_no_other_can_vouch_for_itself(path: Path, job: dict[str, Any]) -> None:
    name = next(key for key, value in read(path)["jobs"].items() if value == job)
    taken = [step for step in job.get("steps", ()) if step.get("uses") == "./.github/actions/assume-role"]
    wanted = ROLES.get((path.stem, name))

    if "uses" not in job:
        assert ("id-token" in job["permissions"]) == bool(wanted)
    assert len(taken) == bool(wanted)
    for step in taken:
        role = f"fromJSON(vars.AWS_ROLES || '{{}}'){wanted}"
        assert step["with"] == {"role": f"${{{{ {role} }}}}", "region": "${{ vars.AWS_REGION }}"}
        assert step["if"].removesuffix(" }}").endswith(role), "without the variable nothing is asked of AWS"


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_a_pull_request_reads_in_aws_and_a_forks_does_not_even_that(path: Path, job: dict[str, Any]) -> None:
    taken = [step for step in job.get("steps", ()) if step.get("uses") == "./.github/actions/assume-role"]
    if "pull_request" not in triggers(path) or any(f"'{event}'" in job.get("if", "") for event in ("push", "schedule")):
        return

    for step in taken:
        assert step["with"]["role"].endswith(".read }}")
        assert "!github.event.pull_request.head.repo.fork" in f"{job.get('if')} {step['if']}"


def test_a_deployments_role_is_that_of_its_environment() -> None:
    job = read(GITHUB / "workflows" / "deploy.yml")["jobs"]["deploy"]

    assert job["environment"] == "${{ matrix.environment }}", "the claim that the role asks for"


def test_no_key_of_aws_is_kept_anywhere() -> None:
    for path in FILES:
        assert not re.search(r"aws-(access-key-id|secret-access-key)|AWS_(ACCESS_KEY_ID|SECRET)", path.read_text())


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_what_a_pull_request_starts_sees_no_secret(path: Path, job: dict[str, Any]) -> None:
    if "pull_request" in triggers(path) and "'push'" not in job.get("if", ""):
        assert "secrets." not in str(job)


@every_workflow
def test_no_workflow_runs_a_pull_request_with_the_rights_of_main(path: Path) -> None:
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers(path))


def test_releases_and_deployments_start_where_they_should() -> None:
    release, deploy = (triggers(GITHUB / "workflows" / f"{name}.yml") for name in ("release", "deploy"))

    assert release["push"] == {"branches": ["main"]}
    assert deploy["push"]["branches"] == ["main"]
    assert "workflow_call" in deploy
    assert deploy["schedule"]


def test_an_image_says_which_model_commit_and_repository_it_is_of() -> None:
    asked = set(re.findall(r"^ARG (\w+)=", (GITHUB.parent / "Dockerfile").read_text(), re.MULTILINE)) - {"BASE"}
    (build,) = [s for s in steps(GITHUB / "workflows/release.yml") if "build-push-action" in s.get("uses", "")]

    given = dict(line.split("=", 1) for line in build["with"]["build-args"].splitlines())
    assert set(given) == asked == {"NAME", "REVISION", "SOURCE"}
    assert given["REVISION"] == "${{ steps.ask.outputs.commit }}", "main may be newer than the push that started it"
    assert "steps.ask.outputs.name" in given["NAME"]
    assert "github.repository" in given["SOURCE"]


def test_a_plan_is_made_where_the_deployment_is_and_a_deployment_does_not_ask_what_its_push_changed() -> None:
    found = read(GITHUB / "workflows" / "deploy.yml")

    assert found["jobs"]["plan"]["runs-on"] == found["jobs"]["deploy"]["runs-on"]
    assert "github.event.before" not in str(found), "a push whose run was replaced would never be deployed"


@pytest.fixture(scope="module")
def checked_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .github folder where it belongs: at the top of a repository."""
    folder = tmp_path_factory.mktemp("lint")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    shutil.copytree(GITHUB, folder / ".github")
    return folder


@pytest.mark.parametrize(
    ("tool", "arguments"), [("actionlint", []), ("zizmor", ["--offline", "."])], ids=["actionlint", "zizmor"]
)
def test_the_linters_have_nothing_to_say(checked_out: Path, tool: str, arguments: list[str]) -> None:
    done = subprocess.run([need(tool), *arguments], cwd=checked_out, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_exception_from_a_linter_says_why() -> None:
    for line in "\n".join(path.read_text() for path in FILES).splitlines():
        if "zizmor: ignore" in line:
            assert re.search(r"ignore\[[\w-]+\] \w+", line), line
    rules = (GITHUB / "zizmor.yml").read_text()
    assert rules.count("disable: true") == len(re.findall(r"^    #.*\n(?!    #)", rules, re.M))
