"""What this workflow run is about, from the file that the forge's runner wrote: never from the pull request's code."""

import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ForgeTrouble


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The pull request that started this run; `head` and `base` are commits."""

    number: int
    head: str
    head_repository: str | None
    base: str
    base_branch: str
    fork: bool
    author: str


def pull_request() -> Event | None:
    """Give the pull request of this run, or None outside a run of one.

    Raises:
        ForgeTrouble: the event file is there but holds no whole pull request.
    """
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        return None
    try:
        found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        if "pull_request" not in found:
            return None
        pull = found["pull_request"]
        head, base = pull["head"], pull["base"]
        source = (head.get("repo") or {}).get("full_name")
        return Event(
            number=int(pull["number"]),
            head=head["sha"],
            head_repository=source,
            base=base["sha"],
            base_branch=base["ref"],
            fork=source != base["repo"]["full_name"],
            author=pull["user"]["login"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ForgeTrouble(
            f"the event of this run ({path}) holds no readable pull request: {error}",
            "Run this verb in a workflow that pull_request starts.",
        ) from error


def number() -> int | None:
    """Give the number of the pull request that this run is of, also in a merge queue; None outside of both.

    Raises:
        ForgeTrouble: see `pull_request`.
    """
    if found := pull_request():
        return found.number
    try:
        told = json.loads(Path(os.environ.get("GITHUB_EVENT_PATH", "")).read_text(encoding="utf-8"))
        queued = re.search(r"/pr-(\d+)-[0-9a-f]+$", told["merge_group"]["head_ref"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return int(queued[1]) if queued else None


def tell(**values: str) -> None:
    """Tell the later steps of this workflow run, as step outputs; nothing outside of one."""
    if target := os.environ.get("GITHUB_OUTPUT"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())


def summarise(text: str) -> None:
    """Append Markdown to the summary of this workflow run's job; nothing outside of one."""
    if target := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
