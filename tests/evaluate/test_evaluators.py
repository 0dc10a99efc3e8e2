"""Evaluators read what they must, say so in probabilities, and come whole from their file."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from splatsmith.errors import InputError, InvalidFile
from splatsmith.evaluate import evaluators
from splatsmith.evaluate.evaluators import load_e1, load_e2, save_evaluators
from splatsmith.evaluate.features import Regression
from splatsmith.evaluate.network import BINS, Network, NetworkShape
from splatsmith.toybox import CATEGORIES, COLORS

SHAPE = NetworkShape(
    categories=len(CATEGORIES),
    colors=len(COLORS),
    widths=(8, 8, 16, 16, 16),
    blocks=(0, 0, 0, 1, 0),
)


def some_regression(features, classes, gen):
    return Regression(
        torch.randn(features, generator=gen),
        torch.rand(features, generator=gen),
        torch.randn(classes, features, generator=gen) * 0.1,
        torch.randn(classes, generator=gen),
    )


@pytest.fixture
def saved(tmp_path, gen):
    """A file of evaluators that have learned nothing."""
    path = tmp_path / "evaluator.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(SHAPE)
    category = some_regression(1764 + 406, len(CATEGORIES), gen)
    color = some_regression(406, len(COLORS), gen)
    save_evaluators(path, network, category, color, {"command": "by hand"})
    return path, network, category, color


def test_e1_says_what_its_network_says(saved, gen):
    path, network, _, _ = saved
    evaluator = load_e1(path)
    pictures = torch.rand(3, 96, 96, 3, generator=gen)
    found = evaluator.judge(pictures, "dog")
    answers = network.half().float()(pictures.permute(0, 3, 1, 2))
    dog = list(CATEGORIES).index("dog")
    torch.testing.assert_close(found.categories, answers.category.log_softmax(-1))
    torch.testing.assert_close(found.colors, answers.color.log_softmax(-1))
    torch.testing.assert_close(found.azimuth, answers.azimuth[:, dog].softmax(-1))
    assert found.azimuth.shape == (3, BINS)
    assert evaluator.name.startswith("E1 ")
    assert evaluator.reads_azimuth
    assert not found.categories.requires_grad
    features = evaluator.features(pictures)
    assert features.shape == (3, SHAPE.widths[-1])


def test_pictures_are_judged_one_by_one(saved, gen, monkeypatch):
    evaluator = load_e1(saved[0])
    pictures = torch.rand(5, 96, 96, 3, generator=gen)
    together = evaluator.judge(pictures, "mug")
    monkeypatch.setattr(evaluators, "BATCH", 2)
    apart = evaluator.judge(pictures, "mug")
    torch.testing.assert_close(together.colors, apart.colors)


def test_e2_gives_probabilities_and_no_azimuth(saved, gen):
    evaluator = load_e2(saved[0])
    found = evaluator.judge(torch.rand(3, 96, 96, 3, generator=gen), "dog")
    torch.testing.assert_close(found.categories.exp().sum(-1), torch.ones(3))
    torch.testing.assert_close(found.colors.exp().sum(-1), torch.ones(3, len(CATEGORIES)))
    assert (found.colors == found.colors[:, :1]).all()
    assert found.azimuth is None
    assert not evaluator.reads_azimuth
    assert evaluator.name[3:] == load_e1(saved[0]).name[3:]


@pytest.mark.parametrize("load", [load_e1, load_e2])
def test_what_cannot_be_read_is_refused(load, saved, gen):
    evaluator = load(saved[0])
    pictures = torch.rand(2, 96, 96, 3, generator=gen)
    with pytest.raises(InputError, match="96 x 96"):
        evaluator.judge(pictures[:, :64, :64], "dog")
    with pytest.raises(InputError, match="96 x 96"):
        evaluator.judge(pictures[:0], "dog")
    with pytest.raises(InputError, match="no category 'violin'"):
        evaluator.judge(pictures, "violin")
    pictures[0, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="finite"):
        evaluator.judge(pictures, "dog")


@pytest.mark.parametrize("load", [load_e1, load_e2])
def test_a_file_that_is_not_one_is_refused(load, saved, tmp_path, monkeypatch):
    path = saved[0]
    with pytest.raises(InputError, match="No evaluator at"):
        load(tmp_path / "nothing.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"\x00" * 100)
    with pytest.raises(InvalidFile, match="header"):
        load(bad)
    bad.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InvalidFile, match="not a usable evaluator"):
        load(bad)
    monkeypatch.setattr(evaluators, "MOST_BYTES", 1000)
    with pytest.raises(InvalidFile, match="25 MB"):
        load(path)


def spoil(path, target, header=(), tensors=()):
    """The file with some of its header and tensors exchanged."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    save_file(load_file(path) | dict(tensors), target, metadata=metadata | dict(header))


def test_a_file_for_another_world_is_refused(saved, tmp_path):
    bad = tmp_path / "bad.safetensors"
    spoil(saved[0], bad, header={"format": "else"})
    with pytest.raises(InvalidFile, match="format is 'else'"):
        load_e1(bad)
    spoil(saved[0], bad, header={"categories": json.dumps([*CATEGORIES, "violin"])})
    with pytest.raises(InvalidFile, match="other categories"):
        load_e1(bad)
    spoil(saved[0], bad, header={"shape": json.dumps(replace(SHAPE, colors=3).to_plain())})
    with pytest.raises(InvalidFile, match="not a usable evaluator"):
        load_e1(bad)
    bias = torch.full((len(CATEGORIES),), torch.inf)
    spoil(saved[0], bad, tensors={"e2.category.bias": bias})
    with pytest.raises(InvalidFile, match="finite"):
        load_e2(bad)


def test_the_shipped_file_must_be_the_one_that_shipped(saved, monkeypatch):
    path = saved[0]
    monkeypatch.setattr(evaluators, "shipped_file", lambda name: path)
    with pytest.raises(InvalidFile, match="SHA-256"):
        load_e1()
