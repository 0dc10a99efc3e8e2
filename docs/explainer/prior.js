// The prior: a mixture of Gaussians, whose best possible denoiser has a closed form.
//
// With spread 0 this is the package's AnalyticPrior (priors/analytic.py), and the schedule is
// its Cosine (priors/schedule.py). tests/docs holds both to the same numbers.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const MOST_LOG_SNR = 15; // as in priors/schedule.py: alpha and sigma stay below 1

  // alpha = cos(pi t / 2), sigma = sin(pi t / 2), moved by `shift` in log-SNR.
  class Cosine {
    constructor(shift = 0) {
      this.shift = shift;
    }

    logSnr(t) {
      const time = Math.min(1, Math.max(0, t));
      const sigma = Math.max(1e-30, Math.sin((time * Math.PI) / 2));
      const alpha = Math.max(1e-30, Math.sin(((1 - time) * Math.PI) / 2));
      const value = 2 * (Math.log(alpha) - Math.log(sigma)) + this.shift;
      return Math.min(MOST_LOG_SNR, Math.max(-MOST_LOG_SNR, value));
    }

    alpha(t) {
      return Math.sqrt(1 / (1 + Math.exp(-this.logSnr(t))));
    }

    sigma(t) {
      return Math.sqrt(1 / (1 + Math.exp(this.logSnr(t))));
    }
  }

  // `centers` holds count points of `size` numbers, one after the other; `spread` is the
  // deviation of every component, in the same units.
  class Mixture {
    constructor(centers, size, spread, schedule) {
      this.centers = centers;
      this.size = size;
      this.count = centers.length / size;
      this.spread = spread;
      this.schedule = schedule;
      this.scratch = new Float64Array(this.count);
      this.squares = Float64Array.from({ length: this.count }, (_, k) => {
        const center = centers.subarray(k * size, (k + 1) * size);
        return dot(center, center);
      });
    }

    // |x_t - alpha m_k|^2 for each component k, in `away` if given.
    distances(noisy, alpha, away = new Float64Array(this.count)) {
      const own = dot(noisy, noisy);
      for (let k = 0; k < this.count; k++) {
        let product = 0;
        const start = k * this.size;
        for (let i = 0; i < this.size; i++) product += noisy[i] * this.centers[start + i];
        away[k] = Math.max(0, own - 2 * alpha * product + alpha * alpha * this.squares[k]);
      }
      return away;
    }

    // |x - m_k|^2 for one k.
    distance(x, k) {
      let sum = 0;
      for (let i = 0; i < this.size; i++) sum += (x[i] - this.centers[k * this.size + i]) ** 2;
      return sum;
    }

    // The posterior mean of the clean x given x_t, once for each list of log odds:
    //   r_k = softmax_k(log odds_k - |x_t - alpha m_k|^2 / (2 v)),   v = alpha^2 s^2 + sigma^2
    //   x0  = sum over k of r_k (m_k + alpha s^2 / v (x_t - alpha m_k))
    predict(noisy, t, ...oddsOfEach) {
      const alpha = this.schedule.alpha(t);
      const sigma = this.schedule.sigma(t);
      const variance = alpha * alpha * this.spread * this.spread + sigma * sigma;
      const keep = (alpha * this.spread * this.spread) / variance;
      const away = this.distances(noisy, alpha, this.scratch);
      return oddsOfEach.map((logOdds) => {
        const mean = this.average(logOdds, away, variance);
        for (let i = 0; i < this.size; i++) mean[i] += keep * (noisy[i] - alpha * mean[i]);
        return mean;
      });
    }

    // sum over k of softmax_k(log odds_k - away_k / (2 v)) m_k; shares of nothing are left out.
    average(logOdds, away, variance) {
      const mean = new Float64Array(this.size);
      let most = -Infinity;
      for (let k = 0; k < this.count; k++) {
        most = Math.max(most, logOdds[k] - away[k] / (2 * variance));
      }
      let sum = 0;
      for (let k = 0; k < this.count; k++) {
        const share = Math.exp(logOdds[k] - away[k] / (2 * variance) - most);
        sum += share;
        if (share < 1e-18) continue;
        const start = k * this.size;
        for (let i = 0; i < this.size; i++) mean[i] += share * this.centers[start + i];
      }
      for (let i = 0; i < this.size; i++) mean[i] /= sum;
      return mean;
    }

    // log p_t(x_t) up to a constant: its gradient is (alpha x0 - x_t) / sigma^2 (Tweedie).
    logDensity(noisy, t, logOdds) {
      const alpha = this.schedule.alpha(t);
      const variance = (alpha * this.spread) ** 2 + this.schedule.sigma(t) ** 2;
      const away = this.distances(noisy, alpha, this.scratch);
      let most = -Infinity;
      for (let k = 0; k < this.count; k++) {
        most = Math.max(most, logOdds[k] - away[k] / (2 * variance));
      }
      let sum = 0;
      for (let k = 0; k < this.count; k++) {
        sum += Math.exp(logOdds[k] - away[k] / (2 * variance) - most);
      }
      return most + Math.log(sum) - (this.size / 2) * Math.log(2 * Math.PI * variance);
    }
  }

  function dot(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  // Odds of each component under a word, and under no word at all: every word is as likely as
  // any other, and so is every component of one word.
  function oddsOf(words, labels) {
    const counts = words.map((word) => labels.filter((label) => label === word).length);
    const of = (label) => counts[words.indexOf(label)];
    const named = {};
    for (const word of words) {
      const own = -Math.log(of(word));
      named[word] = Float64Array.from(labels, (label) => (label === word ? own : -Infinity));
    }
    const unnamed = Float64Array.from(labels, (label) => -Math.log(of(label) * words.length));
    return { named, unnamed };
  }

  Object.assign(explainer, { Cosine, Mixture, oddsOf });
})(globalThis.Explainer);
