"""`model predict`: the server's answers for tables of any size, or one line that says what is wrong with them."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.columns import MISSING
from mergeline.errors import BadData, Conflict, MergelineError, Usage
from mergeline.predict import arrow, command
from mergeline.serve import wire
from tests.unit.serve.made import COLUMNS, export, made_rows

NAMES = [column.name for column in COLUMNS]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("predicted") / "bundle")


@pytest.fixture(scope="session")
def bundle(folder: Path) -> Bundle:
    return bundles.load(folder)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a Parquet file has them: floats, dictionary-encoded text, an id that the model does not know."""
    made: dict[str, Any] = {"id": pa.array(range(len(rows)))}
    for column in COLUMNS:
        values = [row.get(column.name) for row in rows]
        if column.kind == "number":
            made[column.name] = pa.array([None if v is None else float(v) for v in values], pa.float64())
        else:
            made[column.name] = pa.array(values, pa.string())
    made["carrier"] = made["carrier"].dictionary_encode()
    return pa.table(made)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows), path)
    return path


def score(source: Path, output: Path, folder: Path, **options: Any) -> command.Done:
    return command.run(
        str(source), str(output), folder, **{"keep": [], "allow_missing": False, "overwrite": False, **options}
    )


def expected(bundle: Bundle, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """What the server answers."""
    scores = bundle.scores(
        wire.from_rows([{name: row.get(name) for name in NAMES} for row in rows], bundle.signature, wire.BOUNDS)
    )
    answers = wire.answer(scores, wire.labels(scores, bundle.signature), bundle.signature)["predictions"]
    return {name: [answer[name] for answer in answers] for name in answers[0]}


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ROWS", 37)


@pytest.mark.usefixtures("small_batches")
def test_scores_have_the_bits_of_the_servers_in_the_order_of_the_rows(
    tmp_path: Path, folder: Path, bundle: Bundle
) -> None:
    rows = made_rows(500, seed=11)

    done = score(write(tmp_path / "rows.parquet", rows), tmp_path / "scores.parquet", folder, keep=["id"])

    found = pq.read_table(tmp_path / "scores.parquet")
    assert found.to_pydict() == {"id": list(range(500)), **expected(bundle, rows)}
    assert found.schema.metadata[b"mergeline.bundle"].decode() == bundle.id
    assert (done.rows, done.files, done.unanswered) == (500, 1, 0)


@pytest.mark.parametrize("classes", [(), ("a", "b", "c")], ids=["regression", "three classes"])
def test_other_tasks_answer_as_the_server_does(tmp_path: Path, classes: tuple[str, ...]) -> None:
    folder = export(tmp_path / "bundle", classes=classes)
    rows = made_rows(50, seed=3)
    answers = expected(bundles.load(folder), rows)
    if classes:
        each = answers.pop("probabilities")
        answers |= {f"probability_{name}": [one[name] for one in each] for name in classes}

    score(write(tmp_path / "rows.parquet", rows), tmp_path / "scores.parquet", folder)

    assert pq.read_table(tmp_path / "scores.parquet").to_pydict() == answers


def test_csv_is_read_with_the_missing_words_of_the_server(tmp_path: Path, folder: Path, bundle: Bundle) -> None:
    rows = [
        {
            "distance": "1_000",
            "minutes": "NULL",
            "planned": "2013-06-01",
            "carrier": "nan",
            "origin": "EWR",
            "dest": "東",
        },
        {"distance": "true", "minutes": "2.5", "planned": "N/A", "carrier": "UA", "origin": "", "dest": "ORD"},
    ]
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(rows)
    from mergeline.serve import invocations

    raw = invocations.read((tmp_path / "rows.csv").read_bytes(), "text/csv", bundle.signature)

    score(tmp_path / "rows.csv", tmp_path / "scores.parquet", folder)

    assert pq.read_table(tmp_path / "scores.parquet")["score"].to_pylist() == bundle.scores(raw)[:, 1].tolist()


def test_a_folder_gives_one_file_each_of_the_same_relative_name(tmp_path: Path, folder: Path, bundle: Bundle) -> None:
    first, second = made_rows(20, seed=1), made_rows(30, seed=2)
    write(tmp_path / "in" / "a.parquet", first)
    write(tmp_path / "in" / "deep" / "b.parquet", second)
    write(tmp_path / "in" / "_temporary" / "c.parquet", second)

    score(tmp_path / "in", tmp_path / "out", folder)

    found = {str(path.relative_to(tmp_path / "out")): pq.read_table(path) for path in (tmp_path / "out").rglob("*.*")}
    assert set(found) == {"a.parquet", "deep/b.parquet"}
    assert found["deep/b.parquet"].to_pydict() == expected(bundle, second)


def test_rows_without_a_finite_answer_are_null_and_counted(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Bundle.scores

    def scores(self: Bundle, raw: Any) -> Any:
        made = plain(self, raw)
        made[4:5] = np.nan
        return made

    monkeypatch.setattr(Bundle, "scores", scores)

    done = score(write(tmp_path / "rows.parquet", made_rows(9)), tmp_path / "scores.parquet", folder)

    assert done.line() == "9 rows of 1 file scored; no finite answer for 1, null there, first rows.parquet, row 4"
    found = pq.read_table(tmp_path / "scores.parquet").to_pydict()
    assert (
        [i for i in range(9) if found["score"][i] is None] == [4] == [i for i in range(9) if found["label"][i] is None]
    )


def test_an_existing_output_stays_unless_it_may_be_overwritten(tmp_path: Path, folder: Path) -> None:
    source, output = write(tmp_path / "rows.parquet", made_rows(9)), tmp_path / "scores.parquet"
    output.write_text("old")

    with pytest.raises(Conflict, match="--overwrite"):
        score(source, output, folder)
    assert output.read_text() == "old"
    score(source, output, folder, overwrite=True)
    assert pq.read_table(output).num_rows == 9


@pytest.mark.parametrize("failure", [BadData("no"), KeyboardInterrupt()], ids=["bad data", "Ctrl-C"])
@pytest.mark.usefixtures("small_batches")
def test_a_failure_midway_leaves_nothing_behind(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    write(tmp_path / "in" / "a.parquet", made_rows(20))
    write(tmp_path / "in" / "b.parquet", made_rows(90))
    plain = Bundle.scores
    calls: list[int] = []

    def scores(self: Bundle, raw: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise failure
        return plain(self, raw)

    monkeypatch.setattr(Bundle, "scores", scores)

    with pytest.raises(type(failure)):
        score(tmp_path / "in", tmp_path / "out", folder)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def spoil(**columns: Any) -> pa.Table:
    made = table(made_rows(3))
    for name, values in columns.items():
        made = made.set_column(made.schema.get_field_index(name), name, values)
    return made


@pytest.mark.parametrize(
    ("made", "options", "kind", "message"),
    [
        (table([]).select([]), {}, BadData, "none of the model's columns"),
        (table(made_rows(3)).drop_columns(["minutes"]), {}, BadData, "rows.parquet: no column minutes"),
        (spoil(minutes=pa.array(["a", "b", "c"])), {}, BadData, "column minutes: string is no number"),
        (
            spoil(minutes=pa.array([1, None, 2**53 + 1])),
            {},
            BadData,
            "column minutes, row 2: 9007199254740993 is beyond",
        ),
        (spoil(origin=pa.array([1, 2, 3])), {}, BadData, "column origin: int64 is no text"),
        (
            spoil(planned=pa.array(["2013-06-01", None, "soon"])),
            {},
            BadData,
            "column planned, row 2: 'soon' is no time",
        ),
        (spoil(planned=pa.array([1, 2, 3])), {}, BadData, "column planned: int64 is no time"),
        (table(made_rows(3)), {"keep": ["key"]}, BadData, "no column key, which --keep names"),
        (table(made_rows(3)), {"keep": ["score"]}, Usage, "--keep score"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    tmp_path: Path, folder: Path, made: pa.Table, options: dict[str, Any], kind: type[MergelineError], message: str
) -> None:
    pq.write_table(made, tmp_path / "rows.parquet")

    with pytest.raises(kind, match=message):
        score(tmp_path / "rows.parquet", tmp_path / "scores.parquet", folder, **options)
    assert not (tmp_path / "scores.parquet").exists()


def test_paths_that_make_no_sense_are_refused(tmp_path: Path, folder: Path) -> None:
    rows = write(tmp_path / "in" / "rows.parquet", made_rows(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    other = {"x.txt": "x"}
    (tmp_path / next(iter(other))).write_text("x")

    for source, output, kind, message in (
        (tmp_path / "none", tmp_path / "out", BadData, "no such file or folder"),
        (tmp_path / "empty", tmp_path / "out", BadData, "holds no .parquet and no .csv"),
        (tmp_path / "broken.parquet", tmp_path / "o.parquet", BadData, "broken.parquet: "),
        (tmp_path / "x.txt", tmp_path / "o.parquet", Usage, "neither .parquet nor .csv"),
        (rows, tmp_path / "out", Usage, "does not end in .parquet"),
        (rows, rows, Usage, "is the input"),
        (tmp_path / "in", tmp_path / "in" / "out", Usage, "lies inside the input"),
    ):
        with pytest.raises(kind, match=message):
            score(source, output, folder)


def test_a_place_that_cannot_be_written_or_is_of_another_kind_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(Usage, match="cannot write"):
        score(write(tmp_path / "rows.parquet", made_rows(3)), tmp_path / "file" / "o.parquet", folder)
    with pytest.raises(Usage, match="neither a path nor s3"):
        command.run("https://example.org/x", "o", folder, keep=[], allow_missing=False, overwrite=False)


def test_files_of_other_schemas_are_refused(tmp_path: Path, folder: Path) -> None:
    write(tmp_path / "in" / "a.parquet", made_rows(3))
    pq.write_table(spoil(minutes=pa.array([1, 2, 3])), tmp_path / "in" / "b.parquet")

    with pytest.raises(BadData, match=r"b.parquet: column minutes is int64, in the first file double"):
        score(tmp_path / "in", tmp_path / "out", folder)


def test_an_absent_column_may_be_taken_as_missing(tmp_path: Path, folder: Path, bundle: Bundle) -> None:
    rows = made_rows(9)
    pq.write_table(table(rows).drop_columns(["minutes"]), tmp_path / "rows.parquet")

    score(tmp_path / "rows.parquet", tmp_path / "scores.parquet", folder, allow_missing=True)

    assert pq.read_table(tmp_path / "scores.parquet").to_pydict() == expected(
        bundle, [{**row, "minutes": None} for row in rows]
    )


def test_columns_of_every_arrow_type_become_the_values_of_a_request() -> None:
    moment = datetime(2013, 6, 1, 12, tzinfo=UTC)

    def made(kind: Any, values: pa.Array) -> list[Any]:
        return list(arrow.column(kind, values, "x", "f", 0).tolist())

    assert made("number", pa.array([1, 0, 2**53])) == [1.0, 0.0, 2.0**53]
    assert made("number", pa.array([True, False])) == [1.0, 0.0]
    assert made("number", pa.array([Decimal("0.1"), Decimal("123456789012.3")])) == [0.1, 123456789012.3]
    assert np.isnan(made("number", pa.nulls(2))).all()
    assert made("text", pa.array(["b", None, "a", "b"], pa.large_string())) == ["b", MISSING, "a", "b"]
    full = [str(number) for number in range(127)]  # as many as int8 can number, and one more place for a missing one
    for words in (["b", "a"], ["b", None], full):
        numbered = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), pa.array(words, pa.string()))
        first, second = words[0], words[1] or MISSING
        assert made("text", numbered) == [second, MISSING, first, second]
    with pytest.raises(BadData, match="column x: int64 is no text"):
        made("text", pa.array([1, 2]).dictionary_encode())
    for unit in ("s", "ms", "us", "ns"):
        zoned = pa.array([moment, None], pa.timestamp(unit, "America/New_York"))
        assert made("time", zoned) == [moment.replace(tzinfo=None), None]
    assert made("time", pa.array(["2013-06-01T07:00:00-05:00", None])) == [moment.replace(tzinfo=None), None]


@pytest.mark.slow
def test_rows_and_scores_may_lie_in_s3(
    tmp_path: Path, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs
    from moto.server import ThreadedMotoServer

    rows = made_rows(20)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("NO_PROXY", "127.0.0.1"),
        ):
            monkeypatch.setenv(name, value)
        system = s3fs.S3FileSystem(skip_instance_cache=True)
        system.mkdir("tables")
        system.put_file(str(write(tmp_path / "rows.parquet", rows)), "tables/in/deep/rows.parquet")

        command.run("s3://tables/in", "s3://tables/out", folder, keep=[], allow_missing=False, overwrite=False)

        system.invalidate_cache()
        system.get_file("tables/out/deep/rows.parquet", str(tmp_path / "scores.parquet"))
        assert pq.read_table(tmp_path / "scores.parquet").to_pydict() == expected(bundle, rows)
    finally:
        server.stop()
