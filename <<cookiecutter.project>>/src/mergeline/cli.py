"""The command `model`: parses, calls, prints. Each verb imports its room when it is called."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from . import repo
from .errors import MergelineError, Usage

app = typer.Typer(
    help="Train, judge, release and serve the model of this repository.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
release_app = typer.Typer(
    help="Make or check release.json, the content-addressed record of one bundle.", no_args_is_help=True
)
app.add_typer(release_app, name="release", rich_help_panel="Release")
experiment_app = typer.Typer(help="Serve a second release beside the pinned one.", no_args_is_help=True)
app.add_typer(experiment_app, name="experiment", rich_help_panel="Release")

monitor_app = typer.Typer(help="Look after what runs.", no_args_is_help=True)
app.add_typer(monitor_app, name="monitor", rich_help_panel="Run")

out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, soft_wrap=True)

STAGES = "Stages of dvc.yaml"
JUDGE = "Judge"
RELEASE = "Release"
RUN = "Run"

Environment = Annotated[str, typer.Argument(help="dev, staging or production.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
BaseRev = Annotated[str, typer.Option(help="Branch, tag or commit that the change is for.")]
Summary = Annotated[bool, typer.Option(help="Also append the report to the job summary (GITHUB_STEP_SUMMARY).")]
PullRequest = Annotated[
    bool, typer.Option("--pull-request", help="Push a branch and open a pull request instead of a commit here.")
]


@app.callback()
def options(
    show_traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error was raised.")] = False,
) -> None:
    """Options of every verb."""
    if show_traceback:
        os.environ["MERGELINE_TRACEBACK"] = "1"


def main() -> None:
    """Run the command; an expected failure is one line and its exit code."""
    try:
        app()
    except MergelineError as error:
        if os.environ.get("MERGELINE_TRACEBACK"):
            traceback.print_exc()
        err.print("[bold red]error[/] ", end="")
        err.print(str(error), markup=False, highlight=False)
        sys.exit(error.code)


def _stage(name: str, text: str) -> None:
    def verb() -> None:
        from importlib import import_module

        root = repo.root()
        repo.own_code(root)
        _spin_briefly()
        import_module(f"mergeline.stages.{name}").run(root)

    verb.__doc__ = text
    app.command(name, rich_help_panel=STAGES)(verb)


def _spin_briefly() -> None:
    """Limit the turns of a waiting thread of a fit before it sleeps.

    None makes a fit twice as slow on a virtual machine, the default, 300,000, makes it ten times as slow where other
    programs run too.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


for _name, _text in {
    "ingest": "Fetch the raw rows as of data.as_of into data/raw.parquet.",
    "validate": "Check the raw rows against src/model/schema.py.",
    "split": "Part training rows from held-out rows.",
    "train": "Fit the pipeline of src/model/estimator.py on the training rows.",
    "evaluate": "Measure the model on the held-out rows.",
    "export": "Convert the model to a bundle and prove that it answers alike.",
    "refit": "Train the recipe anew, to see how much the metrics move by themselves.",
    "explain": "Say which features the model listens to.",
}.items():
    _stage(_name, _text)


@app.command(rich_help_panel=STAGES)
def fetch() -> None:
    """Fetch the raw rows that *.dvc files name from the DVC remote."""
    from . import fetch as room

    out.print(room.run(_root()), markup=False)


@app.command(rich_help_panel=JUDGE)
def compare(
    base: BaseRev = "main",
    summary: Summary = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the HTML report.")] = False,
    json: Json = False,
) -> None:
    """Judge this working copy's model against the base model on the same rows; exit code 3 when a gate fails."""
    from .compare import command

    command.run(_root(), base=base, summary=summary, open_page=open_page, json=json)


@app.command(rich_help_panel=JUDGE)
def attribute(
    base: BaseRev = "main",
    summary: Summary = False,
    json: Json = False,
) -> None:
    """Say what data and what code did to the difference, where both changed; trains the two crossed models."""
    from .compare import attribute as room

    room.run(_root(), base=base, summary=summary, json=json)


@app.command(rich_help_panel=JUDGE)
def compress(
    write: Annotated[
        bool, typer.Option("--write", help="Put the smallest that is offered into params.yaml, for a pull request.")
    ] = False,
    json: Json = False,
) -> None:
    """Try fewer and shallower trees, and offer what is smaller, not slower, as good, and passes the gates."""
    _spin_briefly()
    from .compare import trial
    from .compress import command
    from .stages import export, refit, train

    def trained(folder: Path) -> None:
        for stage in (train, export, refit):
            stage.run(folder)

    _say(command.run(_root(), trained, trial.judged, write=write), json)


@app.command(rich_help_panel=JUDGE)
def comment(
    report: Annotated[Path, typer.Option(help="The report.json that `model compare` wrote.")] = Path(
        "report/report.json"
    ),
) -> None:
    """Post or update the one comment and the status of the pull request of this workflow run."""
    from .compare import comment as room
    from .release import ledger as releases

    root = _root()
    room.run(root, report, {release.model.bundle_id for release in releases.releases(root).values()})


@app.command(rich_help_panel=JUDGE)
def restore(
    base: Annotated[bool, typer.Option("--base", help="The state that main's dvc.lock names.")] = False,
    pr: Annotated[int | None, typer.Option(help="What this pull request's training run handed over.")] = None,
    merged: Annotated[bool, typer.Option(help="What the pull request that HEAD merges handed over, if any.")] = False,
    release: Annotated[str | None, typer.Option(help="The state of this release, by id or its first digits.")] = None,
    folder: Annotated[Path | None, typer.Option("--from", help="What `model keep` packed into a folder.")] = None,
) -> None:
    """Put a known state's dvc.lock, data and model in place without training."""
    from .release import restore as room

    out.print(room.run(_root(), base=base, pr=pr, merged=merged, release=release, folder=folder))


@app.command(rich_help_panel=JUDGE)
def keep(
    to: Annotated[Path, typer.Option(help="A new folder; the workflow uploads it.")] = Path("handover"),
) -> None:
    """Pack dvc.lock, the objects that it names (never raw data) and the report for the release to pick up."""
    from .release import restore as room

    out.print(room.keep(_root(), to))


@app.command(rich_help_panel=JUDGE)
def track(
    register: Annotated[bool, typer.Option(help="Also make its model a version in the registry.")] = False,
    aliases: Annotated[
        bool, typer.Option("--aliases", help="Only register the releases and set their aliases from the pins.")
    ] = False,
) -> None:
    """Write the finished training to MLflow, once per bundle."""
    from . import track as room

    root = _root()
    if not aliases:
        out.print(room.run(root, register=register), markup=False, highlight=False)
        return
    from .release import pins

    out.print(room.aliases(root, pins.pinned(root)), markup=False, highlight=False)


@release_app.command("build")
def release_build(
    image: Annotated[
        str | None, typer.Option(help="repository@sha256:..., or a local image id; none for the local target.")
    ] = None,
    json: Json = False,
) -> None:
    """Write release.json for the bundle of this working copy and store the bundle under its id."""
    from .release import build

    _say(build.run(_root(), image=image), json)


@release_app.command("verify")
def release_verify(
    path: Annotated[Path, typer.Argument(help="A release.json or pin.json.")] = Path("release.json"),
) -> None:
    """Check every hash of a release; exit code 7 when one does not match."""
    from .release import build

    out.print(build.verify(_root(), path))


@release_app.command("needed")
def release_needed() -> None:
    """Say whether HEAD holds more than pins since the release that the first environment runs."""
    from .release import publish

    out.print(publish.needed(_root()))


@release_app.command("publish")
def release_publish(json: Json = False) -> None:
    """Pin the release built here in the first environment: a commit, a push, or the one release pull request."""
    from .release import publish

    _say(publish.run(_root()), json)


@release_app.command("offer")
def release_offer(
    environment: Annotated[str, typer.Argument(help="Where the release runs: dev, staging or production.")],
) -> None:
    """Open the pull request that promotes what runs in an environment to the next one of gates.yaml."""
    from .release import publish

    out.print(publish.offer(_root(), environment))


@release_app.command("refused")
def release_refused() -> None:
    """Say in the one issue why the newest commit has no release."""
    from .release import publish

    out.print(publish.refused(_root()))


@app.command(rich_help_panel=RELEASE)
def promote(
    environment: Annotated[str, typer.Argument(help="dev, staging or production.")],
    release: Annotated[
        str | None, typer.Option(help="A release id or its first digits; else the one of the environment before.")
    ] = None,
    pull_request: PullRequest = False,
) -> None:
    """Move an environment's pin to a release, as a commit."""
    from .release import promotion

    out.print(promotion.promote(_root(), environment, release=release, pull_request=pull_request))


@app.command(rich_help_panel=RELEASE)
def rollback(
    environment: Annotated[str, typer.Argument(help="dev, staging or production.")],
    to: Annotated[
        str | None, typer.Option(help="A release id or its first digits; else the one pinned before.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the commit and the ledger.")] = None,
    pull_request: PullRequest = False,
) -> None:
    """Move an environment's pin back, as a commit."""
    from .release import promotion

    out.print(promotion.rollback(_root(), environment, to=to, reason=reason, pull_request=pull_request))


@experiment_app.command("start")
def experiment_start(
    environment: Environment,
    release: Annotated[str, typer.Option(help="The release to try, by id or its first digits.")],
    kind: Annotated[
        str, typer.Option(help="ab and canary answer a share of the keys, shadow scores beside the answers.")
    ],
    share: Annotated[float | None, typer.Option(help="Of the keys, above 0 and at most 1; 0.1 unless given.")] = None,
    key: Annotated[
        str | None, typer.Option(help="The column whose values keep their arm; else the header x-experiment-key.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="errors, latency_ms, score_min or score_max=NUMBER, several times; a server drops beyond."),
    ] = None,
    pull_request: PullRequest = False,
) -> None:
    """Serve a second release beside the pinned one, as a commit."""
    from typing import get_args

    from .experiments import Kind
    from .release import experiment as room

    if kind not in get_args(Kind):
        raise Usage(f"there is no kind {kind!r:.40}", f"Name one of {', '.join(get_args(Kind))}.")
    options: dict[str, Any] = {"release": release, "kind": kind, "share": share, "key": key, "limits": limit or []}
    out.print(room.start(_root(), environment, **options, pull_request=pull_request))


@experiment_app.command("step")
def experiment_step(
    environment: Environment,
    share: Annotated[float, typer.Option(help="Of the keys, above 0 and at most 1.")],
    pull_request: PullRequest = False,
) -> None:
    """Change the share of the experiment that runs, as a commit; a larger one keeps every key."""
    from .release import experiment as room

    out.print(room.step(_root(), environment, share=share, pull_request=pull_request))


@experiment_app.command("stop")
def experiment_stop(environment: Environment, pull_request: PullRequest = False) -> None:
    """Let the pinned release answer alone again, as a commit."""
    from .release import experiment as room

    out.print(room.stop(_root(), environment, pull_request=pull_request))


@experiment_app.command("report")
def experiment_report(
    environment: Environment,
    log: Annotated[
        Path,
        typer.Option(
            help="The prediction log: the folder of MERGELINE_PREDICTION_LOG, or a file; - is standard input."
        ),
    ],
    labels: Annotated[
        Path | None, typer.Option(help="A CSV or Parquet file: request, label, and row where it is not 0.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Count answers from this time on; else since the present share was deployed.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what the experiment showed: is its release better, by intervals that hold however often you look."""
    from .compare import asked
    from .outcome import command
    from .release import course

    root = _root()
    rules = asked.rules(root)
    _say(command.run(root, course.of(root, environment), rules, log, labelled=labels, since=since), json)


@app.command(rich_help_panel=RELEASE)
def status(
    issue: Annotated[
        bool, typer.Option("--issue", help="Keep one issue that says what differs from git, MLflow's aliases too.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what is pinned and what really runs, per environment, and where Terraform would change something."""
    from .release import status as room

    root = _root()
    found = room.run(root)
    _say(found, json)
    if issue:
        from . import track
        from .release import pins, reconcile

        differing = reconcile.differences(found, track.differing(root, pins.pinned(root)))
        out.print(reconcile.report(root, differing), markup=False, highlight=False)


@app.command(rich_help_panel=RELEASE)
def reconcile(
    environment: Annotated[str | None, typer.Argument(help="One environment; else all, and MLflow's aliases.")] = None,
) -> None:
    """Bring what runs back to what git says: dead processes, changes by hand, a lost state, a pin not yet deployed."""
    from .release import reconcile as room

    root = _root()
    for line in room.run(root, environment):
        out.print(line, markup=False, highlight=False)
    if environment is None:
        from . import track
        from .release import pins

        out.print(track.aliases(root, pins.pinned(root)), markup=False, highlight=False)


@app.command(rich_help_panel=RELEASE)
def ledger(
    environment: Annotated[str | None, typer.Argument(help="One environment; else all.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write it as one HTML file instead.")] = None,
    json: Json = False,
) -> None:
    """Show who moved which pin when, why, and with which verdict."""
    from .release import ledger as room

    root = _root()
    found = room.run(root, environment)
    if page is None:
        _say(found, json)
        return
    from . import state
    from .release import ledger_page

    out.print(ledger_page.write(found, state.project(root), page), markup=False)


@app.command(rich_help_panel=RELEASE)
def history(
    env: Annotated[str, typer.Option(help="Whose releases: dev, staging or production.")] = "production",
    metric: Annotated[
        str | None, typer.Option(help="A metric that the releases carry; else the primary one of gates.yaml.")
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Judge each release again, on rows of data/raw.parquet that it did not know."),
    ] = False,
    json: Json = False,
) -> None:
    """Show each release's metric with its interval over time, and where a degradation began."""
    if not fresh:
        from .release import history as room

        _say(room.run(_root(), env, metric), json)
        return
    if metric is not None:
        raise Usage("--fresh judges the metric of each release's own verdict", "Leave --metric out.")
    from .compare import fresh as judging
    from .release import claimed

    root = _root()
    _say(judging.run(root, claimed.run(root, env)), json)


@app.command(rich_help_panel=RELEASE)
def plan(
    environment: Annotated[str | None, typer.Argument(help="dev, staging or production.")] = None,
    since: Annotated[str | None, typer.Option(help="All environments that changed since this commit.")] = None,
    to: Annotated[Path, typer.Option(help="With --since: keep the plans in this folder.")] = Path("plans"),
    comment: Annotated[
        Path | None, typer.Option(help="Post the plans of this folder on the pull request of this workflow run.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a deployment of the pinned release would change (terraform plan)."""
    from .release import plan as room

    root = _root()
    if comment is not None:
        for url in room.post(root, comment):
            out.print(url)
    elif since is not None:
        for made in room.keep(root, since, to):
            _say(made, json)
    elif environment is None:
        raise Usage("model plan needs an environment", "Name one: dev, staging or production.")
    else:
        _say(room.run(root, environment), json)


@app.command(rich_help_panel=RELEASE)
def deploy(
    environment: Annotated[str, typer.Argument(help="dev, staging or production.")],
    rehearse: Annotated[bool, typer.Option(help="Destroy it after the smoke test: for machines that vanish.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on testing for the promotion.watch_minutes of gates.yaml.")
    ] = False,
    due: Annotated[
        bool, typer.Option("--due", help="Only where that was not done since its pin, its folder or a module changed.")
    ] = False,
    digest: Annotated[
        str | None, typer.Option(help="Apply the plan of this digest though the pull request shows another.")
    ] = None,
    destroy: Annotated[bool, typer.Option("--destroy", help="Stop and remove what runs there; the pin stays.")] = False,
    json: Json = False,
) -> None:
    """Apply the pinned release, test it, and go back to the previous one when it fails."""
    from .release import deploy as room

    if destroy:
        out.print(room.destroy(_root(), environment))
    else:
        done = (room.due if due else room.run)(_root(), environment, rehearse=rehearse, watch=watch, digest=digest)
        _say(done, json)


@app.command(rich_help_panel=RELEASE)
def retarget(
    environment: Annotated[str, typer.Argument(help="staging or production; dev is always local.")],
    target: Annotated[str, typer.Argument(help="local, docker, kubernetes or aws.")],
) -> None:
    """Move an environment to another target: destroy it, rewrite its target.tf, apply its pin there."""
    from .release import retarget as room

    out.print(room.run(_root(), environment, target), markup=False, highlight=False)


@app.command(rich_help_panel=RUN)
def serve(
    bundle: Annotated[Path, typer.Option(help="The folder to serve.")] = Path("bundle"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    expect: Annotated[str | None, typer.Option(help="The bundle id that the folder must have.")] = None,
    anybody: Annotated[
        bool, typer.Option("--open", help="Let anybody ask, without a token, on an address that others reach.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes that answer, about one a core.")] = 1,
) -> None:
    """Serve a bundle over HTTP."""
    from .serve import command

    command.run(bundle, host=host, port=port, expect=expect, anybody=anybody, workers=workers)


@app.command(rich_help_panel=RUN)
def token(json: Json = False) -> None:
    """Make a token for clients of the service, shown once, and the hash that the service is given."""
    from .serve import tokens

    made = tokens.new()
    if json:
        _say(made, json)
        return
    out.print(f"token   {made.token}\nsha256  {made.sha256}", markup=False, highlight=False)
    err.print("The token is shown once. Its hash goes into token_hashes of infra/environments/ENV/terraform.tfvars.")


@app.command(rich_help_panel=RUN)
def predict(
    source: Annotated[str, typer.Option("--input", help="A Parquet or CSV file, a folder of them, or s3://.")],
    output: Annotated[str, typer.Option(help="A Parquet file; a folder for a folder; or s3://.")],
    bundle: Annotated[Path, typer.Option(help="The folder that answers.")] = Path("bundle"),
    keep: Annotated[list[str] | None, typer.Option(help="A column to carry through; repeatable.")] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Take an absent column of the model as missing.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Score a file, a folder or an S3 prefix of rows."""
    from .predict import command

    done = command.run(source, output, bundle, keep=keep or [], allow_missing=allow_missing, overwrite=overwrite)
    out.print(done.line(), markup=False, highlight=False)


@monitor_app.command("compact")
def monitor_compact(
    log: Annotated[Path, typer.Argument(help="The folder of the prediction log, or a file of what was collected.")],
    into: Annotated[Path, typer.Argument(help="The folder of the Parquet files.")],
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove each file of the log when its Parquet file is there.")
    ] = False,
) -> None:
    """Write the prediction log as Parquet, a line for each prediction; what is there already is not written again."""
    from .monitor import compact

    out.print(compact.run(log, into, remove=remove).line(), markup=False, highlight=False)


@app.command(rich_help_panel=RUN)
def doctor(
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Set on the forge what .github/repository.yml and platform.json ask for; an administrator's.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Say what this machine, this repository and its forge lack, each with the remedy."""
    from . import doctor as room

    raise typer.Exit(room.run(_root(), json=json, apply=apply))


def _root() -> Path:
    root = repo.root()
    repo.own_code(root)
    return root


def _say(result: Any, json: bool) -> None:
    """Print a result: as JSON, or as what its `table()` draws."""
    import msgspec

    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
    else:
        out.print(result.table() if hasattr(result, "table") else result)


if __name__ == "__main__":
    main()
