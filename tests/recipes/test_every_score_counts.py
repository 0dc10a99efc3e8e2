"""Every key of every score changes what a run does; see test_every_key_counts."""

import pytest
from test_every_key_counts import (
    IMAGE,
    PRIOR,
    TINY,
    fingerprints,  # noqa: F401 (a fixture)
)

from splatsmith import generate
from splatsmith.distill import SETTINGS
from splatsmith.recipes.load import overridden, parse_recipe
from splatsmith.recipes.tables import hints

TIMES = "times = { kind = 'uniform', low = 0.1, high = 0.9 }"
# With less noise, this tiny world is sure which of its two pictures it sees, and what finds
# its noise there cannot tell a prompt from none.
NOISY = "times = { kind = 'uniform', low = 0.85, high = 0.97 }, start = 0.7"
# In several steps it would be sure again before the last one.
ONCE = "times = { kind = 'uniform', low = 0.85, high = 0.97 }, steps = 1"
KEYS = {"ism": NOISY, "sdi": NOISY, "refine": ONCE}
COMMON = {
    "weight": "fantasia",
    "clamp": "true",
    "clip": "1e-4",
    "image_loss": "5.0",
    "times": "{ kind = 'linear' }",
}
GUIDED = COMMON | {
    "guidance": "40.0",
    "rescale": "0.5",
    "perp_neg": "true",
    "one_pass_until": "1.0",
}
CHANGES = {
    "sds": GUIDED,
    "sjc": GUIDED | {"perturbations": "2", "centered": "false"},
    "csd": COMMON | {"positive": "30.0", "negative": "0.5"},
    "nfsd": COMMON | {"guidance": "40.0", "below": "0.6"},
    "ism": GUIDED | {"interval": "0.2", "stride": "0.03", "start": "0.6"},
    "sdi": GUIDED | {"inversion": "2.0", "stride": "0.03", "start": "0.6", "eta": "0.0"},
    "refine": GUIDED | {"steps": "2"},
}
KINDS = dict(SETTINGS)


def test_no_key_is_forgotten():
    """VSD's keys beyond these are held by tests/optimize/test_own_model.py."""
    assert set(KINDS) == {*CHANGES, "vsd"}
    assert set(hints(KINDS["vsd"])) == {*GUIDED, "kind", "own"}
    for kind, changes in CHANGES.items():
        assert {*changes, "kind"} == set(hints(KINDS[kind]))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, name) for k in CHANGES if k != "sds" for name in CHANGES[k]],
)
def test_a_changed_key_changes_a_run(kind, name, fingerprints, tmp_path):  # noqa: F811
    base = [f"shape.score={{ kind = '{kind}', {KEYS.get(kind, TIMES)} }}"]
    if name == "clamp":
        strong = "positive" if kind == "csd" else "guidance"
        base.append(f"shape.score.{strong}=60.0")
    change = f"shape.score.{name}={CHANGES[kind][name]}"
    before, after = (fingerprints(tmp_path, o, "y") for o in (base, [*base, change]))
    assert before != after


def test_a_negative_prompt_counts():
    recipe = overridden(parse_recipe(TINY, "tiny"), ["shape.score={ kind = 'nfsd' }"])
    told = {"seed": 1, "prior": PRIOR, "recipe": recipe, "image": IMAGE}
    plain, pushed = (
        generate("x", negative=negative, **told).scene.state() for negative in ("", "y")
    )
    assert not plain["sh"].equal(pushed["sh"])
