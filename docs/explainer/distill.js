// One step of distillation: what the prior's answer asks of x. Nothing here knows what drew x.
//
// Every score is the same regression, g = beta(t) (x - x_hat); only x_hat and the weight differ
// (docs/distillation.md; distill/scores/ in the package).
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  // w(t), the factor on the noise, as in distill/weights.py.
  const WEIGHTS = {
    sigma2: (alpha, sigma) => sigma * sigma,
    one: () => 1,
  };

  const SCORES = {
    sds: { label: "SDS (w = σ²)", weight: "sigma2", draws: 1, classifier: false },
    sjc: { label: "SJC weighting (w = 1)", weight: "one", draws: 1, classifier: false },
    csd: { label: "CSD: guidance alone", weight: "sigma2", draws: 1, classifier: true },
    averaged: { label: "SDS, mean of 8 noises", weight: "sigma2", draws: 8, classifier: false },
  };

  // beta(t) = w alpha / sigma, the factor on x - x_hat.
  function beta(name, schedule, t) {
    const alpha = schedule.alpha(t);
    const sigma = schedule.sigma(t);
    return (WEIGHTS[name](alpha, sigma) * alpha) / sigma;
  }

  // The mean of beta over t in 0.02 to 0.98: a weight says something only up to a factor, so
  // steps divide by this and the same learning rate suits every score.
  const means = new Map();

  function meanBeta(name, schedule) {
    const key = `${name} ${schedule.shift}`;
    if (!means.has(key)) {
      let sum = 0;
      for (let i = 0; i < 200; i++) sum += beta(name, schedule, 0.02 + (0.96 * (i + 0.5)) / 200);
      means.set(key, sum / 200);
    }
    return means.get(key);
  }

  // `noises` holds one noise per draw. Returns the gradient on x, the pseudo-ground-truth, and
  // of the first draw the noisy x_t and the two answers.
  function distill(settings, prior, odds, x, t, noises) {
    const score = SCORES[settings.score];
    const alpha = prior.schedule.alpha(t);
    const sigma = prior.schedule.sigma(t);
    const target = new Float64Array(x.length);
    let first = null;
    for (const noise of noises) {
      const noisy = mixed(x, noise, alpha, sigma);
      const [told, untold] = prior.predict(noisy, t, odds.named[settings.word], odds.unnamed);
      for (let i = 0; i < x.length; i++) {
        const wanted = score.classifier
          ? x[i] + told[i] - untold[i]
          : untold[i] + settings.guidance * (told[i] - untold[i]);
        target[i] += wanted / noises.length;
      }
      first = first || { noisy, told, untold };
    }
    const factor = beta(score.weight, prior.schedule, t);
    const gradient = new Float64Array(x.length);
    for (let i = 0; i < x.length; i++) {
      if (settings.clamp) target[i] = clamped(target[i], -1, 1);
      gradient[i] = factor * (x[i] - target[i]);
    }
    return { gradient, target, t, ...first };
  }

  // x_t = alpha x + sigma noise.
  function mixed(x, noise, alpha, sigma) {
    const noisy = new Float64Array(x.length);
    for (let i = 0; i < x.length; i++) noisy[i] = alpha * x[i] + sigma * noise[i];
    return noisy;
  }

  // The window of times at a progress of 0 to 1, as in distill/times.py: UniformTimes, or
  // FallingTimes(kind="sqrt") of the given width when annealing: fast at first, slowly later
  // (HiFA, Zhu et al. 2023), because what is decided at low noise takes the most steps.
  function timeWindow(settings, progress) {
    if (!settings.anneal) return [settings.low, settings.high];
    const middle = settings.high + (settings.low - settings.high) * Math.sqrt(progress);
    return [Math.max(0, middle - WIDTH / 2), Math.min(1, middle + WIDTH / 2)];
  }

  const WIDTH = 0.1; // of the annealed window

  function drawTime(settings, progress, random) {
    const [low, high] = timeWindow(settings, progress);
    return low + (high - low) * random.uniform();
  }

  function clamped(value, low, high) {
    return Math.min(high, Math.max(low, value));
  }

  Object.assign(explainer, { SCORES, beta, meanBeta, distill, timeWindow, drawTime, clamped });
})(globalThis.Explainer);
