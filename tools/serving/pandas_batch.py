"""Batch prediction as users write it: chunks of a Parquet file through pandas, features.py and the pipeline.

python -m tools.serving.pandas_batch PROJECT INPUT OUTPUT
"""

import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tools.serving.app import MISSING, Model, load

CHUNK = 100_000


def main(project: Path, given: Path, wanted: Path) -> None:
    """Write the scores, a column per class."""
    model = load(project)
    with pq.ParquetFile(given) as file:
        writer: pq.ParquetWriter | None = None
        for batch in file.iter_batches(CHUNK, columns=list(model.kinds)):
            table = pa.Table.from_pandas(scored(model, batch.to_pandas()))
            writer = writer or pq.ParquetWriter(wanted, table.schema)
            writer.write_table(table)
        if writer:
            writer.close()


def scored(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """Give the scores of a chunk of raw rows."""
    raw = {}
    for name, kind in model.kinds.items():
        values = frame[name]
        if kind == "number":
            raw[name] = values.to_numpy(dtype="float64", na_value=float("nan"))
        else:
            raw[name] = values.astype(object).where(values.notna(), MISSING).to_numpy(dtype=object)
    return pd.DataFrame(model.scores(raw), columns=list(model.classes) or ["prediction"])


if __name__ == "__main__":
    main(*(Path(one) for one in sys.argv[1:]))
