// Puts the page together: the two laboratories, and the suggestions of the text that set them.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  const labs = {
    plane: new explainer.PlaneLab(document.getElementById("plane")),
    picture: new explainer.PictureLab(document.getElementById("picture")),
  };
  for (const button of document.querySelectorAll("button[data-try]")) {
    button.addEventListener("click", () => {
      const lab = labs[button.dataset.lab];
      for (const other of Object.values(labs)) if (other !== lab) other.clock.run(false);
      lab.try(JSON.parse(button.dataset.try));
      lab.root.scrollIntoView({ block: "start", behavior: "auto" });
    });
  }
  const redraw = () => Object.values(labs).forEach((lab) => lab.clock.wake());
  explainer.draw.onTheme(redraw);
  window.addEventListener("resize", redraw);
  redraw();
  Object.assign(explainer, { labs });
})(globalThis.Explainer);
