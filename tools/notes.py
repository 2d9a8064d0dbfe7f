"""Print one version's part of CHANGELOG.md: `python -m tools.notes v1.2.0`."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def notes(changelog: str, tag: str) -> str:
    """Give the text below the heading that names a tag, up to the next such heading.

    Raises:
        SystemExit: with one sentence, where there is no such heading or nothing below it.
    """
    parts = re.split(r"^## +(.*)$", changelog, flags=re.MULTILINE)[1:]
    titles = [title.split()[0] for title in parts[::2]]
    found: dict[str, str] = dict(zip(titles, parts[1::2], strict=True))
    if not found.get(tag, "").strip():
        raise SystemExit(
            f"CHANGELOG.md says nothing below '## {tag}': move there what 'Unreleased' holds, and tag again."
        )
    return found[tag].strip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(notes(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1]))
