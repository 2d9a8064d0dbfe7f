"""src/model/source.py reads your files, or says in one line why not."""

from pathlib import Path

import polars as pl
import pytest

from model.source import rows


def ask(path: Path) -> pl.DataFrame:
    return rows({"source": "files", "path": str(path), "as_of": None})


def test_reads_a_file_and_a_folder_alike(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,value\na,1\nb,2\n")

    assert ask(tmp_path).equals(ask(tmp_path / "rows.csv"))


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty"), ("id,value\na,1\nb", "line 3: 1 fields, the header has 2")]
)
def test_refuses_an_empty_and_a_half_file(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)

    with pytest.raises(ValueError, match=said):
        ask(path)
