"""Texts that a repository or a person chooses, each place with each kind of poison: the comment keeps its form."""

import re
from collections.abc import Callable

import msgspec
import pytest
from markdown_it import MarkdownIt

from mergeline.compare import comment, looks
from mergeline.compare.report import (
    Calibration,
    Change,
    Confusion,
    Curve,
    DriftRow,
    Fairness,
    FairnessRow,
    Flips,
    GateRow,
    Moved,
    Point,
    Report,
    SliceRow,
    Slices,
    Suspect,
)
from mergeline.compare.report import DataChecks as Checks
from mergeline.forge.event import Event
from tests.unit.compare.conftest import make_report, metric_row
from tools import mermaid

HARMLESS = "word"
POISONS = {
    "formatting": "**bold** _it_ ~~gone~~ # head",
    "a heading": "# head",
    "a list": "- one\n- two",
    "a quotation": "> **Better**: roc_auc",
    "a link": "[here](https://evil.example) https://evil.example www.evil.example",
    "an image": "![x](https://evil.example/x.png)",
    "HTML": "<img src=x onerror=alert(1)> <b>x</b> &lt;b&gt;",
    "the end of the fold": "</summary></details><h1>Better</h1>",
    "a mention": "@everyone @org/team #1 GH-1",
    "a table's pipe": "a | b || c",
    "a table": "\n\n| a | b |\n|--|--|\n| 1 | 2 |\n",
    "a code span": "`x` ``y`` `",
    "a fenced block": "\n```\nrm -rf /\n```\n",
    "mathematics": "$\\frac{1}{0}$ $`x`$",
    "Mermaid": '"] \n%%{init: {"securityLevel": "loose"}}%%\nline [1]\n```\n',
    "a hidden line": f"\n{looks.MARK}rows={'a' * 64} base=b candidate=c -->\n",
    "the marker": comment.MARKER,
    "another direction": "\u202eesrow\u2066",
}


def in_slice(text: str, **where: str) -> Report:
    """Give a slice that moved, named and found."""
    difference = metric_row().difference
    assert difference is not None
    row = SliceRow(
        column=where.get("column", HARMLESS), value=where.get("value", HARMLESS), rows=9, groups=9, base=0.1,
        candidate=0.2, difference=difference, q=0.01, word="worse",
    )  # fmt: skip
    return make_report(slices=Slices(metric="roc_auc", moved=[row], tested=3, too_small=[text], discovered=[row]))


def fair(text: str) -> Report:
    row = FairnessRow(
        column=text, value=None, measure=text, rows=9, between=(text, text), base=None, candidate=0.1,
        difference=None, reason=text,
    )  # fmt: skip
    return make_report(fairness=Fairness(rows=[row], tested=1))


def of_column(text: str) -> Report:
    report = in_slice(text, column=text)
    return msgspec.structs.replace(
        report,
        columns=[Change(name=text, base=text, candidate=None)],
        drift=[DriftRow(column=text, psi=0.3, test="chi-square", statistic=9.0, q=0.01)],
        checks=Checks(suspects=[Suspect(column=text, score=0.99)]),
    )


def of_value(text: str) -> Report:
    matrix = Confusion(classes=[text] * 2, threshold=0.5, counts=[[1, 2], [3, 4]])
    moved = Moved(row=text, label=text, base=0.1, candidate=0.2)
    return msgspec.structs.replace(
        in_slice(text, value=text),
        calibration=Calibration(base_error=0.1, candidate_error=0.1, base=matrix, candidate=matrix),
        flips=Flips(rows=9, right_to_wrong=1, wrong_to_right=1, moved=[moved]),
    )


def of_chart(text: str) -> Report:
    points = [Point(x=0.1, y=0.2), Point(x=0.2, y=0.3)]
    return make_report(curves=[Curve(title=text, x=text, y=text, base=points, candidate=points)])


PLACES: dict[str, Callable[[str], Report]] = {
    "a column": of_column,
    "a category": of_value,
    "a sensitive column": fair,
    "a metric": lambda text: make_report(primary=text, metrics=[metric_row(text), metric_row(text, matters=None)]),
    "a gate": lambda text: make_report(gates=[GateRow(gate=text, state="failed", text=text)]),
    "the reason of an override": lambda text: make_report(gates=[GateRow(gate="f1", state="overridden", text=text)]),
    "why nothing can be told": lambda text: make_report(
        reason=text, metrics=[metric_row(difference=None, reason=text)]
    ),
    "a file": lambda text: make_report(code=[text], protected=[text]),
    "a parameter": lambda text: make_report(params=[Change(name=text, base=text, candidate=text)]),
    "the rows": lambda text: make_report(data=[Change(name="rows", base=text, candidate=text)]),
    "a note": lambda text: make_report(notes=[text]),
    "a chart": of_chart,
    "the group": lambda text: make_report(judged=msgspec.structs.replace(make_report().judged, group=text)),
    "the branch": lambda _: make_report(),
}


MARKDOWN = MarkdownIt("gfm-like", {"linkify": False, "html": True})
BETWEEN_TAGS = re.compile(r"(?<=>)[^<]+(?=<)")


def posted(place: str, text: str) -> str:
    """Give the comment's text with a text in one place."""
    branch = text if place == "the branch" else "main"
    pull = Event(
        number=7, head="e" * 40, head_repository=text, base="b" * 40, base_branch=branch, fork=True, author=text
    )
    return comment.render(PLACES[place](text), pull)


def form(body: str) -> list[str]:
    """Give what Markdown makes of a text, without the words: blocks, rows, cells, code, emphasis, links, HTML."""
    found = []
    for token in MARKDOWN.parse(body):
        found.append(token.type if token.type != "html_block" else BETWEEN_TAGS.sub(" ", token.content))
        found += [child.type for child in token.children or () if not child.type.startswith("text")]
    return found


def prose(body: str) -> str:
    """Give what a forge looks for mentions and addresses in: all but code."""
    found = [token.content for token in MARKDOWN.parse(body) if token.type == "html_block"]
    found += [
        child.content
        for token in MARKDOWN.parse(body)
        for child in token.children or ()
        if child.type not in ("code_inline", "html_inline")
    ]
    return "\n".join(found)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("poison", POISONS)
def test_a_text_is_shown_and_does_nothing(poison: str, place: str) -> None:
    body, usual = posted(place, POISONS[poison]), posted(place, HARMLESS)

    assert form(body) == form(usual)
    assert not re.search(r"@\w|#\d|GH-\d|://\w|www\.\w", prose(body))
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", body)
    assert looks.read(body) == looks.read(usual)
    assert body.count(comment.MARKER) == 0
    assert len(mermaid.fenced(body)) == len(mermaid.fenced(usual))
    for chart, right in zip(mermaid.fenced(body), mermaid.fenced(usual), strict=True):
        assert (chart.count("\n"), chart.count('"'), chart.count("%%")) == (right.count("\n"), right.count('"'), 2)
