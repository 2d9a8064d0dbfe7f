"""Docker Compose and the images of infra/compose, where they cannot be pulled: of Debian's packages and Go's modules."""

import shutil
from pathlib import Path

from tests.tooling.docker import CACHE, Docker, base_image
from tests.tooling.modules import Module, build

COMPOSE = "v5.4.0"
STORE = "v1.8.0"
POSTGRES = """\
FROM {base}
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends postgresql > /dev/null
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin
COPY start /start
ENTRYPOINT ["/start"]
"""
DATABASE_STARTS = """\
#!/bin/bash
# What the public image does: a database of the asked name and user, the first time.
set -e
data=/var/lib/postgresql/data
chown postgres "$data" && mkdir -p /run/postgresql && chown postgres /run/postgresql
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
if [ ! -f "$data/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password && chown postgres /tmp/password
  as initdb --pgdata "$data" --username "$POSTGRES_USER" --auth-host scram-sha-256 --auth-local trust --pwfile /tmp/password
  echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
  as pg_ctl --pgdata "$data" --wait --options "-c listen_addresses=''" start
  as createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  as pg_ctl --pgdata "$data" --wait stop
fi
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$data" -c "listen_addresses=*"
"""
REGISTRY = """\
FROM {base}
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends docker-registry > /dev/null
COPY config.yml /config.yml
ENTRYPOINT ["docker-registry", "serve", "/config.yml"]
"""
REGISTRY_KEEPS = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
"""
GATEWAY = 'FROM {base}\nCOPY versitygw /usr/local/bin/versitygw\nENTRYPOINT ["versitygw"]\n'
IMAGES = {
    "DATABASE_IMAGE": ("postgres:17.6", {"Dockerfile": POSTGRES, "start": DATABASE_STARTS}),
    "REGISTRY_IMAGE": ("registry:2.8.3", {"Dockerfile": REGISTRY, "config.yml": REGISTRY_KEEPS}),
    "STORE_IMAGE": (f"versity/versitygw:{STORE}", {"Dockerfile": GATEWAY, "versitygw": ""}),
}
"""By the variable of compose.yaml: the public image, and the files of a stand-in; a program of `PROGRAMS` is copied."""


PROGRAMS = {
    "docker-compose": (Module("github.com/docker/compose/v5", COMPOSE), "cmd"),
    "versitygw": (Module("github.com/versity/versitygw", STORE), "cmd/versitygw"),
}


def settings(docker: Docker, scratch: Path) -> dict[str, str]:
    """Give the variables with which `docker compose` runs infra/compose on this engine.

    Args:
        docker: the engine.
        scratch: an empty folder.

    Raises:
        Unavailable: a base image cannot be had.
        Missing: there is no Go, or a program cannot be built.
    """
    found = {**({"DOCKER_HOST": docker.host} if docker.host else {}), "PYTHON_IMAGE": base_image(docker)}
    if docker.run("compose", "version", check=False).returncode:
        plugins = scratch / "cli-plugins"
        plugins.mkdir()
        shutil.copy(program("docker-compose"), plugins / "docker-compose")
        # The engine of a Debian release is older than what `docker compose` builds with.
        found |= {"DOCKER_CONFIG": str(scratch), "DOCKER_BUILDKIT": "0"}
    for name, (public, files) in IMAGES.items():
        if docker.run("pull", "--quiet", public, check=False).returncode:
            found[name] = _image(docker, scratch / name.lower(), files)
    return found


def program(name: str) -> Path:
    """Give the path of a program of `PROGRAMS`. Raises Missing."""
    module, package = PROGRAMS[name]
    return build(module, package, CACHE / f"{name}-{module.version}")


def _image(docker: Docker, folder: Path, files: dict[str, str]) -> str:
    """Build an image of these files, with `{base}` in its Dockerfile filled in; give its id."""
    folder.mkdir()
    for name, text in files.items():
        if name in PROGRAMS:
            shutil.copy(program(name), folder / name)
        else:
            (folder / name).write_text(text.replace("{base}", base_image(docker)))
            (folder / name).chmod(0o755)
    return docker.say("build", "--quiet", folder)
