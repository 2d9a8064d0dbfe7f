"""The verb `model predict`: rows of any number in, scores out, in bounded memory.

Batches are scored in threads and written in order; each call of the model has one thread, so that a score has the bits
that the server gives. A row that the model has no finite answer for gets null in place of label and score, is counted,
and the first is named at the end: one bad row among millions must not cost the others.
"""

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .. import bundle as bundles
from .. import progress
from ..bundle import Bundle
from ..columns import CSV_MISSING
from ..errors import BadData, Usage
from . import arrow, places
from .quick import quick

ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Done:
    """What was scored. `unanswered` rows have null; `first` says where the first of them is."""

    rows: int
    files: int
    unanswered: int
    first: str

    def line(self) -> str:
        """Give one line for a person."""
        nulls = f"; no finite answer for {self.unanswered}, null there, first {self.first}" if self.unanswered else ""
        return f"{self.rows} rows of {self.files} file{'s' * (self.files != 1)} scored{nulls}"


def run(source: str, output: str, folder: Path, *, keep: Sequence[str], allow_missing: bool, overwrite: bool) -> Done:
    """Score `source` into `output` with the bundle in `folder`; outputs appear when all are complete.

    Raises:
        Usage, Conflict: see `places.plan`; or a kept column has the name of an answer's.
        BadData: a file is broken, lacks a column, differs in its schema, or holds a value that does not fit.
        Integrity: see `bundle.load`.
    """
    with places.reached(f"cannot look at {source} and {output}"):
        made = places.plan(source, output, overwrite=overwrite)
    bundle = quick(bundles.load(folder), (folder / bundles.MODEL).read_bytes())
    answers = _answers(bundle)
    if clash := set(keep) & set(answers.names):
        raise Usage(f"--keep {min(clash)}: the answer has a column of this name", "Rename it in the input.")
    rows = unanswered = 0
    first = ""
    with (
        places.reached(f"cannot write {output}"),
        tempfile.TemporaryDirectory(prefix=".predict-", dir=places.scratch(made)) as room,
        progress.rows("scoring", None) as count,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        schema: pa.Schema | None = None
        for i, pair in enumerate(made.pairs):
            with ExitStack() as opened:
                with _readable(pair.name):
                    file = opened.enter_context(made.source.open(pair.source, "rb"))
                    found, batches = _open(file, pair.name, bundle, keep)
                _check(found, schema, pair.name, bundle, keep, allow_missing)
                schema = schema or found
                kept = pa.schema([found.field(name) for name in keep])
                written = pa.schema([*kept, *answers], {"mergeline.bundle": bundle.id})
                with pq.ParquetWriter(Path(room) / str(i), written, use_dictionary=[*keep, "label"]) as writer:
                    at = 0
                    for table, bad in _scored(pool, batches, bundle, written, pair.name, keep):
                        writer.write_batch(table)
                        if bad.any():
                            first = first or f"{pair.name}, row {at + int(bad.argmax())}"
                            unanswered += int(bad.sum())
                        at += table.num_rows
                        count(table.num_rows)
                    rows += at
        for i, pair in enumerate(made.pairs):
            places.deliver(made, Path(room) / str(i), pair.target)
    return Done(rows, len(made.pairs), unanswered, first)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise BadData(f"{name}: {' '.join(str(error).split()):.200}", "Write the file again.") from error


def _answers(bundle: Bundle) -> pa.Schema:
    classes = bundle.signature.classes
    if not classes:
        return pa.schema([("value", pa.float64())])
    named = ["score"] if len(classes) == 2 else [f"probability_{name}" for name in classes]
    return pa.schema([("label", pa.string()), *((name, pa.float64()) for name in named)])


def _open(file: Any, name: str, bundle: Bundle, keep: Sequence[str]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    wanted = list(dict.fromkeys([*(column.name for column in bundle.signature.columns), *keep]))
    if name.endswith(".csv"):
        convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), null_values=sorted(CSV_MISSING), strings_can_be_null=True
        )
        reader = pyarrow.csv.open_csv(
            file,
            read_options=pyarrow.csv.ReadOptions(block_size=8 * 2**20),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=convert,
        )
        return reader.schema, iter(reader)
    stored = pq.ParquetFile(file)
    found = stored.schema_arrow
    present = [column for column in wanted if column in found.names]
    texts = [c.name for c in bundle.signature.columns if c.kind == "text" and c.name in present and c.name not in keep]
    # Text that is repeated is stored once and numbered, and needs not be written out to be numbered again.
    numbered = [name for name in texts if arrow.is_text(found.field(name).type)]
    stored = pq.ParquetFile(file, metadata=stored.metadata, read_dictionary=numbered)
    return found, stored.iter_batches(ROWS, columns=present)


def _check(
    found: pa.Schema, first: pa.Schema | None, file: str, bundle: Bundle, keep: Sequence[str], allow_missing: bool
) -> None:
    names = [column.name for column in bundle.signature.columns]
    if gone := next((name for name in keep if name not in found.names), None):
        raise BadData(f"{file}: no column {gone}, which --keep names", "Name a column of the input.")
    absent = [name for name in names if name not in found.names]
    if len(absent) == len(names):
        raise BadData(f"{file}: none of the model's columns", f"It wants {', '.join(names[:6])}.")
    if absent and not allow_missing:
        raise BadData(f"{file}: no column {absent[0]}", "Add it, or pass --allow-missing to take it as missing.")
    for name in (*names, *keep):
        if first and name in found.names and name in first.names and found.field(name).type != first.field(name).type:
            types = f"{found.field(name).type}, in the first file {first.field(name).type}"
            raise BadData(f"{file}: column {name} is {types}", "Give all files one schema.")


def _scored(
    pool: ThreadPoolExecutor,
    batches: Iterator[pa.RecordBatch],
    bundle: Bundle,
    written: pa.Schema,
    file: str,
    keep: Sequence[str],
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
    """Give batches of answers in the order of the rows; few are under way at once, which bounds the memory."""
    waiting: deque[Future[tuple[pa.RecordBatch, NDArray[np.bool_]]]] = deque()
    first = 0
    while True:
        with _readable(file):
            batch = next(batches, None)
        if batch is None:
            break
        if batch.num_rows:
            waiting.append(pool.submit(_score, batch, bundle, written, file, first, keep))
        first += batch.num_rows
        if len(waiting) > (os.cpu_count() or 1):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _score(
    batch: pa.RecordBatch, bundle: Bundle, written: pa.Schema, file: str, first: int, keep: Sequence[str]
) -> tuple[pa.RecordBatch, NDArray[np.bool_]]:
    signature = bundle.signature
    absent = pa.nulls(batch.num_rows)
    words = file.endswith(".csv")
    raw = {
        c.name: arrow.column(
            c.kind,
            batch[c.name] if (there := c.name in batch.schema.names) else absent,
            c.name,
            file,
            first,
            words=words and there,
        )
        for c in signature.columns
    }
    scores = bundle.scores(raw)
    bad: NDArray[np.bool_] = np.logical_not(np.isfinite(scores).all(axis=1))
    shown = scores[:, 1:] if len(signature.classes) == 2 else scores
    answers = [pa.array(shown[:, i], pa.float64(), mask=bad) for i in range(shown.shape[1])]
    if signature.classes:
        called = pa.array(bundles.called(np.where(bad[:, None], 0.0, scores), signature), pa.int32(), mask=bad)
        answers.insert(0, pa.DictionaryArray.from_arrays(called, pa.array(signature.classes)).cast(pa.string()))
    return pa.RecordBatch.from_arrays([*(batch[name] for name in keep), *answers], schema=written), bad
