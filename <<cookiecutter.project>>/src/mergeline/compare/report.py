"""report.json: everything that was found, as data. Pages and comments are made from it and from nothing else.

The file comes from a pull request's own code, so it is read strictly: unknown keys, another schema number, a wrong
type or too many bytes are refused, and every text in it is escaped where it is shown.

To change the format: add a field with a default here, raise `SCHEMA`, and say so in the CHANGELOG; the comment of
the pull request that does so says that the format changed, because the base's code renders it.
"""

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from .. import verdict
from ..config import Task
from ..errors import Integrity
from ..statistics import Estimate

SCHEMA = 1
LARGEST = 4 * 1024**2
FOLDER = "report"
JSON, MARKDOWN, PAGE = "report.json", "report.md", "report.html"
FEWEST_GROUPS, FEW_GROUPS = verdict.FEWEST_GROUPS, 30
"""Below the first number of groups nothing is told, below the second intervals are themselves uncertain."""

Word: TypeAlias = verdict.Word
Noise = Literal["of both", "of the base", "not measured"]
"""Whose training was repeated to see its noise."""
Control = Literal["Benjamini-Hochberg", "Benjamini-Yekutieli"]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are refused, values are immutable."""


class OtherSchema(Integrity):
    """The report has another format than this code reads."""


class Side(_Record, frozen=True, kw_only=True):
    """One of the two models; `stages` are those that ran now, none when all was restored."""

    commit: str
    bundle: str | None = None
    stages: list[str] = []


class Judged(_Record, frozen=True, kw_only=True):
    """The rows that judged: how many of the held-out ones, in how many groups of which column (null: rows).

    `largest_group` is the share of the rows that the largest group holds.
    """

    held_out: int
    rows: int
    groups: int
    group: str | None
    period: tuple[str, str] | None = None
    hash: str
    largest_group: float = 0.0


class Difference(_Record, frozen=True, kw_only=True):
    """Candidate minus base with its standard error over groups; `interval` is at `level`, of test rows and training.

    `noise` is the standard deviation that training anew gives, from `noise_freedom` degrees of freedom; `row_error`
    the standard error as if rows were independent.
    """

    value: float
    standard_error: float
    groups: int
    interval: tuple[float, float]
    noise: float = 0.0
    noise_freedom: float = 0.0
    row_error: float | None = None

    def estimate(self) -> Estimate:
        """Give it as what intervals at other levels are made of."""
        return Estimate(self.value, self.standard_error, self.groups, self.noise, self.noise_freedom, self.row_error)


class MetricRow(_Record, frozen=True, kw_only=True):
    """One metric of both models on the same rows; null with a reason where the rows cannot support it."""

    name: str
    better: Literal["higher", "lower"]
    base: float | None
    candidate: float | None
    difference: Difference | None
    matters: float | None
    word: Word
    reason: str | None = None


class AttributionRow(_Record, frozen=True, kw_only=True):
    """What data, code and both together did to one metric; the three add up to `total`, candidate minus base."""

    metric: str
    data: Difference
    code: Difference
    together: Difference
    total: Difference

    def effects(self) -> dict[str, Difference]:
        """Give the four by name."""
        return {"data": self.data, "code": self.code, "together": self.together, "total": self.total}


class Attribution(_Record, frozen=True, kw_only=True):
    """Data and code both changed: which did what, in `judged` rows of `groups` groups that no model was trained on.

    No rows: the crossed models are not trained yet, or could not be judged for the `reason`.
    """

    rows: list[AttributionRow] = []
    judged: int = 0
    groups: int = 0
    reason: str | None = None


class FoldRow(_Record, frozen=True, kw_only=True):
    """One earlier period, judged by models trained on the rows before it; null with a reason where it cannot be."""

    first: str
    end: str
    difference: Difference | None
    base: float | None = None
    candidate: float | None = None
    reason: str | None = None


class Folds(_Record, frozen=True, kw_only=True):
    """The primary metric over several periods; `mean` treats each as one observation, so its spread is between them."""

    metric: str
    rows: list[FoldRow] = []
    mean: Difference | None = None


class SliceRow(_Record, frozen=True, kw_only=True):
    """One slice whose primary metric moved; `q` is the probability adjusted for all slices that were tested."""

    column: str
    value: str
    rows: int
    groups: int
    base: float
    candidate: float
    difference: Difference
    q: float
    word: Word


class SliceValue(_Record, frozen=True, kw_only=True):
    """A slice that gates.yaml asks about; a side is null, with the reason, where it could not be measured."""

    column: str
    value: str
    rows: int
    base: float | None = None
    candidate: float | None = None
    word: Literal["better", "worse", "no change shown"] = "no change shown"
    reason: str | None = None


class Slices(_Record, frozen=True, kw_only=True):
    """Slices that moved, and how many were looked at; `small` ones have too few rows or groups to be tested.

    `too_small` names some of these. `control` is how the rate of false discoveries is held over the tested ones.
    `discovered` were found on half of the groups, where the search gave `searched` that do not overlap, and tested on
    the other half (Benjamini-Hochberg); their `column` names all columns of the rule in `value`. `asked` are those that
    gates.yaml names.
    """

    metric: str
    moved: list[SliceRow] = []
    tested: int = 0
    small: int = 0
    too_small: list[str] = []
    discovered: list[SliceRow] = []
    searched: int = 0
    asked: list[SliceValue] = []
    control: Control = "Benjamini-Hochberg"


class FairnessRow(_Record, frozen=True, kw_only=True):
    """One measure of the rows with one value of a sensitive column, or (`value` null) its gap between two values.

    A gap is each model's largest less its smallest value; `between` names the candidate's two.
    """

    column: str
    value: str | None
    measure: str
    rows: int
    between: tuple[str, str] | None = None
    base: float | None
    candidate: float | None
    difference: Difference | None
    q: float | None = None
    word: Literal["wider", "narrower", "higher", "lower", "no change shown"] = "no change shown"
    reason: str | None = None


class Fairness(_Record, frozen=True, kw_only=True):
    """What the models do to the values of sensitive columns; gaps first. `tested` differences are one family.

    `too_small` names some of the values with too few rows or groups.
    """

    rows: list[FairnessRow] = []
    tested: int = 0
    too_small: list[str] = []


class Moved(_Record, frozen=True, kw_only=True):
    """A row whose score moved most; `row` is its id, or its place among the judged rows where the id is sensitive.

    With more than two classes the scores are those of the row's own class. `label` is null where it is sensitive.
    """

    row: str
    label: str | None
    base: float
    candidate: float


class Flips(_Record, frozen=True, kw_only=True):
    """How many of `rows` are called otherwise than before; `other` are wrong in another way.

    Regression: right to wrong are rows whose absolute error grew by more than a tenth of the labels' standard
    deviation, wrong to right those where it shrank by as much.
    """

    rows: int
    right_to_wrong: int
    wrong_to_right: int
    other: int = 0
    moved: list[Moved] = []


class Confusion(_Record, frozen=True, kw_only=True):
    """Counts at the operating threshold (null with more than two classes): `counts[i][j]` rows of class i are called j."""

    classes: list[str]
    threshold: float | None
    counts: list[list[int]]


class Calibration(_Record, frozen=True, kw_only=True):
    """The expected calibration error of both models and what they call rows; no matrix where there are many classes."""

    base_error: float | None
    candidate_error: float | None
    base: Confusion | None = None
    candidate: Confusion | None = None


class DriftRow(_Record, frozen=True, kw_only=True):
    """How far a raw column's values moved between the raw rows of base and candidate."""

    column: str
    psi: float
    test: Literal["Kolmogorov-Smirnov", "chi-square"]
    statistic: float
    q: float


class RowCounts(_Record, frozen=True, kw_only=True):
    """Raw rows that came, went, changed under the same id, or stayed as they were."""

    added: int
    removed: int
    changed: int
    unchanged: int


class Suspect(_Record, frozen=True, kw_only=True):
    """A raw column that predicts the label alone: its AUC, of a regression its R2, on held-out rows."""

    column: str
    score: float


class DataChecks(_Record, frozen=True, kw_only=True):
    """What is wrong with the candidate's rows: held-out rows that training holds too, columns that give the label away.

    `duplicates` are equal to a training row but for id and time; `shared_groups` stand on both sides of a split by
    group.
    """

    duplicates: int = 0
    shared_groups: int = 0
    suspects: list[Suspect] = []


class Cost(_Record, frozen=True, kw_only=True):
    """What the models cost, one row a thing; `comparable` is false where it was measured on different machines."""

    name: str
    unit: str
    base: float | None
    candidate: float | None
    comparable: bool = True


class Looks(_Record, frozen=True, kw_only=True):
    """How many different candidates these held-out rows judged, this one included, and how many became releases."""

    candidates: int
    releases: int = 0


class Change(_Record, frozen=True, kw_only=True):
    """One thing that differs, each side as text; null where it is not there."""

    name: str
    base: str | None
    candidate: str | None


class GateRow(_Record, frozen=True, kw_only=True):
    """One rule of gates.yaml: passed, failed, or lifted by an override with its reason."""

    gate: str
    state: Literal["passed", "failed", "overridden"]
    text: str


class Importance(_Record, frozen=True, kw_only=True):
    """How much the error rises when a feature is shuffled; null where the model does not have it."""

    feature: str
    base: float | None
    candidate: float | None


class Point(_Record, frozen=True, kw_only=True, omit_defaults=True):
    """A point of a curve; eight tenths of what it stands for lie between `low` and `high`, where they are given."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class Curve(_Record, frozen=True, kw_only=True):
    """A plot of both models: lines with at most 101 points each.

    `steps` is a histogram: each point is the left edge of a bin, the last one the end. `level` is a value to compare
    with, a line across the plot; `marks` are the operating thresholds of base and candidate, lines upright.
    """

    title: str
    x: str
    y: str
    base: list[Point]
    candidate: list[Point]
    diagonal: bool = True
    steps: bool = False
    level: float | None = None
    marks: tuple[float | None, float | None] = (None, None)


class Report(_Record, frozen=True, kw_only=True):
    """What `model compare` found. `word` is the primary metric's; null where there is no base to judge against.

    `drift` has the columns that moved, `steady` those that were tested and did not.
    """

    schema: int = SCHEMA
    name: str
    task: Task
    primary: str
    level: float
    word: Word | None
    reason: str | None = None
    candidate: Side
    base: Side | None
    judged: Judged
    metrics: list[MetricRow]
    slices: Slices
    noise: Noise = "not measured"
    refits: int = 0
    folds: Folds | None = None
    attribution: Attribution | None = None
    fairness: Fairness | None = None
    flips: Flips | None = None
    calibration: Calibration | None = None
    rows: RowCounts | None = None
    drift: list[DriftRow] = []
    steady: list[DriftRow] = []
    checks: DataChecks = DataChecks()
    cost: list[Cost] = []
    looks: Looks | None = None
    params: list[Change] = []
    data: list[Change] = []
    columns: list[Change] = []
    code: list[str] = []
    protected: list[str] = []
    gates: list[GateRow] = []
    notes: list[str] = []
    curves: list[Curve] = []
    importance: list[Importance] = []

    def row(self, name: str) -> MetricRow | None:
        """Give one metric's row."""
        return next((row for row in self.metrics if row.name == name), None)

    def fails(self) -> list[str]:
        """Give one line for each broken rule."""
        return [f"{gate.gate}: {gate.text}" for gate in self.gates if gate.state == "failed"]


def write(folder: Path, report: Report) -> None:
    """Write report.json for people and machines."""
    content = msgspec.json.format(msgspec.json.encode(report), indent=1)
    (folder / JSON).write_bytes(content + b"\n")


def read(path: Path) -> Report:
    """Read a report strictly.

    Raises:
        Integrity: absent, too large, or not of this format.
        OtherSchema: it says that it has another schema number.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise Integrity(f"{path.name} has {path.stat().st_size:,} bytes, more than {LARGEST:,}", REMEDY)
        content = path.read_bytes()
    except OSError as error:
        raise Integrity(f"{path.name} cannot be read", REMEDY) from error
    try:
        schema = msgspec.json.decode(content, type=_Schema).schema
        if schema != SCHEMA:
            raise OtherSchema(f"{path.name} has schema {schema}, this code reads {SCHEMA}", REMEDY)
        return msgspec.json.decode(content, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Integrity(f"{path.name}: {str(error)[:200]}", REMEDY) from error


REMEDY = "Let `model compare` write it again."


class _Schema(msgspec.Struct):
    schema: int
