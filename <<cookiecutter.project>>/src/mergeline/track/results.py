"""A finished training, read from its files as MLflow wants it: flat parameters, flat metrics, tags, files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from .. import bundle, repo
from ..config import PARAMS
from ..errors import RepositoryTrouble

METRICS, COST, EXPLAIN = "results/metrics.json", "results/cost.json", "results/explain"
LOCK, RAW = "dvc.lock", "data/raw.parquet"
KEPT = (PARAMS, "gates.yaml", LOCK, METRICS, COST, "results/validation.json", "results/parity.json")
KEPT_FOLDERS = (EXPLAIN, "report")


@dataclass(frozen=True, slots=True)
class Training:
    """One finished training; `name` is the model's, files are absolute."""

    name: str
    bundle_id: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    files: list[Path]


def read(root: Path) -> Training:
    """Read what the stages wrote below `root`.

    Raises:
        RepositoryTrouble: a result file is absent or unreadable.
        Integrity: the bundle does not match its hashes.
    """
    measured = _json(root / METRICS)
    lock = _yaml(root / LOCK)
    bundle_id = bundle.identify(root / "bundle")
    signature = msgspec.json.decode((root / "bundle" / bundle.SIGNATURE).read_bytes(), type=bundle.Signature)
    metrics, reasons = _metrics(measured.get("metrics", {}))
    if (root / COST).is_file():
        metrics |= {f"cost.{k}": v for k, v in _numbers(_json(root / COST))}
    metrics |= {name: float(measured[name]) for name in ("rows", "groups") if measured.get(name) is not None}
    commit = repo.head(root)
    tags = {
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": root.name,
        "mlflow.source.type": "PROJECT",
        "git_commit": commit,
        "uncommitted": "yes" if repo.uncommitted(root) else "no",
        "data_hash": _data_hash(lock),
        "task": signature.task,
    }
    if measured.get("period"):
        tags["held_out"] = " to ".join(map(str, measured["period"]))
    return Training(
        name=signature.name,
        bundle_id=bundle_id,
        params={key: str(value) for key, value in flat(_yaml(root / PARAMS))},
        metrics=metrics,
        tags=tags | reasons,
        files=list(_files(root)),
    )


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give `model.depth`, 3 for `{"model": {"depth": 3}}`; lists stay values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _metrics(measured: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Give values with `.low` and `.high` beside them; where there is no value, a tag says why."""
    values, reasons = {}, {}
    for name, found in measured.items():
        if found["value"] is None:
            reasons[f"not_measured.{name}"] = str(found.get("reason"))
            continue
        values[name] = float(found["value"])
        if found.get("interval"):
            values[f"{name}.low"], values[f"{name}.high"] = map(float, found["interval"])
    return values, reasons


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return ((k, float(v)) for k, v in flat(values) if isinstance(v, int | float) and not isinstance(v, bool))


def _data_hash(lock: Mapping[str, Any]) -> str:
    for out in lock.get("stages", {}).get("ingest", {}).get("outs", []):
        if out.get("path") == RAW:
            return str(out.get("md5", "unknown"))
    return "unknown"


def _files(root: Path) -> Iterator[Path]:
    yield from (root / name for name in KEPT if (root / name).is_file())
    for folder in KEPT_FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.is_file())


def _json(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_bytes(path), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise RepositoryTrouble(f"{path.name} is no JSON: {error}", "Run `dvc repro`.") from error


def _yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(_bytes(path))
    except yaml.YAMLError as error:
        raise RepositoryTrouble(f"{path.name} is no YAML", "Run `dvc repro`.") from error
    return found if isinstance(found, dict) else {}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RepositoryTrouble(
            f"nothing is trained here: {path.name} is missing", "Run `dvc repro`, or `model restore`."
        ) from error
