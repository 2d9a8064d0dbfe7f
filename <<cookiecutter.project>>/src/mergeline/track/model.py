"""The bundle as an MLflow model over raw columns: it answers through `mergeline.bundle`, as the server does.

Nothing is pickled: MLflow keeps the bundle with its hashes as data, and a copy of the few modules that read it.
"""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from .. import bundle

LOADER = ("__init__.py", "bundle.py", "columns.py", "config.py", "errors.py", "track/served.py")
REQUIREMENTS = ("mlflow", "msgspec", "numpy", "onnxruntime", "pandas", "pyyaml")


def log(mlflow: Any, folder: Path) -> None:
    """Write the model of the active run, with its signature, its code and pinned requirements."""
    signature = msgspec.json.decode((folder / bundle.SIGNATURE).read_bytes(), type=bundle.Signature)
    with tempfile.TemporaryDirectory() as temporary:
        code = Path(temporary) / "mergeline"
        for name in LOADER:
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(__file__).parents[1] / name, code / name)
        (code / "track" / "__init__.py").touch()  # the real one writes to MLflow, which the model never does
        mlflow.pyfunc.log_model(
            name="model",
            loader_module="mergeline.track.served",
            data_path=str(folder),
            code_paths=[str(code)],
            signature=schema(signature),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )


def schema(signature: bundle.Signature) -> Any:
    """Give MLflow's signature. Numbers and times are `Any`: MLflow refuses integers where it is told double,
    and times with a zone; `mergeline.columns` makes both what the model was trained on, or says what is wrong.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    given: list[Any] = [_column(column) for column in signature.columns]
    answer: list[Any] = [ColSpec("double", f"probability_{name}") for name in signature.classes]
    answer.insert(0, ColSpec("string" if signature.classes else "double", "prediction"))
    return ModelSignature(inputs=Schema(given), outputs=Schema(answer))


def _column(column: bundle.Column) -> Any:
    from mlflow.types.schema import AnyType, ColSpec

    return ColSpec("string" if column.kind == "text" else AnyType(), column.name)
