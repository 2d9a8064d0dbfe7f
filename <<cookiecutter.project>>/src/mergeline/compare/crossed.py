"""The two crossed models of a pull request that changes both data and code, each trained in a checkout of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from .. import config, objects, repo
from . import environment
from .base import Base
from .report import Change

STAGES = ("export", "refit")
"""What is trained of them: the model, and the recipe anew for its noise."""
DATA = "data."
NO_MODEL = (DATA, "compare.")
"""Where params.yaml has other things than how a model is made."""


def asked(root: Path, changed: Sequence[str], params: Sequence[Change]) -> bool:
    """Say whether both changed: the data (`data` of params.yaml, `*.dvc`, rows in git), and what makes a model of it.

    Args:
        root: the candidate's project.
        changed: paths that differ from the base.
        params: keys of params.yaml that do.
    """
    made_of = {str(path) for stage in objects.stages(root).values() for path in stage.get("deps", [])}
    rows = f"{config.params(root).data.path}/"
    data = [path for path in changed if path.endswith(".dvc") or f"{path}/".startswith(rows)]
    code = [path for path in changed if path in made_of or path == objects.PIPELINE]
    return bool(data or any(key.name.startswith(DATA) for key in params)) and bool(
        code or any(not key.name.startswith(NO_MODEL) for key in params)
    )


@contextmanager
def trained(root: Path, other: Base, say: Callable[[str], None]) -> Iterator[tuple[Path, Path]]:
    """Train the base's code on the candidate's data, and beside it the candidate's code on the base's data.

    Args:
        root: the candidate's project, its changes committed.
        other: the base, in its checkout.
        say: gets the lines of the stages.

    Returns:
        The two checkouts, in this order; they are removed afterwards.

    Raises:
        MergelineError: one cannot be trained, with the reason.
    """
    with tempfile.TemporaryDirectory(prefix="mergeline-crossed-") as folder, ExitStack() as stack:
        sides = [("old-code", other.commit, root, other.root), ("new-code", repo.head(root), other.root, root)]
        ready = []
        for name, commit, data, code in sides:
            tree = stack.enter_context(repo.worktree(root, commit, Path(folder) / name))
            checkout = tree / repo.git(root, "rev-parse", "--show-prefix")
            objects.prepare(checkout, root)
            take_data(data, checkout)
            wanted = config.params(root).python
            ready.append(
                (checkout, environment.python(root, code, wanted, base_version=config.params(checkout).python))
            )
        with ThreadPoolExecutor() as both:
            trainings = [both.submit(objects.repro, at, targets=_stages(at), python=by, say=say) for at, by in ready]
        for training in trainings:
            training.result()
        (old_code, _), (new_code, _) = ready
        yield old_code, new_code


def take_data(source: Path, checkout: Path) -> None:
    """Give a checkout the data of another one: `data` of params.yaml, `*.dvc` files and rows kept in git."""
    for path in _rows(checkout):
        (checkout / path).unlink()
    for path in _rows(source):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, checkout / path)
    theirs, ours = (objects.parse_yaml((folder / config.PARAMS).read_bytes()) for folder in (source, checkout))
    text = yaml.safe_dump({**ours, "data": theirs["data"]}, sort_keys=False)
    (checkout / config.PARAMS).write_text(text, encoding="utf-8")
    objects.place_sources(checkout)


def _rows(root: Path) -> list[str]:
    return repo.git(root, "ls-files", "--", "*.dvc", config.params(root).data.path).splitlines()


def _stages(checkout: Path) -> list[str]:
    declared = objects.stages(checkout)
    return [name for name in STAGES if name in declared]
