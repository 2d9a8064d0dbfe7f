"""The parser that forges draw Mermaid charts with: the packages of npm, had once, at pinned versions, into .cache/npm."""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .need import HERE, Missing, find

PACKAGES = {"mermaid": "11.17.2", "jsdom": "29.1.1"}
FOLDER = HERE / ".cache" / "npm" / "-".join(f"{name}-{version}" for name, version in PACKAGES.items())
HASTY = ("--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000")
"""How long a machine without network waits."""
FENCED = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAM = """
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
const found = [];
for (const chart of JSON.parse(readFileSync(0, "utf8")))
  found.push(await mermaid.parse(chart).then(({ diagramType, config }) => ({ kind: diagramType, config }),
                                             (error) => ({ problem: error.message })));
process.stdout.write(JSON.stringify(found));
"""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What Mermaid makes of a chart: its kind and its own settings, or why it is none."""

    kind: str | None = None
    config: dict[str, Any] | None = None
    problem: str | None = None


def fenced(text: str) -> list[str]:
    """Give the charts of a Markdown text."""
    return FENCED.findall(text)


def parse(charts: Sequence[str]) -> list[Parsed]:
    """Let Mermaid itself read charts. Raises Missing where Node or the packages cannot be had."""
    done = subprocess.run(
        [find("node"), "--input-type=module", "--eval", PROGRAM],
        cwd=packages(),
        input=json.dumps(list(charts)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"mermaid {PACKAGES['mermaid']} cannot be run: {' '.join(done.stderr.split())[-300:]}")
    return [Parsed(**one) for one in json.loads(done.stdout)]


def packages() -> Path:
    """Give a folder below which the packages are, installed now if they were not, their scripts not run. Raises Missing."""
    modules = FOLDER / "node_modules"
    if modules.is_dir():
        return FOLDER
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as part:
        wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
        quiet = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", *HASTY]
        install = [str(find("npm")), "install", "--prefix", part, *quiet, *wanted]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"npm could not install mermaid: {' '.join(done.stderr.split())[:300]}")
        with suppress(OSError):  # another run was faster
            (Path(part) / "node_modules").rename(modules)
    return FOLDER
