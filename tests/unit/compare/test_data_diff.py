import json
from pathlib import Path
from typing import Any

import pytest

from mergeline.compare import data_diff

PIPELINE = "stages: {ingest: {cmd: x, outs: [data/raw.parquet]}}\n"
LOCK = "schema: '2.0'\nstages: {{ingest: {{cmd: x, outs: [{{path: data/raw.parquet, md5: {md5}}}]}}}}\n"


def side(root: Path, md5: str, rows: int = 1000, **columns: dict[str, Any]) -> Path:
    (root / "results").mkdir(parents=True)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "dvc.lock").write_text(LOCK.format(md5=md5 * 32))
    usual = {"late": {"kind": "number", "missing": 0, "distinct": 2, "mean": 0.2}}
    (root / "results/profile.json").write_text(json.dumps({"rows": rows, "columns": usual | columns}))
    (root / "results/metrics.json").write_text(json.dumps({"period": [f"2013-0{md5}-01", f"2013-0{md5}-30"]}))
    return root


def text(counts: dict[str, int], missing: int = 0) -> dict[str, Any]:
    return {"kind": "text", "missing": missing, "distinct": len(counts), "counts": counts, "other": 0}


def test_equal_rows_have_no_difference(tmp_path: Path) -> None:
    assert data_diff.run(side(tmp_path / "a", "6"), side(tmp_path / "b", "6"), "late") == ([], [])


def test_a_new_month_is_named_with_its_rows_period_and_hash(tmp_path: Path) -> None:
    whole, columns = data_diff.run(side(tmp_path / "a", "6"), side(tmp_path / "b", "7", rows=1200), "late")

    assert {c.name: (c.base, c.candidate) for c in whole} == {
        "rows": ("1,000", "1,200"),
        "held-out period": ("2013-06-01 to 2013-06-30", "2013-07-01 to 2013-07-30"),
        "hash of the raw rows": ("6" * 12, "7" * 12),
    }
    assert columns == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"wind": text({"a": 9})}, ("wind: column added", None, "text")),
        ({"wind": text({"a": 9})}, {}, ("wind: column dropped", "text", None)),
        ({"wind": text({"a": 9})}, {"wind": {"kind": "number", "missing": 0}}, ("wind: kind", "text", "number")),
        ({"wind": text({"a": 9})}, {"wind": text({"a": 9}, missing=300)}, ("wind: missing", "0.0%", "30.0%")),
        ({"wind": text({"a": 9})}, {"wind": text({"a": 9, "b": 1})}, ("wind: new values", None, "b")),
        ({"wind": text({"a": 9, "b": 1})}, {"wind": text({"a": 9})}, ("wind: values gone", "b", None)),
        ({"late": text({"no": 8, "yes": 2})}, {"late": text({"no": 5, "yes": 5})}, None),
    ],
)
def test_what_changed_in_a_column_is_named(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str | None, str | None] | None
) -> None:
    whole, columns = data_diff.run(side(tmp_path / "a", "6", **before), side(tmp_path / "b", "7", **after), "late")

    if expected is None:
        balance = next(c for c in whole if c.name == "label")
        assert (balance.base, balance.candidate) == ("no 80.0%, yes 20.0%", "no 50.0%, yes 50.0%")
    else:
        assert [(c.name, c.base, c.candidate) for c in columns] == [expected]


def test_a_column_of_ids_or_days_is_not_listed_value_by_value(tmp_path: Path) -> None:
    days = [text({f"2013-{month}-{day}": 1 for day in range(30)}) for month in (6, 7)]

    _, columns = data_diff.run(side(tmp_path / "a", "6", day=days[0]), side(tmp_path / "b", "7", day=days[1]), "late")

    assert columns == []


def test_a_base_without_a_profile_is_no_error(tmp_path: Path) -> None:
    base = side(tmp_path / "a", "6")
    (base / "results/profile.json").unlink()

    whole, _ = data_diff.run(base, side(tmp_path / "b", "7"), "late")

    assert next(c for c in whole if c.name == "rows").base is None


def test_values_of_a_sensitive_column_are_not_shown(tmp_path: Path) -> None:
    before: dict[str, Any] = {
        "religion": {"kind": "text", "missing": 0, "distinct": 1, "counts": {"one": 1000}, "other": 0}
    }
    after: dict[str, Any] = {
        "religion": {"kind": "text", "missing": 0, "distinct": 2, "counts": {"one": 900, "two": 100}, "other": 0}
    }
    sides = side(tmp_path / "a", "6", **before), side(tmp_path / "b", "7", **after)

    shown = [str(change) for change in data_diff.run(*sides, "late")[1]]
    hidden = [str(change) for change in data_diff.run(*sides, "late", ("religion",))[1]]

    assert any("two" in text for text in shown)
    assert not any("two" in text for text in hidden)
