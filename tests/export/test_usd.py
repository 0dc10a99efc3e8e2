"""USD: what is written stands as the schema has it; what others write is read by its rules."""

from pathlib import Path

import numpy as np
import pytest
import torch
from dialects import random_scene
from kept import KEPT, errors, excess

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import read_splats, write_splats

pytest.importorskip(
    "pxr", reason="NOT TESTED: USD, since usd-core is not installed (the extra `usd`)"
)

FIELD = """#usda 1.0
(
    {stage}
)
def Xform "Above"
{{
    double3 xformOp:translate = (1, 2, 3)
    float xformOp:rotateZ = 90
    uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:rotateZ"]
    def ParticleField3DGaussianSplat "Splats"
    {{
        {attributes}
    }}
}}
"""


def field(path: Path, attributes: str, stage: str = 'upAxis = "Z"') -> Path:
    path.write_text(FIELD.format(stage=stage, attributes=attributes))
    return path


def test_the_stage_is_as_the_schema_has_it(tmp_path):
    from pxr import Usd, UsdGeom

    scene = random_scene(1, count=4, degree=1)
    write_splats(tmp_path / "a.usdc", scene)
    stage = Usd.Stage.Open(str(tmp_path / "a.usdc"))
    prim = stage.GetDefaultPrim()
    assert prim.GetTypeName() == "ParticleField3DGaussianSplat"
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    quat = prim.GetAttribute("orientations").Get()[2]
    unit = torch.nn.functional.normalize(scene.quats[2], dim=0).detach().tolist()
    assert [quat.GetReal(), *quat.GetImaginary()] == pytest.approx(unit, abs=1e-6)
    assert prim.GetAttribute("scales").Get()[1] == pytest.approx(scene.scales[1].tolist())
    assert prim.GetAttribute("opacities").Get()[3] == pytest.approx(scene.opacities[3].item())
    assert prim.GetAttribute("radiance:sphericalHarmonicsDegree").Get() == 1
    coefficients = prim.GetAttribute("radiance:sphericalHarmonicsCoefficients").Get()
    np.testing.assert_array_equal(np.array(coefficients).reshape(4, 4, 3), scene.sh.detach())
    low, high = np.array(prim.GetAttribute("extent").Get())
    assert (low < scene.means.detach().numpy().min(axis=0)).all()
    assert (high > scene.means.detach().numpy().max(axis=0)).all()


def test_openusd_finds_nothing_to_complain_about(tmp_path):
    from pxr import Usd, UsdValidation

    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    for suffix in (".usda", ".usdz"):
        write_splats(tmp_path / f"a{suffix}", random_scene(3, count=5, degree=2))
        stage = Usd.Stage.Open(str(tmp_path / f"a{suffix}"))
        found = UsdValidation.ValidationContext(validators).Validate(stage)
        assert [error.GetMessage() for error in found] == []


def test_places_halves_and_defaults(tmp_path):
    """A moved and turned parent; positions in half precision; the rest left to the schema."""
    scene = read_splats(
        field(tmp_path / "a.usda", "point3h[] positionsh = [(1, 0, 0), (0, 0, 2)]")
    )
    expected = torch.tensor([[1.0, 3, 3], [1, 2, 5]])
    torch.testing.assert_close(scene.means.data, expected, rtol=0, atol=1e-6)
    assert scene.log_scales.abs().max() < 1e-6
    assert (scene.opacities > 0.999).all()
    assert scene.sh_degree == 0
    assert not scene.sh.any()


def test_a_stage_with_y_up_is_turned(tmp_path):
    attributes = "point3f[] positions = [(0, 1, 0)]"
    scene = read_splats(field(tmp_path / "a.usda", attributes, 'upAxis = "Y"'))
    # 90 degrees about z and the move: (0, 2, 3), and y is up, z the front.
    torch.testing.assert_close(scene.means.data, torch.tensor([[3.0, 0, 2]]))


@pytest.mark.parametrize(
    ("attributes", "stage", "reason"),
    [
        ("point3f[] positions = []", "", "no ParticleField3DGaussianSplat"),
        ("point3f[] positions = [(nan, 0, 0)]", "", "must lie in"),
        ("point3f[] positions = [(1, 0, 0)]", "subLayers = [@other.usda@]", "other files"),
        (
            "point3f[] positions = [(1, 0, 0)]\nfloat3[] scales = [(1, -1, 1)]",
            "",
            "none is below 0",
        ),
        ("point3f[] positions = [(1, 0, 0", "", "cannot read it"),
    ],
)
def test_other_stages_are_refused(tmp_path, attributes, stage, reason):
    (tmp_path / "other.usda").write_text("#usda 1.0\n")
    with pytest.raises(InvalidFile, match=reason):
        read_splats(field(tmp_path / "a.usda", attributes, stage))


def test_usd_by_another_name_is_refused(tmp_path):
    path = field(tmp_path / "a.ply", "point3f[] positions = [(1, 0, 0)]")
    with pytest.raises(InvalidFile, match="this is USD; name it"):
        read_splats(path)


def test_without_usd_core_the_extra_is_named(tmp_path, monkeypatch):
    import splatsmith.export.usd as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"splatsmith\[usd\]"):
        write_splats(tmp_path / "a.usd", random_scene(0))
    with pytest.raises(InputError, match=r"splatsmith\[usd\]"):
        read_splats(field(tmp_path / "a.usda", "point3f[] positions = [(1, 0, 0)]"))


def test_odd_values_come_back(tmp_path):
    odd = random_scene(2, count=5)
    odd.quats.data[0] = 0
    odd.logit_opacities.data[:2] = torch.tensor([-40.0, 40.0])
    write_splats(tmp_path / "a.usd", odd)
    assert not excess(errors(odd, read_splats(tmp_path / "a.usd")), KEPT[".usd"])
