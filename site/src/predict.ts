// Predictions: the outputs after a Predict box stay covered until the reader has an
// answer. The page marks both; without this script, and in print, they are open.

import { rove } from "./dom";
import { keep, kept } from "./storage";

export function startPredictions(): void {
  for (const bar of document.querySelectorAll<HTMLElement>(".predict-bar")) {
    const buttons = [...bar.querySelectorAll("button")];
    const name = buttons[0].dataset.covers ?? "";
    const key = `predict:${location.pathname}:${name}`;
    const open = (chosen: string) => {
      document.querySelectorAll(`.${name}`).forEach((e) => e.classList.add("open"));
      bar.classList.add("open");
      buttons.forEach((button, k) => {
        button.disabled = true;
        if (button.dataset.right === "true") button.classList.add("right");
        if (String(k) === chosen) {
          button.classList.add("chosen");
          button.setAttribute("aria-pressed", "true");
        }
      });
    };
    rove(bar, buttons);
    const before = kept(key);
    if (before !== null) open(before);
    buttons.forEach((button, k) => button.addEventListener("click", () => {
      open(String(k));
      keep(key, String(k));
    }));
  }
}
