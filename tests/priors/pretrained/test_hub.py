"""Ids of the hub: what is one, the cache without a network, and what its errors become."""

import shutil
from types import SimpleNamespace

import huggingface_hub
import huggingface_hub.constants
import pytest
import tiny
import tiny_views
import torch
from huggingface_hub import errors

from splatsmith.errors import InputError
from splatsmith.optimize.priors import opened
from splatsmith.priors.pretrained import PUBLISHED, is_published, open_pretrained
from splatsmith.priors.pretrained.hub import HUB_ID

COMMIT = "c0ffee" * 6 + "beef"


@pytest.mark.parametrize(
    ("source", "published"),
    [
        ("stable-diffusion", True),
        ("owner/name", True),
        ("owner/name@fp16", True),
        ("owner/na.me-1_5@0123abc", True),
        ("embedded", False),
        ("prior.safetensors", False),
        ("runs/prior.safetensors", False),
        ("/a/b", False),
        ("../a/b", False),
        ("a/b/c", False),
    ],
)
def test_what_counts_as_published_weights(source, published):
    assert is_published(source) is published


def test_every_address_in_the_catalog_is_an_id():
    for published in PUBLISHED.values():
        assert published.ids
        assert published.license
        assert all(HUB_ID.fullmatch(address) for address in published.ids)


def cached(folder, cache, repository, commit=COMMIT):
    """`folder` as the hub's library keeps it in its cache."""
    place = cache / f"models--{repository.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_offline_the_cache_is_asked_and_the_revision_kept(saved, hub_cache):
    cached(saved(tiny.stable_diffusion), hub_cache, "somebody/tiny")
    prior = open_pretrained("somebody/tiny")
    assert prior.folder.source == f"somebody/tiny@{COMMIT}"
    assert prior.name.startswith("tiny ")
    again = open_pretrained(prior.folder.source)
    assert again.sha256 == prior.sha256


def test_a_short_name_tries_each_mirror(saved, hub_cache):
    with pytest.raises(InputError, match=r"could not be found .* HF_HUB_OFFLINE is set"):
        open_pretrained("stable-diffusion-2.1")
    second = PUBLISHED["stable-diffusion-2.1"].ids[1]
    cached(saved(tiny.stable_diffusion), hub_cache, second)
    assert open_pretrained("stable-diffusion-2.1").folder.source.startswith(second)


def test_offline_what_is_not_in_the_cache_is_refused(generate, hub_cache):
    code, _, said = generate("nobody/nothing")
    assert code == 2
    assert "nobody/nothing is not in the hub's cache, and HF_HUB_OFFLINE is set" in said


def failing(kind):
    def fail(*arguments, **more):
        if issubclass(kind, errors.HfHubHTTPError):
            answer = SimpleNamespace(headers={}, request=None, status_code=404)
            raise kind("404", response=answer)
        raise kind("no way there")

    return fail


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.GatedRepoError, r"a/b is gated: accept its license .*/a/b .* hf auth login"),
        (errors.RepositoryNotFoundError, "The hub has no a/b, or it is private"),
        (errors.RevisionNotFoundError, "no such revision"),
        (errors.EntryNotFoundError, "no model_index.json on the hub"),
        (errors.HFValidationError, "is no id of the hub"),
        (errors.LocalEntryNotFoundError, "could not be fetched"),
        (ConnectionError, r"could not be fetched \(ConnectionError: no way there\)"),
    ],
)
def test_errors_of_the_hub_come_with_a_remedy(monkeypatch, kind, message):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", failing(kind))
    with pytest.raises(InputError, match=message):
        open_pretrained("a/b")


@pytest.mark.parametrize("make", [tiny.stable_diffusion, tiny_views.mvdream])
def test_online_only_the_needed_files_are_asked_for(saved, monkeypatch, make):
    folder = saved(make)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked = {}

    def snapshot(name, *, revision, allow_patterns):
        asked.update(name=name, revision=revision, files=allow_patterns)
        return str(folder)

    class Api:
        def list_repo_files(self, name, *, revision):
            paths = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
            return [*paths, "unet/diffusion_pytorch_model.bin", "unet/own.py", "big.ckpt"]

    def download(*, repo_id, revision, filename):
        return str(folder / filename)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    open_pretrained("a/b")
    assert asked["name"] == "a/b"
    assert "unet/diffusion_pytorch_model.safetensors" in asked["files"]
    assert not [name for name in asked["files"] if name.endswith((".bin", ".ckpt", ".py"))]


def test_what_a_short_name_brings_is_kept_with_its_run(saved, hub_cache):
    """Else a run that is resumed by its address would ask at every noise level."""
    cached(saved(tiny.stable_diffusion), hub_cache, PUBLISHED["sd-turbo"].ids[0])
    named, _ = opened("sd-turbo")
    assert named.options == {"few_steps": 4}
    again, _ = opened(named.source, named.options)
    t = torch.tensor([0.4])
    for prior in (named.prior, again.prior):
        torch.testing.assert_close(prior.schedule.known(t), torch.tensor([0.499]))
    said, _ = opened("sd-turbo", ["few_steps=2"])
    assert said.options == {"few_steps": 2}
    assert said.name == named.name.replace("few_steps=4", "few_steps=2") != named.name
