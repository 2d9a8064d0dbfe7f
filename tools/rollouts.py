"""`make bench-deploy`: promotions and rollbacks of the demo's production under steady requests; exits with 1 when a limit
is broken.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from tools import demo, story
from tools.play import LOG, PROJECT, Play
from tools.traffic import Traffic

ROUNDS = 10
GOAL_SECONDS = {"local": 20, "docker": 40}
STRATEGIES = {"local": ("blue_green",), "docker": ("blue_green", "rolling")}
"""The local target has one way to switch."""

console = Console(highlight=False)


@dataclass
class Kind:
    """All rollouts in one direction; `plans` are those after which Terraform would change something."""

    name: str
    limit: float
    seconds: list[float] = field(default_factory=list)
    plans: int = 0
    differing: int = 0

    @property
    def broken(self) -> bool:
        """Whether one was slow, or left something that does not agree with git."""
        return bool(self.plans or self.differing) or max(self.seconds) > self.limit


def main(arguments: Sequence[str]) -> None:
    """Play the demo, then move its production back and forth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=list(STRATEGIES), default="local", help="how production runs")
    parser.add_argument("--gateway", help="of docker: the id of an image of HAProxy that the engine has")
    given = parser.parse_args(arguments)
    demo.play(given.target, given.gateway)
    kinds: list[Kind] = []
    try:
        back, forth = releases()
        with Traffic(demo.PORTS["production"], [back], [story.FLIGHT]) as traffic:
            for strategy in STRATEGIES[given.target]:
                choose(strategy)
                kinds += moved(f"{given.target}, {strategy}", GOAL_SECONDS[given.target], traffic, back, forth)
    finally:
        demo.down()
    console.print(drawn(kinds, traffic))
    sys.exit(bool(traffic.lost or traffic.wrong or any(kind.broken for kind in kinds)))


def moved(name: str, limit: float, traffic: Traffic, back: str, forth: str) -> list[Kind]:
    """Promote and roll back in turn; give both kinds."""
    promotion, rollback = Kind(f"{name}: promotion", limit), Kind(f"{name}: rollback", limit)
    for number in range(ROUNDS):
        console.print(f"{name}, round {number + 1} of {ROUNDS}", style="dim")
        roll(promotion, traffic, forth, "promote", "production", "--release", forth)
        roll(rollback, traffic, back, "rollback", "production", "--reason", "a benchmark")
    return [promotion, rollback]


def choose(strategy: str) -> None:
    """Let production replace its servers in this way."""
    path = PROJECT / "infra/environments/production/terraform.tfvars"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("strategy")]
    path.write_text("\n".join([*lines, f'strategy = "{strategy}"', ""]), encoding="utf-8")
    play = Play(LOG)
    play.do("git", "commit", "--quiet", "--message", f"Replace servers {strategy}", "--", str(path))


def releases() -> tuple[str, str]:
    """Give the release that production is pinned to, and the one that it had before."""
    moves = [move for move in json.loads(model("ledger", "production", "--json"))["moves"] if move["release"]]
    here = str(moves[0]["release"])
    return here, next(str(move["release"]) for move in moves if move["release"] != here)


def roll(kind: Kind, traffic: Traffic, expected: str, *move: str) -> None:
    """Move the pin by a commit, deploy it, and look whether anything is left to do."""
    model(*move)
    traffic.right |= {expected}
    begun = time.monotonic()
    model("deploy", "production")
    kind.seconds.append(time.monotonic() - begun)
    traffic.right = frozenset({expected})
    kind.plans += bool(json.loads(model("plan", "production", "--json"))["actions"])
    found = {one["name"]: one for one in json.loads(model("status", "--json"))["environments"]}["production"]
    kind.differing += (found["word"], found["running"]) != ("running", expected)


def model(*arguments: str) -> str:
    """Run the project's command; its failure ends the benchmark with what it said."""
    done = subprocess.run(
        ["model", *arguments], cwd=PROJECT, env=Play(LOG).env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"model {' '.join(arguments)} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done.stdout


def drawn(kinds: Sequence[Kind], traffic: Traffic) -> Table:
    """Draw the table."""
    table = Table("target, strategy", "rollouts", "median", "longest", "limit", "plan not empty", "status differs")
    for kind in kinds:
        median, longest = f"{statistics.median(kind.seconds):.1f} s", f"{max(kind.seconds):.1f} s"
        table.add_row(
            kind.name,
            str(len(kind.seconds)),
            median,
            longest,
            f"{kind.limit:g} s",
            str(kind.plans),
            str(kind.differing),
        )
    table.title = "From the pin's commit to deployed and tested"
    table.caption = (
        f"{traffic.answered:,} requests, {len(traffic.lost)} lost, {len(traffic.wrong)} of a wrong version; "
        "after each rollout an empty plan and an agreeing status"
    )
    return table


if __name__ == "__main__":
    main(sys.argv[1:])
