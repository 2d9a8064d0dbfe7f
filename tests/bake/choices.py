"""Every choice that a person can make, read from the questions themselves."""

import json
from collections.abc import Iterator
from itertools import product

from tools.bake import TEMPLATE

QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES = {
    name: answers for name, answers in QUESTIONS.items() if isinstance(answers, list) and not name.startswith("_")
}


def all_choices() -> Iterator[dict[str, str]]:
    """Give every combination of answers to the questions that offer a list."""
    for answers in product(*CHOICES.values()):
        yield dict(zip(CHOICES, answers, strict=True))


def name(choice: dict[str, str]) -> str:
    """Name a combination as the manifest and the test ids do: regression local MIT."""
    return " ".join(choice.values())
