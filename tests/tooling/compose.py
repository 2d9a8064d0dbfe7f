"""Docker Compose and the images of infra/compose, where they cannot be pulled: of Debian's packages and Go's modules."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tooling.docker import CACHE, Docker, Unavailable, base_image
from tools.need import compiler

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


@dataclass(frozen=True, slots=True)
class Built:
    """A program of a Go module: the folder of its main package, below the module."""

    module: str
    version: str
    package: str


PROGRAMS = {
    "docker-compose": Built("github.com/docker/compose/v5", COMPOSE, "cmd"),
    "versitygw": Built("github.com/versity/versitygw", STORE, "cmd/versitygw"),
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
    """Build a program of a Go module once. Raises Missing, Unavailable."""
    it = PROGRAMS[name]
    place = CACHE / f"{name}-{it.version}"
    if place.exists():
        return place
    go = compiler(f"build {name} {it.version}")
    source = CACHE / f"{name}.source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    path = f"{it.module}/{it.package}"
    (source / "go.mod").write_text(f"module example.test/it\ngo 1.26.3\nrequire {it.module} {it.version}\n")
    (source / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{path}"\n')
    part = place.with_suffix(".part")
    for command in (["mod", "tidy"], ["build", "-trimpath", "-ldflags=-s -w", "-o", str(part), path]):
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
        done = subprocess.run([go, *command], cwd=source, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{name} {it.version} cannot be built: {done.stderr.strip()[-300:]}")
    return part.rename(place)


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
