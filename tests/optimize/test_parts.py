"""The small parts of the loop: randomness, regularizers, the progress line, plans."""

import io

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.optimize.plan import evenly
from splatsmith.optimize.progress import ProgressLine
from splatsmith.optimize.regularizers import (
    Regularize,
    needles,
    outside,
    regularization,
    size,
    sparsity,
)
from splatsmith.optimize.run import default_folder
from splatsmith.optimize.streams import stream

PINNED = [0.57133311, 0.80931568, 0.24135208, 0.63602453]


def draw(*key):
    return torch.rand(4, generator=stream(*key))


def test_streams_depend_on_seed_name_and_step_alone():
    base = draw(1, "noise", 5)
    assert torch.equal(base, draw(1, "noise", 5))
    for other in ((2, "noise", 5), (1, "noisy", 5), (1, "noise", 6), (1, "noise", 15)):
        assert not torch.equal(base, draw(*other))


def test_streams_do_not_change_between_versions():
    """Runs begun by an older version must resume: these numbers are for good."""
    torch.testing.assert_close(draw(0, "cameras", 0), torch.tensor(PINNED), rtol=0, atol=1e-7)


def test_regularizers_measure_what_they_say():
    assert float(sparsity(torch.tensor([0.2, 0.4]))) == pytest.approx(0.3)
    means = torch.tensor([[0.0, 0.0, 0.5], [0.0, 3.0, 4.0]])
    assert float(outside(means, torch.tensor([1.0, 0.5]))) == pytest.approx(0.5 * 4 / 2)
    round_, disk = [0.1, 0.1, 0.1], [0.001, 0.1, 0.1]
    needle = [0.01, 0.01, 0.08]
    scales = torch.tensor([round_, disk, needle])
    assert float(needles(scales.log(), 4.0)) == pytest.approx(
        float(torch.tensor(2.0).log()) / 3
    )
    assert float(size(torch.tensor([round_, [0.1, 0.3, 0.2]]), 0.2)) == pytest.approx(0.05)


def test_regularizers_pull_the_right_way(target_scene):
    scene = type(target_scene).from_state(target_scene.state())
    with torch.no_grad():
        scene.means[0] = torch.tensor([2.0, 0.0, 0.0])
    total = regularization(Regularize(sparsity=1.0, outside=1.0, size=1.0), scene)
    total.backward()
    assert bool((scene.logit_opacities.grad > 0).all()), "less opaque is better"
    assert float(scene.means.grad[0, 0]) > 0, "inward is better"
    assert float(scene.means.grad[1:].abs().max()) == 0
    assert float(scene.log_scales.grad.min()) >= 0


def test_no_weights_no_term(target_scene):
    assert regularization(Regularize(), target_scene) is None


@pytest.mark.parametrize(
    "bad", [{"sparsity": -1.0}, {"size": float("inf")}, {"needle_ratio": 0.5}, {"largest": 0.0}]
)
def test_bad_weights_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        Regularize(**bad)


def test_snapshots_are_spread_from_the_first_step_to_the_last():
    assert evenly(100, 4) == {0, 33, 66, 99}
    assert evenly(3, 10) == {0, 1, 2}
    assert evenly(7, 1) == {0}


def test_the_plain_progress_line_tells_steps_and_time():
    said = io.StringIO()
    with ProgressLine(20, 10, said) as line:
        for step in range(11, 21):
            line.update(step, "shape", 4, "123 splats")
    lines = said.getvalue().splitlines()
    assert len(lines) == 1, "a run this short has only its last line"
    assert lines[0].startswith("shape: step 20/20, ")
    assert lines[0].endswith(" views/s, 123 splats, 0 s left")


def test_the_live_progress_line_is_drawn_on_terminals():
    said = Terminal()
    with ProgressLine(3, 0, said) as line:
        for step in (1, 2, 3):
            line.update(step, "shape", 4, "99 splats")
    assert "shape: step 3/3" in said.getvalue()
    assert "99 splats" in said.getvalue()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_folders_are_named_after_their_prompt():
    name = default_folder('A "Red" Müshroom/with ../dots' + " x" * 99, 7).as_posix()
    assert name.startswith("runs/a-red-m-shroom-with-dots-x-x")
    assert name.endswith("-7")
    assert len(name) < 80
    assert default_folder("???", 1).as_posix() == "runs/run-1"
