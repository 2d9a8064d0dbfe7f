"""Which tests never run beside each other."""

import re
import subprocess
import sys

import pytest

from tests import scheduling
from tools.bake import TEMPLATE

PATHS = [(kind, path) for kind, paths in scheduling.SHARED.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), PATHS)
def test_what_shares_a_thing_of_the_machine_is_there_and_in_its_group(kind: str, path: str) -> None:
    assert (TEMPLATE / path).exists()
    assert scheduling.group(f"{path}test_some.py::test_one[tests/image/]") == kind


def test_what_is_shared_begins_before_the_rest() -> None:
    turns = [scheduling.turn(f"{path}test_some.py::test_one") for _, path in PATHS]

    assert turns == sorted(turns)
    assert max(turns) < scheduling.turn("tests/unit/test_bundle.py::test_one")


@pytest.mark.slow
def test_the_tests_of_a_group_run_in_one_process() -> None:
    files = ("tests/unit/test_columns.py", "tests/unit/test_events.py", "tests/unit/house/test_need.py")
    command = [sys.executable, "-m", "pytest", "-vv", "--numprocesses", "2", "-p", "no:cacheprovider", *files]

    said = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout

    ran = set(re.findall(r"^\[(gw\d)\].* PASSED (\S+?)::", said, re.MULTILINE))
    assert sorted(file for _, file in ran) == sorted(files)
    assert {process for process, _ in ran} == {"gw0", "gw1"}
