"""The whole comment in every situation, as files to be read: `SNAPSHOTS=write` writes them anew, and git shows what moved."""

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.tools import without
from tests.unit.compare.checkouts import masked, said
from tests.unit.compare.situations import SITUATIONS
from tools import mermaid
from tools.need import Missing

pytestmark = pytest.mark.slow

DECIMAL = re.compile(r"\d+\.\d+")
FOLDER = Path(__file__).parent / "comments"


def path(name: str) -> Path:
    return FOLDER / f"{name.replace(',', '').replace(' ', '-')}.md"


def alike(found: str, kept: str) -> bool:
    """Say whether two texts are equal, but for the last digit of decimals: processors add up in other orders."""
    pairs = list(zip(DECIMAL.findall(found), DECIMAL.findall(kept), strict=False))
    near = all(abs(Decimal(one) - Decimal(other)) <= Decimal(1).scaleb(-places(one, other)) for one, other in pairs)
    return near and DECIMAL.sub("0.0", found) == DECIMAL.sub("0.0", kept)


def places(*numbers: str) -> int:
    """Give how many decimals the coarser of numbers has."""
    return min(len(number.partition(".")[2]) for number in numbers)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_comment_is_the_one_that_was_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = masked(said(SITUATIONS[name], tmp_path, monkeypatch))

    kept = path(name).read_text(encoding="utf-8") if path(name).is_file() else ""
    if os.environ.get("SNAPSHOTS") == "write" and not alike(found, kept):
        path(name).write_text(found, encoding="utf-8")
        kept = found
    if not alike(found, kept):
        assert found == kept
    code = SITUATIONS[name].code
    assert found.startswith(f"`model compare` exits with {code}")


def test_every_file_is_of_a_situation() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {path(name).name for name in SITUATIONS}


def test_mermaid_reads_every_chart_of_these_comments() -> None:
    charts = [chart for file in sorted(FOLDER.iterdir()) for chart in mermaid.fenced(file.read_text(encoding="utf-8"))]
    try:
        found = mermaid.parse(charts)
    except Missing as missing:
        without(str(missing))

    assert len(found) > len(SITUATIONS)
    assert [one.problem for one in found if one.kind != "xychart"] == []


@pytest.mark.parametrize(
    ("kept", "same"),
    [
        ("0.712, 3 rows", True),
        ("0.713, 3 rows", True),
        ("0.71, 3 rows", True),
        ("0.714, 3 rows", False),
        ("0.712, 4 rows", False),
        ("-0.712, 3 rows", False),
        ("0.712, 3 rows: 0.1", False),
    ],
)
def test_only_the_last_digit_of_a_decimal_may_differ(kept: str, same: bool) -> None:
    assert alike("0.712, 3 rows", kept) is same
