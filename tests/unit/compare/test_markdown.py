"""What a person reads, and what a poisoned repository cannot make of it."""

from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt

from mergeline.compare import markdown, metric_table, words
from mergeline.compare.metric_table import forest
from mergeline.compare.report import (
    Calibration,
    Change,
    Confusion,
    Cost,
    DataChecks,
    DriftRow,
    Fairness,
    FairnessRow,
    Flips,
    GateRow,
    Looks,
    Moved,
    Report,
    RowCounts,
    SliceRow,
    Slices,
    Suspect,
)
from tests.unit.compare.conftest import make_report, metric_row

EVIL = (
    "@everyone <img src=x onerror=alert(1)> **bold** [x](http://evil.example) #1 | `x` </details> \u202e --> ![y](//z)"
)


def first_line(report: Report) -> str:
    return markdown.render(report).splitlines()[0]


def test_the_first_line_says_it_all() -> None:
    assert first_line(make_report()) == (
        "**Better**: roc_auc 0.712 → 0.744 (+0.032, 95% interval +0.012 to +0.052, by day, 30 days of June 2013)."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"word": "worse", "metrics": [metric_row(value=-0.032, word="worse")]},
            "**Worse**: roc_auc 0.712 → 0.680 (-0.032, 95% interval -0.052 to -0.012, by day, 30 days of June 2013).",
        ),
        (
            {"word": "same", "metrics": [metric_row(value=0.0004, error=0.001, word="same")]},
            "**Same**: roc_auc 0.712 → 0.712 (0.000, 95% interval -0.002 to +0.002, by day, 30 days of June 2013); "
            "surely less than the 0.005 that matters.",
        ),
        (
            {"word": "cannot tell", "metrics": [metric_row(value=0.004, error=0.01, word="cannot tell")]},
            "**Cannot tell**: roc_auc 0.712 → 0.716 (+0.004, 95% interval -0.016 to +0.024, by day, "
            "30 days of June 2013); it may as well be chance: telling 0.005 from none takes about 950 days (600 to 1,800).",
        ),
        (
            {"word": "cannot tell", "metrics": [metric_row(value=0.004, error=0.001, word="cannot tell")]},
            "**Cannot tell**: roc_auc 0.712 → 0.716 (+0.004, 95% interval +0.002 to +0.006, by day, "
            "30 days of June 2013); there is a difference, but less than the 0.005 that matters was seen.",
        ),
        (
            {
                "word": "cannot tell",
                "reason": "base needs wind",
                "metrics": [metric_row(base=None, difference=None, word="cannot tell", reason="base needs wind")],
            },
            "**Cannot tell**: base needs wind.",
        ),
        (
            {"word": None, "base": None, "metrics": [metric_row(base=None, difference=None)]},
            "**First model**: roc_auc 0.744 on 30 days of June 2013; there is no base to judge it against.",
        ),
    ],
    ids=["worse", "same", "may be chance", "real but small", "base needs a column", "first model"],
)
def test_each_verdict_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert first_line(make_report(**changes)) == sentence


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"period": ("2013-06-10", "2013-07-09")}, "by day, 30 days, 2013-06-10 to 2013-07-09)"),
        ({"group": "customer"}, "by customer, 27,075 rows in 30 groups of customer, June 2013)"),
        ({"group": None, "period": None}, "by row, as if rows were independent, 27,075 rows)"),
    ],
)
def test_the_sentence_says_what_was_judged_and_by_what(changes: dict[str, Any], where: str) -> None:
    judged = msgspec.structs.replace(make_report().judged, **changes)

    assert where in first_line(make_report(judged=judged))


def test_a_broken_gate_stands_at_the_top() -> None:
    report = make_report(gates=[GateRow(gate="roc_auc.not_worse", state="failed", text="worse by 0.03")])

    lines = markdown.render(report).splitlines()

    assert lines[2:4] == ["> **Blocked** by gates.yaml:", "> - `roc_auc.not_worse`: worse by 0.03"]
    assert "Gates: 1 of 1 failed" in "\n".join(lines)


def test_an_override_is_printed_with_its_reason() -> None:
    gate = GateRow(gate="f1.not_worse", state="overridden", text="worse by 0.03; lifted: new airport")

    assert "> Overridden: `f1.not_worse`: worse by 0.03; lifted: new airport" in markdown.render(
        make_report(gates=[gate])
    )


def test_files_that_decide_the_verdict_are_named_before_the_table() -> None:
    text = markdown.render(make_report(protected=["gates.yaml", *(f"src/mergeline/{i}.py" for i in range(9))]))

    assert "**This pull request changes what judges, builds or runs it**: `gates.yaml`, `src/mergeline/`." in text
    assert text.index("gates.yaml") < text.index("| metric |")


def test_a_forest_has_better_on_the_right() -> None:
    higher, lower = forest(0.03, (0.01, 0.05), "higher", 0.005), forest(-0.03, (-0.05, -0.01), "lower", 0.005)

    assert higher == lower == "         ┊│┊├───●───┤"


@pytest.mark.parametrize(
    ("value", "interval"), [(0.0, (0.0, 0.0)), (0.0, (-1.0, 1.0)), (-5.0, (-9.0, -1.0)), (1e-12, (0.0, 1e-12))]
)
def test_every_interval_can_be_drawn(value: float, interval: tuple[float, float]) -> None:
    drawn = forest(value, interval, "higher", None)

    assert len(drawn) == metric_table.WIDTH
    assert drawn.count("●") == 1


def poisoned() -> Report:
    row = metric_row()
    assert row.difference is not None
    moved = SliceRow(
        column=EVIL,
        value=EVIL,
        rows=9,
        groups=9,
        base=0.1,
        candidate=0.2,
        difference=row.difference,
        q=0.01,
        word="worse",
    )
    return make_report(
        name=EVIL,
        reason=EVIL,
        metrics=[row, metric_row("f1", difference=None, reason=EVIL)],
        slices=Slices(metric=EVIL, moved=[moved], tested=3, small=1, too_small=[EVIL], discovered=[moved]),
        fairness=Fairness(
            rows=[
                FairnessRow(
                    column=EVIL,
                    value=value,
                    measure=EVIL,
                    rows=9,
                    between=between,
                    base=None,
                    candidate=0.1,
                    difference=difference,
                    reason=EVIL,
                )
                for value, between in ((EVIL, None), (None, (EVIL, EVIL)))
                for difference in (None, row.difference)
            ],
            tested=2,
            too_small=[EVIL],
        ),
        flips=Flips(
            rows=9, right_to_wrong=1, wrong_to_right=1, moved=[Moved(row=EVIL, label=EVIL, base=0.1, candidate=0.2)]
        ),
        calibration=Calibration(
            base_error=0.1,
            candidate_error=0.1,
            base=Confusion(classes=[EVIL] * 2, threshold=0.5, counts=[[1, 2], [3, 4]]),
            candidate=Confusion(classes=[EVIL] * 2, threshold=None, counts=[[1, 2], [3, 4]]),
        ),
        params=[Change(name=EVIL, base=EVIL, candidate=EVIL)],
        data=[Change(name="rows", base=EVIL, candidate=EVIL), Change(name=EVIL, base=EVIL, candidate=None)],
        columns=[Change(name=EVIL, base=EVIL, candidate=None)],
        drift=[DriftRow(column=EVIL, psi=0.3, test="chi-square", statistic=9.0, q=0.01)],
        checks=DataChecks(suspects=[Suspect(column=EVIL, score=0.99)]),
        cost=[Cost(name=EVIL, unit=EVIL, base=1.0, candidate=2.0)],
        code=[EVIL],
        protected=[EVIL],
        gates=[GateRow(gate=EVIL, state=state, text=EVIL) for state in ("failed", "overridden", "passed")],
        notes=[EVIL],
        judged=msgspec.structs.replace(make_report().judged, group=EVIL, period=(EVIL, EVIL)),
        candidate=msgspec.structs.replace(make_report().candidate, commit=f"$({EVIL})"),
    )


def test_text_from_the_repository_makes_no_mention_no_html_and_no_formatting() -> None:
    report = poisoned()

    shown = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown.render(report))

    assert "@everyone" not in shown
    assert "<img" not in shown
    assert "<strong>bold" not in shown
    assert "<a " not in shown
    assert shown.count("</details>") == shown.count("<details>")
    assert "\u202e" not in shown
    assert "$(" not in shown


def test_no_address_is_left_that_would_become_a_link() -> None:
    text = markdown.render(poisoned())

    outside_code = "".join(part for i, part in enumerate(text.split("`")) if i % 2 == 0)
    assert "http://" not in outside_code
    assert "#1 " not in outside_code


def test_every_row_of_a_poisoned_table_has_all_its_cells() -> None:
    text = markdown.render(poisoned())

    for table in (
        "| metric",
        "| slice",
        "| column",
        "| | base | candidate | |",
        "| | measure",
        "| row whose",
        "| base, threshold",
    ):
        lines = text[text.index(table) :].split("\n\n")[0].splitlines()
        widths = {len(line.replace("\\|", "").split("|")) for line in lines}
        assert len(widths) == 1


def test_the_longest_report_fits_a_comment_and_says_what_was_cut() -> None:
    long = "x" * 5000
    many = [Change(name=f"{i} {long}", base=long, candidate=long) for i in range(5000)]
    moved = [
        SliceRow(
            column=long, value=f"{i}", rows=1, groups=1, base=0.1, candidate=0.2,
            difference=metric_row().difference, q=0.1, word="worse",  # type: ignore[arg-type]
        )
        for i in range(500)
    ]  # fmt: skip
    report = make_report(
        params=many,
        data=many,
        columns=many,
        code=[long] * 999,
        protected=[f"{i}/{long}" for i in range(999)],
        notes=[long] * 999,
        gates=[GateRow(gate=long, state="failed", text=long)] * 999,
        metrics=[metric_row(reason=long, difference=None)] * 999,
        slices=Slices(metric="roc_auc", moved=moved, tested=500),
    )

    text = markdown.render(report)

    assert len(text) < 65_536
    assert text.startswith("**")


def test_parts_are_cut_from_the_last_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "LARGEST", 700)

    text = markdown.render(make_report(code=["src/model/features.py"]))

    assert "| **roc_auc** |" in text
    assert "How to reproduce" not in text
    assert "left out: too long for a comment. The HTML report has all." in text


def test_the_first_line_stays_where_every_text_needs_escaping() -> None:
    spelled = "&" * 200
    failed = [GateRow(gate=f"{i}", state="failed", text=spelled) for i in range(40)]
    lifted = [GateRow(gate=f"{i}", state="overridden", text=spelled) for i in range(40)]

    text = markdown.render(make_report(gates=[*failed, *lifted], notes=[spelled] * 40))

    assert len(text) < 65_536
    assert text.startswith("**Better**: roc_auc")
    assert "**Blocked** by gates.yaml" in text
    assert "left out: too long for a comment" in text


def test_the_terminal_gets_no_html() -> None:
    text = markdown.plain(markdown.render(make_report()))

    assert "<details>" not in text
    assert "**Gates: all 1 passed**" in text


@pytest.mark.parametrize(
    ("value", "matters", "shown"),
    [
        (0.71234, 0.005, "0.712"),
        (0.71234, None, "0.7123"),
        (23.456, 0.5, "23.5"),
        (23.456, None, "23.456"),
        (None, 1, "n/a"),
    ],
)
def test_numbers_are_shown_as_exactly_as_they_matter(value: float | None, matters: float | None, shown: str) -> None:
    assert words.number(value, matters) == shown


@pytest.mark.parametrize("value", [1e-9, -1e-9, 0.0])
def test_a_difference_of_nothing_is_not_shown_as_a_change(value: float) -> None:
    assert words.signed(value, 0.005) == "0.000"


def test_how_to_reproduce_names_the_commit_that_was_judged() -> None:
    text = markdown.render(make_report())

    assert f"git checkout {'c' * 40}" in text
    assert f"model compare --base {'b' * 40}" in text


def test_intervals_and_their_drawings_stay_on_one_line() -> None:
    (row,) = [line for line in markdown.render(make_report()).splitlines() if line.startswith("| **roc_auc**")]

    cells = [cell.strip(" ") for cell in row.strip("|").split("|")]

    assert cells[4] == "+0.012\u00a0to\u00a0+0.052"
    assert " " not in cells[5]


def test_metrics_without_a_gate_are_folded_away() -> None:
    text = markdown.render(make_report(metrics=[metric_row(), metric_row("f1", matters=None)]))

    assert "<summary>1 metric without a gate</summary>" in text
    assert text.index("roc_auc") < text.index("<details>") < text.index("| f1 |")


def test_a_column_that_gives_the_label_away_stands_at_the_top() -> None:
    report = make_report(checks=DataChecks(suspects=[Suspect(column="crew", score=0.9987)]))

    assert markdown.render(report).splitlines()[2] == (
        "> **Does a column hold the answer?** Alone it predicts the label suspiciously well: `crew` (AUC 0.999)."
    )
    assert "`crew` (R² 0.999)" in markdown.render(msgspec.structs.replace(report, task="regression"))


def test_groups_on_both_sides_of_a_split_by_group_stand_at_the_top() -> None:
    text = markdown.render(make_report(checks=DataChecks(shared_groups=5)))

    assert text.splitlines()[2].startswith("> **5 groups** of the split by group in training and in the held-out rows")


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ((1200, 0, 3, 5000), "1,200 added, 0 removed, 3 with other content under the same id, 5,000 as before."),
        ((0, 0, 5000, 0), "0 added, 0 removed, all 5,000 others have other content, as when a column comes or goes."),
        ((0, 0, 0, 5000), None),
    ],
)
def test_rows_that_came_went_or_changed_are_counted(counts: tuple[int, int, int, int], line: str | None) -> None:
    rows = RowCounts(**dict(zip(("added", "removed", "changed", "unchanged"), counts, strict=True)))

    text = markdown.render(make_report(rows=rows))

    assert (f"Raw rows: {line}" in text) if line else ("Raw rows" not in text)


def test_drift_and_duplicates_are_shown() -> None:
    drift = [DriftRow(column="temp", psi=0.314, test="Kolmogorov-Smirnov", statistic=0.251, q=1e-9)]

    text = markdown.render(make_report(drift=drift, checks=DataChecks(duplicates=27)))

    assert "<summary>Drifted: 1 column</summary>" in text
    assert "| `temp` | 0.31 | Kolmogorov-Smirnov 0.251 | 1e-09 |" in text
    assert "27 held-out rows (0.1%) equal to a training row in all but id and time." in text


def test_costs_of_another_machine_are_shown_but_not_compared() -> None:
    costs = [
        Cost(name="training", unit="s", base=2.0, candidate=3.0, comparable=False),
        Cost(name="bundle", unit="kB", base=200.0, candidate=1300.4),
        Cost(name="latency of 1 row", unit="ms", base=None, candidate=0.0712),
    ]

    text = markdown.render(make_report(cost=costs))

    assert "<summary>Cost: training 2 s → 3 s</summary>" in text
    assert "| training | 2 s | 3 s | other machine |" in text
    assert "| bundle | 200 kB | 1,300 kB | +550% |" in text
    assert "| latency of 1 row | n/a | 0.0712 ms |  |" in text


def test_from_twenty_looks_on_the_chance_of_luck_is_said() -> None:
    few, many = (markdown.render(make_report(looks=Looks(candidates=count))) for count in (19, 20))

    assert "\n19 candidates judged on these rows so far.\n" in few
    assert "data.as_of" not in few
    assert "judged 20 candidates" in many
    assert "with a chance of up to 40%" in many
    assert "Move `data.as_of`" in many
    assert many.index("judged 20") < many.index("<details>")


def test_what_has_nothing_to_say_is_not_there() -> None:
    text = markdown.render(make_report())

    for word in ("Drifted", "Raw rows", "Cost", "equal to a training row", "candidates", "column"):
        assert word not in text


def test_room_is_left_for_what_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    report = make_report(code=["src/model/features.py"])
    whole = markdown.render(report)
    monkeypatch.setattr(markdown, "LARGEST", len(whole))

    assert markdown.render(report) == whole
    assert len(markdown.render(report, spare=100)) < len(whole)


def test_what_the_intervals_hold_is_said() -> None:
    row = metric_row()
    assert row.difference is not None
    together = msgspec.structs.replace(row.difference, row_error=0.002)

    text = markdown.render(
        make_report(noise="of both", refits=6, metrics=[msgspec.structs.replace(row, difference=together)])
    )

    assert "the noise of training, from 6 models of each side trained anew" in text
    assert "Rows of one day move together: the variance of the difference is 25 times that of independent rows." in text
