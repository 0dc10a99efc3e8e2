// The second laboratory: a picture made of Gaussians, and the three pictures behind each step.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const SHARP = 96; // pixels in a row of the scene as it is shown; the prior sees 32
  const GLOW = 24; // steps for which a newborn Gaussian is marked

  const two = (value) => value.toFixed(2);
  const GROUPS = [
    ["The question", [
      { kind: "choice", name: "word", label: "Word", value: "smile", options: explainer.WORDS.map((word) => [word, word]) },
      { kind: "list", name: "score", label: "Score", value: "sds", options: Object.entries(explainer.SCORES).map(([name, { label }]) => [name, label]) },
      { kind: "range", name: "guidance", label: "Guidance scale", value: 4, min: 0, max: 50, step: 1 },
      { kind: "check", name: "clamp", label: "Clamp x̂ to what a picture can be", value: false },
    ]],
    ["The noise level t", [
      { kind: "check", name: "anneal", label: "Anneal: from high to low", value: true },
      { kind: "range", name: "high", label: "Noisiest t", value: 0.98, min: 0.02, max: 0.98, step: 0.01, format: two },
      { kind: "range", name: "low", label: "Cleanest t", value: 0.02, min: 0.02, max: 0.98, step: 0.01, format: two },
    ]],
    ["The scene", [
      { kind: "range", name: "count", label: "Gaussians at the start", value: 40, min: 4, max: 300, step: 1, hint: "begins anew" },
      { kind: "range", name: "rate", label: "Learning rate, relative", value: 1, min: 0.2, max: 3, step: 0.1, format: (value) => value.toFixed(1) },
      { kind: "number", name: "seed", label: "Seed", value: 1, min: 0, max: 9999, step: 1, hint: "begins anew" },
    ]],
    ["Density control", [
      { kind: "check", name: "density", label: "Grow and prune, every 40 steps", value: true },
      { kind: "range", name: "growGradient", label: "Grow where the pull exceeds", value: 0.8, min: 0.1, max: 4, step: 0.1, format: (value) => value.toFixed(1) },
      { kind: "range", name: "splitScale", label: "Split above this size, else clone", value: 0.045, min: 0.02, max: 0.12, step: 0.005, format: (value) => value.toFixed(3) },
      { kind: "range", name: "pruneOpacity", label: "Prune below this opacity", value: 0.05, min: 0, max: 0.4, step: 0.01, format: two },
    ]],
    ["What is shown", [
      { kind: "check", name: "outlines", label: "Outlines of the Gaussians", value: true },
      { kind: "check", name: "follow", label: "The other panels show the last step", value: true },
      { kind: "range", name: "look", label: "Otherwise, ask at t", value: 0.7, min: 0.02, max: 0.98, step: 0.01, format: two },
    ]],
  ];

  class PictureLab {
    constructor(root) {
      this.root = root;
      this.world = explainer.pictureWorld();
      this.controls = explainer.controls(root.querySelector("form"), "picture", GROUPS, (name) => {
        this.changed(name);
      });
      this.clock = explainer.clock(root, {
        advance: () => this.run.advance(this.settings),
        reset: () => this.reset(),
        draw: () => this.draw(),
      });
      this.reset();
    }

    reset() {
      this.settings = this.controls.read();
      this.run = new explainer.PictureRun(this.settings, this.world);
    }

    changed(name) {
      if (name === "count" || name === "seed") this.reset();
      if (name === "look") this.controls.write({ follow: false });
      this.settings = this.controls.read();
      const { classifier } = explainer.SCORES[this.settings.score];
      this.controls.enable("guidance", !classifier);
      for (const part of ["growGradient", "splitScale", "pruneOpacity"]) {
        this.controls.enable(part, this.settings.density);
      }
      this.clock.wake();
    }

    // Sets what a suggestion of the text asks for, and plays it.
    try(values) {
      this.controls.write({ ...this.controls.defaults, ...values });
      this.changed("count");
      this.clock.run(true);
    }

    draw() {
      const { settings, run } = this;
      const time = settings.follow ? explainer.timeOf(run, settings) : settings.look;
      const answer = settings.follow && run.last ? run.last : run.ask(settings, time);
      const [scene, noisy, target, pull] = ["scene", "noisy", "target", "pull"].map((name) => {
        return explainer.draw.fitted(this.root.querySelector(`canvas.${name}`));
      });
      const { size, paper } = this.world;
      const sharp = explainer.splats.render(run.scene, SHARP, paper).color;
      explainer.draw.picture(scene, sharp, SHARP, 0.5, 0.5, true);
      if (settings.outlines) this.drawOutlines(scene);
      explainer.draw.picture(noisy, answer.noisy, size, 0.25, 0.5, false);
      explainer.draw.picture(target, answer.target, size, 0.5, 0.5, true);
      const difference = answer.target.map((value, i) => value - run.picture.color[i]);
      explainer.draw.picture(pull, difference, size, 0.3, 0.5, true);
      this.drawPulls(pull, answer.places, answer.pulls.mean);
      explainer.draw.chart(this.root.querySelector("canvas.chart"), run.history, {
        label: "number of Gaussians",
        most: 100,
      });
      this.report(answer);
    }

    drawOutlines({ context, width }) {
      const { scene, born, step } = this.run;
      for (let i = 0; i < this.run.count; i++) {
        const young = step - born[i] < GLOW;
        const opacity = explainer.splats.sigmoid(scene.logit[i]);
        context.globalAlpha = young ? 0.95 : 0.08 + 0.42 * opacity;
        context.strokeStyle = young ? "#c02f1d" : "#26221f";
        context.lineWidth = young ? 1.4 : 0.75;
        context.beginPath();
        const [radiusU, radiusV] = [0, 1].map((axis) => {
          return Math.exp(scene.logScale[2 * i + axis]) * width;
        });
        const [left, top] = [scene.mean[2 * i] * width, scene.mean[2 * i + 1] * width];
        context.ellipse(left, top, radiusU, radiusV, scene.angle[i], 0, 2 * Math.PI);
        context.stroke();
      }
      context.globalAlpha = 1;
    }

    // The pull on each center; its square root, so that weak ones stay visible.
    drawPulls({ context, width }, places, slopes) {
      for (const [color, thickness] of [["rgba(255,255,255,0.75)", 3], ["#26221f", 1.2]]) {
        context.strokeStyle = color;
        context.lineWidth = thickness;
        context.beginPath();
        for (let i = 0; i < slopes.length / 2; i++) {
          const [across, down] = [-slopes[2 * i], -slopes[2 * i + 1]];
          const size = Math.hypot(across, down);
          if (size < 1e-9) continue;
          const length = (0.09 * width * Math.sqrt(Math.min(size, 25))) / 5 / size;
          const [left, top] = [places[2 * i] * width, places[2 * i + 1] * width];
          explainer.draw.arrow(context, left, top, across * length, down * length, 5);
        }
        context.stroke();
      }
    }

    report(answer) {
      const { run } = this;
      const { distance, outside } = run.figures(this.settings);
      const values = {
        step: run.step,
        time: answer.t.toFixed(2),
        distance: distance.toFixed(4),
        outside: `${(100 * outside).toFixed(outside < 0.1 ? 1 : 0)} %`,
        count: run.count,
        ...run.totals,
      };
      for (const [name, value] of Object.entries(values)) {
        this.root.querySelector(`[data-figure="${name}"]`).textContent = value;
      }
    }
  }

  Object.assign(explainer, { PictureLab });
})(globalThis.Explainer);
