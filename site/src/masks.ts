// A mask: who may look at whom, what the softmax makes of an empty row, and what N² costs.

import { attend, softmax, softmaxAll } from "./attention";
import { button, html, show, slider, svg, toolbar } from "./dom";
import { FEATURES, FRIENDSHIPS, heardBy, LAYER } from "./friends";

const COUNT = FEATURES.length;
const CELL = 44;
const EDGE = 30;
type Mask = boolean[][];

const everyone = (): Mask => FEATURES.map(() => FEATURES.map(() => true));
const PRESETS: [string, string, () => Mask][] = [
  ["All", "An encoder's mask: everyone looks at everyone.", everyone],
  ["The past", "A decoder's mask: row i looks at columns up to i.", () =>
    FEATURES.map((_, i) => FEATURES.map((_, j) => j <= i))],
  ["The graph", "The five friends, each with itself: the graph is the mask.", () =>
    heardBy(FRIENDSHIPS)],
  ["An empty row", "Nobody is left for node 4, not even itself.", () =>
    heardBy(FRIENDSHIPS).map((row, i) => row.map((may, j) => may && i !== 4 && j !== 4))],
];

/** Three ways to apply a mask to a row of scores. */
export function threeWays(scores: number[], allowed: boolean[]): number[][] {
  const filled = (value: number) => scores.map((e, j) => (allowed[j] ? e : value));
  return [softmaxAll(filled(-Infinity)), softmaxAll(filled(-9e15)), softmax(scores, allowed)];
}

const scores = attend(FEATURES, everyone(), LAYER).scores;
const count = (value: number) => Math.round(value).toLocaleString("en");

/** Bytes at four each, as a reader says them. */
export function memory(numbers: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [size, unit] = [4 * numbers, 0];
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size < 10 && unit ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** With `data-ways` the row is masked in three ways, else the costs are shown. */
export function startMasks(place: HTMLElement): void {
  const three = place.dataset.ways !== undefined;
  let mask = PRESETS[three ? 3 : 2][2]();
  let [row, column] = [three ? 4 : 0, 0];
  const side = EDGE + COUNT * CELL + 2;
  const picture = svg("svg", { viewBox: `0 0 ${side} ${side}`, role: "group" });
  picture.setAttribute("aria-label", "Mask: press a cell to allow or forbid it");
  const table = html("div", { class: "play-numbers" });
  const note = html("p", { class: "play-note", "aria-live": "polite" });
  const presets = PRESETS.map(([name, said, make], k) => button(name, () => {
    mask = make();
    if (name === "An empty row") row = 4;
    press(k);
    draw();
    note.textContent = said;
  }));
  const press = (chosen: number) =>
    presets.forEach((b, k) => b.setAttribute("aria-pressed", String(k === chosen)));
  press(three ? 3 : 2);
  const left = html("div", {}, svgHolder(picture), toolbar("Masks", presets));
  place.append(left, table, note, ...(three ? [] : [cost()]));
  note.textContent = "Press a cell to allow or forbid it. A row is a target, a column a source.";

  function svgHolder(child: SVGElement): HTMLElement {
    return html("div", { class: "play-grid" }, child);
  }

  function toggle(i: number, j: number): void {
    [row, column] = [i, j];
    mask[i][j] = !mask[i][j];
    press(-1);
    draw();
    focus();
    const now = mask[i][j] ? "may look" : "may not look";
    note.textContent = `Target ${i} ${now} at source ${j}.`;
  }

  const focus = () =>
    picture.querySelector<SVGElement>(`[data-cell="${row} ${column}"]`)?.focus();

  function draw(): void {
    picture.replaceChildren();
    for (let k = 0; k < COUNT; k++) {
      const middle = EDGE + k * CELL + CELL / 2;
      picture.append(
        svg("text", { x: middle, y: 20, class: "play-label" }, String(k)),
        svg("text", { x: 14, y: middle + 5, class: k === row ? "play-label chosen" : "play-label" },
          String(k)),
      );
    }
    mask.forEach((allowed, i) => {
      const weights = softmax(scores[i], allowed);
      allowed.forEach((may, j) => picture.append(cell(i, j, may, weights[j])));
    });
    drawRow();
  }

  function cell(i: number, j: number, may: boolean, weight: number): SVGElement {
    const [x, y] = [EDGE + j * CELL, EDGE + i * CELL];
    const here = i === row && j === column;
    const made = svg(
      "g",
      {
        class: may ? "play-cell" : "play-cell forbidden", role: "button",
        "data-cell": `${i} ${j}`, tabindex: here ? 0 : -1, "aria-pressed": String(may),
        "aria-label": `target ${i}, source ${j}: ` + (may ? `weight ${show(weight)}` : "forbidden"),
      },
      svg("rect", { x: x + 1, y: y + 1, width: CELL - 2, height: CELL - 2, rx: 3 }),
      svg("rect", {
        x: x + 1, y: y + 1, width: CELL - 2, height: CELL - 2, rx: 3, class: "shade",
        "fill-opacity": may ? (0.75 * weight).toFixed(2) : 0,
      }),
      svg("text", { x: x + CELL / 2, y: y + CELL / 2 + 5 }, may ? show(weight) : "·"),
    );
    made.addEventListener("click", () => toggle(i, j));
    made.addEventListener("keydown", (event) => {
      const steps: Record<string, [number, number]> = {
        ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0],
      };
      if (event.key === "Enter" || event.key === " ") toggle(i, j);
      else if (steps[event.key]) {
        const [down, right] = steps[event.key];
        row = (i + down + COUNT) % COUNT;
        column = (j + right + COUNT) % COUNT;
        draw();
        focus();
      } else return;
      event.preventDefault();
    });
    return made;
  }

  function drawRow(): void {
    const ways = threeWays(scores[row], mask[row]);
    const columns: [string, number[]][] = three
      ? [["−∞", ways[0]], ["−9·10¹⁵", ways[1]], ["left out", ways[2]]] : [["weight", ways[2]]];
    const number = (value: number) => html("td",
      { class: Number.isNaN(value) ? "eq-a wrong" : "eq-a" },
      Number.isNaN(value) ? "NaN" : show(value));
    const rows = scores[row].map((e, j) => html(
      "tr", mask[row][j] ? {} : { class: "forbidden" },
      html("th", { scope: "row" }, String(j)),
      html("td", { class: "eq-e" }, mask[row][j] || three ? show(e) : "–"),
      ...columns.map(([, weights]) => number(weights[j])),
    ));
    const empty = !mask[row].includes(true);
    const names = ["source", "score", ...columns.map(([name]) => name)];
    table.replaceChildren(
      html("p", { class: "play-title" },
        three ? `Row ${row}: forbidden scores are …` : `Row ${row}: whom target ${row} may look at`),
      html("table", {},
        html("thead", {}, html("tr", {}, ...names.map((name) => html("th", { scope: "col" }, name)))),
        html("tbody", {}, ...rows)),
      html("p", { class: "play-small" }, told(empty)),
    );
  }

  function told(empty: boolean): string {
    if (!three) {
      return empty ? "Nobody is allowed: all weights are zero."
        : "The softmax runs over the allowed sources, and their weights sum to one.";
    }
    return empty
      ? "Nothing is allowed. −∞ divides 0 by 0; a large negative number listens to everybody; " +
        "masked_softmax, which leaves the forbidden out, to nobody."
      : "Where something is allowed, all three agree.";
  }

  function cost(): HTMLElement {
    let [nodes, edges] = [2708, 13264];
    const bars = html("div", { class: "play-bars" });
    const size = slider("nodes N", [0.7, 6, 0.01], Math.log10(nodes), (v) => count(10 ** v), (v) => {
      const each = edges / nodes;
      nodes = Math.round(10 ** v);
      edges = Math.round(nodes * Math.min(each, nodes));
      drawBars();
    });
    const degree = slider("sources each", [1, 100, 0.1], edges / nodes, (v) => v.toFixed(1), (v) => {
      edges = Math.round(nodes * Math.min(v, nodes));
      drawBars();
    });
    // Nodes and edges with self-loops, as chapters 1, 5 and 6 count them.
    const example = (name: string, n: number, e: number) => button(name, () => {
      [nodes, edges] = [n, e];
      size.set(Math.log10(n));
      degree.set(e / n);
      drawBars();
    });
    const bar = (name: string, numbers: number, kind: string) => html(
      "div", { class: "play-bar" },
      html("span", {}, `${name} = ${count(numbers)} numbers, ${memory(numbers)}`),
      html("div", { class: kind, style: `width:${Math.max(0.2, 100 * numbers / nodes ** 2)}%` }),
    );
    function drawBars(): void {
      bars.replaceChildren(bar("every pair: N²", nodes ** 2, "all"), bar("the edges: |E|", edges, "few"));
    }
    drawBars();
    return html(
      "div", { class: "play-wide" },
      html("p", { class: "play-title" }, "And what it saves: one head's scores, at four bytes each"),
      bars, size.row, degree.row,
      toolbar("Graphs", [
        example("Five friends", 5, 15), example("Cora", 2708, 13264),
        example("PPI, 24 tissues", 56944, 1644208),
      ]),
    );
  }

  draw();
}
