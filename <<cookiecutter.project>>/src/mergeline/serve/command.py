"""`model serve`: on a port of its own, one process or several workers; the image runs it too."""

import os
import socket
from pathlib import Path

from rich.console import Console

from ..bundle import Bundle
from ..errors import BadSettings, Conflict, Usage
from . import examples, pool, settings, tokens, worker
from .children import Spec
from .experiment.reload import Source
from .logs import log_json

RELEASE = "MERGELINE_RELEASE"
SECRETS = "MERGELINE_SECRETS"
"""Names the folder whose files are environment variables, for a target that mounts secrets as files."""


def run(bundle: Path, *, host: str, port: int, expect: str | None, anybody: bool = False, workers: int = 1) -> None:
    """Serve `bundle` until SIGTERM or Ctrl-C. The release id that answers carry comes from MERGELINE_RELEASE.

    Args:
        bundle: the folder.
        host: the address to listen on.
        port: of it.
        expect: the bundle id that the folder must have.
        anybody: may ask, whatever the environment says.
        workers: processes that answer; one is this process itself, several are its children.

    Raises:
        Usage: there is no such number of workers.
        BadSettings: a secret cannot be read, a variable is wrong, or other machines could ask without a token.
        Integrity: the bundle is not what it says, or not `expect`.
        Conflict: the address cannot be listened on.
        DeploymentFailed: no worker became ready. One that says why ends this process with its exit code.
    """
    if workers < 1:
        raise Usage(f"--workers {workers}: nothing would answer", "Give 1 or more.")
    take_secrets()
    said = settings.read(os.environ)
    if not anybody:
        tokens.demand(host, said)
    log_json()
    release = os.environ.get(RELEASE) or None
    source = Source(bundle, expect, release, os.environ, worker.prepare)
    alone = worker.application(source, said) if workers == 1 else None
    served = alone.bundle if alone else _checked(source)
    name, smoke = served.signature.name, served.smoke
    del served  # the parent of several workers keeps no model
    listening = listen(host, port)
    url = _url(host, listening.getsockname()[1])
    out = Console(soft_wrap=True, highlight=False)

    def ready() -> None:
        out.print(f"{name} at [bold]{url}[/]; ask it:")
        out.print(examples.curl(url, smoke, token=bool(said.token_hashes)), markup=False)

    with listening:
        if alone:
            worker.serve(alone, listening, source, ready=ready)
        else:
            spec = Spec(generation="only", release=release, bundle=str(bundle), bundle_id=expect, workers=workers)
            pool.run(spec, listening, said, ready=ready)


def _checked(source: Source) -> Bundle:
    """Give what the workers will find: what is wrong with it is said once, before there are any. Raises Integrity."""
    arms = source.arms()
    arms.close()
    return arms.bundle


def take_secrets() -> None:
    """Set the variables that the files of the secrets' folder hold. Raises BadSettings."""
    folder = os.environ.get(SECRETS)
    try:
        for file in sorted(Path(folder).iterdir()) if folder else ():
            os.environ[file.name] = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"a secret in {folder} cannot be read: {error}", "Let the user 10001 read it.") from error


def listen(host: str, port: int) -> socket.socket:
    """Give a listening socket. Raises Conflict."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Conflict(
            f"cannot listen on {host} port {port}: {error.strerror or error}", "Choose another with --port."
        ) from error


def _url(host: str, port: int) -> str:
    """Give the URL for a person on this machine: no browser opens 0.0.0.0."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
