// The second laboratory: a picture made of Gaussians, and the three pictures behind each step.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const SHARP = 96; // pixels in a row of the scene as it is shown; the prior sees 32
  const GLOW = 24; // steps for which a newborn Gaussian is marked

  const { range, check, digits, RESTARTS, questionRows, timeRows, seedRow } = explainer.rows;
  const SIZES = [0.02, 0.12, 0.005];
  const GROUPS = [
    ["The question", [
      ...questionRows("smile"),
      range("guidance", "Guidance scale", 4, [0, 50, 1]),
      check("clamp", "Clamp x̂ to what a picture can be", false),
    ]],
    ["The noise level t", timeRows()],
    ["The scene", [
      range("count", "Gaussians at the start", 40, [4, 300, 1], RESTARTS),
      range("rate", "Learning rate, relative", 1, [0.2, 3, 0.1], digits(1)),
      seedRow(),
    ]],
    ["Density control", [
      check("density", "Grow and prune, every 40 steps", true),
      range("growGradient", "Grow where the pull exceeds", 0.8, [0.1, 4, 0.1], digits(1)),
      range("splitScale", "Split above this size, else clone", 0.045, SIZES, digits(3)),
      range("pruneOpacity", "Prune below this opacity", 0.05, [0, 0.4, 0.01], digits(2)),
    ]],
    ["What is shown", [
      check("outlines", "Outlines of the Gaussians", true),
      check("follow", "The other panels show the last step", true),
      range("look", "Otherwise, ask at t", 0.7, [0.02, 0.98, 0.01], digits(2)),
    ]],
  ];

  class PictureLab {
    constructor(root) {
      this.root = root;
      this.world = explainer.pictureWorld();
      const form = root.querySelector("form");
      this.controls = explainer.controls(form, "picture", GROUPS, (name) => this.changed(name));
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
      explainer.draw.picture(noisy, answer.noisy, size, 0.16, 0.5, false);
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
      for (const [color, thickness] of [["rgba(255,255,255,0.55)", 2.6], ["#26221f", 1]]) {
        context.strokeStyle = color;
        context.lineWidth = thickness;
        context.beginPath();
        for (let i = 0; i < slopes.length / 2; i++) {
          const [across, down] = [-slopes[2 * i], -slopes[2 * i + 1]];
          const size = Math.hypot(across, down);
          if (size === 0) continue;
          const length = (0.05 * width * Math.sqrt(Math.min(size, 9))) / size;
          if (size * length < 2.5) continue;
          const [left, top] = [places[2 * i] * width, places[2 * i + 1] * width];
          explainer.draw.arrow(context, left, top, across * length, down * length, 4);
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
