"""The explainer's Gaussians against a twin in torch, its chance, and what its text claims."""

import torch
from explainer import calculate

PAPER = (0.86, 0.82, 0.72)
REACH = 3.5  # as in splats.js
SCENE = """Object.fromEntries(Object.entries(values.scene).map(([name, rows]) => {
  return [name, Float64Array.from(rows)];
}))"""


def scene_of(gen, count=5):
    def rand(width):
        return torch.rand(count, width, generator=gen, dtype=torch.float64)

    return {
        "mean": 0.25 + 0.5 * rand(2),
        "logScale": -2.2 + 0.8 * rand(2),
        "angle": 3 * rand(1),
        "logit": 2 * rand(1) - 1,
        "color": 2 * rand(3) - 1,
    }


def drawn(scene, size):
    """Front to back, with masks and no loop over pixels: the twin."""
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    down, across = torch.meshgrid(middle, middle, indexing="ij")
    clear = torch.ones(size, size, dtype=torch.float64)
    color = torch.zeros(size, size, 3, dtype=torch.float64)
    for i in range(len(scene["angle"])):
        turn, scales = scene["angle"][i, 0], scene["logScale"][i].exp()
        x, y = across - scene["mean"][i, 0], down - scene["mean"][i, 1]
        u, v = turn.cos() * x + turn.sin() * y, turn.cos() * y - turn.sin() * x
        power = (u / scales[0]) ** 2 + (v / scales[1]) ** 2
        alpha = 0.99 * scene["logit"][i, 0].sigmoid() * (-0.5 * power).exp()
        alpha = torch.where(power <= REACH**2, alpha, 0)
        color = color + (clear * alpha)[..., None] * scene["color"][i]
        clear = clear * (1 - alpha)
    return color + clear[..., None] * torch.tensor(PAPER, dtype=torch.float64)


def test_pictures_and_all_gradients_are_those_of_the_twin(gen):
    size, scene = 14, scene_of(gen)
    wanted = torch.randn(size, size, 3, generator=gen, dtype=torch.float64)
    found = calculate(
        f"(() => {{ const scene = {SCENE}; const {{ render, backward }} = explainer.splats;"
        "const { color, clear } = render(scene, values.size, values.paper);"
        "const slopes = backward(scene, values.size, values.paper, clear, values.gradient);"
        "return { picture: [...color], slopes: Object.fromEntries("
        "Object.entries(slopes).map(([name, row]) => [name, [...row]])) }; })()",
        scene={name: value.flatten().tolist() for name, value in scene.items()},
        gradient=wanted.flatten().tolist(),
        paper=PAPER,
        size=size,
    )
    for value in scene.values():
        value.requires_grad_()
    picture = drawn(scene, size)
    torch.testing.assert_close(
        torch.tensor(found["picture"], dtype=torch.float64), picture.detach().flatten()
    )
    slopes = torch.autograd.grad(picture, list(scene.values()), wanted)
    for name, slope in zip(scene, slopes, strict=True):
        torch.testing.assert_close(
            torch.tensor(found["slopes"][name], dtype=torch.float64), slope.flatten()
        )
        assert slope.abs().max() > 1e-3


DENSITY = f"""
(() => {{
  const scene = {SCENE};
  const {{ emptyLike }} = explainer.splats;
  const moments = {{ first: emptyLike(scene), second: emptyLike(scene) }};
  for (const part of Object.values(moments)) for (const row of Object.values(part)) row.fill(7);
  const state = {{ sum: Float64Array.from(values.sum), steps: 2 }};
  const done = explainer.density.apply(
    values.settings, state, scene, moments, explainer.stream(1, "test"));
  const plain = (rows) => Object.fromEntries(
    Object.entries(rows).map(([name, row]) => [name, [...row]]));
  return {{ scene: plain(done.scene), first: plain(done.moments.first), report: done.report,
    newborn: done.newborn }};
}})()
"""


def test_density_control_clones_splits_prunes_and_forgets(gen):
    """Rows: pulled and small, pulled and large, faint, and three that are left alone."""
    scene = scene_of(gen, count=6)
    scene["logScale"][:] = torch.tensor(0.04).log()
    scene["logScale"][1] = torch.tensor(0.1).log()
    scene["logit"][:] = 0.0
    scene["logit"][2] = -5.0
    found = calculate(
        DENSITY,
        scene={name: value.flatten().tolist() for name, value in scene.items()},
        sum=[4.0, 4.0, 0, 0, 0, 0.1],
        settings={"growGradient": 1.0, "splitScale": 0.05, "pruneOpacity": 0.05},
    )
    assert found["report"] == {"cloned": 1, "split": 1, "pruned": 1, "count": 7}
    assert found["newborn"] == [False, True, True, True, False, False, False]
    colors = torch.tensor(found["scene"]["color"]).reshape(7, 3)
    expected = scene["color"][[0, 0, 1, 1, 3, 4, 5]].float()
    torch.testing.assert_close(colors, expected)
    scales = torch.tensor(found["scene"]["logScale"]).exp().reshape(7, 2)[:, 0]
    wanted = torch.tensor([0.04, 0.04, 0.1 / 1.6, 0.1 / 1.6, 0.04, 0.04, 0.04])
    torch.testing.assert_close(scales, wanted)
    means = torch.tensor(found["scene"]["mean"], dtype=torch.float64).reshape(7, 2)
    assert torch.equal(means[0], means[1])
    assert not torch.equal(means[2], means[3])
    assert found["first"]["logit"] == [7, 0, 0, 0, 7, 7, 7]


def test_chance_is_a_function_of_seed_name_and_step():
    one, again, other, later, seed = calculate(
        "[[1, 'a', 0], [1, 'a', 0], [1, 'b', 0], [1, 'a', 1], [2, 'a', 0]].map((key) =>"
        "[...explainer.stream(...key).normals(4000)])"
    )
    assert one == again
    rows = torch.tensor([one, other, later, seed], dtype=torch.float64)
    assert torch.corrcoef(rows).fill_diagonal_(0).abs().max() < 0.06
    assert rows.mean(dim=1).abs().max() < 0.06
    assert (rows.std(dim=1) - 1).abs().max() < 0.05
    flat = torch.tensor(
        calculate(
            "Array.from({length: 4000}, ((s) => () => s.uniform())(explainer.stream(3, 'u')))"
        )
    )
    assert flat.min() >= 0
    assert flat.max() < 1
    assert abs(flat.mean() - 0.5) < 0.02


PLANE = """
values.arms.map((arm) => {
  const settings = { word: "ring", score: "sds", guidance: 1, anneal: true, low: 0.02,
    high: 0.98, rate: 0.15, count: 30, seed: 1, ...arm };
  const run = new explainer.PlaneRun(settings, explainer.planePrior());
  for (let i = 0; i < 440; i++) run.advance(settings);
  return { ...run.figures(settings), points: [...run.points] };
})
"""


def test_what_the_text_says_of_the_plane_happens():
    arms = {
        "annealed": {},
        "uniform": {"anneal": False},
        "sjc": {"anneal": False, "score": "sjc", "rate": 0.03},
        "overshoot": {"anneal": False, "word": "smile", "guidance": 6},
        "back": {"word": "smile", "guidance": 6},
        "modes": {"anneal": False, "word": "two dots", "high": 0.12},
    }
    found = dict(zip(arms, calculate(PLANE, arms=list(arms.values())), strict=True))
    ends = {arm: torch.tensor(run["points"]).reshape(-1, 2) for arm, run in found.items()}
    radii = {arm: points.norm(dim=1).mean() for arm, points in ends.items()}
    assert found["annealed"]["distance"] < 0.1
    assert found["annealed"]["coverage"] > 0.5
    assert radii["annealed"] > 0.6  # of a ring whose radius is 0.72
    assert radii["uniform"] < 0.25
    assert radii["uniform"] + 0.1 < radii["sjc"] < 0.5
    assert found["overshoot"]["distance"] > 0.2
    assert radii["overshoot"] > radii["back"] + 0.2
    assert found["back"]["distance"] < 0.1
    right = ends["modes"][:, 0] > 0
    assert 5 < int(right.sum()) < 25
    # A dot's own deviation in the prior is about 0.09; what was distilled is narrower.
    for side in (right, ~right):
        assert ends["modes"][side].std(0).max() < 0.06


PICTURE = """
(() => {
  const world = explainer.pictureWorld();
  return values.arms.map((arm) => {
    const settings = { word: "ring", score: "sds", guidance: 30, anneal: false, low: 0.02,
      high: 0.98, rate: 1, count: 60, seed: 1, density: false, clamp: false, ...arm };
    const run = new explainer.PictureRun(settings, world);
    for (let i = 0; i < 60; i++) run.advance(settings);
    return run.figures(settings);
  });
})()
"""


def test_what_the_text_says_of_pictures_happens():
    arms = [{}, {"clamp": True}, {"guidance": 1, "high": 0.4}, {"guidance": 1, "low": 0.8}]
    loose, tight, low, blurred = calculate(PICTURE, arms=arms)
    assert loose["outside"] > 0.02
    assert tight["outside"] < loose["outside"] / 2
    assert low["distance"] < blurred["distance"] / 2
    assert low["outside"] < loose["outside"]
