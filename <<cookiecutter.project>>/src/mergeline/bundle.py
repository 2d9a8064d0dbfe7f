"""The folder that is served: `model.onnx`, `features.py`, `signature.json`, `smoke.json`, and `bundle.json`
with the sha256 of each. A bundle's id is the sha256 of its `bundle.json`, so the id names every byte.

Training, `compare` and the server all answer through `load`, so they cannot disagree.
"""

import ast
import hashlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .columns import Kind, Masking, Raw, Table, rows
from .config import Task
from .errors import BadData, Integrity

INDEX = "bundle.json"
MODEL, FEATURES, SIGNATURE, SMOKE = "model.onnx", "features.py", "signature.json", "smoke.json"
FILES = (MODEL, FEATURES, SIGNATURE, SMOKE)
NUMBERS, TEXTS = "numbers", "texts"
T = TypeVar("T", bound=msgspec.Struct)


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One raw column of a request."""

    name: str
    kind: Kind


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """What a request carries and what an answer means.

    `columns` are the raw columns without the label. `classes` are the labels in the order of the model's
    probabilities, empty for regression. `threshold` is the probability of `classes[1]` from which it is answered.
    `masked` says which columns the prediction log hashes or drops. Where there are none it is absent, and the bundle is
    the same to the byte as one of before; an older server, which would not mask, refuses a bundle that has any.
    `known` are the texts that the model was fitted on, by raw column: others are counted as unknown.
    """

    schema: int = 1
    name: str
    task: Task
    label: str
    columns: list[Column]
    numeric: list[str]
    categorical: list[str]
    classes: list[str] = []
    threshold: float = 0.5
    masked: dict[str, Masking] | msgspec.UnsetType = msgspec.UNSET
    known: dict[str, list[str]] | msgspec.UnsetType = msgspec.UNSET

    @property
    def masking(self) -> dict[str, Masking]:
        """Give `masked`, empty where it is absent."""
        return self.masked or {}

    @cached_property
    def table(self) -> Table:
        """Give the raw columns with their kinds."""
        return Table({column.name: column.kind for column in self.columns})


class Smoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Made rows and the scores the model gave them when it was exported, for the test after a deployment."""

    rows: list[dict[str, Any]]
    scores: list[list[float]]


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """bundle.json: the sha256 of every other file."""

    schema: int = 1
    files: dict[str, str]


class Session(Protocol):
    """What is asked for scores: onnxruntime's session of the whole graph, or what answers as it does."""

    def get_inputs(self) -> Sequence[Any]:
        """Give the inputs, each with its `name`."""

    def run(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]], /) -> Sequence[NDArray[Any]]:
        """Give the outputs of those names for rows of matrices by the inputs' names."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, ready to answer."""

    id: str
    signature: Signature
    smoke: Smoke
    features: Callable[[Raw], Mapping[str, NDArray[Any]]]
    session: Session

    def scores(self, raw: Raw) -> NDArray[np.float64]:
        """Give shape (n, classes) probabilities, or (n, 1) values for regression.

        Args:
            raw: the signature's columns, each shape (n,), of the kinds of `columns`.

        Raises:
            BadData: `features.py` cannot work with these rows.
        """
        return self.timed(raw)[0]

    def timed(self, raw: Raw) -> tuple[NDArray[np.float64], float, float]:
        """Give what `scores` gives, then the seconds that features and model took. Raises BadData."""
        start = time.perf_counter()
        numbers, texts = matrices(self.features, self.signature.numeric, self.signature.categorical, raw)
        between = time.perf_counter()
        given = {i.name for i in self.session.get_inputs()}
        feed = {name: value for name, value in ((NUMBERS, numbers), (TEXTS, texts)) if name in given}
        output = "probabilities" if self.signature.task == "classification" else "variable"
        answer = self.session.run([output], feed)[0]
        scores = np.asarray(answer, dtype=np.float64).reshape(len(numbers), -1)
        return scores, between - start, time.perf_counter() - between

    def score(self, raw: Raw) -> NDArray[np.float64]:
        """Give shape (n,): the probability of the positive class of two, else the value. See `scores`."""
        return self.scores(raw)[:, -1]


def matrices(
    features: Callable[[Raw], Mapping[str, NDArray[Any]]], numeric: Sequence[str], categorical: Sequence[str], raw: Raw
) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    """Run `features` and lay its columns out: numbers (n, k) float32 and texts (n, m) object, in the given order.

    Raises:
        BadData: a feature is absent, or is not one value per row.
    """
    try:
        with np.errstate(all="ignore"):
            made = features(raw)
    except Exception as error:  # the author's code, on rows that anybody may send
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadData(
            f"src/model/features.py cannot work with these rows: {reason:.200}",
            "Let it use columns of src/model/schema.py only, and take every value of their kinds, missing ones too.",
        ) from error
    shape = (rows(raw),)
    for name in (*numeric, *categorical):
        if name not in made:
            raise BadData(
                f"src/model/features.py gives no feature {name}", "Return every name of NUMERIC and CATEGORICAL."
            )
        if np.shape(made[name]) != shape:
            raise BadData(f"src/model/features.py: feature {name} has shape {np.shape(made[name])}, not {shape}")
    numbers = np.empty((*shape, len(numeric)), dtype=np.float32)
    texts = np.empty((*shape, len(categorical)), dtype=object)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, in training too
        for i, name in enumerate(numeric):
            try:
                numbers[:, i] = made[name]
            except (TypeError, ValueError) as error:
                raise BadData(
                    f"src/model/features.py: feature {name} of NUMERIC is no number: {error!s:.100}"
                ) from error
    for i, name in enumerate(categorical):
        texts[:, i] = made[name]
    return numbers, texts


def raw_from_rows(signature: Signature, rows: Sequence[Mapping[str, Any]]) -> Raw:
    """Make raw columns from rows as a request has them; an absent value is missing, an extra column is ignored.

    Raises:
        BadData: a value does not fit its column's kind.
    """
    return signature.table.raw(lambda names: [row.get(name) for name in names for row in rows], len(rows))


def labels(scores: NDArray[np.float64], signature: Signature) -> list[str]:
    """Name the class that each row is called, shape (n,); none for regression.

    Args:
        scores: shape (n, classes), finite; or (n, 1) for regression.
        signature: of the bundle.
    """
    classes = signature.classes
    if len(classes) == 2:  # of a request's few rows, in a third of the time that arrays take
        negative, positive = classes
        threshold = signature.threshold
        return [positive if score >= threshold else negative for score in scores[:, 1].tolist()]
    return [classes[i] for i in called(scores, signature).tolist()] if classes else []


def called(scores: NDArray[np.float64], signature: Signature) -> NDArray[np.intp]:
    """Give the place of the class that `labels` names for each row, shape (n,).

    Args:
        scores: shape (n, classes), finite.
        signature: of the bundle, with classes.
    """
    if len(signature.classes) == 2:
        return np.asarray(scores[:, 1] >= signature.threshold, np.intp)
    return np.asarray(scores.argmax(axis=1))


def sha256(path: Path) -> str:
    """Give the sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(folder: Path) -> str:
    """Write `bundle.json` over the files that are there; give the bundle's id."""
    index = Index(files={name: sha256(folder / name) for name in FILES})
    (folder / INDEX).write_bytes(msgspec.json.format(msgspec.json.encode(index), indent=2) + b"\n")
    return sha256(folder / INDEX)


def identify(folder: Path) -> str:
    """Give the bundle's id after checking every file against `bundle.json`.

    Raises:
        Integrity: a file is missing, differs from its hash, or is not listed.
    """
    try:
        index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
    except FileNotFoundError:
        raise Integrity(
            f"{folder.name}/: no {INDEX}", "Run `dvc repro export`, or restore the bundle by its id."
        ) from None
    except msgspec.MsgspecError as error:
        raise Integrity(f"{folder.name}/{INDEX}: {error}") from error
    if set(index.files) != set(FILES):
        raise Integrity(f"{folder.name}/{INDEX} lists {sorted(index.files)}, not {sorted(FILES)}")
    for name, expected in index.files.items():
        if not (folder / name).is_file():
            raise Integrity(f"{folder.name}/{name} is missing")
        if (found := sha256(folder / name)) != expected:
            raise Integrity(f"{folder.name}/{name} has sha256 {found[:12]}, {INDEX} says {expected[:12]}")
    return sha256(folder / INDEX)


def load(folder: Path, expected: str | None = None, threads: int = 1) -> Bundle:
    """Verify a bundle and make it ready.

    Args:
        folder: holds the files.
        expected: the id that it must have, when the caller knows it.
        threads: of the model within one call; several add up in another order and differ in the seventh digit.

    Raises:
        Integrity: see `identify`; or the id is another one; or `features.py` imports more than numpy.
    """
    found = identify(folder)
    if expected is not None and found != expected:
        raise Integrity(f"{folder.name}/ holds bundle {found[:12]}, not {expected[:12]}")
    signature = _decode(folder / SIGNATURE, Signature)
    smoke = _decode(folder / SMOKE, Smoke)
    model = session((folder / MODEL).read_bytes(), f"{folder.name}/{MODEL}", threads)
    return Bundle(found, signature, smoke, load_features(folder / FEATURES), model)


def with_model(bundle: Bundle, model: bytes) -> Bundle:
    """Give a bundle that answers by another model of the same signature. Raises Integrity."""
    return replace(bundle, session=session(model, "a model trained anew", 1))


def session(model: bytes, name: str, threads: int) -> ort.InferenceSession:
    """Make a model ready; `name` says in a message which. Raises Integrity."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has its own classes, with no base but Exception
        raise Integrity(f"{name} is no model: {' '.join(str(error).split()):.200}") from error


def _decode(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise Integrity(f"{path.parent.name}/{path.name}: {error}") from error


def load_features(path: Path) -> Callable[[Raw], Mapping[str, NDArray[Any]]]:
    """Import a `features.py` under a name made of its hash, so that two versions live side by side.

    Raises:
        Integrity: it imports more than numpy, or has no function `features`.
    """
    check_imports(path)
    name = f"features_{sha256(path)[:16]}"
    if name not in sys.modules:
        module = ModuleType(name)
        # Not by the import system: it would leave its bytecode in the bundle.
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 - the file was hashed and checked
        sys.modules[name] = module
    found: Callable[[Raw], Mapping[str, NDArray[Any]]] | None = getattr(sys.modules[name], "features", None)
    if found is None:
        raise Integrity(f"{path.name} defines no function `features`", "Define features(raw) in src/model/features.py.")
    return found


def check_imports(path: Path) -> None:
    """Refuse a `features.py` that imports anything but numpy and the standard typing modules. Raises Integrity."""
    allowed = {"numpy", "typing", "collections", "__future__"}
    for node in ast.walk(ast.parse(path.read_bytes(), filename=path.name)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module if node.module and not node.level else "a module of this repository"]
        else:
            continue
        for name in names:
            if name.split(".")[0] not in allowed:
                raise Integrity(
                    f"{path.name}, line {node.lineno}: imports {name}, but it travels with the model and may import numpy only",
                    "Move joins and look-ups to src/model/source.py.",
                )
