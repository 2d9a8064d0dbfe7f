"""Keep what was chosen: files only, no network, nothing is installed."""

import shutil
import sys
from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CHOICES = {
    # answer: (what it removes, what it moves over the defaults)
    "classification": ((), ()),
    "regression": ((), (".variants/regression",)),
    "local": ((), ()),
    "docker": ((), (".variants/docker",)),
    "proprietary": (("LICENSE",), ()),
}

for answer in ("<< cookiecutter.task >>", "<< cookiecutter.target >>", "<< cookiecutter.licence >>"):
    removed, moved = CHOICES.get(answer, ((), ()))
    for name in removed:
        Path(name).unlink()
    for folder in map(Path, moved):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            shutil.move(file, file.relative_to(folder))

shutil.rmtree(".variants", ignore_errors=True)

params = Path("params.yaml")
params.write_text(params.read_text(encoding="utf-8").replace('python: "3.11"', f'python: "{PYTHON}"'), encoding="utf-8")
