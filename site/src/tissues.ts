// One protein in 24 tissues: whom its gene hears in each, and how much.

import { load } from "./data";
import { choice, html, show, slider, svg } from "./dom";

export interface TissuesFile {
  name: string;
  tissues: string[];
  start: number; // the gene that is shown first
  genes: { gene: number; sources: number[]; weights: number[][][] }[]; // [layer][source][tissue]
}

const UNIT = 1e-5;
const ABSENT = -1;
const [CELL, LEFT, TOP] = [20, 64, 22];

/** What a gene's table says of one tissue, the heaviest source first. */
export function heardIn(file: TissuesFile, which: number, layer: number, tissue: number): [number, number][] {
  const { sources, weights } = file.genes[which];
  return sources
    .map((source, s): [number, number] => [source, weights[layer][s][tissue]])
    .filter(([, weight]) => weight !== ABSENT)
    .map(([source, weight]): [number, number] => [source, weight * UNIT])
    .sort((a, b) => b[1] - a[1]);
}

export async function startTissues(place: HTMLElement): Promise<void> {
  const file = await load<TissuesFile>("tissues");
  const layers = file.genes[0].weights.length;
  let which = file.genes.findIndex((own) => own.gene === file.start);
  let [layer, tissue] = [layers - 1, 0];
  const select = html("select", {}, ...file.genes.map((own) =>
    html("option", {}, `gene ${own.gene}, ${own.sources.length} sources`)));
  select.selectedIndex = which;
  select.addEventListener("change", () => {
    which = select.selectedIndex;
    draw();
  });
  const holder = html("div", { class: "play-scroll", tabindex: 0, role: "group", "aria-label": "Weights by source and tissue" });
  const told = html("div", { class: "play-numbers", "aria-live": "polite" });
  const step = slider("tissue", [1, file.tissues.length, 1], 1, (v) => file.tissues[v - 1], (v) => {
    tissue = v - 1;
    draw();
  });
  place.append(
    html("div", { class: "play-wide play-row" }, html("label", {}, "protein of ", select),
      choice("Layer", [...Array(layers).keys()].map((l) => `layer ${l + 1}`), layer, (k) => {
        layer = k;
        draw();
      })),
    html("div", { class: "play-wide" }, step.row, holder), told,
  );

  function draw(): void {
    const { sources, weights } = file.genes[which];
    const table = weights[layer];
    const total = (s: number) => table[s].reduce((sum, w) => sum + Math.max(0, w), 0);
    const order = [...sources.keys()].sort((a, b) => total(b) - total(a));
    const most = Math.max(...table.flat());
    const [width, height] = [LEFT + CELL * file.tissues.length + 2, TOP + CELL * sources.length + 2];
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, style: `min-width:${width}px`, "aria-hidden": "true" });
    file.tissues.forEach((name, t) => {
      picture.append(svg("text", {
        x: LEFT + CELL * (t + 0.5), y: 15, class: t === tissue ? "play-label chosen" : "play-label small",
      }, name));
    });
    order.forEach((s, row) => {
      const own = sources[s] === file.genes[which].gene;
      picture.append(svg("text", {
        x: LEFT - 6, y: TOP + CELL * (row + 0.5) + 4, class: own ? "play-label end chosen" : "play-label end small",
      }, own ? "itself" : String(sources[s])));
      table[s].forEach((weight, t) => {
        const cell = svg("rect", {
          x: LEFT + CELL * t + 1, y: TOP + CELL * row + 1, width: CELL - 2, height: CELL - 2,
          class: weight === ABSENT ? "play-absent" : "play-shade",
          "fill-opacity": weight === ABSENT ? 1 : (0.06 + (0.94 * weight) / most).toFixed(2),
        });
        cell.addEventListener("click", () => {
          tissue = t;
          step.set(t + 1);
          draw();
        });
        picture.append(cell);
      });
    });
    picture.append(svg("rect", {
      x: LEFT + CELL * tissue, y: TOP - 1, width: CELL, height: CELL * sources.length + 2, class: "play-frame",
    }));
    holder.replaceChildren(picture);
    // On a phone the chosen column comes into view.
    const scale = picture.getBoundingClientRect().width / width;
    const at = scale * (LEFT + CELL * tissue);
    if (at < holder.scrollLeft + 70 || at + 40 > holder.scrollLeft + holder.clientWidth) {
      holder.scrollLeft = at - holder.clientWidth / 2;
    }
    drawNumbers();
  }

  function drawNumbers(): void {
    const own = file.genes[which];
    const heard = heardIn(file, which, layer, tissue);
    const first = heard.slice(0, 5).map(([source, weight]) =>
      `${source === own.gene ? "itself" : source} ${show(weight)}`);
    // How far the weights of a source that is there differ between tissues.
    const spans = own.weights[layer].map((row) => row.filter((w) => w !== ABSENT))
      .filter((row) => row.length > 1).map((row) => (Math.max(...row) - Math.min(...row)) * UNIT);
    told.replaceChildren(
      html("p", { class: "play-title" },
        `Gene ${own.gene} in tissue ${file.tissues[tissue]}: ${heard.length} sources`),
      html("p", { class: "play-small" }, `Heaviest: ${first.join(", ")}. ` +
        `No preference: ${show(1 / heard.length)}.`),
      html("p", { class: "play-small" }, "Between the tissues a source's weight changes by at most " +
        `${show(Math.max(0, ...spans))}. ` +
        "The stronger a square, the larger the weight, the mean over heads; none: no link there."),
    );
  }

  draw();
}
