// The two runs without any drawing: points of the plane, and a picture made of Gaussians.
//
// Both have step(settings), figures(settings) and the numbers that their laboratory draws. A
// run is a function of its settings and seed: begin it again and the same happens.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const LENGTH = 400; // steps over which the noise level falls when it is annealed

  // One array of noise per draw of the score. The same step asked about again, at another
  // time or for a picture on the screen, gets the same noise.
  function noisesOf(run, settings, size) {
    const { draws } = explainer.SCORES[settings.score];
    const kept = run.noise;
    if (!kept || kept.step !== run.step || kept.draws.length !== draws) {
      const random = explainer.stream(settings.seed, "noise", run.step);
      const fresh = Array.from({ length: draws }, () => random.normals(size));
      run.noise = { step: run.step, draws: fresh };
    }
    return run.noise.draws;
  }

  // The time of the run's next step.
  function timeOf(run, settings) {
    const random = explainer.stream(settings.seed, "time", run.step);
    return explainer.drawTime(settings, run.progress, random);
  }

  class PlaneRun {
    constructor(settings, world) {
      this.world = world;
      this.count = settings.count;
      this.step = 0;
      const random = explainer.stream(settings.seed, "begin");
      this.points = random.normals(2 * settings.count).map((value) => 0.55 * value);
      this.history = [];
      this.last = null; // the time of the last step
      this.record(settings);
    }

    get progress() {
      return Math.min(1, this.step / LENGTH);
    }

    // What the next step asks at point i, at its own t or at another.
    ask(settings, i, t) {
      const x = this.points.subarray(2 * i, 2 * i + 2);
      const all = noisesOf(this, settings, this.points.length);
      const noises = all.map((noise) => noise.subarray(2 * i, 2 * i + 2));
      return explainer.distill(settings, this.world.prior, this.world.odds, x, t, noises);
    }

    advance(settings) {
      const t = timeOf(this, settings);
      const { schedule } = this.world.prior;
      const { weight } = explainer.SCORES[settings.score];
      const factor = settings.rate / explainer.meanBeta(weight, schedule);
      // Plain descent, but no step goes beyond x_hat: w = 1 would, at the smallest t.
      const length = Math.min(factor, 1 / explainer.beta(weight, schedule, t));
      for (let i = 0; i < this.count; i++) {
        const { gradient } = this.ask(settings, i, t);
        for (let axis = 0; axis < 2; axis++) {
          const place = this.points[2 * i + axis] - length * gradient[axis];
          this.points[2 * i + axis] = explainer.clamped(place, -9, 9);
        }
      }
      this.last = { t };
      this.step += 1;
      this.record(settings);
    }

    record(settings) {
      const { distance, coverage } = this.figures(settings);
      this.history.push({ distance, second: coverage });
    }

    // distance: mean over points of that to the nearest Gaussian of the word. coverage: share
    // of the word's Gaussians that have a point within three deviations.
    figures(settings) {
      const { prior, labels } = this.world;
      const own = labels.flatMap((label, k) => (label === settings.word ? [k] : []));
      const reached = new Set();
      let sum = 0;
      for (let i = 0; i < this.count; i++) {
        let nearest = Infinity;
        for (const k of own) {
          const across = this.points[2 * i] - prior.centers[2 * k];
          const away = this.points[2 * i + 1] - prior.centers[2 * k + 1];
          const distance = Math.hypot(across, away);
          nearest = Math.min(nearest, distance);
          if (distance < 3 * prior.spread) reached.add(k);
        }
        sum += nearest;
      }
      return { distance: sum / this.count, coverage: reached.size / own.length };
    }
  }

  class PictureRun {
    constructor(settings, world) {
      this.world = world;
      this.step = 0;
      const random = explainer.stream(settings.seed, "begin");
      this.scene = explainer.splats.begin(settings.count, random);
      const { emptyLike } = explainer.splats;
      this.moments = { first: emptyLike(this.scene), second: emptyLike(this.scene) };
      this.seen = explainer.density.empty(this.scene);
      this.born = new Float64Array(settings.count).fill(-Infinity); // the step of each birth
      this.totals = { cloned: 0, split: 0, pruned: 0 };
      this.history = [];
      this.last = null; // what the last step asked
      this.see();
      this.record(settings);
    }

    get count() {
      return explainer.splats.countOf(this.scene);
    }

    get progress() {
      return Math.min(1, this.step / LENGTH);
    }

    see() {
      this.picture = explainer.splats.render(this.scene, this.world.size, this.world.paper);
    }

    // What the next step asks of the picture and of every Gaussian, at its own t or another.
    ask(settings, t) {
      const { prior, odds, size, paper } = this.world;
      const { color, clear } = this.picture;
      const noises = noisesOf(this, settings, color.length);
      const answer = explainer.distill(settings, prior, odds, color, t, noises);
      const pulls = explainer.splats.backward(this.scene, size, paper, clear, answer.gradient);
      return { ...answer, pulls, places: Float64Array.from(this.scene.mean) };
    }

    advance(settings) {
      this.last = this.ask(settings, timeOf(this, settings));
      const { pulls } = this.last;
      explainer.density.observe(this.seen, pulls);
      explainer.splats.adamStep(this.scene, this.moments, pulls, this.step, settings.rate);
      const { due } = explainer.density;
      const visited = settings.density && due(this.step, this.progress);
      const report = visited ? this.visit(settings) : null;
      this.step += 1;
      this.see();
      this.record(settings, report);
    }

    visit(settings) {
      const random = explainer.stream(settings.seed, "density", this.step);
      const { seen, scene, moments } = this;
      const done = explainer.density.apply(settings, seen, scene, moments, random);
      Object.assign(this, { scene: done.scene, moments: done.moments });
      this.born = Float64Array.from(done.newborn, (born) => (born ? this.step : -Infinity));
      this.seen = explainer.density.empty(this.scene);
      for (const name of Object.keys(this.totals)) this.totals[name] += done.report[name];
      return done.report;
    }

    record(settings, report = null) {
      this.history.push({ ...this.figures(settings), second: this.count, report });
    }

    // distance: root mean square to the word's nearest picture, as a share of the range.
    // outside: share of the picture's values that leave -1..1 by more than a hundredth.
    figures(settings) {
      const { prior, labels } = this.world;
      const { color } = this.picture;
      let nearest = Infinity;
      labels.forEach((label, k) => {
        if (label === settings.word) nearest = Math.min(nearest, prior.distance(color, k));
      });
      const beyond = color.reduce((sum, value) => sum + (Math.abs(value) > 1.02 ? 1 : 0), 0);
      return { distance: Math.sqrt(nearest / color.length) / 2, outside: beyond / color.length };
    }
  }

  // The mean pull at a place x of the plane, -E[g] over the noise and over `times`, by
  // Gauss and Hermite's rule with three nodes for each axis.
  const NODES = [[-Math.sqrt(3), 1 / 6], [0, 2 / 3], [Math.sqrt(3), 1 / 6]];

  function meanPull(settings, world, x, times) {
    const { weight } = explainer.SCORES[settings.score];
    const mean = explainer.meanBeta(weight, world.prior.schedule);
    const pull = [0, 0];
    for (const t of times) {
      for (const [noiseX, shareX] of NODES) {
        for (const [noiseY, shareY] of NODES) {
          const noise = [Float64Array.of(noiseX, noiseY)];
          const { prior, odds } = world;
          const { gradient } = explainer.distill(settings, prior, odds, x, t, noise);
          const share = (shareX * shareY) / (times.length * mean);
          for (let axis = 0; axis < 2; axis++) pull[axis] -= share * gradient[axis];
        }
      }
    }
    return pull;
  }

  Object.assign(explainer, { PlaneRun, PictureRun, timeOf, meanPull, LENGTH });
})(globalThis.Explainer);
