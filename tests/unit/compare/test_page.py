import re
from base64 import b64encode
from hashlib import sha256
from html import unescape

import pytest

from mergeline.compare import markdown, page
from mergeline.compare.report import Calibration, Confusion, Cost, Curve, DriftRow, Flips, Importance, Moved, Point
from tests.unit.compare.conftest import make_report, metric_row
from tests.unit.compare.full import KINDS
from tests.unit.compare.test_markdown import poisoned

ROC = Curve(
    title="ROC",
    x="false",
    y="true",
    base=[Point(x=0, y=0), Point(x=1, y=1)],
    candidate=[Point(x=0, y=0.2), Point(x=1, y=1)],
)


def shown(html: str) -> str:
    """Give what a reader sees, on one line."""
    without = re.sub(r"<(style|script|svg)[ >].*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", without)))


def numbers(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?%?", text))


def luminance(colour: str) -> float:
    """Give the relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_number_of_the_comment_is_on_the_page(kind: str) -> None:
    report = KINDS[kind]()

    said = numbers(markdown.plain(markdown.render(report)))

    assert len(said) > 60
    assert said - numbers(shown(page.render(report))) == set()


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_is_legible_on_the_paper_and_on_a_card(scheme: int) -> None:
    found = re.findall(r":root \{(.*?)\}", page.STYLE, flags=re.DOTALL)[scheme]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", found))
    assert len(colours) == 11

    for name in colours.keys() - {"paper", "card", "line"}:
        for below in ("paper", "card"):
            dark, light = sorted(luminance(colours[at]) for at in (name, below))
            least = 3 if name in ("base", "candidate") else 4.5  # what is drawn, what is written
            assert (light + 0.05) / (dark + 0.05) >= least, (name, below)


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


def test_a_candidate_that_is_judged_alone_has_its_numbers_without_empty_columns() -> None:
    alone = [
        metric_row(base=None, difference=None, reason="base needs wind"),
        metric_row("f1", base=None, candidate=None, difference=None, reason="one class only"),
    ]

    text = shown(page.render(make_report(word="cannot tell", reason="base needs wind", metrics=alone)))

    assert "metric candidate roc_auc 0.744 f1 n/a one class only" in text


def test_raw_columns_that_are_as_before_are_counted_not_listed() -> None:
    same = [DriftRow(column=c, psi=0.0, test="chi-square", statistic=0.0, q=1.0) for c in ("carrier", "origin")]

    text = shown(page.render(make_report(steady=same)))

    assert "None of 2 columns has moved at all." in text
    assert "chi-square" not in text


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_page_stays_small(kind: str) -> None:
    assert len(page.render(KINDS[kind]())) < 200_000


def test_only_the_page_s_own_style_and_script_are_applied() -> None:
    html = page.render(make_report())

    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        allowed = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{rule} 'sha256-{allowed}'" in unescape(html)
    assert "style=" not in html
    assert "unsafe-inline" not in html


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
