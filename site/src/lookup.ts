// A dictionary looked up by GAT and by GATv2, both trained in chapter 7.

import { load } from "./data";
import { button, choice, html, show, toolbar } from "./dom";
import { look, type LookupFile } from "./lookup-model";

export async function startLookup(place: HTMLElement): Promise<void> {
  const file = await load<LookupFile>("lookup");
  const keys = [...Array(file.keys).keys()];
  let values = [...file.start];
  let query = 0;
  const entries = html("div");
  const tables = html("div", { class: "play-pair" });
  const note = html("p", { class: "play-note", "aria-live": "polite" });
  const queries = choice("Who asks", keys.map((k) => `query ${k}`), query, (k) => {
    query = k;
    draw();
  });
  const order = button("As in the figure", () => {
    values = [...file.start];
    draw();
  });
  const shuffle = button("Shuffle the values", () => {
    for (let k = keys.length - 1; k > 0; k--) {
      const other = Math.floor(Math.random() * (k + 1));
      [values[k], values[other]] = [values[other], values[k]];
    }
    draw();
  });
  place.append(
    html("div", { class: "play-wide" },
      html("p", { class: "play-title" }, "A dictionary: press a key to swap its value with the next one's"),
      entries, toolbar("All values", [shuffle, order]), queries),
    html("div", { class: "play-wide" }, tables), note,
  );

  function draw(): void {
    const found = { GAT: look(file, "GAT", values), GATv2: look(file, "GATv2", values) };
    const before = [...entries.querySelectorAll("button")];
    const focused = before.indexOf(document.activeElement as HTMLButtonElement);
    const buttons = keys.map((k) => button(`key ${k}: value ${values[k]}`, () => {
      const next = (k + 1) % keys.length;
      [values[k], values[next]] = [values[next], values[k]];
      draw();
    }));
    entries.replaceChildren(toolbar("The dictionary", buttons));
    if (focused >= 0) buttons[focused].focus();
    tables.replaceChildren(
      ...Object.entries(found).map(([name, { weights, answers }]) => table(name, weights, answers)),
    );
    const right = (answers: number[]) => answers.filter((a, k) => a === values[k]).length;
    const ranking = (row: number[]) => [...keys].sort((a, b) => row[b] - row[a]).join(" ");
    const rankings = new Set(found.GAT.weights.map(ranking));
    const alike = rankings.size === 1 ? "alike" : "differently";
    note.textContent = `GAT: all queries rank the keys ${alike} ` +
      `(${ranking(found.GAT.weights[query])}), and ${right(found.GAT.answers)} of ${keys.length} ` +
      `${right(found.GAT.answers) === 1 ? "is" : "are"} answered. GATv2: query ${query} ranks them ${ranking(found.GATv2.weights[query])}; ` +
      `${right(found.GATv2.answers)} of ${keys.length} are answered. A query may look away from its ` +
      "key: what it leaves out tells as much.";
  }

  function table(name: string, weights: number[][], answers: number[]): HTMLElement {
    const rows = weights.map((row, k) => {
      const right = answers[k] === values[k];
      return html(
        "tr", k === query ? { class: "chosen" } : {},
        html("th", { scope: "row" }, `asks ${k}`),
        ...row.map((weight) => html("td", {
          style: `background:color-mix(in srgb, var(--eq-a) ${Math.round(60 * weight)}%, transparent)`,
        }, show(weight))),
        html("td", { class: right ? "right" : "wrong" }, `${answers[k]} ${right ? "✓" : "✗"}`),
      );
    });
    const head = ["", ...keys.map(String), "says"].map((text) =>
      text ? html("th", { scope: "col" }, text) : html("td"));
    return html("div", {}, html("p", { class: "play-title" }, `${name}: weight of each key`),
      html("table", { tabindex: 0, "aria-label": `Weights of ${name}` },
        html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows)));
  }

  draw();
}
