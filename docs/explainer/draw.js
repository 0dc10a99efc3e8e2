// Drawing on canvases: sharp on any screen, in the colors of the page's theme.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  // Colors by name from the style sheet, read anew after a change of theme.
  let palette = null;

  function colors() {
    if (!palette) {
      const style = getComputedStyle(document.documentElement);
      const names = ["surface", "ink", "quiet", "line", "accent", "cool", "warm"];
      const value = (name) => style.getPropertyValue(`--${name}`).trim();
      palette = Object.fromEntries(names.map((name) => [name, value(name)]));
    }
    return palette;
  }

  function onTheme(redraw) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      palette = null;
      redraw();
    });
  }

  // The canvas at the resolution of the screen; answers its context in CSS pixels and its size.
  function fitted(canvas) {
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = Math.min(2, devicePixelRatio || 1);
    const wanted = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) {
      [canvas.width, canvas.height] = wanted;
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  // A picture of size x size x 3 numbers, filling the context; value * gain + offset is 0..1.
  const sheets = new Map();

  function picture(target, values, size, gain, offset, smooth) {
    if (!sheets.has(size)) {
      const sheet = document.createElement("canvas");
      sheet.width = sheet.height = size;
      sheets.set(size, sheet);
    }
    const sheet = sheets.get(size).getContext("2d");
    const image = sheet.createImageData(size, size);
    for (let pixel = 0; pixel < size * size; pixel++) {
      for (let c = 0; c < 3; c++) {
        image.data[4 * pixel + c] = 255 * (values[3 * pixel + c] * gain + offset);
      }
      image.data[4 * pixel + 3] = 255;
    }
    sheet.putImageData(image, 0, 0);
    target.context.imageSmoothingEnabled = smooth;
    target.context.imageSmoothingQuality = "high";
    target.context.drawImage(sheet.canvas, 0, 0, target.width, target.height);
  }

  function arrow(context, x, y, across, down, head) {
    const length = Math.hypot(across, down);
    if (length < 0.8) return;
    const [tipX, tipY] = [x + across, y + down];
    const size = Math.min(head, length * 0.6);
    const [u, v] = [across / length, down / length];
    context.moveTo(x, y);
    context.lineTo(tipX, tipY);
    context.moveTo(tipX - size * (u + 0.5 * v), tipY - size * (v - 0.5 * u));
    context.lineTo(tipX, tipY);
    context.lineTo(tipX - size * (u - 0.5 * v), tipY - size * (v + 0.5 * u));
  }

  // Two lines over the steps, each in its own range: the distance and a second figure.
  function chart(canvas, history, second) {
    const { context, width, height } = fitted(canvas);
    const [top, bottom] = [18, height - 6];
    const steps = Math.max(explainer.LENGTH, history.length - 1);
    const across = (step) => (step / steps) * width;
    const most = history.reduce((high, { distance }) => Math.max(high, distance), 1e-9);
    const mostSecond = Math.max(second.most, ...history.map((entry) => entry.second));
    const lines = [
      ["distance", most, colors().accent, false],
      ["second", mostSecond, colors().cool, true],
    ];
    context.strokeStyle = colors().line;
    context.lineWidth = 1;
    context.beginPath();
    for (const [step, { report }] of history.entries()) {
      if (!report || report.cloned + report.split + report.pruned === 0) continue;
      context.moveTo(across(step), top);
      context.lineTo(across(step), bottom);
    }
    context.moveTo(0, bottom + 0.5);
    context.lineTo(width, bottom + 0.5);
    context.stroke();
    const stride = Math.max(1, Math.floor(history.length / width));
    for (const [name, range, color, dashed] of lines) {
      context.strokeStyle = color;
      context.lineWidth = 1.75;
      context.setLineDash(dashed ? [4, 3] : []);
      context.beginPath();
      for (let step = 0; step < history.length; step += stride) {
        const y = bottom - (history[step][name] / range) * (bottom - top);
        if (step) context.lineTo(across(step), y);
        else context.moveTo(across(step), y);
      }
      context.stroke();
    }
    context.setLineDash([]);
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colors().accent;
    context.fillText("distance to the target", 0, 11);
    context.textAlign = "right";
    context.fillStyle = colors().cool;
    context.fillText(second.label, width, 11);
    context.textAlign = "left";
  }

  Object.assign(explainer, { draw: { colors, onTheme, fitted, picture, arrow, chart } });
})(globalThis.Explainer);
