"""The real worker under the real supervisor, as Terraform starts and switches them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.serve.load import Load
from tests.unit.serve.made import export
from tests.unit.serve.supervised import Local


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    local = Local(tmp_path / "state")
    local.call("start", "--port", str(local.port))
    yield local
    local.call("stop")


@pytest.mark.slow
def test_forth_and_back_under_load_fails_no_request(local: Local, folder: Path, tmp_path: Path) -> None:
    first, second = "1" * 64, "2" * 64
    other = export(tmp_path / "other", name="other", depth=2)
    local.switch(first, folder)

    with Load(local.port) as load:
        time.sleep(0.5)
        local.switch(second, other)
        time.sleep(0.5)
        local.switch(first, folder)
        time.sleep(0.5)

    assert load.failures == []
    assert load.releases[first] > 50
    assert load.releases[second] > 50
