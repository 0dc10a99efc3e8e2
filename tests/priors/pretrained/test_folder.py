"""What a folder must hold, and how mistakes are told."""

import json
import shutil

import pytest
import tiny

from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained import open_pretrained
from splatsmith.priors.pretrained.folder import wanted_files, weight_files

PLAIN, HALF = "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"
SHARDS = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
HALF_SHARDS = [f"model.fp16-0000{i}-of-00002.safetensors" for i in (1, 2)]
INDEX, HALF_INDEX = "model.safetensors.index.json", "model.safetensors.index.fp16.json"


@pytest.mark.parametrize(
    ("names", "half", "chosen"),
    [
        ([PLAIN, HALF], True, [HALF]),
        ([PLAIN, HALF], False, [PLAIN]),
        ([PLAIN], True, [PLAIN]),
        ([HALF], False, [HALF]),
        ([PLAIN, "diffusion_pytorch_model.non_ema.safetensors", "x.bin"], False, [PLAIN]),
        ([*SHARDS, INDEX, *HALF_SHARDS, HALF_INDEX], False, [*SHARDS, INDEX]),
        ([*SHARDS, INDEX, *HALF_SHARDS, HALF_INDEX], True, [*HALF_SHARDS, HALF_INDEX]),
    ],
)
def test_one_variant_is_chosen(names, half, chosen):
    assert weight_files(names, "unet", half=half) == sorted(chosen)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["diffusion_pytorch_model.bin"], r"only as a pickle.* never opened"),
        (["pytorch_model.bin", "config.json"], "only as a pickle"),
        (["config.json"], r"no \.safetensors weights"),
        ([SHARDS[0], INDEX], "lacks shard 2 of 2"),
        (SHARDS, "lacks the index"),
        ([INDEX], r"no \.safetensors weights"),
    ],
)
def test_weights_that_cannot_be_read_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        weight_files(names, "unet", half=False)


def test_only_what_is_needed_is_fetched():
    names = [
        "model_index.json", "README.md", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors",
        "unet/config.json", f"unet/{PLAIN}", f"unet/{HALF}", "unet/diffusion_pytorch_model.bin",
        "tokenizer/vocab.json", "tokenizer/merges.txt", "scheduler/scheduler_config.json",
        "safety_checker/model.safetensors", "vae/config.json", f"vae/{PLAIN}",
    ]  # fmt: skip
    wanted = wanted_files(names, ("unet", "tokenizer", "scheduler", "vae"), half=True)
    assert wanted == [
        "model_index.json", "unet/config.json", f"unet/{HALF}", "tokenizer/merges.txt",
        "tokenizer/vocab.json", "scheduler/scheduler_config.json", "vae/config.json",
        f"vae/{PLAIN}",
    ]  # fmt: skip


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved(tiny.stable_diffusion), tmp_path / "copy")


def test_a_folder_with_pickles_only_is_refused(copy, generate):
    weights = copy / "unet" / PLAIN
    weights.rename(weights.with_suffix(".bin"))
    code, out, said = generate(copy)
    assert code == 2
    assert "only as a pickle" in said
    assert not out.exists()


def test_a_damaged_file_is_named(copy):
    path = copy / "vae" / PLAIN
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InvalidFile, match="vae"):
        _ = open_pretrained(str(copy)).autoencoder


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("model_index.json", b"[1]", "is not a JSON table"),
        ("model_index.json", b"{", "is not JSON"),
        ("unet/config.json", b" " * (1 << 21), "too long"),
        ("scheduler/scheduler_config.json", None, "is not there"),
        ("vae/config.json", None, "is not there"),
    ],
)
def test_a_configuration_that_is_none_is_refused(copy, name, data, message):
    (copy / name).unlink()
    if data is not None:
        (copy / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        open_pretrained(str(copy))


def test_a_folder_of_something_else_is_refused(tmp_path, generate):
    (tmp_path / "model.safetensors").write_bytes(b"")
    code, _, said = generate(tmp_path)
    assert code == 2
    assert "has no model_index.json" in said


def test_hashes_are_checked_where_they_are_given(copy):
    prior = open_pretrained(str(copy))
    name = f"unet/{PLAIN}"
    (copy / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(InvalidFile, match="SHA-256 is not the one in SHA256SUMS"):
        open_pretrained(str(copy))
    from splatsmith.files import sha256_of

    (copy / "SHA256SUMS").write_text(f"{sha256_of(copy / name)} *{name}\n")
    assert open_pretrained(str(copy)).sha256 == prior.sha256
    (copy / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(InvalidFile, match="a hash and a name"):
        open_pretrained(str(copy))


def test_every_file_that_decides_an_answer_is_in_the_hash(copy):
    before = open_pretrained(str(copy)).sha256
    tiny.edit_json(copy / "scheduler" / "scheduler_config.json", timestep_spacing="trailing")
    assert open_pretrained(str(copy)).sha256 != before


def test_an_installation_without_the_extra_is_told_so(copy, generate, monkeypatch):
    import importlib

    real = importlib.import_module

    def without(name, *more):
        if name.split(".")[0] == "diffusers":
            raise ModuleNotFoundError("No module named 'diffusers'", name="diffusers")
        return real(name, *more)

    monkeypatch.setattr(importlib, "import_module", without)
    code, _, said = generate(copy)
    assert code == 2
    assert "pip install 'splatsmith[pretrained]'" in said


def test_the_options_of_published_weights_are_checked(copy, generate):
    for option, message in (
        ("size=65", "size must be a multiple of 8"),
        ("sise=64", 'Did you mean "size"?'),
        ("precision=float8", "precision"),
        ("device=abacus", "torch has no such device"),
        ("control=depth", "control is depth=ID or normal=ID"),
        ("size", "must look like memory=low"),
    ):
        code, _, said = generate(copy, "--prior-set", option)
        assert code == 2
        assert message in said
    code, _, said = generate("embedded", "--memory", "low")
    assert code == 2
    assert "can be said of published priors only" in said


def test_a_part_listed_without_a_class_is_refused(copy):
    index = json.loads((copy / "model_index.json").read_text())
    index["text_encoder"] = [None, None]
    (copy / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidFile, match="no part 'text_encoder'"):
        open_pretrained(str(copy))
