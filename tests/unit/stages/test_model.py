"""train, evaluate, export and explain: from rows to a bundle that answers as training did."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mergeline import bundle, frames
from mergeline.errors import BadData, BadSettings, BrokenCode, Integrity, NotServable, RepositoryTrouble

from .conftest import ORDER, Project, flights

PIPELINE = "    return Pipeline("


def result(project: Project, name: str) -> Any:
    return json.loads((project.root / f"results/{name}.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_bundle_answers_what_evaluate_measured(
    project_at: Callable[..., Project], tmp_path: Path, task: str
) -> None:
    project = project_at(tmp_path / "project", task)
    project.until("explain")

    served = bundle.load(project.root / "bundle")
    held_out = pl.read_parquet(project.root / "data/held_out.parquet")
    kinds = {c.name: c.kind for c in served.signature.columns}
    predicted = pl.read_parquet(project.root / "results/predictions.parquet")

    assert np.allclose(served.score(frames.raw(held_out, kinds)), predicted["score"].to_numpy(), rtol=1e-5, atol=1e-4)
    assert predicted["row_hash"].to_list() == frames.hashes(held_out).to_list()
    assert predicted["row_id"].to_list() == held_out["flight_id"].to_list()
    assert served.signature.task == task
    assert served.signature.name == "flight-delays"
    smoke = bundle.raw_from_rows(served.signature, served.smoke.rows)
    assert served.scores(smoke).tolist() == served.smoke.scores
    assert all(metric["value"] is not None for metric in result(project, "metrics")["metrics"].values())
    assert {f["feature"] for f in result(project, "explain/importance")["features"]} > {"departure_minute", "carrier"}


@pytest.mark.slow
def test_equal_inputs_give_equal_bytes_in_two_folders(project_at: Callable[..., Project], tmp_path: Path) -> None:
    def outcome(name: str) -> dict[str, str]:
        project = project_at(tmp_path / name)
        project.until("explain")
        made = [
            p for folder in ("data", "results", "bundle") for p in (project.root / folder).rglob("*") if p.is_file()
        ]
        return {str(p.relative_to(project.root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in made}

    first, second = outcome("one"), outcome("another")

    del first["results/cost.json"], second["results/cost.json"]  # says how long it took
    assert first == second
    assert {"bundle/bundle.json", "results/estimator.pkl", "results/explain/surrogate.json"} < set(first)


def test_training_says_which_rows_it_saw(project: Project) -> None:
    project.until("train")

    rows = pl.read_parquet(project.root / "data/train.parquet")
    seen = pl.read_parquet(project.root / "results/trained_on.parquet")
    assert seen["row_id"].to_list() == rows["flight_id"].to_list()
    assert seen["row_hash"].n_unique() == len(rows)
    assert result(project, "cost")["peak_memory_mb"] > 10


def test_a_row_hash_depends_on_content_alone() -> None:
    rows = flights(20)

    backwards = rows.select(reversed(rows.columns)).reverse()

    assert frames.hashes(backwards).to_list() == frames.hashes(rows).to_list()[::-1]
    assert frames.hashes(rows.with_columns(pl.col("seats") + 1))[0] != frames.hashes(rows)[0]


def test_refuses_to_train_on_one_class(project: Project) -> None:
    project.rows(flights().with_columns(late=(pl.col("date") >= "2013-06-01") & pl.col("late")))

    with pytest.raises(BadData, match=r"all .* training rows have the label false"):
        project.until("train")

    assert not (project.root / "results/estimator.pkl").exists()


@pytest.mark.slow
def test_held_out_rows_of_one_class_leave_a_metric_empty_with_its_reason(project: Project) -> None:
    project.rows(flights().with_columns(late=(pl.col("date") < "2013-06-01") & pl.col("late")))

    project.until("explain")

    auc = result(project, "metrics")["metrics"]["roc_auc"]
    assert auc["value"] is None
    assert "needs both classes, got 0 positive" in auc["reason"]
    assert result(project, "metrics")["metrics"]["brier"]["value"] is not None


def test_a_class_that_training_never_saw_empties_the_metrics(project: Project) -> None:
    project.edit("src/model/schema.py", "late: bool = pa.Field(", "late: str = pa.Field(")
    grade = pl.when(pl.col("date") > "2013-06-20").then(pl.lit("worst")).when("late").then(pl.lit("bad"))
    project.rows(flights().with_columns(late=grade.otherwise(pl.lit("good"))))

    project.until("evaluate")

    assert "label that no training row had" in result(project, "metrics")["metrics"]["log_loss"]["reason"]


@pytest.mark.slow
def test_three_classes_are_measured_and_served(project: Project) -> None:
    project.edit("src/model/schema.py", "late: bool = pa.Field(", "late: str = pa.Field(")
    grade = pl.when(pl.col("weekday") == 1).then(pl.lit("worst")).when("late").then(pl.lit("bad"))
    project.rows(flights().with_columns(late=grade.otherwise(pl.lit("good"))))

    project.until("explain")

    assert bundle.load(project.root / "bundle").signature.classes == ["bad", "good", "worst"]
    assert pl.read_parquet(project.root / "results/predictions.parquet").columns == [
        "row_id", "row_hash", "bad", "good", "worst",
    ]  # fmt: skip
    assert result(project, "metrics")["metrics"]["accuracy"]["value"] > 0.3


@pytest.mark.slow
def test_the_explanation_names_the_rule_that_made_the_labels(project: Project) -> None:
    project.rows(flights().with_columns(late=pl.col("departure_minute") > 900))

    project.until("explain")

    ranked = result(project, "explain/importance")["features"]
    assert ranked[0]["feature"] == "departure_minute"
    assert ranked[0]["rise"] > 10 * abs(ranked[1]["rise"])
    rules = result(project, "explain/surrogate")["rules"]
    name, _, edge = rules[0]["if"][0].partition(" <= ")
    assert name == "departure_minute"
    assert float(edge) == pytest.approx(900, abs=15)
    assert rules[-1]["if"][0] == f"departure_minute > {edge}"
    assert rules[0]["score"] < 0.3 < 0.7 < rules[-1]["score"]
    assert sum(rule["share"] for rule in rules) == pytest.approx(1)
    curve = result(project, "explain/dependence")["departure_minute"]
    early = [score for point, score in zip(curve["points"], curve["scores"], strict=True) if point < 880]
    late = [score for point, score in zip(curve["points"], curve["scores"], strict=True) if point > 920]
    assert max(early) + 0.4 < min(late)
    flat = result(project, "explain/dependence")["seats"]["scores"]
    assert max(flat) - min(flat) < 0.05


def test_each_slice_is_measured_on_its_own_rows(project: Project) -> None:
    project.rows(flights(1500))

    project.until("evaluate")

    rows = pl.read_parquet(project.root / "data/held_out.parquet")
    scored = rows.with_columns(pl.read_parquet(project.root / "results/predictions.parquet")["score"])
    found = result(project, "metrics")["slices"]
    assert {column: set(values) for column, values in found.items()} == {
        "origin": {"EWR", "JFK", "LGA"},
        "carrier": {"B6", "DL", "UA"},
    }
    for column, values in found.items():
        for value, told in values.items():
            part = scored.filter(pl.col(column) == value)
            late, score = part["late"].to_numpy(), part["score"].to_numpy()
            assert told["rows"] == len(part)
            assert told["roc_auc"] == pytest.approx(roc_auc_score(late, score))
            assert told["log_loss"] == pytest.approx(log_loss(late, score))
            assert told["accuracy"] == pytest.approx(((score >= 0.5) == late).mean())


def test_a_slice_of_one_class_has_no_auc_and_keeps_the_others(project: Project) -> None:
    project.rows(flights().with_columns(late=(pl.col("origin") != "EWR") & pl.col("late")))

    project.until("evaluate")

    told = result(project, "metrics")["slices"]["origin"]
    assert told["EWR"]["roc_auc"] is None
    assert told["EWR"]["brier"] < 0.25
    assert told["JFK"]["roc_auc"] > 0.3


@pytest.mark.parametrize(
    ("compare", "group", "groups"),
    [({"group": "date"}, "date", 30), ({"group": None}, "day", 30), ({"group": "carrier"}, "carrier", 3)],
)
def test_intervals_are_taken_over_the_group_that_params_yaml_names(
    project: Project, compare: dict[str, str | None], group: str, groups: int
) -> None:
    project.set(compare=compare)

    project.until("evaluate")

    found = result(project, "metrics")
    assert (found["group"], found["groups"]) == (group, groups)


def test_refuses_a_model_parameter_that_is_not_there(project: Project) -> None:
    project.set(model={"iterations": 10})
    project.edit("params.yaml", "  learning_rate: 0.1\n", "")

    with pytest.raises(BadSettings, match=r"model has no 'learning_rate'.*it has: iterations, max_leaf_nodes"):
        project.until("train")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"iteratoins": 5}, "model.iteratoins: .*never reads it; it reads: iterations, learning_rate, max_leaf_nodes"),
        ({"iterations": "many"}, r"params\.yaml: model\.iterations: The 'max_iter' parameter .* Got 'many'"),
        ({"learning_rate": -1.0}, r"params\.yaml: model\.learning_rate: "),
    ],
)
def test_refuses_a_wrong_section_model(project: Project, model: dict[str, object], said: str) -> None:
    project.set(model=model)

    with pytest.raises(BadSettings, match=said):
        project.until("train")

    assert not (project.root / "results/estimator.pkl").exists()


@pytest.mark.parametrize(
    "ask",
    ["dict(params)", "{**params}", "{k: v for k, v in params.items()}", "{k: params.get(k) for k in params}"],
)
def test_an_estimator_that_takes_the_section_whole_reads_every_key(project: Project, ask: str) -> None:
    project.set(model={"verbose": 0})
    project.edit("src/model/estimator.py", "    trees = ", f"    params = {ask}\n    trees = ")

    project.until("train")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "features",
            "import numpy as np",
            "import nimpy as np",
            r"features.py, line \d+: ModuleNotFoundError: .*nimpy",
        ),
        ("schema", 'LABEL = "late"', 'LABEL = "late', r"schema.py, line 5: SyntaxError: unterminated string"),
        (
            "estimator",
            "from sklearn.pipeline import Pipeline",
            "from sklearn.pipeline import Pipe",
            r"estimator.py, line \d+: ImportError",
        ),
        ("estimator", "max_iter=params", "max_iter=parms", r"estimator.py, line \d+: NameError: name 'parms'"),
        ("source", "def files(", "def fils(", r"source.py, line \d+: NameError: name 'files'"),
    ],
)
def test_a_mistake_in_your_code_is_said_with_file_and_line(
    project: Project, file: str, old: str, new: str, said: str
) -> None:
    project.edit(f"src/model/{file}.py", old, new)

    with pytest.raises(BrokenCode, match=f"^src/model/{said}") as refused:
        project.until("train")

    assert "\n" not in str(refused.value)


def test_a_truncated_estimator_is_said_with_the_remedy(project: Project) -> None:
    project.until("train")
    path = project.root / "results/estimator.pkl"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(RepositoryTrouble, match=r"results/estimator\.pkl cannot be read: .*Run `dvc repro train`"):
        project.run("evaluate")


def test_refuses_a_feature_without_its_raw_column(project: Project) -> None:
    project.edit("src/model/features.py", 'raw["seats"]', 'raw["chairs"]')

    with pytest.raises(BadData, match=r"KeyError: 'chairs'\. Let it use columns of src/model/schema\.py"):
        project.until("train")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            PIPELINE,
            "    from sklearn.preprocessing import FunctionTransformer\n\n"
            "    columns.transformers.append(('size', FunctionTransformer(abs, validate=True), ['distance']))\n"
            + PIPELINE,
            "does not convert to ONNX; suspect step: FunctionTransformer.*Write the function in src/model/features.py",
        ),
        (
            'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)',
            'OneHotEncoder(min_frequency=250, handle_unknown="infrequent_if_exist", sparse_output=False)',
            "does not convert to ONNX; suspect step: OneHotEncoder.*Leave min_frequency",
        ),
        (
            '"passthrough"',
            "SimpleImputer(add_indicator=True)",
            "does not run there; suspect step: SimpleImputer.*Leave add_indicator",
        ),
        (
            "        early_stopping=False,",
            "        early_stopping=False,\n        categorical_features=[6, 7, 8],",
            "disagrees with training on .*, for example 2013-06.*HistGradientBoostingClassifier.*Encode text",
        ),
    ],
    ids=["does not convert", "infrequent", "does not run", "does not agree"],
)
def test_refuses_a_pipeline_that_cannot_be_served_alike(project: Project, old: str, new: str, said: str) -> None:
    project.edit("src/model/estimator.py", old, new)
    project.edit("src/model/estimator.py", "import OrdinalEncoder", "import OneHotEncoder, OrdinalEncoder")
    project.edit(
        "src/model/estimator.py",
        "from sklearn.pipeline",
        "from sklearn.impute import SimpleImputer\nfrom sklearn.pipeline",
    )

    with pytest.raises(NotServable, match=said) as refused:
        project.until("export")

    assert refused.value.code == 7
    assert not list(project.root.glob("*bundle*"))
    assert not (project.root / "results/parity.json").exists()


def test_refuses_features_that_look_at_other_rows(project: Project) -> None:
    project.edit(
        "src/model/features.py", '"distance": raw["distance"]', '"distance": raw["distance"] - raw["distance"].mean()'
    )

    with pytest.raises(NotServable, match=r"row 2013-06.* alone than in a table; suspect: feature distance"):
        project.until("export")


def test_refuses_features_that_import_more_than_numpy(project: Project) -> None:
    project.edit("src/model/features.py", "import numpy as np", "import numpy as np\nimport polars as pl")

    with pytest.raises(Integrity, match="imports polars"):
        project.until("export")


def test_a_failed_export_leaves_the_previous_bundle_in_place(project: Project) -> None:
    project.until("export")
    before = bundle.identify(project.root / "bundle")
    project.edit("src/model/features.py", '"seats": raw["seats"]', '"seats": raw["seats"] - raw["seats"].mean()')

    with pytest.raises(NotServable):
        project.run(*ORDER[3:6])

    assert bundle.identify(project.root / "bundle") == before


def test_made_rows_repeat_no_rare_text(project: Project) -> None:
    project.until("export")

    rows = json.loads((project.root / "bundle/smoke.json").read_text())["rows"]

    assert {row["date"] for row in rows} == {None}
    assert rows[0]["carrier"] in {"UA", "B6", "DL"}
    assert set(rows[-1].values()) == {None}
