"""params.yaml and gates.yaml are strict, and a mistake is answered with file, key and allowed values."""

import sys
from pathlib import Path

import pytest

from mergeline import config
from mergeline.errors import BadSettings

PROJECT = Path(__file__).parents[2] / "<<cookiecutter.project>>"
PARAMS = (PROJECT / "params.yaml").read_text().replace("<< cookiecutter.task >>", "classification")
GATES = (PROJECT / "gates.yaml").read_text()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "gates.yaml").write_text(GATES)
    return tmp_path


def test_the_files_of_the_template_are_read(root: Path) -> None:
    assert config.params(root).data.as_of == "2013-07-01"
    assert config.gates(root).metrics["roc_auc"].rules.at_least == 0.6


@pytest.mark.parametrize("variant", sorted((PROJECT / ".variants").rglob("gates.yaml")), ids=lambda p: p.parent.name)
def test_the_gates_of_a_variant_are_read(variant: Path) -> None:
    found = config.gates(variant.parent)
    assert found.primary in found.metrics


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  held_out_days: 30", "  held_out: 30", r": split: .*`held_out`; allowed: by, held_out_days, share, group"),
        ("  held_out_days: 30", "  held_out_days: many", r": split\.held_out_days: Expected `int`, got `str`"),
        ("  by: time", "  by: luck", r": split\.by: .*'luck'; allowed: time, group, random, stratified"),
        ("  by: time", "  by: 3", r": split\.by: .*allowed: time, group, random, stratified"),
        ('task: "classification"', "task: ranking", ": task: .*'ranking'; allowed: classification, regression"),
        ("source: example", "source: s3", r": data\.source: .*'s3'; allowed: example, files"),
        ('  as_of: "2013-07-01"', "  as_of: 2013-07-01", r": data\.as_of: .*got `date`; write it in quotes"),
        ('python: "3.11"', "python: 3.11", ": python: .*write it in quotes"),
        ("model:\n", "model:\n  1: 2\n", ": model: .*as a key"),
        ("compare: {", "compare: [{}] # {", ": compare: Expected `object`, got `array`"),
        ("seeds:", "sedes:", "sedes.*allowed: python, task, data"),
        ("max_bytes: null", "max_byte: 9", r": export\.compress: .*`max_byte`; allowed: max_bytes"),
        ("max_bytes: null", "max_bytes: 10 kB", r": export\.compress\.max_bytes: Expected `int \| null`, got `str`"),
        ("data:", "data: [", "line .*not valid YAML"),
        ('python: "3.11"\n', "", "python"),
    ],
)
def test_a_mistake_in_params_yaml_is_named(root: Path, old: str, new: str, said: str) -> None:
    assert old in PARAMS
    (root / "params.yaml").write_text(PARAMS.replace(old, new))

    with pytest.raises(BadSettings, match=rf"^params\.yaml.*{said}") as refused:
        config.params(root)

    assert refused.value.code == 6
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "matters: 0.005, rules: { not_worse: true, at_least: 0.60 }",
            "rules: { not_worse: true }",
            r": metrics\.roc_auc: .*`matters`",
        ),
        ("at_least: 0.60", "atleast: 0.60", "atleast.*allowed: not_worse, proven_not_worse, better, at_least, at_most"),
        ("primary: roc_auc", "primary: [roc_auc]", "primary"),
        (
            "overrides: []",
            "override: []",
            "override.*allowed: primary, metrics, slices, fairness, flips, .*overrides, promotion",
        ),
        (
            "log_loss: { matters: 0.005, rules: { not_worse: true",
            "log_loss: { matters: 0.005, rules: { not_worse: maybe",
            r": metrics\.log_loss\.rules\.not_worse: Expected `bool`, got `str`",
        ),
        ("brier: { matters: 0.002", "brier: { matters: -0.002", r": metrics\.brier\.matters: Expected `float` >= 0"),
        ("brier: { matters: 0.002", "brier: { matters: .nan", r": metrics\.brier\.matters: Expected `float` >= 0"),
        ("brier: { matters: 0.002", "brier: { matters: .inf", r": metrics\.brier: matters is inf, not a finite number"),
        ("at_least: 0.60", "at_least: .nan", r": metrics\.roc_auc\.rules: at_least is nan, not a finite number"),
        ("at_least: 0.60", "at_most: -.inf", r": metrics\.roc_auc\.rules: at_most is -inf, not a finite number"),
        ("overrides: []", "overrides: [{ gate: brier.at_least }]", r": overrides\[0\]: .*`pull_request`"),
        ("order: [staging, ", "order: [staging, 1, ", r": promotion\.order\[1\]: Expected `str`"),
    ],
)
def test_a_mistake_in_gates_yaml_is_named(root: Path, old: str, new: str, said: str) -> None:
    assert old in GATES
    (root / "gates.yaml").write_text(GATES.replace(old, new))

    with pytest.raises(BadSettings, match=rf"^gates\.yaml.*({said})"):
        config.gates(root)


@pytest.mark.parametrize("content", ["", "just text", "- a\n- b\n"])
def test_a_file_that_holds_no_settings_is_refused(root: Path, content: str) -> None:
    (root / "params.yaml").write_text(content)

    with pytest.raises(BadSettings, match=r"^params\.yaml"):
        config.params(root)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('as_of: "2013-07-01"', 'as_of: "July 2013"', "data: as_of July 2013 is no day"),
        ("held_out_days: 30", "held_out_days: 0", r"split\.held_out_days"),
        ("share: 0.2", "share: 1.5", r"split\.share"),
        ("value: 0.5", "value: 50", r"threshold\.value"),
        ("level: 0.95", "level: 95", r"compare\.level"),
        ("tolerance: 1.0e-5", "tolerance: -1.0", r"export\.tolerance"),
        ("tolerance: 1.0e-5", "tolerance: .inf", "export: tolerance is inf"),
        ("max_bytes: null", "max_bytes: 0", r"export\.compress\.max_bytes: Expected `int` >= 1"),
        ("path: data/files", "path: ../elsewhere", "data: path"),
        ("path: data/files", "path: /etc", "data: path"),
    ],
)
def test_an_impossible_value_is_refused(root: Path, old: str, new: str, said: str) -> None:
    assert old in PARAMS
    (root / "params.yaml").write_text(PARAMS.replace(old, new))

    with pytest.raises(BadSettings, match=said):
        config.params(root)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"params\.yaml: cannot be read"):
        config.params(tmp_path)


def test_a_stage_refuses_another_python(root: Path) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    (root / "params.yaml").write_text(PARAMS.replace('python: "3.11"', f'python: "{here}"'))
    assert config.of_stage(root).python == here

    (root / "params.yaml").write_text(PARAMS.replace('python: "3.11"', 'python: "2.7"'))
    with pytest.raises(BadSettings, match=rf"python is 2\.7, this is Python {here}.*make setup PYTHON=python2\.7"):
        config.of_stage(root)
