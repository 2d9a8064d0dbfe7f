"""Raw rows that DVC keeps outside git: fetched before a training, or the run of a fork says why it trains nothing."""

import sys
from pathlib import Path

from . import repo
from .errors import RepositoryTrouble
from .forge import event

NOT_TRAINED = "**Not trained**: a maintainer must push this branch. Its rows are behind a DVC remote"


def run(root: Path) -> str:
    """Fetch what the committed `*.dvc` files name; say what happened.

    Step output: `data`, *here* or *missing*. It can be missing only in a run of a fork's or Dependabot's pull
    request, which holds no credentials: that is no failure of what it proposes.

    Raises:
        RepositoryTrouble: the remote does not give it.
    """
    named = repo.git(root, "ls-files", "*.dvc").splitlines()
    try:
        if named:
            repo.run([sys.executable, "-m", "dvc", "pull", "--quiet", *named], root, env=repo.environment(root))
    except RepositoryTrouble as trouble:
        request = event.pull_request()
        if request is None or not (request.fork or request.author == "dependabot[bot]"):
            raise RepositoryTrouble(
                f"the DVC remote does not give what {named[0]} names: {trouble.args[0]}",
                "Check its address in .dvc/config and this machine's credentials for it.",
            ) from trouble
        words = f"{NOT_TRAINED}, for which this run has no credentials ({named[0]})."
        event.tell(data="missing")
        event.summarise(words)
        return words
    event.tell(data="here")
    return f"Fetched what {', '.join(named)} names." if named else "All rows are in git or come with their source."
