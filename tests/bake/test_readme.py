"""What a newcomer reads can be typed: verbs, targets, files and requests of the generated pages are there."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer.main

from mergeline.cli import app
from model.schema import Row
from tests.newcomer import GENERATED, Shell, lines, section
from tests.projects import small_project
from tests.tools import need
from tools.bake import TEMPLATE

PROJECT = TEMPLATE / "<<cookiecutter.project>>"
README = PROJECT / "README.md"
PAGES = [README, *sorted(PROJECT.glob("docs/*.md"))]
COMMAND = typer.main.get_command(app)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


def typed(page: Path) -> list[list[str]]:
    """Give the words of every command `model ...` of a page, in code blocks or inline."""
    code = re.findall(r"```bash\n(.*?)```|`([^`\n]+)`", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for block, inline in code for line in (block or inline).splitlines()]
    words = [part.split() for line in lines for part in re.split(r"&&|#", line)]
    return [command[1:] for command in words if len(command) > 1 and command[0] == "model"]


@every_page
def test_every_command_of_a_page_is_one_of_the_command_line(page: Path) -> None:
    for words in typed(page):
        here = COMMAND
        while words and words[0] in getattr(here, "commands", {}):
            here, words = here.commands[words[0]], words[1:]  # type: ignore[attr-defined]
        options = {option for parameter in here.params for option in parameter.opts} | {"--help"}
        assert here is not COMMAND or set(words) <= {*options, "VERB"}, words
        assert {word for word in words if word.startswith("--")} <= options, words


@every_page
def test_every_target_of_a_page_is_one_of_the_makefile(page: Path) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))

    assert set(re.findall(r"(?:^|`|&& )make ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)) <= targets


def test_every_folder_of_the_tree_is_there() -> None:
    [tree] = re.findall(r"```\n(├.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    parents: dict[int, str] = {}
    for line in tree.splitlines():
        indent, name = re.match(r"([│├└─\s]*)(\S+)", line).groups()  # type: ignore[union-attr]
        depth = len(indent) // 4
        parents[depth] = name.rstrip("/")
        assert (PROJECT / "/".join(parents[d] for d in range(1, depth + 1))).exists(), name


def test_the_request_that_is_shown_holds_columns_of_the_schema() -> None:
    [body] = re.findall(r"-d \\\n  '(.*?)'", README.read_text(encoding="utf-8"))

    assert set(json.loads(body)) <= set(Row.to_schema().columns)


@every_page
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Shell]:
    """A terminal in a small project on a branch that is one commit ahead of main, with Terraform and free ports."""
    terraform = need("terraform")
    root = small_project(tmp_path)
    with ExitStack() as held:
        for environment in ("staging", "production"):
            free = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            values = root / "infra/environments" / environment / "terraform.tfvars"
            values.write_text(re.sub(r"port = \d+", f"port = {free.getsockname()[1]}", values.read_text()))
    shell = Shell(root, tmp_path / "home")
    if shutil.which("terraform") is None:
        (root / ".venv/bin/terraform").symlink_to(terraform)
    shell.type(GENERATED)
    yield shell
    for environment in ("staging", "production"):
        shell.type(f"model deploy {environment} --destroy")


@pytest.mark.slow
def test_a_release_is_promoted_and_rolled_back_by_the_lines_that_are_shown(laptop: Shell) -> None:
    text = section("Release, promote, roll back")
    for iterations in (30, 20):
        laptop.type("git switch --quiet --force-create tail-wind")
        laptop.type(f"sed -i 's/iterations: .*/iterations: {iterations}/' params.yaml")
        laptop.type("git add --all ':!dvc.lock' && git commit --quiet --message 'Boost' --allow-empty")
        said = "".join(laptop.type(line) for line in lines(text))
    [back] = lines(text.split("second release on")[1])
    assert "staging: version 2 of" in said
    assert "production: version 2 of" in said

    said = laptop.type(back)

    assert "staging: version 2 of" in said
    assert "production: version 1 of" in said
