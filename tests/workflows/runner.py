"""Runs a workflow file with `act` on this machine, as GitHub would on its own, against the local forge."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local_forge.api import GitHubAPI
from tests.tools import need
from tests.workflows.test_static import FACTS

STUBS = Path(__file__).with_name("stubs")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Run:
    """What a run did: each job's result, each step's, the summaries, and all that was printed, without its colours."""

    code: int
    jobs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    printed: str = ""
    artifacts: Path = Path()


def act(
    repository: Path,
    workflow: str,
    event_name: str,
    event: Mapping[str, Any],
    api: GitHubAPI,
    home: Path,
    *,
    token: str = "workflow-token",  # noqa: S107 - known to the local forge alone
    variables: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    cache: Path | None = None,
    lasting: bool = False,
    providers: Mapping[str, str] | None = None,
) -> Run:
    """Run one workflow file.

    Args:
        repository: a clone with the commit checked out that GitHub would check out.
        workflow: a file name below .github/workflows.
        event_name: `pull_request`, `push`, `schedule`, …
        event: what GitHub writes into the event file.
        api: the forge, which also is the clone's origin.
        home: an empty folder.
        token: the workflow's own; a fork's may only read.
        variables: the repository's variables.
        secrets: the repository's secrets; a fork's run has none.
        cache: a DVC cache that runs share; none is what a hosted runner has.
        lasting: the machine stays after the job, as a self-hosted runner does.
        providers: the variables with which Terraform finds the modules' providers.
    """
    program = need("act")
    artifacts = home / "artifacts"
    (home / ".config" / "act").mkdir(parents=True)
    (home / ".config" / "act" / "actrc").touch()
    (home / "event.json").write_text(json.dumps(event))
    env = {
        "GITHUB_API_URL": api.url,
        "GITHUB_SERVER_URL": api.url,
        "GITHUB_REPOSITORY": api.repository,
        "ORIGIN": f"{api.url}/{api.repository}.git",
        "ARTIFACTS": str(artifacts),
        "TEST_PYTHON": sys.executable,
        "MYPY_CACHE_DIR": os.environ["MYPY_CACHE_DIR"],
        "TEST_SITE": sysconfig.get_path("purelib"),
        "STUBS": str(STUBS),
        "MERGELINE_STATE": os.environ.get("MERGELINE_STATE", str(home / "state")),
        "RUNNER_ENVIRONMENT": "self-hosted" if lasting else "github-hosted",
        **({"TEST_CACHE": str(cache)} if cache else {}),
        **(providers or {}),
    }
    arguments = [
        str(program), event_name, "-C", str(repository), "-W", str(repository / ".github" / "workflows" / workflow),
        "-e", str(home / "event.json"), "-P", "ubuntu-24.04=-self-hosted", "--no-cache-server",
        "--action-cache-path", str(home / "cache"), "--json", "-s", f"GITHUB_TOKEN={token}",
        *(f"--env={name}={value}" for name, value in env.items()),
        *(f"--var={name}={value}" for name, value in (variables or {}).items()),
        *(f"--secret={name}={value}" for name, value in (secrets or {}).items()),
        *(f"--local-repository={name}@{commit}={STUBS / name.split('/')[1]}" for name, (commit, _) in FACTS.items()),
    ]  # fmt: skip
    done = subprocess.run(
        arguments,
        # The test's own surroundings would leak into the steps.
        env={"PATH": _path(), "HOME": str(home), "GIT_PAGER": "cat", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return _read(done.returncode, done.stdout, artifacts)


def _path() -> str:
    """Give the PATH without the environment that the tests run in: a step must find what set-up gives it."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)


def _read(code: int, printed: str, artifacts: Path) -> Run:
    run = Run(code, artifacts=artifacts)
    words = []
    for line in printed.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            words.append(line)
            continue
        job = re.sub(r"-\d+$", "", str(said.get("jobID", "")))
        words.append(f"[{said.get('job', '')}] {said.get('msg', '').rstrip()}")
        if result := said.get("jobResult"):
            run.jobs[job] = "failure" if "failure" in (result, run.jobs.get(job)) else result
        if result := said.get("stepResult"):
            run.steps[f"{said.get('job', '').split('/')[-1].strip()}: {said.get('step', '')}"] = result
        if said.get("command") == "summary" or "summary" in said:
            run.summary += str(said.get("content") or said.get("summary") or "")
    run.printed = COLOUR.sub("", "\n".join(words))
    return run
