"""Values that are not finite never reach a parameter."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from splatsmith import generate
from splatsmith.optimize.book import Book
from splatsmith.optimize.guards import BadValue, RunFailed, check, check_gradients, step_or_undo
from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.run import fresh_state
from splatsmith.optimize.signals import Signals
from splatsmith.optimize.stage import run_stage
from splatsmith.optimize.state import make_optimizer
from splatsmith.optimize.timers import Timers
from splatsmith.priors.prediction import Prediction
from splatsmith.recipes.load import overridden
from splatsmith.recipes.schema import Adam


@dataclass
class Faulty:
    """A prior that answers with `value` at some of its calls."""

    inner: Any
    value: float
    calls: set
    count: int = 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def predict(self, x_t, t, condition):
        answer = self.inner.predict(x_t, t, condition)
        self.count += 1
        if self.count not in self.calls:
            return answer
        x0 = answer.x0.clone()
        x0[0, 0, 3, 3] = self.value
        return Prediction.of("x0", x0, x_t, t, self.inner.schedule)


def finite(scene):
    return all(bool(torch.isfinite(value).all()) for value in scene.state().values())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e38])
def test_a_bad_prediction_is_skipped_and_counted(prior, recipe, value, tmp_path):
    faulty = Faulty(prior, value, {1, 4, 5, 12})
    infos = []
    result = generate(
        "x", prior=faulty, recipe=recipe, callback=infos.append, out=tmp_path / "run"
    )
    assert finite(result.scene)
    assert result.metrics["skipped"] == 4
    assert [i.step for i in infos if i.skipped == "prediction"] == [1, 4, 5, 12]
    events = (tmp_path / "run" / "events.jsonl").read_text()
    assert '{"event": "skipped", "step": 4, "stage": "shape", "tensor": "prediction"}' in events


def test_a_skipped_step_changes_nothing(prior, recipe):
    one = overridden(recipe, {"shape.steps": 1})
    faulty = Faulty(prior, float("nan"), {1})
    skipped = generate("x", prior=faulty, recipe=one).scene
    untouched = generate(
        "x",
        prior=prior,
        recipe=overridden(
            one,
            [f"shape.rates.{name}=0.0" for name in skipped.parameters_by_name()],
        ),
    ).scene
    assert all(torch.equal(skipped.state()[k], v) for k, v in untouched.state().items())


def test_twenty_in_a_row_end_the_run(prior, recipe):
    faulty = Faulty(prior, float("nan"), set(range(10, 200)))
    long = overridden(recipe, {"shape.steps": 60})
    with pytest.raises(RunFailed) as caught:
        generate("x", prior=faulty, recipe=long)
    assert str(caught.value) == (
        "Step 29 of stage 'shape': prediction was not finite, nor were 20 steps in a row up to "
        "here; they changed nothing. Look at score.guidance of that stage, for example "
        "--set shape.score.guidance=VALUE with a smaller value."
    )


def test_nineteen_in_a_row_do_not(prior, recipe):
    faulty = Faulty(prior, float("nan"), set(range(2, 21)) | set(range(22, 41)))
    long = overridden(recipe, {"shape.steps": 42})
    assert generate("x", prior=faulty, recipe=long).metrics["skipped"] == 38


def test_a_scale_that_overflows_is_named(prior, recipe):
    """exp(60) is a finite number, but no scale; a scene like this cannot be drawn."""
    plan = make_plan("x", 0, overridden(recipe, {"shape.steps": 60}), prior, nearest=False)
    state = fresh_state(plan)
    with torch.no_grad():
        state.scene.log_scales[3] = 60.0
    book = Book(steps=60, save_every=5, run="", timers=Timers(), signals=Signals())
    with pytest.raises(RunFailed, match=r"Step 20 .*log_scales.*shape\.rates\.log_scales"):
        run_stage(plan.settings()[0], state, book)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_bad_gradients_are_found(target_scene, value):
    scene = type(target_scene).from_state(target_scene.state())
    for name, parameter in scene.parameters_by_name().items():
        parameter.grad = torch.zeros_like(parameter)
        check_gradients(scene.parameters_by_name())
        parameter.grad.view(-1)[-1] = value
        with pytest.raises(BadValue, match=f"gradient of {name}"):
            check_gradients(scene.parameters_by_name())
        parameter.grad = None


def test_a_step_that_ruins_a_parameter_is_taken_back(target_scene):
    scene = type(target_scene).from_state(target_scene.state())
    optimizer = make_optimizer(scene, Adam())
    for parameter in scene.parameters():
        parameter.grad = torch.ones_like(parameter)
    for group in optimizer.param_groups:
        group["lr"] = 1e-2
    step_or_undo(optimizer, scene.parameters_by_name())
    before = {k: v.clone() for k, v in scene.state().items()}
    moments = {k: v.clone() for k, v in optimizer.state[scene.means].items()}
    optimizer.param_groups[0]["lr"] = float("inf")
    with pytest.raises(BadValue, match="means"):
        step_or_undo(optimizer, scene.parameters_by_name())
    assert all(torch.equal(before[k], v) for k, v in scene.state().items())
    assert all(torch.equal(moments[k], v) for k, v in optimizer.state[scene.means].items())


def test_what_counts_as_bad():
    check("fine", torch.tensor([1e17, -1e17]))
    check("empty", torch.empty(0))
    for value in (float("nan"), float("inf"), -1e19):
        with pytest.raises(BadValue):
            check("x", torch.tensor([0.0, value]))
