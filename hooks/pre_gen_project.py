"""Refuse bad answers in one sentence each, before anything is written."""

import re
import sys
from urllib.parse import unquote

# An answer is text, whatever it holds: encoded, it cannot end the string that it is written into.
PROJECT = unquote("<< cookiecutter.project | urlencode >>")
OWNER = unquote("<< cookiecutter.owner | urlencode >>")
DESCRIPTION = unquote("<< cookiecutter.description | urlencode >>")

RULES = (
    (
        re.fullmatch(r"[a-z][a-z0-9-]{1,30}[a-z0-9]", PROJECT) is not None,
        f"project: {PROJECT!r} must start with a letter, end with a letter or digit, and hold 3 to 32 of a-z, 0-9 and '-'.",
    ),
    (
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?", OWNER) is not None,
        f"owner: {OWNER!r} must be a GitHub user, or organisation/team.",
    ),
    (
        DESCRIPTION.strip() != "" and not re.search(r'["\\\n]', DESCRIPTION),
        "description: must be one sentence without double quotes and backslashes.",
    ),
)

refusals = [sentence for passed, sentence in RULES if not passed]
if refusals:
    sys.exit("\n".join(refusals))
