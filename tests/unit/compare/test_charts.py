"""The charts of the comment, each read by Mermaid itself."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from mergeline.bundle import Bundle
from mergeline.compare import charts, curves, judge, markdown
from mergeline.compare.judge import Names, Unit
from mergeline.compare.report import Curve, Point, Report
from tests.tools import without
from tests.unit.compare.conftest import make_report
from tools import mermaid
from tools.bake import TEMPLATE
from tools.need import Missing

pytestmark = pytest.mark.slow
MakeBundle = Callable[..., Bundle]

EVIL = '"] ;\n%%{init: {"securityLevel": "loose"}}%%\n```\n</details> @everyone <b>x</b> `x` #quot; -->'


def parsed(text: str) -> list[mermaid.Parsed]:
    """Read the charts of a comment."""
    try:
        return mermaid.parse(mermaid.fenced(text))
    except Missing as missing:
        without(str(missing))


def curve(ys: list[float], **changes: Any) -> Curve:
    points = [Point(x=i / max(1, len(ys) - 1), y=y) for i, y in enumerate(ys)]
    return msgspec.structs.replace(
        Curve(title="Calibration (tenths)", x="predicted", y="share", base=points, candidate=points), **changes
    )


@pytest.fixture
def two_classes(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> Report:
    candidate, base = make_bundle({"hour": 0.5, "wind": 1.5}), make_bundle({"hour": 0.5})
    scored = judge.score(rows, candidate, base, names, Unit("day", by_day=False))
    return make_report(curves=curves.run(scored, "classification", "late", ("false", "true")))


@pytest.fixture
def regression(make_bundle: MakeBundle, rows: pl.DataFrame) -> Report:
    rows = rows.with_columns((40 * pl.col("wind") + pl.col("hour")).alias("delay"))
    names = Names(label="delay", row_id="id", time="day", slices=())
    models = [make_bundle({"wind": weight}, task="regression", label="delay") for weight in (40.0, 20.0)]
    scored = judge.score(rows, models[0], models[1], names, Unit("day", by_day=False))
    return make_report(task="regression", curves=curves.run(scored, "regression", "delay"))


def alone(report: Report) -> Report:
    without_base = [msgspec.structs.replace(curve, base=[]) for curve in report.curves]
    return msgspec.structs.replace(report, base=None, word=None, curves=without_base)


def test_two_classes_get_a_roc_and_a_calibration_chart_that_mermaid_reads(two_classes: Report) -> None:
    text = markdown.render(two_classes)

    roc, calibration = mermaid.fenced(text)
    assert 'title "ROC: base grey, candidate blue"' in roc
    assert 'x-axis "false positive rate" 0 --> 1' in roc
    assert [len(line.split(",")) for line in roc.splitlines() if " line " in line] == [21, 21]
    assert 'title "Calibration: base grey, candidate blue, predicted orange"' in calibration
    assert [len(line.split(",")) for line in calibration.splitlines() if " line " in line] == [10, 10, 10]
    found = parsed(text)
    assert [one.kind for one in found] == ["xychart", "xychart"]
    assert [palette(one) for one in found] == ["#8b949e, #2f81f7", "#8b949e, #2f81f7, #d9730d"]


def palette(found: mermaid.Parsed) -> str:
    """Give the colours as Mermaid understood them."""
    assert found.config is not None, found.problem
    return str(found.config["themeVariables"]["xyChart"]["plotColorPalette"])


def test_a_first_model_has_its_own_colour_without_a_base(two_classes: Report) -> None:
    text = markdown.render(alone(two_classes))

    assert "ROC: candidate blue" in text
    assert "base grey" not in text
    assert [palette(one) for one in parsed(text)] == ["#2f81f7", "#2f81f7, #d9730d"]


def test_regression_gets_true_means_by_tenth_of_predicted(regression: Report) -> None:
    text = markdown.render(regression)

    (chart,) = mermaid.fenced(text)
    assert "True values: base grey, candidate blue, predicted orange" in chart
    assert 'x-axis "tenth of the rows, by predicted delay" 1 --> 10' in chart
    low, _, high = chart.partition('y-axis "true delay, mean" ')[2].split("\n")[0].split()
    assert float(low) < 0 < float(high)
    assert [one.kind for one in parsed(text)] == ["xychart"]


@pytest.mark.parametrize(
    "ys",
    [[1e-9, 2.5e-7], [-0.0, 0.0], [0.3, 0.3], [-1e-12, 1e20], [1e308, -1e308], list(np.linspace(0, 1, 5000))],
    ids=["tiny", "nothing", "constant", "far apart", "huge", "many"],
)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_number_is_one_that_mermaid_reads(ys: list[float], task: str) -> None:
    text = markdown.render(make_report(task=task, curves=[curve(ys), curve(ys, title="ROC")]))

    assert [one.problem for one in parsed(text)] == [None, None]
    low, _, high = text.partition('y-axis "share" ')[2].split("\n")[0].split()
    assert float(low) < float(high)


def test_text_of_a_repository_breaks_out_of_no_chart() -> None:
    evil = curve([0.1, 0.2], title=f"{EVIL} (tenths)", x=EVIL, y=EVIL)

    text = markdown.render(make_report(curves=[evil]))

    (chart,) = mermaid.fenced(text)
    assert chart.count('"') == markdown.render(make_report(curves=[curve([0.1, 0.2])])).partition("mermaid")[2].count(
        '"'
    )
    assert text.count("</details>") == text.count("<details>")
    (found,) = parsed(text)
    assert found.kind == "xychart"
    assert "securityLevel" not in (found.config or {})


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('"share"', 'share"'), ("[0.1, 0.2]", "[1e-05, 0.2]"), ("0 -->", "0 ->")],
    ids=["a quotation that does not end", "an exponent", "another arrow"],
)
def test_a_broken_chart_is_refused_by_the_parser(right: str, wrong: str) -> None:
    text = markdown.render(make_report(curves=[curve([0.1, 0.2])]))
    assert right in text

    (found,) = parsed(text.replace(right, wrong))

    assert found.problem is not None
    assert "Parse error" in found.problem or "Lexical error" in found.problem


def test_at_most_two_charts_are_drawn_and_none_of_a_single_point() -> None:
    assert len(mermaid.fenced(markdown.render(make_report(curves=[curve([0.1, 0.2])] * 3)))) == 2
    assert "mermaid" not in markdown.render(make_report(curves=[curve([0.1])]))
    assert "mermaid" not in markdown.render(make_report())


def test_charts_are_cut_first(two_classes: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "LARGEST", len(markdown.render(two_classes)) - 100)

    text = markdown.render(two_classes)

    assert "mermaid" not in text
    assert "How to reproduce" in text
    assert "*1 part left out: too long for a comment." in text


def test_the_terminal_shows_no_code_of_charts(two_classes: Report) -> None:
    text = markdown.plain(markdown.render(two_classes))

    assert "xychart" not in text
    assert "Charts" not in text
    assert "**How to reproduce**" in text


def test_colours_are_seen_on_white_and_on_dark_pages() -> None:
    for colour, least in [*((code, 3.0) for _, code in charts.COLOURS.values()), (charts.TEXT, 4.0)]:
        for page in ("#ffffff", "#0d1117"):
            lighter, darker = sorted((luminance(colour), luminance(page)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) > least


def luminance(colour: str) -> float:
    """Give the relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_chart_of_the_readme_is_one_that_mermaid_reads() -> None:
    assert [one.problem for one in parsed((TEMPLATE / "README.md").read_text())] == [None]
