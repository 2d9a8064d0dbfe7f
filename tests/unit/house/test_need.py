"""Programs that this machine lacks: fetched only with the pinned hash, else missed in one sentence."""

import hashlib
import io
import platform
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import need

SCRIPT = "#!/bin/sh\necho v1\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A release as its maker offers it: a zip file that holds the program."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("rare-tool", SCRIPT)
    path = tmp_path / "rare-tool_linux_amd64.zip"
    path.write_bytes(content.getvalue())
    return path


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pin the archive under a hash, on a machine that has nothing."""
    monkeypatch.setattr(need, "BIN", tmp_path / "bin")
    monkeypatch.setattr(need, "GO", tmp_path / "go")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    def pinned(sha256: str) -> None:
        tool = need.Fetched(f"file://{tmp_path}/rare-tool_{{}}.zip", {"linux_amd64": sha256})
        monkeypatch.setitem(need.TOOLS, "rare-tool", tool)

    return pinned


def test_a_pinned_release_is_fetched_once(archive: Path, pin: Callable[[str], None]) -> None:
    pin(hashlib.sha256(archive.read_bytes()).hexdigest())

    program = need.find("rare-tool")

    assert program.read_text() == SCRIPT
    archive.unlink()
    assert need.find("rare-tool") == program


@pytest.mark.usefixtures("archive")
def test_a_release_with_another_hash_is_refused(pin: Callable[[str], None], tmp_path: Path) -> None:
    pin(hashlib.sha256(b"what was pinned").hexdigest())

    with pytest.raises(need.Missing, match="which is not the pinned one"):
        need.find("rare-tool")
    assert not list((tmp_path / "bin").iterdir())


@pytest.mark.usefixtures("pin")
def test_says_in_one_sentence_what_cannot_be_had() -> None:
    with pytest.raises(need.Missing, match=r"^no-such-tool is not on the PATH$"):
        need.find("no-such-tool")
    with pytest.raises(
        need.Missing, match=r"^there is neither Go to build act v[\d.]+ with nor uv to install Go with$"
    ):
        need.find("act")


@pytest.mark.usefixtures("pin")
def test_without_go_the_locked_one_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "compiler").write_text('#!/bin/sh\necho "$*" > "$GOBIN/act"\n')
    install = f"/bin/mkdir -p {need.GO}/bin && /bin/cp {programs}/compiler {need.GO}/bin/go"
    (programs / "uv").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/said\n{install}\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))

    program = need.find("act")

    assert program.read_text().startswith("install github.com/nektos/act@v")
    installed = (tmp_path / "said").read_text().splitlines()[-1]
    assert "--require-hashes" in installed
    assert installed.endswith("requirements/go.txt")


def test_a_release_that_does_not_answer_is_missing(pin: Callable[[str], None]) -> None:
    pin("0" * 64)

    with pytest.raises(need.Missing, match="cannot be fetched"):
        need.find("rare-tool")
