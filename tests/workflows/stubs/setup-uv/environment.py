"""Makes .venv over the packages that the tests run with; its `uv` has nothing to do.

TEST_CACHE names a DVC cache that runs share, so that a test does not train what another has trained.
"""

import os
import subprocess
from pathlib import Path

bin_ = Path.cwd() / ".venv" / "bin"
python = bin_ / "python"
subprocess.run([os.environ["TEST_PYTHON"], "-m", "venv", "--without-pip", ".venv"], check=True)
site = subprocess.run(
    [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True, text=True
).stdout.strip()
Path(site, "base.pth").write_text(f"import site; site.addsitedir({os.environ['TEST_SITE']!r})\n")
Path(site, "project.pth").write_text(f"{Path.cwd() / 'src'}\n")
for tool in Path(os.environ["TEST_PYTHON"]).parent.iterdir():
    if tool.name.lower().startswith(("python", "pip", "activate", "uv")) or not tool.is_file():
        continue
    with tool.open("rb") as file:
        script = b"python" in file.readline() and file.tell() < 1000
    if script:  # with this environment's Python, so that it sees the project
        (bin_ / tool.name).write_text(f'#!/bin/sh\nexec "{python}" "{tool}" "$@"\n')
        (bin_ / tool.name).chmod(0o755)
    else:
        (bin_ / tool.name).symlink_to(tool)
answer = f'[ "$1 $2" != "python find" ] || echo "{os.environ["TEST_PYTHON"]}"'
for name, words in {"uv": answer, "model": f'exec "{python}" -m mergeline.cli "$@"'}.items():
    (bin_ / name).unlink(missing_ok=True)
    (bin_ / name).write_text(f"#!/bin/sh\n{words}\n")
    (bin_ / name).chmod(0o755)
if cache := os.environ.get("TEST_CACHE"):
    Path(".dvc", "config.local").write_text(f"[cache]\n    dir = {cache}\n")
if path := os.environ.get("GITHUB_PATH"):
    with Path(path).open("a") as file:
        file.write(f"{bin_}\n")
