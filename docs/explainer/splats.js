// Gaussians of the plane, drawn front to back by alpha compositing, with every gradient.
//
// A scene is a plain object of arrays, one row per Gaussian: `mean` (x right, y down, 0..1),
// `logScale` (of the two axes, in the same units), `angle` (radians), `logit` (of the opacity)
// and `color` (three channels in -1..1, but free to leave it, as the colors of splats are).
// Row 0 lies in front. This is the compositing of 3D Gaussian splatting without the projection.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const WIDTHS = { mean: 2, logScale: 2, angle: 1, logit: 1, color: 3 };
  const MOST_OPAQUE = 0.99;
  const REACH = 3.5; // deviations after which a Gaussian is not drawn: 0.2 % of its opacity

  const sigmoid = (value) => 1 / (1 + Math.exp(-value));
  const countOf = (scene) => scene.angle.length;

  function emptyLike(scene) {
    return Object.fromEntries(
      Object.keys(WIDTHS).map((name) => [name, new Float64Array(scene[name].length)]),
    );
  }

  // What is needed of Gaussian i to draw it on `size` x `size` pixels.
  function prepared(scene, i, size) {
    const [scaleU, scaleV] = [0, 1].map((axis) => Math.exp(scene.logScale[2 * i + axis]));
    const [x, y] = [scene.mean[2 * i], scene.mean[2 * i + 1]];
    const [cosine, sine] = [Math.cos(scene.angle[i]), Math.sin(scene.angle[i])];
    const halfX = REACH * Math.hypot(scaleU * cosine, scaleV * sine);
    const halfY = REACH * Math.hypot(scaleU * sine, scaleV * cosine);
    const first = (value) => Math.max(0, Math.ceil(value * size - 0.5));
    const last = (value) => Math.min(size - 1, Math.floor(value * size - 0.5));
    return {
      x, y, cosine, sine,
      sharpU: 1 / (scaleU * scaleU),
      sharpV: 1 / (scaleV * scaleV),
      opacity: MOST_OPAQUE * sigmoid(scene.logit[i]),
      left: first(x - halfX), right: last(x + halfX),
      top: first(y - halfY), bottom: last(y + halfY),
    };
  }

  // Calls visit(pixel, u, v, alpha) for each pixel that the Gaussian reaches; u and v are its
  // distances along the two axes.
  function cover(splat, size, visit) {
    for (let row = splat.top; row <= splat.bottom; row++) {
      const away = (row + 0.5) / size - splat.y;
      for (let column = splat.left; column <= splat.right; column++) {
        const across = (column + 0.5) / size - splat.x;
        const u = splat.cosine * across + splat.sine * away;
        const v = splat.cosine * away - splat.sine * across;
        const power = u * u * splat.sharpU + v * v * splat.sharpV;
        if (power > REACH * REACH) continue;
        visit(row * size + column, u, v, splat.opacity * Math.exp(-0.5 * power));
      }
    }
  }

  // The picture over the background `paper`, size x size x 3, and what is left to pass through.
  function render(scene, size, paper) {
    const color = new Float64Array(size * size * 3);
    const clear = new Float64Array(size * size).fill(1);
    for (let i = 0; i < countOf(scene); i++) {
      const [red, green, blue] = scene.color.subarray(3 * i, 3 * i + 3);
      cover(prepared(scene, i, size), size, (pixel, u, v, alpha) => {
        const share = clear[pixel] * alpha;
        color[3 * pixel] += share * red;
        color[3 * pixel + 1] += share * green;
        color[3 * pixel + 2] += share * blue;
        clear[pixel] -= share;
      });
    }
    for (let i = 0; i < color.length; i++) color[i] += clear[(i / 3) | 0] * paper[i % 3];
    return { color, clear };
  }

  // Gradients of every scene array, given that on the picture. From back to front: `behind` is
  // what one sees where the Gaussian at hand is taken away.
  function backward(scene, size, paper, clear, gradient) {
    const answer = emptyLike(scene);
    const through = Float64Array.from(clear);
    const behind = Float64Array.from(gradient, (_, i) => paper[i % 3]);
    for (let i = countOf(scene) - 1; i >= 0; i--) {
      const splat = prepared(scene, i, size);
      const sums = { x: 0, y: 0, u: 0, v: 0, angle: 0, logit: 0, color: [0, 0, 0] };
      cover(splat, size, (pixel, u, v, alpha) => {
        through[pixel] /= 1 - alpha;
        let pull = 0; // of the loss on this alpha
        for (let c = 0; c < 3; c++) {
          const at = 3 * pixel + c;
          const own = scene.color[3 * i + c];
          pull += gradient[at] * (own - behind[at]);
          sums.color[c] += gradient[at] * through[pixel] * alpha;
          behind[at] += alpha * (own - behind[at]);
        }
        pull *= through[pixel] * alpha;
        const [pullU, pullV] = [u * splat.sharpU, v * splat.sharpV];
        sums.x += pull * (pullU * splat.cosine - pullV * splat.sine);
        sums.y += pull * (pullU * splat.sine + pullV * splat.cosine);
        sums.u += pull * u * pullU;
        sums.v += pull * v * pullV;
        sums.angle -= pull * u * v * (splat.sharpU - splat.sharpV);
        sums.logit += pull;
      });
      answer.mean.set([sums.x, sums.y], 2 * i);
      answer.logScale.set([sums.u, sums.v], 2 * i);
      answer.angle[i] = sums.angle;
      answer.logit[i] = sums.logit * (1 - sigmoid(scene.logit[i]));
      answer.color.set(sums.color, 3 * i);
    }
    return answer;
  }

  // Faint, middle-sized blobs of random colors, more of them near the middle.
  function begin(count, random) {
    const scene = Object.fromEntries(
      Object.entries(WIDTHS).map(([name, width]) => [name, new Float64Array(count * width)]),
    );
    for (let i = 0; i < count; i++) {
      for (let axis = 0; axis < 2; axis++) {
        const place = 0.5 + 0.2 * random.normal();
        scene.mean[2 * i + axis] = explainer.clamped(place, 0.02, 0.98);
        scene.logScale[2 * i + axis] = Math.log(0.045) + 0.2 * random.normal();
      }
      scene.angle[i] = Math.PI * random.uniform();
      scene.logit[i] = -0.5;
      for (let c = 0; c < 3; c++) scene.color[3 * i + c] = 0.3 + 0.25 * random.normal();
    }
    return scene;
  }

  const RATES = { mean: 0.005, logScale: 0.03, angle: 0.04, logit: 0.06, color: 0.035 };
  const SMALLEST = Math.log(0.016); // half a pixel of the prior's pictures
  const LARGEST = Math.log(0.3);

  // Adam (Kingma and Ba 2015). `moments` holds first and second, shaped as the scene.
  function adamStep(scene, moments, gradients, step, factor) {
    const [keepFirst, keepSecond] = [0.9, 0.99];
    const scaleFirst = 1 / (1 - keepFirst ** (step + 1));
    const scaleSecond = 1 / (1 - keepSecond ** (step + 1));
    for (const name of Object.keys(WIDTHS)) {
      const [first, second, values] = [moments.first[name], moments.second[name], scene[name]];
      for (let i = 0; i < values.length; i++) {
        const slope = gradients[name][i];
        first[i] += (1 - keepFirst) * (slope - first[i]);
        second[i] += (1 - keepSecond) * (slope * slope - second[i]);
        const size = Math.sqrt(second[i] * scaleSecond) + 1e-8;
        values[i] -= (factor * RATES[name] * first[i] * scaleFirst) / size;
      }
    }
    const scales = scene.logScale;
    scales.forEach((value, i) => (scales[i] = explainer.clamped(value, SMALLEST, LARGEST)));
  }

  const splats = { WIDTHS, countOf, emptyLike, render, backward, begin, adamStep, sigmoid };
  Object.assign(explainer, { splats });
})(globalThis.Explainer);
