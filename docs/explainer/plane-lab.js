// The first laboratory: points of the plane, the field that moves them, one of them close up.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const REACH = 1.3; // the canvas shows -REACH..REACH both ways
  const CELLS = 17; // arrows in a row
  const GRAIN = 72; // pixels in a row of the shaded density
  const SLICES = 8; // parts in which the field is made again
  const TRAIL = 14; // steps of a point's way that stay visible

  const { range, check, digits, RESTARTS, questionRows, timeRows, seedRow } = explainer.rows;
  const SCALE = { hint: "0 forgets the word, 1 is the prior's own answer" };
  const GROUPS = [
    ["The question", [
      ...questionRows("ring"),
      range("guidance", "Guidance scale", 1, [0, 15, 0.5], SCALE),
    ]],
    ["The noise level t", timeRows()],
    ["The points", [
      range("count", "Number of points", 150, [1, 400, 1], RESTARTS),
      range("rate", "Learning rate", 0.15, [0.01, 0.3, 0.01], digits(2)),
      seedRow(),
    ]],
    ["What is shown", [
      check("follow", "Field at the noise level of the run", true),
      range("look", "Otherwise, at t", 0.5, [0.02, 0.98, 0.01], digits(2)),
      range("traced", "Point under the glass", 0, [0, 399, 1]),
    ]],
  ];

  class PlaneLab {
    constructor(root) {
      this.root = root;
      this.canvas = root.querySelector("canvas.plane");
      this.world = explainer.planePrior();
      const form = root.querySelector("form");
      this.controls = explainer.controls(form, "plane", GROUPS, (name) => this.changed(name));
      this.clock = explainer.clock(root, {
        advance: () => this.advance(),
        reset: () => this.reset(),
        draw: () => this.draw(),
      });
      this.canvas.addEventListener("pointerdown", (event) => this.pick(event));
      this.reset();
    }

    reset() {
      this.settings = this.controls.read();
      this.run = new explainer.PlaneRun(this.settings, this.world);
      this.trails = [];
      this.field = null;
    }

    changed(name) {
      if (name === "count" || name === "seed") this.reset();
      if (name === "look") this.controls.write({ follow: false });
      this.settings = this.controls.read();
      const { classifier } = explainer.SCORES[this.settings.score];
      this.controls.enable("guidance", !classifier);
      this.field = null;
      this.clock.wake();
    }

    advance() {
      this.trails.push(Float64Array.from(this.run.points));
      if (this.trails.length > TRAIL) this.trails.shift();
      this.run.advance(this.settings);
    }

    // Sets what a suggestion of the text asks for, and plays it.
    try(values) {
      this.controls.write({ ...this.controls.defaults, ...values });
      this.changed("count");
      this.clock.run(true);
    }

    // The times whose field is shown: of the window if it is wide, else its middle.
    times() {
      if (!this.settings.follow) return [this.settings.look];
      const [low, high] = explainer.timeWindow(this.settings, this.run.progress);
      const places = high - low > 0.15 ? [1 / 6, 1 / 2, 5 / 6] : [1 / 2];
      return places.map((place) => low + (high - low) * place);
    }

    // The field and the density seen through the noise. After t has moved they are made again,
    // a slice of the rows for each drawing, so that no frame waits for all of them.
    refreshField() {
      const times = this.times();
      if (this.field === null) {
        this.field = { slice: 0, times, arrows: new Map(), shade: new Float64Array(GRAIN ** 2) };
        for (let k = 0; k < SLICES; k++) this.refreshSlice();
        return;
      }
      if (this.field.slice === 0) {
        if (Math.abs(this.field.times[0] - times[0]) < 0.003) return;
        this.field.times = times;
      }
      this.refreshSlice();
    }

    refreshSlice() {
      const { slice, times, arrows, shade } = this.field;
      const { prior, odds } = this.world;
      const place = (cell, cells) => (((cell + 0.5) / cells) * 2 - 1) * REACH;
      for (let row = slice; row < CELLS; row += SLICES) {
        for (let column = 0; column < CELLS; column++) {
          const x = Float64Array.of(place(column, CELLS), -place(row, CELLS));
          const pull = explainer.meanPull(this.settings, this.world, x, times);
          arrows.set(row * CELLS + column, { x, pull });
        }
      }
      const t = times[Math.floor(times.length / 2)];
      const alpha = prior.schedule.alpha(t);
      const told = odds.named[this.settings.word];
      for (let row = slice; row < GRAIN; row += SLICES) {
        for (let column = 0; column < GRAIN; column++) {
          const [across, up] = [place(column, GRAIN), -place(row, GRAIN)];
          const x = Float64Array.of(alpha * across, alpha * up);
          shade[row * GRAIN + column] = prior.logDensity(x, t, told);
        }
      }
      this.field.slice = (slice + 1) % SLICES;
    }

    draw() {
      const view = explainer.draw.fitted(this.canvas);
      const unit = view.width / (2 * REACH);
      const at = (x, y) => [(x + REACH) * unit, (REACH - y) * unit];
      this.refreshField();
      this.drawShade(view);
      this.drawField(view, at, unit);
      this.drawPoints(view, at);
      this.drawGlass(view, at);
      explainer.draw.chart(this.root.querySelector("canvas.chart"), this.run.history, {
        label: "share of the shape that is covered",
        most: 1,
      });
      this.report();
    }

    drawShade(view) {
      const sheet = document.createElement("canvas");
      sheet.width = sheet.height = GRAIN;
      const context = sheet.getContext("2d");
      const image = context.createImageData(GRAIN, GRAIN);
      const [red, green, blue] = explainer.draw.colors().warm.split(",").map(Number);
      const { shade } = this.field;
      const most = shade.reduce((high, value) => Math.max(high, value), -Infinity);
      for (let i = 0; i < shade.length; i++) {
        image.data[4 * i] = red;
        image.data[4 * i + 1] = green;
        image.data[4 * i + 2] = blue;
        image.data[4 * i + 3] = 125 * Math.exp(0.7 * (shade[i] - most));
      }
      context.putImageData(image, 0, 0);
      view.context.imageSmoothingEnabled = true;
      view.context.drawImage(sheet, 0, 0, view.width, view.height);
    }

    drawField({ context, width }, at, unit) {
      const cell = width / CELLS;
      context.strokeStyle = explainer.draw.colors().quiet;
      context.lineWidth = 1;
      context.beginPath();
      for (const { x, pull } of this.field.arrows.values()) {
        const size = Math.hypot(...pull);
        if (size === 0) continue;
        const length = 0.85 * cell * Math.tanh((1.2 * size * unit) / cell);
        const [across, up] = pull.map((value) => (value / size) * length);
        const [left, top] = at(x[0], x[1]);
        explainer.draw.arrow(context, left - across / 2, top + up / 2, across, -up, 4.5);
      }
      context.stroke();
    }

    drawPoints({ context }, at) {
      const { accent } = explainer.draw.colors();
      const ways = [...this.trails, this.run.points];
      context.strokeStyle = accent;
      context.lineWidth = 1;
      for (let k = 1; k < ways.length; k++) {
        context.globalAlpha = (0.45 * k) / ways.length;
        context.beginPath();
        for (let i = 0; i < this.run.count; i++) {
          context.moveTo(...at(ways[k - 1][2 * i], ways[k - 1][2 * i + 1]));
          context.lineTo(...at(ways[k][2 * i], ways[k][2 * i + 1]));
        }
        context.stroke();
      }
      context.fillStyle = accent;
      context.globalAlpha = 0.8;
      for (let i = 0; i < this.run.count; i++) {
        context.beginPath();
        context.arc(...at(this.run.points[2 * i], this.run.points[2 * i + 1]), 3, 0, 7);
        context.fill();
      }
      context.globalAlpha = 1;
    }

    // One point with its noisy sample and its pseudo-ground-truth.
    drawGlass({ context }, at) {
      const i = Math.min(this.settings.traced, this.run.count - 1);
      const t = this.settings.follow
        ? explainer.timeOf(this.run, this.settings)
        : this.settings.look;
      const { noisy, target } = this.run.ask(this.settings, i, t);
      const x = this.run.points.subarray(2 * i, 2 * i + 2);
      const { ink, cool, accent, surface } = explainer.draw.colors();
      const [place, noised, wanted] = [x, noisy, target].map((point) => at(point[0], point[1]));
      const line = (from, to, color, dash) => {
        context.strokeStyle = color;
        context.lineWidth = 1.5;
        context.setLineDash(dash);
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...to);
        context.stroke();
        context.setLineDash([]);
      };
      line(place, noised, cool, [3, 3]);
      line(noised, wanted, cool, [3, 3]);
      line(place, wanted, ink, []);
      const marks = [[noised, cool, "xₜ"], [wanted, ink, "x̂"], [place, accent, "x"]];
      context.font = "italic 16px Georgia, serif";
      for (const [[left, top], color, name] of marks) {
        context.fillStyle = color;
        context.strokeStyle = surface;
        context.lineWidth = 3;
        context.beginPath();
        context.arc(left, top, 5.5, 0, 7);
        context.stroke();
        context.fill();
        context.strokeText(name, left + 9, top - 7);
        context.fillText(name, left + 9, top - 7);
      }
    }

    pick(event) {
      const box = this.canvas.getBoundingClientRect();
      const unit = box.width / (2 * REACH);
      const x = (event.clientX - box.left) / unit - REACH;
      const y = REACH - (event.clientY - box.top) / unit;
      const away = (i) => Math.hypot(this.run.points[2 * i] - x, this.run.points[2 * i + 1] - y);
      let nearest = 0;
      for (let i = 1; i < this.run.count; i++) if (away(i) < away(nearest)) nearest = i;
      this.controls.write({ traced: nearest });
      this.settings = this.controls.read();
      this.clock.wake();
    }

    report() {
      const { distance, coverage } = this.run.figures(this.settings);
      const [low, high] = explainer.timeWindow(this.settings, this.run.progress);
      const values = {
        step: this.run.step,
        window: `${low.toFixed(2)} to ${high.toFixed(2)}`,
        distance: distance.toFixed(3),
        coverage: `${Math.round(100 * coverage)} %`,
      };
      for (const [name, value] of Object.entries(values)) {
        this.root.querySelector(`[data-figure="${name}"]`).textContent = value;
      }
    }
  }

  Object.assign(explainer, { PlaneLab });
})(globalThis.Explainer);
