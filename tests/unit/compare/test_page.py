import re

from mergeline.compare import page
from mergeline.compare.report import Calibration, Confusion, Cost, Curve, DriftRow, Flips, Importance, Moved, Point
from tests.unit.compare.conftest import make_report
from tests.unit.compare.test_markdown import poisoned

ROC = Curve(
    title="ROC",
    x="false",
    y="true",
    base=[Point(x=0, y=0), Point(x=1, y=1)],
    candidate=[Point(x=0, y=0.2), Point(x=1, y=1)],
)


def test_the_page_needs_no_network() -> None:
    html = page.render(make_report(curves=[ROC]))

    assert not re.search(r"(src|href)=[\"'](?!data:)", html)
    assert "default-src 'none'" in html
    assert html.count("<script") == 1


def test_the_page_shows_the_sentence_and_draws_every_curve_of_both_models() -> None:
    html = page.render(make_report(curves=[ROC, ROC]))

    assert "Better: roc_auc 0.712 → 0.744 (+0.032" in html
    assert html.count("<polyline") == 4


def test_text_from_the_repository_is_only_text() -> None:
    html = page.render(poisoned())

    assert "<img" not in html
    assert "&lt;img" in html
    assert "\u202e" not in html


def test_the_page_of_a_first_model_has_no_base() -> None:
    html = page.render(make_report(base=None, word=None))

    assert "First model: roc_auc" in html
    assert "against base" not in html


def test_the_page_stays_small() -> None:
    assert len(page.render(make_report(curves=[ROC] * 3))) < 200_000


def test_a_curve_without_a_base_is_drawn_alone() -> None:
    alone = Curve(title="ROC", x="false", y="true", base=[], candidate=ROC.candidate)

    html = page.render(make_report(base=None, word=None, curves=[alone]))

    assert html.count("<polyline") == 1


def test_features_of_either_model_are_listed_with_a_bar_each() -> None:
    rows = [
        Importance(feature="hour", base=0.2, candidate=0.1),
        Importance(feature="<b>wind", base=None, candidate=0.3),
        Importance(feature="noise", base=-0.01, candidate=None),
    ]

    html = page.render(make_report(importance=rows))

    assert html.count('rx="2"') == 3
    assert "&lt;b&gt;wind" in html


def test_what_has_no_plot_stands_in_a_table() -> None:
    matrix = Confusion(classes=["false", "true"], threshold=0.5, counts=[[7, 2], [1, 3]])
    html = page.render(
        make_report(
            flips=Flips(
                rows=100,
                right_to_wrong=4,
                wrong_to_right=9,
                moved=[Moved(row="r7", label="true", base=0.1, candidate=0.8)],
            ),
            calibration=Calibration(base_error=0.05, candidate_error=0.03, base=matrix, candidate=matrix),
            drift=[DriftRow(column="temp", psi=0.31, test="Kolmogorov-Smirnov", statistic=0.12, q=0.001)],
            cost=[Cost(name="training", unit="s", base=3.0, candidate=4.5, comparable=False)],
        )
    )

    shown = re.sub(r"<[^>]+>|\s+", " ", html)
    for text in (
        "right to wrong 4 4.00% wrong to right 9 9.00%",
        "r7 true 0.1",
        "Confusion of the candidate",
        "other machine",
    ):
        assert text in re.sub(r"\s+", " ", shown)
    assert "temp 0.31 Kolmogorov-Smirnov 0.12 0.001 moved" in re.sub(r"\s+", " ", shown)


def test_tables_with_nothing_to_show_are_left_out() -> None:
    assert "Drifted columns" not in page.render(make_report())
