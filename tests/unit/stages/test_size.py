"""`export.compress.max_bytes` bounds the bundle."""

import pytest
from onnx import ModelProto

from mergeline.errors import NotServable

from .conftest import Project


@pytest.mark.slow
def test_a_model_above_the_limit_is_refused_with_size_limit_and_remedy(project: Project) -> None:
    project.set(export={"compress": {"max_bytes": 1000}})

    said = r"bundle/model\.onnx would have [\d,]+ bytes, more than the 1,000 of export\.compress\.max_bytes.*`model compress`"
    with pytest.raises(NotServable, match=said) as refused:
        project.until("export")

    assert "\n" not in str(refused.value)
    assert refused.value.code == 7
    assert not list(project.root.glob("*bundle*"))


@pytest.mark.slow
def test_a_model_of_just_the_limit_passes_and_is_lean(project: Project) -> None:
    project.until("export")
    model = project.root / "bundle/model.onnx"
    before = model.read_bytes()
    project.set(export={"compress": {"max_bytes": len(before)}})

    project.run("export")

    assert model.read_bytes() == before
    assert [output.name for output in ModelProto.FromString(before).graph.output] == ["probabilities"]
