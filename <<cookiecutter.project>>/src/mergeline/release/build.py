"""Make release.json from what the pipeline left here, and check one against every byte that it names."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from .. import bundle, config, forge, objects, repo, store
from ..errors import ForgeTrouble, Integrity, RepositoryTrouble
from . import handover, manifest, pins, records
from .manifest import DataState, Identity, Measured, MlflowRun, Model, Release, Verdict

RAW = "data/raw.parquet"


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """`new` is false when the first environment runs this bundle and image already: then there is nothing to move."""

    release: Release
    new: bool
    kept: list[str]

    def table(self) -> Any:
        """Draw it."""
        table = Table("", "", show_header=False, title=f"Release {self.release.id[:12]}")
        table.add_row("bundle", self.release.model.bundle_id[:12])
        table.add_row("code", self.release.code[:12])
        table.add_row("data", f"{self.release.data.rows:,} rows, {self.release.data.hash[:12]}")
        table.add_row("image", self.release.image or "none")
        for name, metric in self.release.metrics.items():
            table.add_row(name, f"{metric.value:.4f}" if metric.value is not None else f"none: {metric.reason}")
        table.add_row("verdict", self.release.verdict.word if self.release.verdict else "none")
        table.add_row("kept in", ", ".join(self.kept))
        if not self.new:
            table.caption = "Bundle and image are those that run already: no new release."
        return table


def run(root: Path, *, image: str | None) -> Built:
    """Write release.json for the bundle of this working copy, and keep the bundle under its id.

    Args:
        root: the project's folder; dvc.lock, results/ and bundle/ are those of one pipeline run.
        image: `repository@sha256:...`, a local image id, or None.

    Raises:
        RepositoryTrouble: changes are not committed, or the pipeline's results are not there.
        Integrity: a file does not match its hash, or results and lock are of different runs.
    """
    if dirty := repo.uncommitted(root):
        raise RepositoryTrouble(
            f"a release names its commit, but {dirty[0]} has changes that no commit holds", "Commit them first."
        )
    _check_image(image)
    bundle_id = bundle.identify(root / "bundle")
    _check_lock(root)
    signature = msgspec.json.decode((root / "bundle" / bundle.SIGNATURE).read_bytes(), type=bundle.Signature)
    identity = Identity(
        model=Model(
            name=signature.name,
            bundle_id=bundle_id,
            signature=bundle.sha256(root / "bundle" / bundle.SIGNATURE),
        ),
        image=image,
        code=repo.head(root),
        data=_data(root),
        params=msgspec.to_builtins(config.params(root)),
        metrics=_metrics(root),
    )
    release = Release(
        id=manifest.identify(identity),
        **{name: getattr(identity, name) for name in Identity.__struct_fields__},
        created=records.now(),
        verdict=_verdict(root, bundle_id),
        mlflow=_mlflow(root, bundle_id),
    )
    running = _running(root)
    new = running is None or (running.model.bundle_id, running.image) != (bundle_id, image)
    release = release if running is None or new else running
    manifest.write(root / manifest.RELEASE, release)
    return Built(release=release, new=new, kept=_keep(root, release))


def verify(root: Path, path: Path) -> str:
    """Check a release.json or pin.json and every byte of the bundles that it names; say what was checked.

    Raises:
        Integrity: something does not match its hash, or dvc.lock names another bundle than the release.
    """
    path = path if path.is_absolute() else Path.cwd() / path
    if path.name == manifest.PIN:
        pin = manifest.read_pin(path)
        found = [r for r in (pin.release, pin.experiment.release if pin.experiment else None) if r is not None]
        if not found:
            return f"{path.parent.name}: no release is pinned."
    else:
        found = [manifest.read_release(path)]
    lines = []
    for release in found:
        folder = store.fetch(release.model.bundle_id, root, release.id)
        if (signature := bundle.sha256(folder / bundle.SIGNATURE)) != release.model.signature:
            raise Integrity(
                f"{path.name}: signature.json has sha256 {signature[:12]}, not {release.model.signature[:12]}"
            )
        locked = locked_bundle(root)
        words = "dvc.lock names it" if locked == handover.dvc_hash(folder) else "dvc.lock names another"
        if path.name == manifest.RELEASE and locked != handover.dvc_hash(folder):
            raise Integrity("release.json and dvc.lock name different bundles", "Run `model release build` again.")
        lines.append(
            f"Release {release.id[:12]}: id, bundle {release.model.bundle_id[:12]} and signature match; {words}."
        )
    return "\n".join(lines)


def locked_bundle(root: Path) -> str | None:
    """Give DVC's name for the bundle that dvc.lock names."""
    return next((out.name for out in objects.outputs(root) if out.path == "bundle"), None)


def _check_lock(root: Path) -> None:
    if (locked := locked_bundle(root)) != handover.dvc_hash(root / "bundle"):
        told = f"names bundle {locked[:12]}" if locked else "names no bundle"
        raise Integrity(f"dvc.lock {told}, which bundle/ is not", "Run `dvc repro` or `model restore`, then try again.")


def _check_image(image: str | None) -> None:
    if image is not None and not ("@sha256:" in image or image.startswith("sha256:")):
        raise Integrity(
            f"image {image!r:.80} is named by a tag, which can move", "Give repository@sha256:..., or a local image id."
        )


def _data(root: Path) -> DataState:
    name = next((out.name for out in objects.outputs(root) if out.path == RAW), None)
    if name is None:
        raise RepositoryTrouble(f"dvc.lock names no {RAW}", "Run `dvc repro`.")
    profile = _json(root, "results/profile.json")
    times = [c for c in profile.get("columns", {}).values() if c.get("kind") == "time" and c.get("first")]
    period = (times[0]["first"][:10], times[0]["last"][:10]) if len(times) == 1 else None
    return DataState(hash=name, rows=int(profile["rows"]), period=period)


def _metrics(root: Path) -> dict[str, Measured]:
    try:
        return msgspec.convert(_json(root, "results/metrics.json")["metrics"], dict[str, Measured])
    except (KeyError, msgspec.ValidationError) as error:
        raise Integrity(f"results/metrics.json: {error}", "Run `dvc repro evaluate`.") from error


def _verdict(root: Path, bundle_id: str) -> Verdict | None:
    """Read the reviewed verdict of this very bundle; None at bootstrap, and for a report about another bundle."""
    if not (root / "report/report.json").is_file():
        return None
    report = _json(root, "report/report.json")
    if (report.get("candidate") or {}).get("bundle") != bundle_id or not report.get("word"):
        return None
    row: dict[str, Any] = next((m for m in report.get("metrics", []) if m.get("name") == report.get("primary")), {})
    difference = row.get("difference") or {}
    try:
        return msgspec.convert(
            {
                "word": report["word"],
                "metric": report["primary"],
                "difference": difference.get("value"),
                "interval": difference.get("interval"),
                "against": (report.get("base") or {}).get("bundle"),
            },
            Verdict,
        )
    except msgspec.ValidationError as error:
        raise Integrity(f"report/report.json: {error}", "Run `model compare` again.") from error


def _mlflow(root: Path, bundle_id: str) -> MlflowRun | None:
    if not (root / "results/mlflow.json").is_file():
        return None
    found = _json(root, "results/mlflow.json")
    if found.get("bundle_id", bundle_id) != bundle_id or not found.get("run_id"):
        return None
    version = found.get("version")
    return MlflowRun(run_id=str(found["run_id"]), version=str(version) if version else None)


def _running(root: Path) -> Release | None:
    order = config.gates(root).promotion.order
    known = pins.environments(root)
    first = next((name for name in order if name in known), None)
    return manifest.read_pin(root / pins.path(first)).release if first else None


def _keep(root: Path, release: Release) -> list[str]:
    """Keep bundle and objects: in the store of this machine, and in the DVC remote or else a release of the forge."""
    kept = ["the local store"]
    bundle_id = store.store(root / "bundle", root)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if store.push(root / "bundle", root, f"bundles/{bundle_id}"):
            objects.pack(root, folder / "objects")
            store.push(folder / "objects" / "files", root, "files")
            return [*kept, "the DVC remote"]
        connected = forge.connect(root)
        if connected is None:
            return kept
        files = [root / "bundle" / name for name in (bundle.INDEX, *bundle.FILES)]
        files += [root / manifest.RELEASE, handover.archive(root, folder)]
        try:
            connected.release_assets(release.id, files, release.code)
        except ForgeTrouble as trouble:
            return [*kept, f"not in the forge ({trouble})"]
    return [*kept, f"the forge's release {release.id[:12]}"]


def _json(root: Path, name: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode((root / name).read_bytes())
    except FileNotFoundError:
        raise RepositoryTrouble(f"{name} is not here", "Run `dvc repro`, or `model restore`.") from None
    except msgspec.MsgspecError as error:
        raise Integrity(f"{name}: {error}") from error
    if not isinstance(found, dict):
        raise Integrity(f"{name} is no JSON object")
    return found
