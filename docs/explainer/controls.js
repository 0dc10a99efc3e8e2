// Labeled controls from a table, and the clock behind play, step and reset.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  // Rows of the tables that describe controls; `more` may hold a hint and a format.
  const range = (name, label, value, [min, max, step], more = {}) => {
    return { kind: "range", name, label, value, min, max, step, ...more };
  };
  const check = (name, label, value) => ({ kind: "check", name, label, value });
  const digits = (count) => ({ format: (value) => value.toFixed(count) });
  const RESTARTS = { hint: "restarts the run" };

  // What both laboratories ask for.
  function questionRows(word) {
    const words = explainer.WORDS.map((name) => [name, name]);
    const scores = Object.entries(explainer.SCORES).map(([name, { label }]) => [name, label]);
    return [
      { kind: "choice", name: "word", label: "Word", value: word, options: words },
      { kind: "list", name: "score", label: "Score", value: "sds", options: scores },
    ];
  }

  function timeRows() {
    const span = [0.02, 0.98, 0.01];
    return [
      check("anneal", "Anneal: from high to low", true),
      range("high", "Noisiest t", 0.98, span, digits(2)),
      range("low", "Cleanest t", 0.02, span, digits(2)),
    ];
  }

  function seedRow() {
    const limits = { min: 0, max: 9999, step: 1 };
    return { kind: "number", name: "seed", label: "Seed", value: 1, ...limits, ...RESTARTS };
  }

  const rows = { range, check, digits, RESTARTS, questionRows, timeRows, seedRow };

  // One control of a table row: kind is range, check, choice (radio buttons), list or number.
  function control(labName, row) {
    const id = `${labName}-${row.name}`;
    const hint = row.hint ? [element("small", { id: `${id}-hint` }, row.hint)] : [];
    const common = { id, name: row.name, "aria-describedby": row.hint && `${id}-hint` };
    if (row.kind === "choice") {
      const buttons = row.options.map(([value, label]) => {
        const radio = element("input", { type: "radio", name: row.name, value });
        return element("label", {}, radio, element("span", {}, label));
      });
      const legend = element("legend", {}, row.label);
      return element("fieldset", { class: "choice" }, legend, ...buttons, ...hint);
    }
    if (row.kind === "list") {
      const options = row.options.map(([value, label]) => element("option", { value }, label));
      const label = element("label", { for: id }, row.label);
      const list = element("select", common, ...options);
      return element("div", { class: "row" }, label, list, ...hint);
    }
    if (row.kind === "check") {
      const box = element("input", { ...common, type: "checkbox" });
      const label = element("label", { for: id }, row.label);
      return element("div", { class: "row check" }, box, label, ...hint);
    }
    const { min, max, step } = row;
    const input = element("input", { ...common, type: row.kind, min, max, step });
    const label = element("label", { for: id }, row.label);
    const output = row.kind === "range" ? [element("output", { for: id })] : [];
    return element("div", { class: `row ${row.kind}` }, label, ...output, input, ...hint);
  }

  // The form of a laboratory. `groups` are [title, rows]; `changed(name)` is called after every
  // change. Answers read and write of all values as one object.
  function controls(form, labName, groups, changed) {
    const rows = groups.flatMap(([, ofGroup]) => ofGroup);
    for (const [title, ofGroup] of groups) {
      const heading = element("legend", {}, title);
      const made = ofGroup.map((row) => control(labName, row));
      form.append(element("fieldset", { class: "group" }, heading, ...made));
    }
    const field = (row) => form.elements[row.name];

    function read() {
      const value = (row) => {
        if (row.kind === "check") return field(row).checked;
        if (row.kind === "choice" || row.kind === "list") return field(row).value;
        const number = Number(field(row).value);
        const valid = field(row).value !== "" && Number.isFinite(number);
        return valid ? explainer.clamped(number, row.min, row.max) : row.value;
      };
      return Object.fromEntries(rows.map((row) => [row.name, value(row)]));
    }

    function show() {
      for (const row of rows.filter(({ kind }) => kind === "range")) {
        const format = row.format || ((value) => String(value));
        form.querySelector(`output[for="${labName}-${row.name}"]`).value = format(
          Number(field(row).value),
        );
      }
    }

    function write(values) {
      for (const row of rows.filter(({ name }) => name in values)) {
        if (row.kind === "check") field(row).checked = values[row.name];
        else field(row).value = values[row.name];
      }
      show();
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      orderWindow(event.target.name);
      show();
      changed(event.target.name);
    });
    // The lower end of the time window pushes the upper one along, and the other way round.
    function orderWindow(moved) {
      const { low, high } = read();
      if (low <= high) return;
      write(moved === "low" ? { high: low } : { low: high });
    }

    const defaults = Object.fromEntries(rows.map((row) => [row.name, row.value]));
    const enable = (name, enabled) => (form.elements[name].disabled = !enabled);
    write(defaults);
    return { read, write, enable, defaults };
  }

  // Play, step and reset: `actions` has advance, reset and draw. Draws once a frame at most.
  function clock(root, actions) {
    const [play, step, reset] = ["play", "step", "reset"].map((name) => {
      return root.querySelector(`[data-do="${name}"]`);
    });
    let playing = false;
    let waiting = false;

    function frame() {
      waiting = false;
      if (playing) actions.advance();
      actions.draw();
      if (playing) wake();
    }

    function wake() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(frame);
    }

    function run(wanted) {
      playing = wanted;
      play.textContent = playing ? "Pause" : "Play";
      play.classList.toggle("playing", playing);
      if (playing) wake();
    }

    play.addEventListener("click", () => run(!playing));
    step.addEventListener("click", () => {
      run(false);
      actions.advance();
      wake();
    });
    reset.addEventListener("click", () => {
      run(false);
      actions.reset();
      wake();
    });
    return { run, wake };
  }

  Object.assign(explainer, { controls, clock, rows });
})(globalThis.Explainer);
