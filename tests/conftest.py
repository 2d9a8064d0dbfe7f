"""What all tests share: nothing of this machine's forge, state or tracking server reaches them."""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer

from tests.scheduling import ByGroup, turn
from tools.bake import TEMPLATE

LEAKS = ("CI", "GH_TOKEN", "GITHUB_", "MERGELINE_", "MLFLOW_TRACKING_URI", "RUNNER_")


def pytest_configure() -> None:
    """Forget them before any fixture, those of a session included, looks."""
    for name in [name for name in os.environ if name.startswith(LEAKS)]:
        del os.environ[name]
    # What mypy learned about the packages serves every project that a test generates: half a minute each.
    os.environ["MYPY_CACHE_DIR"] = str(TEMPLATE / ".cache" / "types")


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "state"))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.test")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run fast tests first: what is broken shows in a minute."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is not None, turn(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    """Part the tests among processes."""
    return ByGroup(config, log)
