"""Which tests run with none beside them."""

import subprocess
import sys

import pytest

from tests import scheduling
from tools.bake import TEMPLATE


@pytest.mark.parametrize("path", [path for paths in scheduling.SHARED.values() for path in paths])
def test_what_shares_a_thing_of_the_machine_is_there(path: str) -> None:
    assert (TEMPLATE / path).exists()


@pytest.mark.slow
def test_what_shares_a_thing_of_the_machine_is_left_out_where_tests_run_side_by_side() -> None:
    files = ("tests/unit/house/test_cluster.py", "tests/unit/house/test_need.py")

    def collected(expression: str) -> set[str]:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", expression, *files]
        said = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=False).stdout
        return {line.partition(":")[0] for line in said.splitlines() if line.startswith("tests/")}

    assert collected("alone") == {files[0]}
    assert collected("not alone") == {files[1]}
