"""What differs between the raw rows of base and candidate, from their profiles and hashes: never from base's rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from .. import objects
from .report import Change

RAW = "data/raw.parquet"
MANY = 8
SHIFT = 0.02
"""A share of rows (missing, one class of the label) that moved by less is not listed."""


def run(base: Path, candidate: Path, label: str, hidden: Sequence[str] = ()) -> tuple[list[Change], list[Change]]:
    """Compare two checkouts' dvc.lock and result files; values of `hidden` columns are not shown.

    Returns:
        What is said of the rows as a whole, and of single columns. Both empty when the raw rows are the same.
    """
    hashes = {side: raw_hash(root) for side, root in (("base", base), ("candidate", candidate))}
    if hashes["base"] == hashes["candidate"] and hashes["base"] is not None:
        return [], []
    theirs, ours = profile(base), profile(candidate)
    whole = [
        Change(name="rows", base=_count(theirs.get("rows")), candidate=_count(ours.get("rows"))),
        Change(name="held-out period", base=period(base), candidate=period(candidate)),
        Change(name="label", base=_balance(theirs, label), candidate=_balance(ours, label)),
        Change(name="hash of the raw rows", base=_short(hashes["base"]), candidate=_short(hashes["candidate"])),
    ]
    return [change for change in whole if change.base != change.candidate], _columns(theirs, ours, hidden)


def raw_hash(root: Path) -> str | None:
    """Give DVC's hash of the raw rows."""
    return next((out.name for out in objects.outputs(root) if out.path == RAW), None)


def period(root: Path) -> str | None:
    """Give the first and last held-out day."""
    found = _json(root / "results/metrics.json").get("period")
    return f"{found[0]} to {found[1]}" if isinstance(found, list) and len(found) == 2 else None


def profile(root: Path) -> dict[str, Any]:
    """Give results/profile.json, empty where it is not there."""
    return _json(root / "results/profile.json")


def constant(root: Path, columns: Sequence[str]) -> list[str]:
    """Give those of the columns that have one value in all raw rows."""
    known = profile(root).get("columns", {})
    return [name for name in columns if known.get(name, {}).get("distinct") == 1]


def _columns(theirs: dict[str, Any], ours: dict[str, Any], hidden: Sequence[str]) -> list[Change]:
    before, after = theirs.get("columns", {}), ours.get("columns", {})
    found = [
        *(
            Change(name=f"{name}: column added", base=None, candidate=after[name]["kind"])
            for name in after
            if name not in before
        ),
        *(
            Change(name=f"{name}: column dropped", base=before[name]["kind"], candidate=None)
            for name in before
            if name not in after
        ),
    ]
    for name in after:
        if name not in before:
            continue
        old, new = before[name], after[name]
        if old["kind"] != new["kind"]:
            found.append(Change(name=f"{name}: kind", base=old["kind"], candidate=new["kind"]))
            continue
        shares = [side["missing"] / max(1, whole["rows"]) for side, whole in ((old, theirs), (new, ours))]
        if abs(shares[1] - shares[0]) >= SHIFT:
            found.append(Change(name=f"{name}: missing", base=f"{shares[0]:.1%}", candidate=f"{shares[1]:.1%}"))
        if name not in hidden and not old.get("other") and not new.get("other"):
            found += _categories(name, old.get("counts", {}), new.get("counts", {}))
    return found


def _categories(name: str, old: dict[str, int], new: dict[str, int]) -> list[Change]:
    """List values that came or went; a column with new values only, such as an id or a day, is none of categories."""
    came, went = [v for v in new if v not in old], [v for v in old if v not in new]
    if not old or len(came) > max(MANY, len(old) // 2):
        return []
    return [
        *([Change(name=f"{name}: new values", base=None, candidate=_list(came))] if came else []),
        *([Change(name=f"{name}: values gone", base=_list(went), candidate=None)] if went else []),
    ]


def _list(values: list[str]) -> str:
    more = len(values) - MANY
    return ", ".join(values[:MANY]) + (f" and {more} more" if more > 0 else "")


def _balance(found: dict[str, Any], label: str) -> str | None:
    column = found.get("columns", {}).get(label)
    if column is None:
        return None
    if "mean" in column:
        return f"mean {column['mean']:.4g}"
    counts = column.get("counts", {})
    whole = sum(counts.values()) + column.get("other", 0)
    return ", ".join(f"{value} {count / whole:.1%}" for value, count in list(counts.items())[:MANY]) or None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int) else None


def _short(value: str | None) -> str | None:
    return value[:12] if value else None
