"""A commit that moves a pin as a pull request: nothing moves here."""

import os
from pathlib import Path

from .. import config, forge, repo
from ..errors import Conflict, ForgeTrouble, RepositoryTrouble


def propose(root: Path, environment: str, head: str, new: str, title: str, message: str) -> str:
    """Push the commit `new` (a child of `head`) to the environment's branch and open or update its pull request.

    Raises:
        Conflict: somebody else pushed there meanwhile.
        RepositoryTrouble: the remote does not answer.
    """
    branch = f"pin/{environment}"
    try:
        known = repo.git(root, "ls-remote", "origin", f"refs/heads/{branch}", env=forge.credentials()).split("\t")[0]
    except RepositoryTrouble as error:
        raise RepositoryTrouble(f"the remote origin does not answer: {error.args[0]}") from error
    try:
        lease = f"--force-with-lease=refs/heads/{branch}:{known}"
        repo.git(root, "push", "--quiet", lease, "origin", f"{new}:refs/heads/{branch}", env=forge.credentials())
    except RepositoryTrouble as error:
        raise Conflict(f"the push of {branch} was refused: {error.args[0]}", "Fetch, and run it again.") from error
    base = _base(root)
    pushed = f"{title}: pushed {branch} at {new[:12]} (on {head[:12]})"
    connected = forge.connect(root)
    if connected is None:
        return f"{pushed}. No forge is connected (GITHUB_TOKEN): open the pull request to {base} yourself."
    body = message.split("\n", 2)[2]
    try:
        number = connected.open_pull_request(branch, base, title, body)
    except ForgeTrouble as trouble:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        link = f"{server}/{connected.repository}/compare/{base}...{branch}?expand=1"
        return f"{pushed}. The forge did not open the pull request ({trouble}) Open it here: {link}"
    first = config.gates(root).promotion.order[:1]
    itself = environment in first and connected.merge_when_green(number)
    return f"{pushed}, pull request #{number}" + (", which merges when its checks pass." if itself else ".")


def _base(root: Path) -> str:
    try:
        return repo.git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    except RepositoryTrouble:
        return os.environ.get("GITHUB_REF_NAME") or "main"
