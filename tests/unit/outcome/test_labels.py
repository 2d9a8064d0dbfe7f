"""Labels find their rows by request and row, and a file that is off is refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mergeline.bundle import Signature
from mergeline.errors import BadData
from mergeline.outcome import labels
from mergeline.outcome.result import Result
from tests.unit.outcome.made import traffic

ROWS = pl.DataFrame({"request": ["b", "a", "a", "c"], "row": [0, 1, 0, 0]})


def signature(**changes: Any) -> Signature:
    known: dict[str, Any] = {"name": "made", "task": "classification", "label": "late", "classes": ["no", "yes"]}
    return Signature(**{**known, "columns": [], "numeric": [], "categorical": [], **changes})


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_labels_are_joined_on_request_and_row(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", "row,request,label,note\n0,a,yes,\n1,a,no,\n0,b,yes,late\n0,c,,\n0,z,no,\n")

    found = labels.read(path, signature())
    np.testing.assert_array_equal(labels.join(found, ROWS), [1, 0, 1, np.nan])
    assert labels.unknown(found, ROWS) == 1


def test_without_a_column_row_every_label_is_of_the_first(tmp_path: Path) -> None:
    found = labels.read(write(tmp_path / "labels.csv", "request,label\na,yes\nb,no\n"), signature())

    np.testing.assert_array_equal(labels.join(found, ROWS), [0, np.nan, 1, np.nan])


@pytest.mark.parametrize("classes", [["0", "1"], ["false", "true"]])
def test_parquet_labels_may_be_of_any_type(tmp_path: Path, classes: list[str]) -> None:
    given = [0, 1] if classes[0] == "0" else [False, True]
    pl.DataFrame({"request": ["a", "b"], "row": [0, 0], "label": given}).write_parquet(tmp_path / "labels.parquet")

    found = labels.read(tmp_path / "labels.parquet", signature(classes=classes))
    assert found["label"].to_list() == [0, 1]


def test_a_regressions_labels_are_numbers(tmp_path: Path) -> None:
    regression = signature(task="regression", classes=[])

    found = labels.read(write(tmp_path / "labels.csv", "request,label\na,1.5\nb,-2\n"), regression)
    assert found["label"].to_list() == [1.5, -2.0]
    with pytest.raises(BadData, match="the label 'nan' is no finite number"):
        labels.read(write(tmp_path / "labels.csv", "request,label\na,nan\n"), regression)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("request,truth\na,yes\n", "lacks the column label"),
        ("a,b\n1,2\n", "lacks the column request and label"),
        ("request,row,label\na,0,yes\na,0,no\nb,0,no\n", "1 rows more than once, such as row 0 of request 'a'"),
        ("request,row,label\na,first,yes\n", "1 lines have no request, or a row that is no whole number"),
        ("request,label\n,yes\n", "1 lines have no request"),
        ("request,label\na,maybe\nb,perhaps\n", r"the label 'maybe' is no class; they are no, yes \(2 such labels\)"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_is_off_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadData, match=message) as refused:
        labels.read(write(tmp_path / "labels.csv", text), signature())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"), [("labels.txt", "neither .csv nor .parquet"), ("no.csv", "cannot be read")]
)
def test_no_file_of_labels_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        labels.read(tmp_path / name, signature())


def test_what_has_no_label_and_what_has_no_row_is_told(report: Callable[..., Result]) -> None:
    made = traffic(keys=60)
    made.labels = [*made.labels[5:], ("nobody's", 0, "yes"), ("nobody's", 1, "yes")]

    found = report(made)
    assert "Labels: 5 rows have none; 2 are of no row that counts." in found.notes
    assert sum(arm.labelled or 0 for arm in found.arms) == 175


def test_labels_of_other_requests_leave_nothing_to_judge(report: Callable[..., Result]) -> None:
    made = traffic(keys=60)
    made.labels = [("nobody's", 0, "yes")]

    found = report(made)
    assert found.verdict == "Cannot tell: roc_auc could not be measured: roc_auc needs rows, got none."
    assert "Labels: 180 rows have none; 1 are of no row that counts." in found.notes
