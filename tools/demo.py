"""`make demo`: a model project is born, judged, released, promoted and rolled back, on this machine and for real.

Every step is a command that a person can type in the generated project; what it printed is in `demo.log`.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence

from rich.table import Table

from tools import left, story
from tools.bake import bake
from tools.caller import Caller
from tools.need import Missing, find
from tools.play import HERE, HOME, LOG, PROJECT, Failed, Judged, Play, console

PORTS = {"staging": 8101, "production": 8102}
PROGRAMS = {"local": ("git", "terraform"), "docker": ("git", "terraform", "docker")}
"""What each target needs on the PATH."""
TOOL_MISSING = 10  # as the generated project's errors.py has it


def play(target: str = "local", gateway: str | None = None) -> dict[str, float]:
    """Tell the whole story, (a) to (e); give the seconds that each part took.

    Args:
        target: how staging and production run: local or docker.
        gateway: of docker: the id of an image of HAProxy that the engine has; None takes the one that the module pins.
    """
    started = time.monotonic()
    for program in PROGRAMS[target]:
        find(program)
    down()
    ports_are_free()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    acting = Play(LOG, target)

    acting.chapter("a", "A project is born, main is trained, and its first release runs in staging and production.")
    bake(HOME, {"project": PROJECT.name, "owner": "ada", "target": target})
    if gateway:
        choose_gateway(gateway)
    console.print(f"  [green]✓[/] cookiecutter  [dim]{PROJECT}[/]")
    acting.do("git", "init", "--quiet", "--initial-branch", "main")
    acting.do("git", "add", "--all")
    acting.do("git", "commit", "--quiet", "--message", "Generate from the template")
    acting.do("make", "setup")
    acting.do("make", "train")
    acting.release(production=True)
    first = running()

    acting.chapter("b", "A pull request adds the weather to the features: trained to May, judged on June.")
    with Caller(PORTS["production"]) as caller:
        shows_better(acting.pull_request("weather", story.WEATHER))
        acting.merge("weather")
        acting.do("make", "train", note="nothing runs again: the reviewed model is the release")
        acting.release(production=True)
        second = running()

        acting.chapter("c", "A pull request makes the model worse: the gate stops it.")
        stopped_by_the_gate(acting.pull_request("worse", story.WORSE, expect=3))

        acting.chapter("d", "A month of new data and smaller steps in one pull request: which of them did what?")
        names_the_new_data(acting.pull_request("july", story.JULY, attribute=True))
        acting.merge("july")
        acting.do("make", "train", note="nothing runs again: the reviewed model is the release")
        acting.release(production=False)

        acting.chapter("e", "Production is rolled back by a commit, while it answers.")
        acting.do("model", "rollback", "production", "--reason", "The demo shows how.")
        acting.do("model", "deploy", "production")
        third = running()
    check(first, second, third, caller)
    ending(acting, caller, time.monotonic() - started)
    return acting.times


def choose_gateway(image: str) -> None:
    """Let the environments take this image of HAProxy."""
    for environment in PORTS:
        file = PROJECT / "infra/environments" / environment / "target.tf"
        head, module, inputs = file.read_text(encoding="utf-8").rpartition("  name         = var.name\n")
        file.write_text(f'{head}  gateway_image = "{image}"\n\n{module}{inputs}', encoding="utf-8")


def running() -> str:
    """Give the release id that production answers."""
    return Caller(PORTS["production"]).version()


def shows_better(judged: Judged) -> None:
    """Stop with a sentence when the weather did not help."""
    if judged.verdict != "better":
        raise Failed(f"The weather's pull request was judged {judged.verdict!r}, and should be 'better'.")


def stopped_by_the_gate(judged: Judged) -> None:
    """Stop with a sentence when something else than not_worse stopped the worse model (`do` asks for exit code 3)."""
    if judged.verdict != "worse" or not any(gate.endswith(".not_worse") for gate in judged.failed):
        failed = ", ".join(judged.failed) or "no gate"
        raise Failed(f"The worse model was judged {judged.verdict!r} and failed {failed}: it should fail not_worse.")


def names_the_new_data(judged: Judged) -> None:
    """Stop with a sentence when a reader of the comment cannot see that the data moved, and what that did."""
    if "data.as_of" not in judged.comment:
        raise Failed("The comment on the new data does not name data.as_of, which is what changed.")
    if not (judged.report["attribution"] or {}).get("rows"):
        raise Failed("The comment on the new data does not say what data and what code did to the difference.")


def check(first: str, second: str, third: str, caller: Caller) -> None:
    """Stop with a sentence when what was served is not what the story says."""
    if second == first or third != first:
        raise Failed(
            f"Production answered {first[:12]}, {second[:12]}, {third[:12]}: the last should be the first again."
        )
    if caller.failed:
        raise Failed(f"{caller.failed} of {caller.answered + caller.failed} requests failed: {caller.last_error}")


def ending(acting: Play, caller: Caller, seconds: float) -> None:
    """Show what runs where and what to try next."""
    console.print()
    console.print(acting.do("model", "status"), markup=False)
    times = Table(title="Wall time", title_justify="left", show_header=False)
    for part, spent in acting.times.items():
        times.add_row(f"({part})", f"{spent:.0f} s")
    times.add_row("all", f"{seconds:.0f} s")
    console.print(times)
    console.print(
        f"{caller.answered} requests to production while releases moved, {caller.failed} failed.\n"
        f"The HTML report of the last pull request: {PROJECT / 'report' / 'report.html'}\n\n"
        "Try next:\n"
        f"  cd {PROJECT}\n"
        f"  export PATH=$PWD/.venv/bin:$PATH MERGELINE_STATE={HOME / 'state'}\n"
        "  make                    the verbs of the project\n"
        "  model ledger            who moved which pin when, and why\n"
        "  curl localhost:8102/version\n"
        f"and `make demo-down` in {HERE} stops everything.",
        markup=False,
    )


def down() -> None:
    """Destroy every environment that an earlier demo left running; stop with a sentence when something stays."""
    played = (PROJECT / ".venv" / "bin" / "model").exists()
    for environment in PORTS if played else ():
        Play(LOG).do("model", "deploy", environment, "--destroy")
    servers = left.servers(HOME)
    if servers:
        raise Failed(f"The demo's servers should be gone, and these still run: {'; '.join(servers)}")
    if played:
        ports_are_free()


def ports_are_free() -> None:
    """Stop with a sentence where another program has a port that the demo's environments need."""
    for port in PORTS.values():
        if left.taken(port):
            raise Failed(f"Port {port} is taken by a program that is not the demo's: stop it, and try again.")


def main(arguments: Sequence[str]) -> None:
    """Play the story, or stop what it left running. Exits with 10 where a program cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["play", "down"])
    parser.add_argument("--target", choices=list(PROGRAMS), default="local", help="how staging and production run")
    parser.add_argument("--gateway", help="of docker: the id of an image of HAProxy that the engine has")
    given = parser.parse_args(arguments)
    try:
        if given.what == "play":
            play(given.target, given.gateway)
        else:
            down()
            console.print("Nothing of the demo is running.")
    except Missing as missing:
        sys.stderr.write(f"The demo cannot be played: {missing}.\n")
        sys.exit(TOOL_MISSING)


if __name__ == "__main__":
    main(sys.argv[1:])
