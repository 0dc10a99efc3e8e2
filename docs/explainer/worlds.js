// The two worlds that a word can be about: points in the plane, and small pictures.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const WORDS = ["ring", "cross", "two dots", "smile"];

  // The plane: each word is a handful of Gaussians of deviation SPREAD, within -1..1, y up.
  const SPREAD = 0.055;

  function around(count, radius, x = 0, y = 0, from = 0, span = 2 * Math.PI) {
    return Array.from({ length: count }, (_, k) => {
      const angle = from + (span * k) / count;
      return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    });
  }

  function along(count, from, to) {
    return Array.from({ length: count }, (_, k) => {
      const share = k / (count - 1);
      return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
    });
  }

  const PLACES = {
    ring: around(32, 0.72),
    cross: [
      ...along(11, [-0.68, -0.68], [0.68, 0.68]),
      ...along(11, [-0.68, 0.68], [0.68, -0.68]).filter((_, k) => k !== 5),
    ],
    "two dots": [-0.5, 0.5].flatMap((x) => [[x, 0], ...around(6, 0.1, x, 0)]),
    smile: [
      ...around(13, 0.78, 0, 0.12, Math.PI * 1.17, Math.PI * 0.72),
      ...[-0.34, 0.34].flatMap((x) => along(3, [x, 0.3], [x, 0.5])),
    ],
  };

  function planePrior() {
    const labels = WORDS.flatMap((word) => PLACES[word].map(() => word));
    const centers = Float64Array.from(WORDS.flatMap((word) => PLACES[word].flat()));
    const prior = new explainer.Mixture(centers, 2, SPREAD, new explainer.Cosine());
    return { prior, labels, odds: explainer.oddsOf(WORDS, labels) };
  }

  // The pictures: SIZE x SIZE pixels of three channels in -1..1, rows from the top. Each word
  // has every combination of its two inks, two sizes and nine places.
  const SIZE = 32;
  const PAPER = [0.93, 0.91, 0.86];
  const DARK = [0.3, 0.27, 0.3];
  const INKS = {
    ring: [[0.83, 0.47, 0.4], [0.66, 0.45, 0.62]],
    cross: [[0.36, 0.52, 0.68], [0.34, 0.58, 0.56]],
    "two dots": [[0.47, 0.61, 0.41], [0.78, 0.6, 0.33]],
    smile: [[0.9, 0.73, 0.38], [0.87, 0.6, 0.55]],
  };
  const SCALES = [0.27, 0.35]; // half the height of a shape, as a share of the picture
  const SHIFTS = [-0.09, 0, 0.09];
  const SHIFT_LOG_SNR = -2; // of the cosine: large pictures hide their shapes less easily

  // Layers of each word, from the back: signed distance in units of the shape's half height,
  // negative inside, with x and y from its center, y down; and whether it is dark.
  const box = (x, y, width, height) => {
    const beyond = [Math.abs(x) - width, Math.abs(y) - height];
    const outside = Math.hypot(Math.max(beyond[0], 0), Math.max(beyond[1], 0));
    return outside + Math.min(Math.max(beyond[0], beyond[1]), 0);
  };
  const SHAPES = {
    ring: [{ away: (x, y) => Math.abs(Math.hypot(x, y) - 0.76) - 0.24 }],
    cross: [
      {
        away: (x, y) => {
          const [u, v] = [(x + y) * Math.SQRT1_2, (x - y) * Math.SQRT1_2];
          return Math.min(box(u, v, 1.08, 0.26), box(u, v, 0.26, 1.08));
        },
      },
    ],
    "two dots": [{ away: (x, y) => Math.hypot(Math.abs(x) - 0.6, y) - 0.42 }],
    smile: [
      { away: (x, y) => Math.hypot(x, y) - 1 },
      { dark: true, away: (x, y) => Math.hypot(Math.abs(x) - 0.36, y + 0.26) - 0.13 },
      {
        dark: true,
        away: (x, y) => Math.max(Math.abs(Math.hypot(x, y - 0.02) - 0.56) - 0.08, 0.2 - y),
      },
    ],
  };

  function drawn(word, ink, scale, shiftX, shiftY) {
    const picture = new Float64Array(SIZE * SIZE * 3);
    for (let row = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        const x = ((column + 0.5) / SIZE - 0.5 - shiftX) / scale;
        const y = ((row + 0.5) / SIZE - 0.5 - shiftY) / scale;
        let color = PAPER;
        for (const layer of SHAPES[word]) {
          const pixels = layer.away(x, y) * scale * SIZE;
          const cover = explainer.clamped(0.5 - pixels, 0, 1);
          const over = layer.dark ? DARK : ink;
          color = color.map((value, c) => value + (over[c] - value) * cover);
        }
        color.forEach((value, c) => (picture[(row * SIZE + column) * 3 + c] = 2 * value - 1));
      }
    }
    return picture;
  }

  function pictureWorld() {
    const labels = [];
    const pictures = [];
    for (const word of WORDS) {
      for (const ink of INKS[word]) {
        for (const scale of SCALES) {
          for (const shiftX of SHIFTS) {
            for (const shiftY of SHIFTS) {
              labels.push(word);
              pictures.push(drawn(word, ink, scale, shiftX, shiftY));
            }
          }
        }
      }
    }
    const size = SIZE * SIZE * 3;
    const centers = new Float64Array(pictures.length * size);
    pictures.forEach((picture, k) => centers.set(picture, k * size));
    const schedule = new explainer.Cosine(SHIFT_LOG_SNR);
    const prior = new explainer.Mixture(centers, size, 0, schedule);
    const paper = PAPER.map((value) => 2 * value - 1);
    return { prior, labels, odds: explainer.oddsOf(WORDS, labels), paper, size: SIZE };
  }

  Object.assign(explainer, { WORDS, planePrior, pictureWorld });
})(globalThis.Explainer);
