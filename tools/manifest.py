"""Write tests/bake/manifest.txt: the files of a project, then what single answers take away or add.

Run it after a file came or went (`python -m tools.manifest`) and review the difference.
"""

import json
import tempfile
from pathlib import Path

from tools.bake import TEMPLATE, bake

MANIFEST = TEMPLATE / "tests" / "bake" / "manifest.txt"


def files(answers: dict[str, str]) -> set[str]:
    """Generate with these answers and give the paths of all files."""
    with tempfile.TemporaryDirectory() as folder:
        project = bake(Path(folder), answers)
        return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def write() -> None:
    """Generate with the first answers, then with each other answer alone."""
    questions = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    first = files({})
    parts = ["\n".join(sorted(first))]
    for question, answers in questions.items():
        for answer in answers[1:] if isinstance(answers, list) and not question.startswith("_") else ():
            found = files({question: answer})
            if found != first:
                gone, new = sorted(first - found), sorted(found - first)
                parts.append(
                    "\n".join([f"[{answer}]", *(f"- {path}" for path in gone), *(f"+ {path}" for path in new)])
                )
    MANIFEST.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
