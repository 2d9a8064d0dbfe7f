"""What a deployment would change, as a pull request shows it; read from a file that a pull request's run wrote, too."""

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from rich.markdown import Markdown

from .manifest import short
from .terraform import Action

Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Meta(pattern=r"^[\w .@:-]{1,80}( [-+][0-9.]{1,20})?( \[[-0-9., ]{1,40}\])?$")]
Count = Annotated[int, Meta(ge=0, le=10_000)]


class Replicas(msgspec.Struct, frozen=True):
    """How many servers run, at least and at most."""

    min: Count
    max: Count


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment asks for: servers at least and at most, processors and MB of memory of each."""

    replicas: Replicas
    cpu: Annotated[float, Meta(gt=0, le=10_000)]
    memory_mb: Annotated[float, Meta(gt=0, le=100_000_000)]

    def words(self) -> str:
        """Say it in all, e.g. "2 servers, 2 cores and 1,024 MB in all"."""
        least, most = self.replicas.min, self.replicas.max
        servers, cores = _range(least, most), _range(least * self.cpu, most * self.cpu)
        memory = _range(least * self.memory_mb, most * self.memory_mb)
        return (
            f"{servers} server{'s' if most > 1 else ''}, {cores} core{'s' if most * self.cpu > 1 else ''} "
            f"and {memory} MB in all"
        )


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment would change; equal changes have equal digests. A wrong digest cannot be decoded."""

    environment: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,15}$")]
    running: Id | None
    pinned: Id | None
    verdict: Words | None
    actions: list[Action]
    size_before: Size | None
    size: Size | None
    digest: str = ""

    def __post_init__(self) -> None:
        """Make the digest where it is not given. Raises ValueError where it is another one."""
        found = hashlib.sha256(msgspec.json.encode([self.running, self.pinned, self.size, self.actions])).hexdigest()
        if self.digest not in ("", found):
            raise ValueError("the digest is not that of the plan")
        msgspec.structs.force_setattr(self, "digest", found)

    def markdown(self) -> str:
        """Give it for a comment and for the terminal."""
        lines = [f"### Plan for {self.environment}", ""]
        if self.running == self.pinned:
            lines.append(f"The release stays {short(self.pinned)}.")
        else:
            lines.append(f"Release {short(self.running)} → {short(self.pinned)}")
            if self.verdict:
                lines[-1] += f" ({self.verdict})"
        lines += ["", *(f"- {a.action} `{a.address}`" for a in self.actions)]
        lines += [] if self.actions else ["Nothing changes."]
        lines += ["", self._sizes()] if self.size else []
        return "\n".join([*lines, "", f"Digest `{self.digest[:16]}`"])

    def table(self) -> Any:
        """Draw it."""
        return Markdown(self.markdown())

    def _sizes(self) -> str:
        after = self.size.words() if self.size else "nothing"
        if self.size_before is None:
            return f"It will ask for {after}."
        if self.size_before == self.size:
            return f"It asks for {after}, as before."
        return f"It asks for {self.size_before.words()}, and will ask for {after}."


def size(outputs: dict[str, Any]) -> Size | None:
    """Give what Terraform's outputs say; None where nothing was applied, or by a root that said no size."""
    try:
        return msgspec.convert(outputs.get("size"), Size)
    except msgspec.ValidationError:
        return None


def _range(least: float, most: float) -> str:
    return f"{least:,.10g}" if least == most else f"{least:,.10g} to {most:,.10g}"
