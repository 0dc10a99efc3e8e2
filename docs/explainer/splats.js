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
    const half = REACH * Math.hypot(scaleU * sine, scaleV * cosine);
    const [sharpU, sharpV] = [1 / (scaleU * scaleU), 1 / (scaleV * scaleV)];
    const opacity = MOST_OPAQUE * sigmoid(scene.logit[i]);
    const top = Math.max(0, Math.ceil((y - half) * size - 0.5));
    const bottom = Math.min(size - 1, Math.floor((y + half) * size - 0.5));
    return { x, y, cosine, sine, sharpU, sharpV, opacity, top, bottom };
  }

  // A row of numbers to write into, the same one each time.
  let scratch = new Float64Array(128);

  function rowOf(size) {
    if (scratch.length < size) scratch = new Float64Array(size);
    return scratch;
  }

  // Calls visit(start, count, alphas, u, v) for each row of pixels that the Gaussian reaches:
  // its first pixel, how many, the alpha of each, and the first one's distances along the two
  // axes. A call for each row and not for each pixel. Along a row the exponent is a quadratic of the column,
  //   power(a) = square a^2 + 2 slope a + rest,   a = the distance across,
  // whose roots say where the row begins and ends, and whose exponential needs no exp for each
  // pixel: alpha changes from one to the next by a ratio, and that ratio by a constant.
  function cover(splat, size, visit) {
    const { cosine, sine, sharpU, sharpV } = splat;
    const stride = 1 / size;
    const alphas = rowOf(size);
    const square = cosine * cosine * sharpU + sine * sine * sharpV;
    const bend = Math.exp(-square * stride * stride);
    for (let row = splat.top; row <= splat.bottom; row++) {
      const away = (row + 0.5) * stride - splat.y;
      const slope = away * sine * cosine * (sharpU - sharpV);
      const rest = away * away * (sine * sine * sharpU + cosine * cosine * sharpV);
      const root = Math.sqrt(slope * slope - square * (rest - REACH * REACH));
      if (!(root >= 0)) continue;
      const left = splat.x + (-slope - root) / square;
      const right = splat.x + (-slope + root) / square;
      const first = Math.max(0, Math.ceil(left * size - 0.5));
      const last = Math.min(size - 1, Math.floor(right * size - 0.5));
      const across = (first + 0.5) * stride - splat.x;
      const power = square * across * across + 2 * slope * across + rest;
      let alpha = splat.opacity * Math.exp(-0.5 * power);
      let ratio = Math.exp(-stride * (square * (across + 0.5 * stride) + slope));
      const count = Math.max(0, last - first + 1);
      for (let k = 0; k < count; k++) {
        alphas[k] = alpha;
        alpha *= ratio;
        ratio *= bend;
      }
      const u = cosine * across + sine * away;
      const v = cosine * away - sine * across;
      visit(row * size + first, count, alphas, u, v);
    }
  }

  // The picture over the background `paper`, size x size x 3, and what is left to pass through.
  function render(scene, size, paper) {
    const color = new Float64Array(size * size * 3);
    const clear = new Float64Array(size * size).fill(1);
    for (let i = 0; i < countOf(scene); i++) {
      const red = scene.color[3 * i];
      const green = scene.color[3 * i + 1];
      const blue = scene.color[3 * i + 2];
      cover(prepared(scene, i, size), size, (start, count, alphas) => {
        for (let k = 0; k < count; k++) {
          const pixel = start + k;
          const share = clear[pixel] * alphas[k];
          color[3 * pixel] += share * red;
          color[3 * pixel + 1] += share * green;
          color[3 * pixel + 2] += share * blue;
          clear[pixel] -= share;
        }
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
      const { cosine, sine, sharpU, sharpV } = splat;
      const own = scene.color.subarray(3 * i, 3 * i + 3);
      const ownColor = answer.color.subarray(3 * i, 3 * i + 3);
      const sums = new Float64Array(6); // of x, y, both log scales, angle and logit
      cover(splat, size, (start, count, alphas, firstU, firstV) => {
        let [u, v] = [firstU, firstV];
        for (let k = 0; k < count; k++) {
          const pixel = start + k;
          const alpha = alphas[k];
          through[pixel] /= 1 - alpha;
          let pull = 0; // of the loss on this alpha, then on its logarithm
          for (let c = 0; c < 3; c++) {
            const at = 3 * pixel + c;
            const beyond = own[c] - behind[at];
            pull += gradient[at] * beyond;
            ownColor[c] += gradient[at] * through[pixel] * alpha;
            behind[at] += alpha * beyond;
          }
          pull *= through[pixel] * alpha;
          const pullU = pull * u * sharpU;
          const pullV = pull * v * sharpV;
          sums[0] += pullU * cosine - pullV * sine;
          sums[1] += pullU * sine + pullV * cosine;
          sums[2] += pullU * u;
          sums[3] += pullV * v;
          sums[4] -= pull * u * v * (sharpU - sharpV);
          sums[5] += pull;
          u += cosine / size;
          v -= sine / size;
        }
      });
      answer.mean.set(sums.subarray(0, 2), 2 * i);
      answer.logScale.set(sums.subarray(2, 4), 2 * i);
      answer.angle[i] = sums[4];
      answer.logit[i] = sums[5] * (1 - sigmoid(scene.logit[i]));
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
