"""The pins of this repository: which environments there are, what git has pinned, which releases are known."""

from pathlib import Path

from .. import config, repo, store
from ..errors import BadSettings, RepositoryTrouble, Usage
from . import manifest
from .manifest import Pin, Release

FOLDER = "infra/environments"


def environments(root: Path) -> list[str]:
    """Give the environments' names: those that no release has to pass first, then in the order of promotion.

    Raises:
        BadSettings: gates.yaml orders one that has no folder.
    """
    order = config.gates(root).promotion.order
    names = {path.parent.name for path in (root / FOLDER).glob(f"*/{manifest.PIN}")}
    if unknown := [name for name in order if name not in names]:
        raise BadSettings(
            f"{config.GATES}: promotion.order names {', '.join(unknown)}; {FOLDER} has: {', '.join(sorted(names)) or 'none'}"
        )
    return sorted(names - set(order)) + list(order)


def check(root: Path, environment: str) -> None:
    """Refuse an environment that has no folder. Raises Usage."""
    if environment not in (known := environments(root)):
        raise Usage(f"there is no environment {environment}", f"Name one of: {', '.join(known) or 'none is there'}.")


def path(environment: str) -> str:
    """Give a pin's path below the project's folder."""
    return f"{FOLDER}/{environment}/{manifest.PIN}"


def committed(root: Path, environment: str) -> Pin:
    """Give the verified pin of HEAD.

    Raises:
        RepositoryTrouble: the working copy's pin is another one, or git has none.
        Integrity: it is not what its hashes say.
    """
    check(root, environment)
    content = repo.show(root, "HEAD", path(environment))
    if content is None:
        raise RepositoryTrouble(f"git has no {path(environment)}", "Commit it, then try again.")
    here = manifest.read_pin(root / path(environment))
    if (root / path(environment)).read_bytes() != content:
        raise RepositoryTrouble(
            f"{path(environment)} has changes that are not committed",
            f"A pin moves by `model promote {environment}`; undo the change with `git checkout HEAD -- {path(environment)}`.",
        )
    return here


def fetch(root: Path, pin: Pin) -> Path | None:
    """Have the bundles of all that a pin runs; give the folder of the pinned release's, if one is pinned.

    Raises:
        Integrity: see `store.fetch`.
    """
    folders = [store.fetch(one.model.bundle_id, root, one.id) for one in pin.releases]
    return folders[0] if folders else None


def pinned(root: Path) -> dict[str, Release | None]:
    """Give the verified release that the working copy pins in each environment. Raises Integrity."""
    return {name: manifest.read_pin(root / path(name)).release for name in environments(root)}


def commit_of(root: Path, environment: str) -> str:
    """Give the commit that last moved the pin."""
    return repo.git(root, "log", "-1", "--format=%H", "--", path(environment))


def built(root: Path) -> Release | None:
    """Give the release that `model release build` wrote here, verified."""
    at = root / manifest.RELEASE
    return manifest.read_release(at) if at.is_file() else None


def find(known: dict[str, Release], start: str) -> Release:
    """Give the one release whose id starts with `start`. Raises Usage when none or several do."""
    found = [release for id_, release in known.items() if id_.startswith(start.lower())]
    if len(found) != 1:
        raise Usage(
            f"{len(found) or 'no'} known releases start with {start!r:.80}",
            "`model ledger` lists the releases of all environments; release.json is the one built last.",
        )
    return found[0]
