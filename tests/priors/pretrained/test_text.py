"""Prompts are read once: by the encoder, then from memory, then from the cache."""

import tiny
import torch

from splatsmith.cameras import orbit
from splatsmith.priors.pretrained import open_pretrained
from splatsmith.priors.pretrained.store import cache_folder, keep_text, kept_text
from splatsmith.prompts import Prompt

CAMERAS = orbit([0.0, 90.0, 180.0], 10.0, width=8, height=8)


def test_all_wordings_are_read_at_the_first_question(saved, monkeypatch):
    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    prompt = Prompt(text="a red ball", negative="a cube")
    condition = prior.condition(prompt, CAMERAS)
    assert len(condition) == 3
    assert set(prior.reader.known) == {
        "a red ball",
        *(f"a red ball, {where} view" for where in ("front", "side", "back", "overhead")),
        "a cube",
        "",
    }
    monkeypatch.setattr("splatsmith.priors.pretrained.text.load_part", None)
    from_above = orbit([0.0], 80.0, width=8, height=8)
    assert len(prior.condition(prompt, from_above)) == 1


def test_another_process_takes_them_from_the_cache(saved, monkeypatch):
    folder = str(saved(tiny.stable_diffusion))
    prompt = Prompt(text="a red ball")
    first = open_pretrained(folder).condition(prompt, CAMERAS)
    monkeypatch.setattr("splatsmith.priors.pretrained.text.load_part", None)
    second = open_pretrained(folder).condition(prompt, CAMERAS)
    for name, row in first.rows.items():
        torch.testing.assert_close(second.rows[name], row, rtol=0, atol=0)
    kept = list((cache_folder() / "text").iterdir())
    assert {path.suffix for path in kept} == {".safetensors"}


def test_other_weights_have_other_keys(saved, tmp_path):
    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    tiny.stable_diffusion(tmp_path, text_encoder=tiny.clip_text(tokens=40))
    other = open_pretrained(str(tmp_path))
    assert other.reader.digest != prior.reader.digest
    assert other.reader.rows(["a ball"])["words"].shape == (1, 40, 16)


def test_a_damaged_cache_is_read_over(tmp_path):
    keep_text("key", {"words": torch.ones(1, 2, 3)})
    torch.testing.assert_close(kept_text("key")["words"], torch.ones(1, 2, 3))
    path = cache_folder() / "text" / "key.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert kept_text("key") is None
    keep_text("key", {"words": torch.full((1, 1), torch.nan)})
    assert kept_text("key") is None


def test_a_cache_that_cannot_be_written_does_no_harm(saved, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPLATSMITH_CACHE", str(tmp_path / "file" / "cache"))
    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    assert prior.reader.rows(["a ball"])["words"].shape == (1, 77, 16)


def test_conditions_join_and_turn(saved):
    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    condition = prior.condition(Prompt(text="a red ball", negative="a cube"), CAMERAS)
    negative = condition.negative()
    both = condition.joined(negative)
    assert len(both) == 6
    torch.testing.assert_close(both.rows["words"][3:], negative.rows["words"])
    cube = prior.reader.rows(["a cube"])["words"]
    torch.testing.assert_close(negative.rows["words"], cube.expand(3, -1, -1))
    assert not torch.equal(condition.rows["words"][0], condition.rows["words"][2])


def test_whether_nothing_is_read_belongs_to_the_key(tmp_path):
    """SDXL's index may be changed beside the same weights."""
    tiny.sdxl(tmp_path)
    nothing = open_pretrained(str(tmp_path)).reader.rows([""])["words"]
    assert not nothing.any()
    tiny.edit_json(tmp_path / "model_index.json", force_zeros_for_empty_prompt=False)
    assert open_pretrained(str(tmp_path)).reader.rows([""])["words"].any()
