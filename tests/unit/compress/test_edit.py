"""params.yaml with other numbers and every other character as it was."""

from pathlib import Path

import pytest

from mergeline.compress import edit
from mergeline.errors import BadSettings
from tests.unit.stages.conftest import TEMPLATE


def test_the_numbers_alone_change_in_the_template_s_own_file(tmp_path: Path) -> None:
    before = (TEMPLATE / "params.yaml").read_bytes()
    (tmp_path / "params.yaml").write_bytes(before)

    edit.write(tmp_path, {"iterations": 12, "max_leaf_nodes": 7})

    wanted = before.replace(b"iterations: 100", b"iterations: 12").replace(b"max_leaf_nodes: 31", b"max_leaf_nodes: 7")
    assert wanted != before
    assert (tmp_path / "params.yaml").read_bytes() == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model: {iterations:   100, a: 100} # 100\n", "model: {iterations:   50, a: 100} # 100\n"),
        ("# größer\r\nmodel:\r\n  iterations: 100  # viele\r\n", "# größer\r\nmodel:\r\n  iterations: 50  # viele\r\n"),
        ("iterations: 100\nmodel:\n  'iterations': 100\n", "iterations: 100\nmodel:\n  'iterations': 50\n"),
    ],
    ids=["in one line", "other letters and line ends", "a key of the same name elsewhere"],
)
def test_layout_and_comments_stay(before: str, after: str) -> None:
    assert edit.changed(before, {"iterations": 50}) == after


@pytest.mark.parametrize(
    "text",
    [
        "a: &n 100\nmodel: {iterations: *n}\n",
        "a: &m {iterations: 100}\nmodel: *m\n",
        "a: &m {iterations: 100}\nmodel:\n  <<: *m\n",
        "model: {iterations: &n 100}\n",
    ],
    ids=["alias", "alias of the section", "merged", "anchor"],
)
def test_a_number_that_others_share_is_left_to_a_person(text: str) -> None:
    with pytest.raises(BadSettings, match=r"model\.iterations .*by hand"):
        edit.changed(text, {"iterations": 50})
