"""Some random scenes and meshes there and back; the command of `round_trips.py` takes 2,000."""

from dataclasses import replace

import pytest
from round_trips import (
    KEPT_OF_MESHES,
    SPLATS,
    mesh_errors,
    round_trips,
    scene_errors,
)

from splatsmith.export.mesh_files import write_mesh


@pytest.mark.parametrize("suffix", SPLATS)
def test_scenes(suffix):
    trips = round_trips(suffix, range(100, 125), of=scene_errors)
    print(suffix, trips.largest)
    assert trips.failures == []


@pytest.mark.parametrize("ending", KEPT_OF_MESHES)
def test_meshes(ending):
    trips = round_trips(ending, range(60), of=mesh_errors)
    print(ending, trips.largest)
    assert trips.failures == []


@pytest.mark.parametrize("ending", KEPT_OF_MESHES)
def test_a_wrong_mesh_would_be_noticed(ending, monkeypatch):
    def wrong(path, mesh, place):
        write_mesh(path, replace(mesh, vertices=mesh.vertices * 1.0001), place)

    monkeypatch.setattr("round_trips.write_mesh", wrong)
    assert len(round_trips(ending, range(3), of=mesh_errors).failures) == 3
