"""The base model: restored from what main's dvc.lock names, else trained by its own code in a checkout of its own."""

import ast
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any

from .. import config, objects, repo
from ..config import Gates, Params
from ..errors import Integrity, MergelineError, RepositoryTrouble
from . import environment

NONE = "none"
"""What --base says when there is no base: only rules about the candidate alone judge."""
NEEDED = (
    "bundle",
    "results/trained_on.parquet",
    "results/predictions.parquet",
    "results/profile.json",
    "results/cost.json",
    "results/metrics.json",
    "results/refits",
)
SCHEMA = "src/model/schema.py"
STAGES = ("validate", "evaluate", "export", "refit")


@dataclass(frozen=True, slots=True)
class Base:
    """A base's checkout with its results; `ran` are the stages that had to run, `problem` says why it has none."""

    commit: str
    root: Path
    params: Params | None = None
    gates: Gates | None = None
    ran: list[str] = field(default_factory=list)
    problem: str | None = None


def find(root: Path, rev: str) -> str | None:
    """Give the commit where HEAD left `rev`, or None where no project was there yet or `rev` is `none`.

    Where only the remote's branch is known (a checkout of a workflow), that one is meant.

    Raises:
        RepositoryTrouble: `rev` is no revision here, or the clone is too shallow.
    """
    if rev == NONE:
        return None
    repo.head(root)
    try:
        found = repo.merge_base(root, rev)
    except RepositoryTrouble:
        if not repo.git(root, "branch", "--remotes", "--list", f"origin/{rev}"):
            raise
        found = repo.merge_base(root, f"origin/{rev}")
    return found if repo.show(root, found, objects.PIPELINE) is not None else None


@contextmanager
def restored(root: Path, commit: str, rev: str, say: Callable[[str], None] | None = None) -> Iterator[Base]:
    """Check the base out beside the working copy and make sure that it has its model.

    Args:
        root: the candidate's project.
        commit: the base's.
        rev: where main's lock may be newer than the base's own: a release commits it after the merge.
        say: gets the lines of stages that must run.

    Raises:
        Integrity: its objects in the cache are damaged, and it cannot be made again.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mergeline-base-") as folder,
        repo.worktree(root, commit, Path(folder) / "base") as tree,
    ):
        checkout = tree / repo.git(root, "rev-parse", "--show-prefix")
        objects.prepare(checkout, root)
        try:
            params, gates = config.params(checkout), config.gates(checkout)
        except MergelineError as error:
            yield Base(commit, checkout, problem=f"the base has no model: its settings cannot be read: {error.args[0]}")
            return
        damaged: list[str] = []
        try:
            ran = _restore(root, checkout, rev, params, say, damaged)
        except MergelineError as error:
            if damaged:
                raise Integrity(
                    f"the DVC cache held damaged objects of the base's {', '.join(damaged)}, and it cannot be trained "
                    f"again: {error.args[0]}",
                    "Fetch them from where they are whole (`dvc fetch`), or mend what stops the training.",
                ) from error
            yield Base(
                commit,
                checkout,
                params,
                gates,
                problem=f"the base has no model: it cannot be built any more ({error.args[0]})",
            )
        else:
            yield Base(commit, checkout, params, gates, ran)


def _restore(
    root: Path,
    checkout: Path,
    rev: str,
    params: Params,
    say: Callable[[str], None] | None,
    damaged: list[str],
) -> list[str]:
    """Put the base's results in place; give the stages that ran. `damaged` gets the paths whose objects were."""
    ours = config.params(root).python
    other = ours != params.python or not environment.same(root, checkout)
    if _choose_lock(root, checkout, rev) and not _absent(checkout, damaged):
        try:
            # Stages of a base with other packages must not run in this environment: only ask whether any would.
            ran = objects.repro(checkout, allow_missing=True, targets=stages(checkout), dry=other, say=say)
            if not other or not ran:
                return ran
        except MergelineError:
            pass  # an input moved, and the raw rows that its stage reads are not in place
    _place(checkout, (), damaged)
    objects.place_sources(checkout)
    python = environment.python(root, checkout, ours, base_version=params.python)
    return objects.repro(checkout, targets=stages(checkout), python=python, say=say)


def stages(checkout: Path) -> list[str]:
    """Give the stages of a verdict, as far as the checkout has them: one of an older template has fewer."""
    declared = objects.stages(checkout)
    return [name for name in STAGES if name in declared]


def _place(checkout: Path, paths: Sequence[str], damaged: list[str]) -> list[str]:
    """Put outputs in place from the cache; give those that are not there. `damaged` gets those whose objects were."""
    missing = objects.place(checkout, paths)
    damaged += [path for path, was_damaged in missing.items() if was_damaged]
    return list(missing)


def _absent(checkout: Path, damaged: list[str]) -> list[str]:
    """Put the needed outputs in place, from the cache or the remote; give those that are in neither."""
    named = {out.path for out in objects.outputs(checkout)}
    needed = [path for path in NEEDED if path in objects.declared(checkout)]
    missing = [path for path in needed if path not in named] or _place(checkout, needed, damaged)
    if missing and named.issuperset(needed) and objects.has_remote(checkout):
        try:
            repo.run(
                [sys.executable, "-m", "dvc", "fetch", "--quiet", *missing], checkout, env=repo.environment(checkout)
            )
        except RepositoryTrouble:
            return missing  # a remote that does not answer costs a training, not the verdict
        missing = _place(checkout, needed, damaged)
    return missing


def _choose_lock(root: Path, checkout: Path, rev: str) -> bool:
    """Take the lock that fits the checkout best: its own, or that of the branch now. Say whether there is one."""
    own = repo.show(checkout, "HEAD", objects.LOCK)
    found = [own, *(repo.show(root, name, objects.LOCK) for name in (rev, f"origin/{rev}"))]
    locks = list(dict.fromkeys(lock for lock in found if lock))
    if not locks:
        return False
    best = min(locks, key=lambda lock: _strangers(checkout, lock))
    if best != own:
        (checkout / objects.LOCK).write_bytes(best)
    return True


def _strangers(checkout: Path, lock: bytes) -> int:
    """Count the inputs of a lock that this checkout has otherwise."""
    stages = objects.parse_lock(lock).get("stages", {})
    settings = objects.parse_yaml((checkout / config.PARAMS).read_bytes())
    count = 0
    for stage in stages.values():
        for dep in stage.get("deps", []):
            path = checkout / dep["path"]
            if path.is_file() and md5(path.read_bytes(), usedforsecurity=False).hexdigest() != dep.get("md5"):
                count += 1
        for key, value in stage.get("params", {}).get(config.PARAMS, {}).items():
            at = settings
            for part in key.split("."):
                at = at.get(part) if isinstance(at, dict) else None
            count += at != value
    return count


def declared(checkout: Path, name: str) -> Any:
    """Give what src/model/schema.py assigns to a name, without running it; None where it does not, or no literal."""
    try:
        return assigned((checkout / SCHEMA).read_bytes(), name)
    except OSError:
        return None


def assigned(source: bytes, name: str) -> Any:
    """Give what Python source assigns to a name at its top, without running it; None where it does not, or no literal."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            try:
                return ast.literal_eval(node.value)  # type: ignore[attr-defined] # what has a target has a value
            except (ValueError, AttributeError):
                return None
    return None


def names(checkout: Path, which: str, there: Sequence[str]) -> tuple[str, ...]:
    """Give the columns that the base's schema.py lists as `which`, as far as they are `there`."""
    found = declared(checkout, which)
    return tuple(str(name) for name in found if name in there) if isinstance(found, tuple | list | set) else ()
