"""What the server answers is what the bundle answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from tests.unit.serve.made import export
from tests.unit.serve.servers import Running

Rows = list[dict[str, Any]]


def test_every_row_over_http_gets_the_score_of_the_bundle(server: Running, bundle: Bundle, rows: Rows) -> None:
    expected = bundle.score(bundles.raw_from_rows(bundle.signature, rows)).tolist()

    together = server.predict(rows)["predictions"]
    alone = [server.predict(row)["predictions"][0] for row in rows[:100]]

    assert [p["score"] for p in together] == expected
    assert alone == together[:100]
    assert len(set(expected)) > 50


def test_rows_and_columns_get_the_same_answer(server: Running, rows: Rows) -> None:
    names = ["distance", "minutes", "planned", "carrier", "origin", "dest"]
    table = {name: [row.get(name) for row in rows] for name in names}

    by_rows = server.predict({"rows": rows})

    assert server.predict({"columns": table}) == by_rows
    assert server.predict(rows) == by_rows


def test_a_column_that_is_not_sent_is_missing_everywhere(server: Running) -> None:
    short = server.predict({"columns": {"distance": [10, 20]}})

    assert short["predictions"] == server.predict([{"distance": 10, "carrier": None}, {"distance": 20}])["predictions"]


def test_a_label_follows_the_threshold(server: Running, bundle: Bundle, rows: Rows) -> None:
    for prediction in server.predict(rows)["predictions"]:
        assert prediction["label"] == ("yes" if prediction["score"] >= bundle.signature.threshold else "no")


def test_an_answer_names_release_and_bundle(server: Running, bundle: Bundle) -> None:
    answer = server.predict({"distance": 1})

    assert (answer["release"], answer["bundle"]) == ("r1", bundle.id)


def test_version_schema_health_and_ready_say_what_runs(server: Running, bundle: Bundle) -> None:
    answers = {path: server.ask(path) for path in ("/version", "/schema", "/health", "/ready")}

    assert {status for status, _, _ in answers.values()} == {200}
    assert msgspec.json.decode(answers["/version"][2]) == {"release": "r1", "bundle": bundle.id, "model": "made"}
    assert msgspec.json.decode(answers["/schema"][2], type=bundles.Signature) == bundle.signature


def test_a_request_keeps_its_id_and_one_without_gets_one(server: Running) -> None:
    _, given, _ = server.ask("/predict", b'{"distance": 1}', x_request_id="order-66")
    _, made, _ = server.ask("/health")
    _, harmful, _ = server.ask("/health", x_request_id="x" * 500)

    assert given["x-request-id"] == "order-66"
    assert len(made["x-request-id"]) == 32
    assert len(harmful["x-request-id"]) == 32


def test_three_classes_are_answered_with_their_probabilities(
    serve: Callable[..., Running], tmp_path: Path, rows: Rows
) -> None:
    folder = export(tmp_path / "bundle", classes=("low", "middle", "high"))
    expected = bundles.load(folder)

    answer = serve(folder).predict(rows[:50])

    scores = expected.scores(bundles.raw_from_rows(expected.signature, rows[:50])).tolist()
    assert answer["release"] is None
    for prediction, row in zip(answer["predictions"], scores, strict=True):
        assert prediction["probabilities"] == dict(zip(("low", "middle", "high"), row, strict=True))
        assert prediction["label"] == max(prediction["probabilities"], key=prediction["probabilities"].__getitem__)


def test_a_regression_is_answered_with_values(serve: Callable[..., Running], tmp_path: Path, rows: Rows) -> None:
    folder = export(tmp_path / "bundle", classes=())
    expected = bundles.load(folder)

    answer = serve(folder).predict(rows[:50])

    values = expected.score(bundles.raw_from_rows(expected.signature, rows[:50])).tolist()
    assert answer["predictions"] == [{"value": value} for value in values]


def test_metrics_count_requests_rows_and_labels(serve: Callable[..., Running], folder: Path, rows: Rows) -> None:
    server = serve(folder, release="r9")
    labels = [p["label"] for p in server.predict(rows)["predictions"]]
    server.ask("/predict", b"{")
    server.ask("/nothing/here")

    _, headers, body = server.ask("/metrics")

    lines = body.decode().splitlines()
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'mergeline_requests_total{route="/predict",status="200"} 1.0' in lines
    assert 'mergeline_requests_total{route="/predict",status="400"} 1.0' in lines
    assert 'mergeline_requests_total{route="other",status="404"} 1.0' in lines
    assert f'mergeline_predictions_total{{arm="pinned",label="yes",release="r9"}} {float(labels.count("yes"))}' in lines
    assert 'mergeline_predict_rows_sum{arm="pinned",release="r9"} 500.0' in lines
    assert any(line.startswith("mergeline_serving_info{") and 'release="r9"' in line for line in lines)
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


@pytest.mark.parametrize("path", ["/health", "/ready", "/version", "/metrics", "/schema"])
def test_a_head_request_gets_no_body(server: Running, path: str) -> None:
    status, headers, body = server.ask(path, method="HEAD")

    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
