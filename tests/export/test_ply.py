from pathlib import Path

import numpy as np
import pytest
import torch
from dialects import columns_of, ply_bytes, random_columns, random_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from trimesh.exchange.ply import load_ply

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.export import read_ply, write_arrays, write_ply
from splatsmith.export.frames import PLY
from splatsmith.render.splat import splat
from splatsmith.scenes.gaussians import Gaussians


def own(scene: Gaussians) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in scene.state().items()}


def raw(path: Path) -> dict[str, np.ndarray]:
    """What trimesh finds in a file, in the file's own frame, as arrays named like ours."""
    with path.open("rb") as file:
        elements = load_ply(file)["metadata"]["_ply_raw"]
    assert list(elements) == ["vertex"]
    vertex = elements["vertex"]["data"]

    def pick(*names: str) -> np.ndarray:
        return np.stack([np.asarray(vertex[name]) for name in names], axis=1)

    dc = pick("f_dc_0", "f_dc_1", "f_dc_2")
    names = [name for name in vertex.dtype.names if name.startswith("f_rest_")]
    count = len(names) // 3
    channels = [
        np.stack([np.asarray(vertex[f"f_rest_{c * count + i}"]) for i in range(count)], axis=1)
        for c in range(3 if count else 0)
    ]
    rest = np.stack(channels, axis=2) if count else np.zeros((len(dc), 0, 3), np.float32)
    return {
        "means": pick("x", "y", "z"),
        "log_scales": pick("scale_0", "scale_1", "scale_2"),
        "quats": pick("rot_0", "rot_1", "rot_2", "rot_3"),
        "logit_opacities": np.asarray(vertex["opacity"]),
        "sh": np.concatenate([dc[:, None], rest], axis=1),
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40), degree=st.integers(0, 3))
def test_what_is_written_is_read_back(tmp_path_factory, seed, count, degree):
    path = tmp_path_factory.mktemp("round") / "scene.ply"
    scene = random_scene(seed, count=count, degree=degree)
    write_ply(path, scene)
    back = own(read_ply(path))
    for name, before in own(scene).items():
        after = back[name]
        assert after.dtype == np.float32
        if name in ("means", "log_scales", "logit_opacities"):
            assert after.tobytes() == before.tobytes()
        else:
            np.testing.assert_allclose(after, before, rtol=0, atol=1e-6)
    exact = back["sh"][:, :4] == own(scene)["sh"][:, :4]
    assert exact.all()  # Degree 0 and 1 only exchange places and signs.


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_trimesh_reads_the_same_from_our_file(tmp_path, degree):
    scene = random_scene(5, count=30, degree=degree)
    write_ply(tmp_path / "scene.ply", scene)
    other = raw(tmp_path / "scene.ply")
    world = PLY.inverse
    ours = own(read_ply(tmp_path / "scene.ply"))
    np.testing.assert_array_equal(world.points(other["means"]), ours["means"])
    np.testing.assert_array_equal(world.quats(other["quats"]), ours["quats"])
    np.testing.assert_array_equal(world.sh(other["sh"]), ours["sh"])
    np.testing.assert_array_equal(other["log_scales"], ours["log_scales"])
    np.testing.assert_array_equal(other["logit_opacities"], ours["logit_opacities"])


@pytest.mark.parametrize("degree", [0, 3])
def test_pictures_of_the_file_are_pictures_of_the_scene(tmp_path, degree):
    """The file's raw numbers, read by trimesh and never turned, seen by turned cameras."""
    scene = random_scene(6, count=60, degree=degree, dtype=torch.float64)
    write_ply(tmp_path / "scene.ply", scene)
    cameras = orbit([0, 70, 200], [0, 40, -20], width=48, height=40).to(torch.float64)
    background = torch.tensor([0.1, 0.6, 1.0], dtype=torch.float64)
    picture = scene.render(cameras, background, backend="reference").color
    file = {
        name: torch.tensor(array).double()
        for name, array in raw(tmp_path / "scene.ply").items()
    }
    world_to_file = torch.eye(4, dtype=torch.float64)
    world_to_file[:3, :3] = torch.from_numpy(PLY.rotation)
    turned = cameras.to(torch.float64)
    turned.viewmat[:] = cameras.viewmat @ world_to_file.T
    seen = splat(
        file["means"],
        file["quats"],
        file["log_scales"].exp(),
        file["logit_opacities"].sigmoid(),
        file["sh"],
        turned,
        background,
        backend="reference",
    ).color
    torch.testing.assert_close(seen, picture, rtol=0, atol=2e-5)
    back = read_ply(tmp_path / "scene.ply").double()
    again = back.render(
        orbit([0, 70, 200], [0, 40, -20], width=48, height=40).to(torch.float64),
        background,
        backend="reference",
    ).color
    torch.testing.assert_close(again, picture, rtol=0, atol=2e-5)
    assert picture.std() > 0.05  # There is something to see.


def test_the_file_has_the_canonical_form(tmp_path):
    scene = random_scene(7, count=3, degree=1)
    write_ply(tmp_path / "scene.ply", scene)
    header, _, body = (tmp_path / "scene.ply").read_bytes().partition(b"end_header\n")
    names = columns_of(9)
    names[3:3] = ["nx", "ny", "nz"]
    expected = ["ply", "format binary_little_endian 1.0", "element vertex 3"]
    expected += [f"property float {name}" for name in names]
    assert header.decode().splitlines() == expected
    assert len(body) == 3 * 4 * len(names)


def test_padding_adds_zeros_and_changes_nothing_else(tmp_path):
    scene = random_scene(8, degree=1)
    write_ply(tmp_path / "padded.ply", scene, sh_degree=3)
    back = read_ply(tmp_path / "padded.ply")
    assert back.sh_degree == 3
    torch.testing.assert_close(back.sh[:, :4], scene.sh, rtol=0, atol=0)
    assert not back.sh[:, 4:].any()
    with pytest.raises(InputError, match="must lie in 1"):
        write_ply(tmp_path / "cut.ply", scene, sh_degree=0)


def test_a_zero_quaternion_means_not_rotated_in_the_file_too(tmp_path):
    scene = random_scene(9, count=2)
    scene.quats.data[1] = 0
    write_ply(tmp_path / "scene.ply", scene)
    quats = read_ply(tmp_path / "scene.ply").quats[1]
    torch.testing.assert_close(quats, torch.tensor([1.0, 0, 0, 0]), rtol=0, atol=1e-6)


def test_double_and_half_precision_scenes_are_stored_as_singles(tmp_path):
    for dtype in (torch.float64, torch.float16):
        scene = random_scene(10).to(dtype)
        write_ply(tmp_path / "scene.ply", scene)
        back = read_ply(tmp_path / "scene.ply")
        torch.testing.assert_close(back.means.data, scene.means.float().data, rtol=0, atol=0)


def test_writing_leaves_the_old_file_when_it_fails(tmp_path):
    path, scene = tmp_path / "scene.ply", random_scene(11)
    write_ply(path, scene)
    before = path.read_bytes()
    scene.means.data[2, 1] = 1e30
    with pytest.raises(InputError, match=r"x of splat 2 is -1e\+30"):
        write_ply(path, scene)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["scene.ply"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        write_ply(tmp_path / "no" / "scene.ply", random_scene(12))


def test_arrays_are_written_like_a_scene(tmp_path):
    scene = random_scene(13, count=20, degree=2)
    write_ply(tmp_path / "scene.ply", scene)
    write_arrays(tmp_path / "arrays.ply", own(scene))
    assert (tmp_path / "arrays.ply").read_bytes() == (tmp_path / "scene.ply").read_bytes()


def test_activated_arrays_are_refused(tmp_path):
    scene = random_scene(14, count=200)
    logs = own(scene)
    scales, opacities = scene.scales.detach().numpy(), scene.opacities.detach().numpy()
    path = tmp_path / "scene.ply"
    with pytest.raises(InputError, match=r"np\.log\(scales\)"):
        write_arrays(path, logs | {"log_scales": scales})
    with pytest.raises(InputError, match="like probabilities"):
        write_arrays(path, logs | {"logit_opacities": opacities})
    with pytest.raises(InputError, match="finite"):
        write_arrays(path, logs | {"sh": logs["sh"] * np.nan})
    with pytest.raises(InputError, match="needs means"):
        write_arrays(path, {"means": logs["means"]})
    assert not path.exists()


def test_unusual_but_right_arrays_are_not_refused(tmp_path):
    """Starts of runs, scenes in millimeters, tiny scenes, half-transparent ones."""
    path, logs = tmp_path / "scene.ply", own(random_scene(15, count=100))
    even = np.zeros_like(logs["logit_opacities"])
    write_arrays(path, logs | {"logit_opacities": even})
    write_arrays(path, logs | {"logit_opacities": even + 0.4})
    big = np.log(np.float32(1000))
    write_arrays(
        path, logs | {"means": logs["means"] * 1000, "log_scales": logs["log_scales"] + big}
    )
    assert (logs["log_scales"] + big).min() > 0
    one = {name: array[:1] for name, array in logs.items()}
    write_arrays(path, one | {"log_scales": np.full((1, 3), 0.5, np.float32)})


def test_an_activated_file_is_refused(tmp_path):
    rng = np.random.default_rng(16)
    columns = random_columns(16, count=100)
    columns |= {axis: rng.uniform(-0.7, 0.7, 100) for axis in "xyz"}
    columns |= {f"scale_{i}": rng.uniform(0.005, 0.05, 100) for i in range(3)}
    columns["opacity"] = rng.uniform(0.01, 0.99, 100)
    path = tmp_path / "activated.ply"
    path.write_bytes(ply_bytes(columns))
    with pytest.raises(InputError, match="mend the program that wrote it"):
        read_ply(path)


def test_the_founding_tutorials_file_is_refused_with_its_reason(tmp_path):
    columns = {n: v for n, v in random_columns(17).items() if not n.startswith("f_dc")}
    columns |= {name: np.full(4, 99) for name in ("red", "green", "blue")}
    kinds = dict.fromkeys(("red", "green", "blue"), "uchar")
    path = tmp_path / "tutorial.ply"
    path.write_bytes(ply_bytes(columns, kinds=kinds))
    with pytest.raises(InputError, match=r"lacks f_dc_0, f_dc_1, f_dc_2: a splat file stores"):
        read_ply(path)
