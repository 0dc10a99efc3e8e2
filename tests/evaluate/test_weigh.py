"""One scene's metrics: all there, right for true objects, worst for what shows nothing."""

import math

import pytest
import torch
from fakes import Fake

from splatsmith.errors import InputError
from splatsmith.evaluate.geometry import similarity
from splatsmith.evaluate.record import Origin, Record, from_line, to_line
from splatsmith.evaluate.truth import as_gaussians, true_objects, with_floaters
from splatsmith.evaluate.weigh import BOTH, FAILED_READING, failed, weigh, weigh_pictures
from splatsmith.scenes import from_points
from splatsmith.toybox import build

PROMPT = "a yellow duck"


@pytest.fixture(scope="module")
def duck():
    generator = torch.Generator().manual_seed(3)
    return as_gaussians(true_objects([("yellow", "duck")], generator)[0], generator, 4000)


@pytest.fixture(scope="module")
def evaluators():
    return [Fake("E1 012345", "duck", "yellow"), Fake("E2 678900", "dog", "red", blind=True)]


@pytest.fixture(scope="module")
def metrics(duck, evaluators):
    return weigh(duck, PROMPT, evaluators, torch.Generator().manual_seed(0))


def test_the_evaluators_readings_are_kept_apart(metrics):
    for name in ("PR@1", "PR@5", "PRview", "Cat", "Col", "GeoCat", "T"):
        assert metrics[f"E1 {name}"] == pytest.approx(1, abs=0.02)
    for name in ("PR@1", "PRview", "Cat", "Col", "GeoCat"):
        assert metrics[f"E2 {name}"] == 0
    assert metrics["E1 JR"] == 0
    assert metrics["E1 Faces"] == 1
    assert "E2 T" not in metrics
    assert metrics["E2 Rank"] > metrics["E1 Rank"] == 1


def test_a_true_object_is_like_itself(metrics):
    assert metrics["Fail"] == 0
    assert metrics["IoU*"] > 0.93
    assert metrics["PSNR*"] > 17
    assert metrics["F*"] > 0.6
    assert metrics["CD*"] < 2e-3
    assert metrics["Haze"] < 1e-3
    assert metrics["dE"] < 22  # The light is in it; the palette is unlit.
    assert metrics["dE*"] < 10
    assert metrics["Float"] < 1e-4
    assert (metrics["Pieces"], metrics["Needle"], metrics["VDI"]) == (1, 0, 0)


def test_a_scene_is_met_where_it_stands(evaluators):
    generator = torch.Generator().manual_seed(3)
    toy = true_objects([("yellow", "duck")], generator)[0]
    scene = as_gaussians(toy, generator, 4000)
    turned = as_gaussians(toy, generator, 4000)
    x, y, z = turned.means.detach().unbind(-1)
    turned = replace_means(turned, torch.stack([-y, x, z], dim=-1))
    found = [weigh(s, PROMPT, evaluators[:0], generator, toy) for s in (scene, turned)]
    for name, least in (("PSNR", 17.0), ("SSIM", 0.7), ("IoU", 0.93)):
        assert found[0][name] > least
        assert found[1][name] < found[0][name] - 0.1
    assert found[1]["IoU*"] > 0.9  # which is searched for
    assert failed(PROMPT, [], toy)["PSNR"] == 0
    assert "PSNR" not in weigh(scene, PROMPT, [], generator)


def replace_means(scene, means):
    return type(scene).from_state({**scene.state(), "means": means})


def test_similarity_is_one_of_equals_and_falls_with_noise():
    generator = torch.Generator().manual_seed(0)
    picture, mask = torch.rand(2, 24, 24, 3, generator=generator), torch.ones(2, 24, 24) > 0
    assert similarity(picture, picture, mask) == pytest.approx(1)
    noise = torch.randn(picture.shape, generator=generator)
    found = [similarity(picture, picture + s * noise, mask) for s in (0.05, 0.2, 0.8)]
    assert 1 > found[0] > found[1] > found[2] > -0.1
    # Of two constants only the light is compared.
    a, b = torch.full((1, 24, 24, 3), 0.25), torch.full((1, 24, 24, 3), 0.75)
    known = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert similarity(a, b, mask[:1]) == pytest.approx(known, abs=1e-5)


def test_all_is_written_and_read(metrics):
    origin = Origin(
        recipe="q", recipe_sha256="", prior="p", prior_sha256="", evaluators=(), lists_sha256=""
    )
    made = Record(
        kind="run", prompt=PROMPT, seed=0, split="held", origin=origin, metrics=metrics
    )
    assert from_line(to_line(made)) == made


def test_the_same_scene_weighs_the_same(duck, evaluators, metrics):
    again = weigh(duck, PROMPT, evaluators, torch.Generator().manual_seed(0))
    assert again == metrics


def test_faults_put_in_on_purpose_are_seen(duck, metrics, evaluators, gen):
    floating = weigh(with_floaters(duck, gen), PROMPT, evaluators, gen)
    assert floating["Float"] > metrics["Float"] + 0.05
    assert floating["Haze"] > metrics["Haze"]
    blue = as_gaussians(build("duck", color="blue"), gen, 3000)
    wrong = weigh(blue, PROMPT, [], gen)
    assert wrong["dE"] > metrics["dE"] + 40
    assert wrong["dE*"] > metrics["dE*"] + 40
    assert wrong["PSNR*"] < metrics["PSNR*"] - 3


def test_an_object_that_stands_still_counts_as_janus(duck, gen):
    still = Fake("E1 0", "duck", "yellow", turns=False)
    found = weigh(duck, PROMPT, [still], gen)
    assert found["E1 T"] < 0.1
    assert found["E1 JR"] == 1


@pytest.mark.parametrize(
    "scene",
    [
        from_points(torch.tensor([[0.0, 0, 0], [0.1, 0, 0]]), opacity=0.01),
        from_points(
            torch.randn(200, 3, generator=torch.Generator().manual_seed(0)),
            opacity=0.9,
            scale=40.0,
        ),
    ],
    ids=["empty", "full"],
)
def test_what_shows_no_object_has_failed(scene, evaluators, gen):
    found = weigh(scene, PROMPT, evaluators, gen)
    assert found == failed(PROMPT, evaluators)
    assert found["Fail"] == found["E1 JR"] == found["Float"] == 1
    assert found["E1 PR@1"] == found["E2 PR@1"] == found["IoU*"] == found["E1 T"] == 0
    assert "E2 T" not in found


def test_a_scene_that_is_not_finite_has_failed(evaluators, gen):
    scene = from_points(torch.randn(5, 3, generator=gen))
    with torch.no_grad():
        scene.means[0] = math.inf
    assert weigh(scene, PROMPT, evaluators, gen)["Fail"] == 1


def test_a_failure_lacks_nothing_that_means_are_taken_of(metrics):
    assert {f"E1 {name}" for name in FAILED_READING} <= set(metrics)


def test_two_things_are_weighed_by_their_geometry_and_by_being_found(duck, evaluators, gen):
    found = weigh(duck, "a yellow duck on a green barrel", evaluators, gen)
    read = {name: value for name, value in found.items() if name.startswith("E")}
    assert set(read) == {f"{kind} {name}" for kind in ("E1", "E2") for name in BOTH}
    assert not any(read.values())  # The fake evaluators see one thing only.
    assert found["dE"] is None
    assert found["dE*"] is None
    assert 0 < found["IoU*"] < 0.85


def test_pictures_are_read_without_a_scene(evaluators):
    found = weigh_pictures(torch.ones(24, 96, 96, 3), PROMPT, evaluators)
    assert found["E1 PR@1"] == 1
    assert found["E1 T"] == pytest.approx(1, abs=0.02)
    assert "E2 T" not in found
    assert "IoU*" not in found
    with pytest.raises(InputError, match="24 pictures"):
        weigh_pictures(torch.ones(4, 96, 96, 3), PROMPT, evaluators)


def test_only_known_truths_are_weighed(duck, gen):
    with pytest.raises(InputError, match="canonical"):
        weigh(duck, "a nice yellow duck", [], gen)
