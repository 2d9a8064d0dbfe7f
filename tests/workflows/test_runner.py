"""The tooling itself: that a run of `act` here shows what a run on GitHub would."""

from pathlib import Path

import pytest

from tests.local_forge.api import Token
from tests.workflows.conftest import Make
from tests.workflows.hosted import git
from tests.workflows.runner import act
from tests.workflows.test_static import FACTS

PUSHES = f"""
name: pushes
on: push
jobs:
  first:
    runs-on: ubuntu-24.04
    outputs:
      said: ${{{{ steps.say.outputs.said }}}}
    steps:
      - uses: actions/checkout@{FACTS["actions/checkout"][0]}
        with: {{ref: "${{{{ github.ref }}}}", persist-credentials: false}}
      - id: say
        run: |
          echo "said=hello" >> "$GITHUB_OUTPUT"
          echo "# Summary" >> "$GITHUB_STEP_SUMMARY"
      - run: python3 push.py
        env:
          GITHUB_TOKEN: ${{{{ github.token }}}}
  second:
    needs: first
    if: ${{{{ needs.first.outputs.said == 'hello' }}}}
    runs-on: ubuntu-24.04
    steps:
      - run: test -z "$SECRET"
        env:
          SECRET: ${{{{ secrets.APP_PRIVATE_KEY }}}}
  never:
    if: ${{{{ vars.APP_ID }}}}
    runs-on: ubuntu-24.04
    steps:
      - run: exit 1
"""

PUSH = """
import base64, os, subprocess
basic = base64.b64encode(f"x-access-token:{os.environ['GITHUB_TOKEN']}".encode()).decode()
who = ["-c", "user.name=a", "-c", "user.email=a@example.test"]
header = ["-c", f"http.{os.environ['GITHUB_SERVER_URL']}/.extraheader=Authorization: Basic {basic}"]
subprocess.run(["git", *who, "commit", "--allow-empty", "-m", "by the workflow"], check=True)
subprocess.run(["git", *header, "push", "origin", "HEAD:refs/heads/main"], check=True)
"""


@pytest.mark.slow
def test_a_run_shows_jobs_outputs_and_summary_and_pushes_with_its_token(hosted: Make, tmp_path: Path) -> None:
    api, clone = hosted({".github/workflows/pushes.yml": PUSHES, "push.py": PUSH})

    run = act(clone, "pushes.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run")

    assert run.code == 0, run.printed
    assert run.jobs == {"first": "success", "second": "success"}
    assert "# Summary" in run.summary
    assert api.git("log", "-1", "--format=%s", "main") == "by the workflow"
    assert ("POST", f"/{api.repository}.git/git-receive-pack", "github-actions[bot]", 200) in api.log


def test_a_read_only_token_pushes_nothing(hosted: Make, tmp_path: Path) -> None:
    api, clone = hosted({".github/workflows/pushes.yml": PUSHES, "push.py": PUSH})
    api.tokens["fork-token"] = Token("github-actions[bot]", write=False)
    before = api.commit("main")

    run = act(clone, "pushes.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run", token="fork-token")  # noqa: S106 - known to the local forge alone

    assert run.jobs["first"] == "failure"
    assert api.commit("main") == before


def test_a_protected_branch_refuses_a_push_in_githubs_words(hosted: Make, tmp_path: Path) -> None:
    api, clone = hosted({".github/workflows/pushes.yml": PUSHES, "push.py": PUSH})
    api.protect()

    run = act(clone, "pushes.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run")

    assert run.code == 1
    assert "GH006: Protected branch update failed" in run.printed


def test_the_commit_of_a_merge_request_is_what_github_checks_out(hosted: Make) -> None:
    api, clone = hosted({"features.py": "x = 1\n"})
    git(clone, "switch", "--create", "feature")
    (clone / "features.py").write_text("x = 2\n")
    git(clone, "commit", "--all", "--message", "two")
    api.tokens["ada"] = Token("ada", installation=False)
    git(clone, "push", f"{api.url.replace('//', '//x:ada@')}/{api.repository}.git", "feature")

    number = api.open("feature")
    merged = api.merge(number)

    assert api.git("show", f"{merged}:features.py") == "x = 2"
    assert api.git("rev-list", "--parents", "-1", merged).split()[2] == api.commit("feature")
