"""MLflow's clients get from this server what they get from `mlflow models serve`."""

from io import StringIO
from pathlib import Path
from typing import Any, cast

import msgspec
import pandas as pd
import pytest

from mergeline import bundle as bundles
from mergeline.track.served import answer
from tests.unit.serve.made import export
from tests.unit.serve.servers import Running, start

NAMES = ["distance", "minutes", "planned", "carrier", "origin", "dest"]


@pytest.fixture(scope="module")
def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a frame: absent values are missing ones."""
    return pd.DataFrame([{name: row.get(name) for name in NAMES} for row in rows])


def sent(server: Running, body: Any, kind: str = "application/json") -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    status, _, said = server.ask("/invocations", content, content_type=kind)
    return status, msgspec.json.decode(said)


def expected(folder: Path, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """What the registered model answers."""
    return cast(list[dict[str, Any]], answer(bundles.load(folder, threads=1), frame).to_dict(orient="records"))


@pytest.mark.slow  # MLflow takes seconds to import
@pytest.mark.filterwarnings("ignore")
def test_mlflows_own_client_works_unchanged(server: Running, folder: Path, frame: pd.DataFrame) -> None:
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", server.port)
    client.wait_server_ready(timeout=5)

    given = client.invoke(frame).get_predictions()

    assert given.to_dict(orient="records") == expected(folder, frame)
    assert len({row["probability_yes"] for row in expected(folder, frame)}) > 50


def test_every_form_of_a_table_gets_the_same_answer(server: Running, folder: Path, frame: pd.DataFrame) -> None:
    plain = frame.astype(object).where(frame.notna(), None)
    records = plain.to_dict(orient="records")
    forms = [
        {"dataframe_split": {"columns": NAMES, "data": plain.to_numpy().tolist()}},
        {"dataframe_records": records, "params": {"of": "nothing"}},
        {"instances": records},
        {"inputs": plain.to_dict(orient="list")},
    ]

    answers = [sent(server, form) for form in forms]

    assert answers == [(200, {"predictions": expected(folder, frame)})] * len(forms)


def test_csv_is_read_as_mlflow_reads_it(server: Running, folder: Path, frame: pd.DataFrame) -> None:
    text = frame.assign(distance=pd.to_numeric(frame["distance"])).to_csv(index=False)
    read = pd.read_csv(StringIO(text), dtype=dict.fromkeys(["planned", "carrier", "origin", "dest"], object))

    assert sent(server, text.encode(), "text/csv; charset=utf-8") == (200, {"predictions": expected(folder, read)})
    assert sent(server, b"distance,carrier\n12,NA\n", "text/csv") == sent(server, {"instances": [{"distance": 12}]})


@pytest.mark.parametrize("classes", [(), ("early", "late", "on time")])
def test_other_tasks_answer_as_the_registered_model(
    classes: tuple[str, ...], tmp_path: Path, frame: pd.DataFrame
) -> None:
    folder = export(tmp_path / "bundle", classes=classes)
    plain = frame.astype(object).where(frame.notna(), None)
    server = start(folder)
    try:
        status, said = sent(server, {"dataframe_records": plain.to_dict(orient="records")})
    finally:
        server.stop()

    assert (status, said["predictions"]) == (200, expected(folder, frame))


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        ({"messages": [{"role": "user", "content": "hello"}]}, "application/json", 400, "send a JSON object with one"),
        ({"instances": [{"distance": 1}], "inputs": {}}, "application/json", 400, "send a JSON object with one"),
        ([{"distance": 1}], "application/json", 400, "dataframe_split"),
        ({"instances": 1}, "application/json", 400, "neither a list of rows nor"),
        ({"instances": []}, "application/json", 422, "there is no row"),
        ({"dataframe_split": {"columns": ["distance"]}}, "application/json", 400, "the lists columns and data"),
        ({"dataframe_split": {"columns": ["distance"], "data": [[1, 2]]}}, "application/json", 400, "row 0"),
        (b"PAR1", "application/vnd.apache.parquet", 415, "send application/json or text/csv"),
        (b"", "text/csv", 400, "no CSV with a header"),
        (b'distance\n"1\n', "text/csv", 400, "no CSV with a header"),
        (b"distance\nfar\n", "text/csv", 422, "column distance: 'far' is no number"),
        (b"distance\n\xff\n", "text/csv", 400, "not UTF-8"),
        (b"height\n1\n", "text/csv", 422, "none of the model's columns"),
    ],
)
def test_what_it_does_not_understand_is_said(server: Running, body: Any, kind: str, status: int, words: str) -> None:
    found, said = sent(server, body, kind)

    assert (found, words in said["error"]) == (status, True), said


def test_a_ping_answers_as_long_as_requests_are_welcome(server: Running) -> None:
    assert server.ask("/ping")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [{"carrier": "\\ud800"}]}',
        b'{"instances": [{"carrier": "\\udc00", "distance": NaN}]}',
        b'{"instances": [{"carrier": "\xed\xa0\x80", "distance": NaN}]}',
        '{"instances": [{"distance": NaN}]}'.encode("utf-16"),
    ],
)
def test_text_that_is_no_utf_8_is_refused_beside_a_nan_too(server: Running, body: bytes) -> None:
    assert sent(server, body)[0] == 400
    assert sent(server, b'{"instances": [{"carrier": "\\u00e9\\ud83d\\ude00", "distance": NaN}]}')[0] == 200
