"""What is said about a list as a whole, by the network that ships."""

import torch

from splatsmith.cli.evaluation_jobs import truth
from splatsmith.cli.evaluation_sets import diversity_lines, resemblance_lines
from splatsmith.evaluate.evaluators import load_e1
from splatsmith.evaluate.lists import Job, PromptList
from splatsmith.evaluate.sheets import views_of

PROMPTS = PromptList(
    "P-two", "two of them", ("a yellow duck", "a red dog", "a blue house", "a white mug")
)


def test_true_objects_are_near_and_noise_is_named():
    pictures = {Job(prompt, 0): views_of(truth(prompt, 9)) for prompt in PROMPTS.prompts[:3]}
    pictures[Job("a white mug", 0)] = torch.rand(4, 96, 96, 3)
    distance, unlike = resemblance_lines(load_e1(), PROMPTS, 1, pictures)
    assert "a white mug, seed 0" in unlike
    assert "of other true objects" in distance
    assert diversity_lines(PROMPTS, 1, pictures) == []


def test_a_single_prompt_is_no_set():
    pictures = {Job("a red dog", 0): views_of(truth("a red dog", 9))}
    assert resemblance_lines(load_e1(), PROMPTS, 1, pictures) == []


def test_a_failed_run_is_no_other_object():
    """Blank pictures differ from every object; that is not what diversity means."""
    one = PromptList("P-one", "one of them", ("a red dog",))
    pictures = {Job("a red dog", seed): views_of(truth("a red dog", seed)) for seed in (0, 1)}
    (told,) = diversity_lines(one, 2, pictures)
    assert "0.00" not in told
    pictures[Job("a red dog", 1)] = views_of(None)
    (failed,) = diversity_lines(one, 2, pictures)
    assert "0.00" in failed
