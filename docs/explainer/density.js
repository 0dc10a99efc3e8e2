// Density control: Gaussians whose centers are pulled hard grow (small ones are cloned, large
// ones split), faint and huge ones are pruned. As scenes/upkeep.py does it in the package.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const SHRINK = 1.6; // children of a split are smaller by this, as in 3D Gaussian splatting
  const EVERY = 40; // steps between two visits
  const FIRST = 60;
  const STOP = 0.8; // of the annealing: later, there is no time for newcomers to settle
  const CAP = 400;
  const LEAST = 4;
  const TOO_LARGE = 0.25; // scale above which a Gaussian goes, as a share of the picture

  function empty(scene) {
    return { sum: new Float64Array(explainer.splats.countOf(scene)), steps: 0 };
  }

  // Adds the size of the pull on each center, in pixels times half the width as in 3DGS.
  function observe(state, gradients) {
    for (let i = 0; i < state.sum.length; i++) {
      state.sum[i] += Math.hypot(gradients.mean[2 * i], gradients.mean[2 * i + 1]) / 2;
    }
    state.steps += 1;
  }

  function due(step, progress) {
    return step >= FIRST && (step - FIRST) % EVERY === 0 && progress < STOP;
  }

  // Which rows stay, are cloned or are split. Returns the new order: `source` names the row
  // that each Gaussian comes from, `fresh` those without a past.
  function plan(settings, state, scene) {
    const rows = Array.from(state.sum, (sum, i) => {
      const scale = Math.exp(Math.max(scene.logScale[2 * i], scene.logScale[2 * i + 1]));
      const pull = sum / Math.max(1, state.steps);
      const grows = pull > settings.growGradient;
      const splits = grows && scale > settings.splitScale;
      const opacity = explainer.splats.sigmoid(scene.logit[i]);
      const size = splits ? scale / SHRINK : scale;
      const goes = opacity < settings.pruneOpacity || size > TOO_LARGE;
      return { i, pull, grows, splits, opacity, goes };
    });
    const faintest = rows.filter((row) => row.goes).sort((a, b) => b.opacity - a.opacity);
    const missing = LEAST - (rows.length - faintest.length);
    faintest.slice(0, Math.max(0, missing)).forEach((row) => (row.goes = false));
    const staying = rows.filter((row) => !row.goes);
    const growing = staying.filter((row) => row.grows);
    growing.sort((a, b) => b.pull - a.pull || a.i - b.i);
    growing.slice(Math.max(0, CAP - staying.length)).forEach((row) => (row.grows = false));
    return staying.map(({ i, grows, splits }) => ({ i, grows, splits: grows && splits }));
  }

  // Carries the plan out on the scene and the moments of its optimizer. A twin lies right
  // behind its parent; the children of a split are drawn from the Gaussian that they replace.
  function apply(settings, state, scene, moments, random) {
    const staying = plan(settings, state, scene);
    const source = staying.flatMap(({ i, grows }) => (grows ? [i, i] : [i]));
    const rows = (of) => staying.flatMap((row) => (row.grows ? of(row) : [false]));
    const splits = rows((row) => [row.splits, row.splits]);
    const newborn = rows((row) => [row.splits, true]);
    const taken = (arrays) =>
      Object.fromEntries(
        Object.entries(explainer.splats.WIDTHS).map(([name, width]) => [
          name,
          Float64Array.from({ length: source.length * width }, (_, at) => {
            return arrays[name][source[Math.floor(at / width)] * width + (at % width)];
          }),
        ]),
      );
    const [first, second] = [taken(moments.first), taken(moments.second)];
    const next = { scene: taken(scene), first, second };
    newborn.forEach((born, row) => {
      if (born) forget(next, row);
      if (splits[row]) place(next.scene, row, random);
    });
    const split = staying.filter((row) => row.splits).length;
    const grown = staying.filter((row) => row.grows).length;
    const pruned = state.sum.length - staying.length;
    return {
      scene: next.scene,
      moments: { first: next.first, second: next.second },
      newborn,
      report: { cloned: grown - split, split, pruned, count: source.length },
    };
  }

  function forget(next, row) {
    for (const [name, width] of Object.entries(explainer.splats.WIDTHS)) {
      next.first[name].fill(0, row * width, (row + 1) * width);
      next.second[name].fill(0, row * width, (row + 1) * width);
    }
  }

  function place(scene, row, random) {
    const [u, v] = [0, 1].map((axis) => {
      return Math.exp(scene.logScale[2 * row + axis]) * random.normal();
    });
    const [cosine, sine] = [Math.cos(scene.angle[row]), Math.sin(scene.angle[row])];
    scene.mean[2 * row] += cosine * u - sine * v;
    scene.mean[2 * row + 1] += sine * u + cosine * v;
    scene.logScale[2 * row] -= Math.log(SHRINK);
    scene.logScale[2 * row + 1] -= Math.log(SHRINK);
  }

  Object.assign(explainer, { density: { empty, observe, due, apply, CAP, EVERY } });
})(globalThis.Explainer);
