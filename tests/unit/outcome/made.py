"""Traffic of an experiment as servers log it: who was assigned what, what was said, and what came true."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from mergeline.events import Event, Row
from mergeline.experiments import Course
from mergeline.serve.experiment import assignment

START = datetime(2026, 11, 1, tzinfo=UTC)
PINNED, BESIDE = "a" * 64, "b" * 64


def course(**changes: Any) -> Course:
    """An experiment in staging: half of the keys, since the first of November."""
    known = {
        "environment": "staging",
        "pinned": PINNED,
        "pinned_bundle": "bundle",
        "release": BESIDE,
        "bundle": "bundle",
        "kind": "ab",
        "share": 0.5,
        "key": None,
        "since": START,
    }
    return Course(**{**known, **changes})


@dataclass
class Traffic:
    """Lines of a log, and labels for them: (request, row, label)."""

    events: list[Event] = field(default_factory=list)
    labels: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, request: str, arm: str, rows: list[Row], release: str | None = None, **changes: Any) -> None:
        release = release or (PINNED if arm == "pinned" else BESIDE)
        made = {
            "schema": 1,
            "time": START + timedelta(minutes=1),
            "request": request,
            "release": release,
            "bundle": "bundle",
            "arm": arm,
            "seconds": 0.0002 if arm == "pinned" else 0.0003,
            "rows": rows,
        }
        self.events.append(Event(**{**made, **changes}))

    def write(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        lines = b"".join(msgspec.json.encode(event) + b"\n" for event in self.events)
        (folder / "predictions-1.jsonl").write_bytes(lines)
        return folder

    def csv(self, path: Path) -> Path:
        pl.DataFrame(self.labels, schema=["request", "row", "label"], orient="row").write_csv(path)
        return path


def traffic(
    *, keys: int = 400, requests: int = 3, share: float = 0.5, signal: tuple[float, float] = (1.0, 1.0), seed: int = 7
) -> Traffic:
    """Customers who ask several times, for one row; `signal` is how much each release's score knows of the label."""
    rng = np.random.default_rng(seed)
    names = [f"customer {i}" for i in range(keys)]
    beside = assignment.rows(BESIDE, share, names)
    made = Traffic()
    for key, (name, theirs) in enumerate(zip(names, beside.tolist(), strict=True)):
        taste = rng.normal(0, 0.5)
        for i in range(requests):
            request, late = f"{name}, request {i}", bool(rng.random() < 0.4)
            made.labels.append((request, 0, "yes" if late else "no"))
            score = _probability(signal[theirs] * (late - 0.4) + taste + rng.normal(0, 0.5))
            row = Row(0, [1 - score, score], "yes" if score >= 0.5 else "no", f"{key:016x}", {"carrier": "UA"})
            made.add(request, "ab" if theirs else "pinned", [row])
    return made


def shadowed(*, requests: int = 300, rows: int = 2, seed: int = 7, signal: tuple[float, float] = (1.0, 2.0)) -> Traffic:
    """Requests of several rows that a shadow scored too."""
    rng = np.random.default_rng(seed)
    made = Traffic()
    for i in range(requests):
        late = rng.random(rows) < 0.4
        noise = rng.normal(0, 0.5) + rng.normal(0, 0.5, rows)
        request = f"request {i}"
        made.labels += [(request, j, "yes" if one else "no") for j, one in enumerate(late.tolist())]
        said = [[_probability(knows * (one - 0.4) + n) for one, n in zip(late, noise, strict=True)] for knows in signal]
        ours = [Row(j, [1 - p, p], "yes" if p >= 0.5 else "no") for j, p in enumerate(said[0])]
        made.add(request, "pinned", ours)
        made.add(request, "shadow", [Row(j, [1 - p, p]) for j, p in enumerate(said[1])], seconds=None)
    return made


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))
