"""One generated project per choice, made once."""

from pathlib import Path

import pytest

from tools.bake import bake

from .choices import all_choices, name


@pytest.fixture(scope="session", params=list(all_choices()), ids=name)
def choice(request: pytest.FixtureRequest) -> dict[str, str]:
    """One combination of answers."""
    answers: dict[str, str] = request.param
    return answers


@pytest.fixture(scope="session")
def generated(choice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that these answers make; nobody writes to it."""
    return bake(tmp_path_factory.mktemp("generated"), choice)
