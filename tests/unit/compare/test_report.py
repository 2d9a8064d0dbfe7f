from pathlib import Path

import msgspec
import pytest

from mergeline.compare import report
from mergeline.compare.report import OtherSchema
from mergeline.errors import Integrity
from tests.unit.compare.conftest import make_report


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report.write(tmp_path, make_report())

    assert report.read(tmp_path / "report.json") == make_report()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": 1, "extra": true}',
        msgspec.json.encode(make_report()).replace(b'"word":"better"', b'"word":"excellent"'),
        msgspec.json.encode(make_report()).replace(b'"value":0.032', b'"value":"0.032"'),
        msgspec.json.encode(make_report()).replace(b'"name":', b'"script":1,"name":', 1),
    ],
    ids=["empty", "nothing in it", "no text", "deep", "extra key", "unknown word", "wrong type", "extra key inside"],
)
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "report.json").write_bytes(content)

    with pytest.raises(Integrity) as caught:
        report.read(tmp_path / "report.json")

    assert "\n" not in str(caught.value)


def test_an_oversized_report_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b" " * (report.LARGEST + 1))

    with pytest.raises(Integrity, match="more than"):
        report.read(tmp_path / "report.json")


def test_another_schema_number_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b'{"schema": 2, "what": "ever"}')

    with pytest.raises(OtherSchema):
        report.read(tmp_path / "report.json")


def test_an_absent_report_is_said(tmp_path: Path) -> None:
    with pytest.raises(Integrity, match=r"report\.json cannot be read"):
        report.read(tmp_path / "report.json")
