"""A prior file for the command line: the real format, tiny, with weights that know nothing."""

import pytest
import torch

from splatsmith.cli.main import main
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import EmbeddedPrior, save_embedded
from splatsmith.priors.text import WordTable
from splatsmith.prompts import Vocabulary

WORDS = ("red", "blue", "ball", "cube", "a")


def write_prior(path, words, vocabulary):
    """A prior file with these words and weights that know nothing."""
    shape = DenoiserShape(
        resolution=32,
        outer_width=16,
        middle_width=16,
        inner_width=16,
        inner_blocks=1,
        attentive_blocks=(0,),
        heads=2,
        signal_width=16,
        text_width=16,
        text_layers=1,
        vocabulary=len(words.words) + 1,
        words=words.length,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Denoiser(shape)
    save_embedded(path, EmbeddedPrior(net, vocabulary, words, "a test"), {"by": "a test"})
    return path


@pytest.fixture(scope="session")
def make_prior():
    """`write_prior`, for tests with words of their own."""
    return write_prior


@pytest.fixture(scope="session")
def prior_file(tmp_path_factory):
    vocabulary = Vocabulary(
        kinds={"object": ("ball", "cube"), "color": ("red", "blue"), "filler": ("a",)},
        synonyms={"sphere": "ball"},
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return write_prior(path, WordTable(WORDS, 8), vocabulary)


@pytest.fixture
def call(capsys):
    """Run a command; returns exit code, stdout and stderr, and never lets a traceback pass."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return run
