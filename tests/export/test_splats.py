"""Every format gives back what was written, as far as its numbers reach, upright, in color."""

import numpy as np
import pytest
import torch
from arbiter import axes_scene, covariance
from dialects import random_scene
from kept import KEPT, errors, excess, matched

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import read_splats, write_splats
from splatsmith.export.frames import GLTF, PLY, SPZ
from splatsmith.export.splats import FORMATS, format_for, recognized
from splatsmith.render.harmonics import color_from
from splatsmith.scenes.gaussians import Gaussians

# Each .usd is read in a process of its own, which takes a second; test_usd.py has the rest.
SUFFIXES = sorted(suffix for suffix in KEPT if not suffix.startswith(".usd"))
BY_ALL = [*SUFFIXES, *(suffix for suffix in (".usda", ".usdz") if suffix in KEPT)]


def there_and_back(folder, scene: Gaussians, suffix: str) -> Gaussians:
    path = folder / f"scene{suffix}"
    write_splats(path, scene)
    assert recognized(path) is format_for(path)
    return read_splats(path)


def test_every_format_that_we_write_is_tested():
    if ".usd" not in KEPT:
        pytest.skip("NOT TESTED: USD, since usd-core is not installed (the extra `usd`)")
    assert {end for form in FORMATS if form.write for end in form.suffixes} == set(KEPT)


@pytest.mark.parametrize("suffix", BY_ALL)
def test_the_arbiters_scene_comes_back(tmp_path, suffix):
    """A color for each axis, turned needles, harmonics of degree 3: frames cannot hide."""
    scene = axes_scene()
    back = there_and_back(tmp_path, scene, suffix)
    found = errors(scene, back)
    print(suffix, found)
    assert not excess(found, KEPT[suffix])
    assert (
        back.sh_degree == format_for(f"x{suffix}").degree == (3 if KEPT[suffix].higher else 0)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_random_scenes_come_back(tmp_path, suffix, degree):
    for seed in range(3):
        scene = random_scene(seed, count=300, degree=degree)
        scene.log_scales.data.clamp_(-6, 0)
        scene.sh.data.clamp_(-0.5, 0.5)  # .spz ends at 1
        back = there_and_back(tmp_path, scene, suffix)
        found = errors(scene, back)
        assert not excess(found, KEPT[suffix]), found
        assert back.sh_degree == min(degree, format_for(f"x{suffix}").degree)
        assert all(p.dtype == torch.float32 for p in back.parameters())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_errors_would_be_noticed(tmp_path, suffix):
    """A frame that is off by a turn or a swapped axis is far outside of what is allowed."""
    scene = axes_scene()
    back = matched(scene, there_and_back(tmp_path, scene, suffix))
    turned = Gaussians(**back.state())
    turned.quats.data[:, 1:] *= -1
    assert "covariance" in excess(errors(scene, turned), KEPT[suffix])
    if KEPT[suffix].higher:
        raw = Gaussians(**back.state())
        raw.sh.data[:, 1:] = torch.from_numpy(PLY.sh(back.sh.detach().numpy()))[:, 1:]
        assert "higher" in excess(errors(scene, raw), KEPT[suffix])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_splat_and_odd_values_come_back(tmp_path, suffix):
    """One splat; a zero quaternion; opacities of 0 and 1; colors beyond what a screen shows."""
    one = random_scene(1, count=1, degree=1)
    assert there_and_back(tmp_path, one, suffix).count == 1
    odd = random_scene(2, count=5, degree=0)
    odd.quats.data[0] = 0
    odd.logit_opacities.data[:2] = torch.tensor([-40.0, 40.0])
    odd.sh.data[3] = 9
    back = matched(odd, there_and_back(tmp_path, odd, suffix))
    assert back.opacities[0] < 2e-3
    assert back.opacities[1] > 1 - 2e-3
    kept = KEPT[suffix].covariance
    own, its = covariance(odd).detach(), covariance(back).detach()
    assert (
        (own - its).flatten(1).norm(dim=1) <= kept * own.flatten(1).norm(dim=1) + 1e-7
    ).all()
    assert (color_from(back.sh, torch.ones(5, 3))[3] > 0.99).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_read_is_written_to_the_same_scene_again(tmp_path, suffix):
    """Converting to and fro does not wear a scene down."""
    scene = random_scene(4, count=40, degree=2)
    scene.sh.data.clamp_(-0.5, 0.5)  # .spz ends at 1
    first = there_and_back(tmp_path, scene, suffix)
    found = errors(first, there_and_back(tmp_path, first, suffix))
    again = errors(scene, there_and_back(tmp_path, first, suffix))
    assert not excess({k: v / 2 for k, v in again.items()}, KEPT[suffix])
    assert found["position"] <= max(2 * KEPT[suffix].position, 1e-6)


def test_the_table_of_frames():
    """Where our front, left and up lie in the formats; see the module for who says so."""
    world = np.eye(3)
    front, left, up = (
        np.stack([f.points(world)[i] for f in (PLY, SPZ, GLTF)]) for i in range(3)
    )
    np.testing.assert_array_equal(front, [[0, 0, 1], [0, 0, -1], [0, 0, 1]])
    np.testing.assert_array_equal(left, [[-1, 0, 0], [-1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(up, [[0, -1, 0], [0, 1, 0], [0, 1, 0]])


def test_content_counts_more_than_the_name(tmp_path):
    scene = random_scene(3, count=9)
    for suffix in SUFFIXES:
        write_splats(tmp_path / f"a{suffix}", scene)
        if suffix == ".splat":
            continue
        renamed = (tmp_path / f"a{suffix}").rename(tmp_path / "other.splat")
        assert recognized(renamed) is format_for(f"a{suffix}")
        assert read_splats(renamed).count == 9


def test_names_that_say_nothing_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hello")
    with pytest.raises(InvalidFile, match="not a file of splats"):
        read_splats(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"must end in one of \.ply"):
        write_splats(tmp_path / "a.obj", random_scene(0))
    with pytest.raises(InputError, match="There is no folder"):
        write_splats(tmp_path / "no" / "a.splat", random_scene(0))
    with pytest.raises(InvalidFile, match="No such file"):
        read_splats(tmp_path / "none.splat")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_scene_that_does_not_fit_leaves_nothing_behind(tmp_path, suffix):
    scene = random_scene(11, count=3)
    scene.means.data[1, 2] = 1e30
    with pytest.raises(InputError, match="splat 1"):
        write_splats(tmp_path / f"a{suffix}", scene)
    assert list(tmp_path.iterdir()) == []
