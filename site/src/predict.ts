// Predictions: the outputs after a Predict box stay covered until the reader has an
// answer. The page marks both; without this script, and in print, they are open.

export function startPredictions(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>(".predict-show")) {
    const name = button.dataset.covers ?? "";
    const key = `predict:${location.pathname}:${name}`;
    const open = () => {
      document.querySelectorAll(`.${name}`).forEach((e) => e.classList.add("open"));
      button.closest(".predict-bar")?.classList.add("open");
      button.disabled = true;
    };
    if (stored(key)) open();
    button.addEventListener("click", () => {
      open();
      store(key);
    });
  }
}

// Storage may be forbidden, as in a private window.
function stored(key: string): boolean {
  try {
    return localStorage.getItem(key) === "open";
  } catch {
    return false;
  }
}

function store(key: string): void {
  try {
    localStorage.setItem(key, "open");
  } catch {
    // then it is covered again on the next visit
  }
}
