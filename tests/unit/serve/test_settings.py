"""What the environment may tell a server, and what is refused."""

from pathlib import Path

import pytest

from mergeline.errors import BadSettings, Usage
from mergeline.serve import command, settings, tokens
from mergeline.serve.settings import Settings


def test_a_server_that_is_told_nothing_asks_for_no_token() -> None:
    assert settings.read({}) == Settings()


def test_hashes_come_from_the_variable_and_from_the_file(tmp_path: Path) -> None:
    hashes = [tokens.new()[1] for _ in range(3)]
    file = tmp_path / "hashes"
    file.write_text(f"# since autumn\n{hashes[2]} # the new one\n\n")

    found = settings.read(
        {"MERGELINE_TOKEN_HASHES": f"{hashes[0]} {hashes[1]}", "MERGELINE_TOKEN_HASHES_FILE": str(file)}
    )

    assert found.token_hashes == frozenset(map(bytes.fromhex, hashes))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MERGELINE_TOKEN_HASHES", "correct horse", "'correct'... is no sha256"),
        ("MERGELINE_TOKEN_HASHES_FILE", "/nowhere/hashes", "cannot be read"),
        ("MERGELINE_OPEN", "yes", "Set one of: 0, 1"),
        ("MERGELINE_CLOSED", "/metrics /predict", "'/predict' cannot be closed"),
        ("MERGELINE_CONCURRENCY", "many", "whole number"),
        ("MERGELINE_CONCURRENCY", "0", "whole number"),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_variable(name: str, value: str, said: str) -> None:
    with pytest.raises(BadSettings, match=f"{name}.*{said}"):
        settings.read({name: value})


def test_a_wrong_hash_is_not_repeated_whole_for_it_may_be_the_token() -> None:
    with pytest.raises(BadSettings) as refused:
        settings.read({"MERGELINE_TOKEN_HASHES": "a-token-that-somebody-took-for-its-hash"})

    assert "took-for" not in str(refused.value)


def test_a_server_that_others_reach_is_refused_without_a_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MERGELINE_OPEN", raising=False)

    with pytest.raises(Usage, match=r"ask them for no token.*model token.*--open"):
        command.run(folder, host="0.0.0.0", port=0, expect=None, is_open=False)  # noqa: S104 - it does not come to it
