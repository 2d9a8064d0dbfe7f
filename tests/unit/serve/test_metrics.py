"""What workers count, alone and beside each other."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.columns import MISSING
from mergeline.serve import scoring
from mergeline.serve.metrics import Metrics, text
from mergeline.serve.scoring import PREDICT, PROTOCOLS, Prediction, encode
from tests.unit.serve.made import made_rows
from tests.unit.serve.servers import SOURCE

WORKER = """
import sys
from pathlib import Path
from mergeline import bundle
from mergeline.serve.metrics import Metrics
counts = Metrics(bundle.load(Path(sys.argv[1])), "r1", ["/predict"], folder=Path(sys.argv[2]))
for _ in range(3):
    counts.answered("/predict", 200)
"""


def made(bundle: Bundle, count: int) -> Prediction:
    body = encode(made_rows(count, seed=count))
    return scoring.predict(bundle, "r1", PROTOCOLS[PREDICT], "id", "application/json", body)[1]


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text([metrics], {}).decode())
    return {
        (s.name, *(v for k, v in sorted(s.labels.items()) if k not in ("release", "arm"))): s.value
        for family in families
        for s in family.samples
    }


@pytest.mark.parametrize("count", [1, 7])
def test_rows_labels_scores_and_missing_values_are_counted(bundle: Bundle, count: int) -> None:
    metrics = Metrics(bundle, "r1", [PREDICT], folder=None)
    prediction = made(bundle, count)

    metrics.predicted(prediction)

    found = samples(metrics)
    assert found["mergeline_predict_rows_sum",] == count
    assert found["mergeline_predict_score_count",] == count
    assert found["mergeline_predict_score_sum",] == pytest.approx(prediction.scores[:, 1].sum())
    assert found["mergeline_predictions_total", "yes"] == prediction.labels.count("yes")
    assert found["mergeline_missing_values_total", "distance"] == np.isnan(prediction.raw["distance"]).sum()
    assert found["mergeline_missing_values_total", "planned"] == np.isnat(prediction.raw["planned"]).sum()
    assert found["mergeline_stage_seconds_count", "model"] == 1


@pytest.mark.parametrize("count", [1, 40])
def test_texts_that_the_model_was_not_fitted_on_are_counted_and_missing_ones_are_not(
    bundle: Bundle, count: int
) -> None:
    signature = msgspec.structs.replace(bundle.signature, known={"carrier": ["AA", "UA"], "dest": []})
    knowing = replace(bundle, signature=signature)
    metrics = Metrics(knowing, "r1", [PREDICT], folder=None)
    prediction = made(knowing, count)

    metrics.predicted(prediction)

    found, carriers = samples(metrics), prediction.raw["carrier"].tolist()
    assert found["mergeline_unknown_values_total", "carrier"] == sum(
        one not in ("AA", "UA", MISSING) for one in carriers
    )
    assert found["mergeline_unknown_values_total", "dest"] == np.count_nonzero(prediction.raw["dest"] != MISSING)
    assert ("mergeline_unknown_values_total", "origin") not in found


def test_the_counts_of_a_worker_that_ended_stay_and_its_file_goes(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    metrics = Metrics(bundle, "r1", [PREDICT], folder=tmp_path)
    metrics.answered(PREDICT, 200)
    for expected in (4, 7):
        subprocess.run([sys.executable, "-c", WORKER, folder, tmp_path], check=True, env={"PYTHONPATH": str(SOURCE)})
        assert samples(metrics)["mergeline_requests_total", PREDICT, "200"] == expected
        assert samples(metrics)["mergeline_requests_total", PREDICT, "200"] == expected
        assert len(list(tmp_path.glob("*.slots"))) == 1


def test_scores_are_the_same_when_they_are_timed(bundle: Bundle) -> None:
    raw = bundles.raw_from_rows(bundle.signature, made_rows(5))

    scores, features, model = bundle.timed(raw)

    assert scores.tolist() == bundle.scores(raw).tolist()
    assert min(features, model) > 0
