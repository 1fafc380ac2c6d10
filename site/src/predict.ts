// Predictions: the outputs after a Predict box stay covered until the reader has an
// answer. The page marks both; without this script, and in print, they are open.

import { html, rove } from "./dom";
import { keep, kept } from "./storage";

export function startPredictions(): void {
  for (const bar of document.querySelectorAll<HTMLElement>(".predict-bar")) {
    const buttons = [...bar.querySelectorAll("button")];
    const { covers, question } = buttons[0].dataset;
    const key = `predict:${location.pathname}:${question}`;
    const right = buttons.find((button) => button.dataset.right === "true");
    const told = html("span", { class: "predict-told", role: "status" });
    bar.append(told);
    const open = (chosen: HTMLElement) => {
      document.querySelectorAll(`.${covers}`).forEach((e) => e.classList.add("open"));
      bar.classList.add("open");
      right?.classList.add("right");
      chosen.classList.add("chosen");
      chosen.setAttribute("aria-pressed", "true");
      if (!chosen.dataset.right) told.textContent = "Shown below.";
      else told.textContent = chosen === right ? "Right." : "Not quite: see below.";
      for (const button of buttons) button.setAttribute("aria-disabled", "true");
    };
    rove(bar, buttons);
    const before = buttons[Number(kept(key) ?? NaN)];
    if (before) open(before);
    buttons.forEach((button, k) => button.addEventListener("click", () => {
      if (bar.classList.contains("open")) return;
      open(button);
      keep(key, String(k));
    }));
  }
}
