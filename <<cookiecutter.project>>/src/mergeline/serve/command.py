"""`model serve`: one process on a port of its own; the image runs it too."""

import os
import socket
from pathlib import Path

from rich.console import Console

from ..errors import BadSettings, Conflict
from . import examples, settings, tokens, worker
from .experiment.reload import Source
from .logs import log_json

RELEASE = "MERGELINE_RELEASE"
SECRETS = "MERGELINE_SECRETS"
"""Names the folder whose files are environment variables, for a target that mounts secrets as files."""


def run(bundle: Path, *, host: str, port: int, expect: str | None, anybody: bool = False) -> None:
    """Serve `bundle` until SIGTERM or Ctrl-C. The release id that answers carry comes from MERGELINE_RELEASE.

    Args:
        bundle: the folder.
        host: the address to listen on.
        port: of it.
        expect: the bundle id that the folder must have.
        anybody: may ask, whatever the environment says.

    Raises:
        BadSettings: a secret cannot be read, a variable is wrong, or other machines could ask without a token.
        Integrity: the bundle is not what it says, or not `expect`.
        Conflict: the address cannot be listened on.
    """
    take_secrets()
    said = settings.read(os.environ)
    if not anybody:
        tokens.demand(host, said)
    log_json()
    source = Source(bundle, expect, os.environ.get(RELEASE) or None, os.environ, worker.prepare)
    app = worker.application(source, said)
    listening = listen(host, port)
    url = _url(host, listening.getsockname()[1])
    out = Console(soft_wrap=True, highlight=False)

    def ready() -> None:
        out.print(f"{app.bundle.signature.name} at [bold]{url}[/]; ask it:")
        out.print(examples.curl(url, app.bundle.smoke, token=bool(said.token_hashes)), markup=False)

    with listening:
        worker.serve(app, listening, source, ready=ready)


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
