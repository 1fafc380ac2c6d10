// Inside a trained network: a paper, whom it hears in each head, and how evenly. Beside
// it the made-up graphs of chapter 6, where attention is sharp.

import { load } from "./data";
import { arrow, button, choice, html, show, svg, toolbar } from "./dom";
import {
  entropy, meanWeights, type Network, type NetworkFile, sourcesOf, unpack, weightsOf,
} from "./network";

const DRAWN = 24; // sources in the picture, the heaviest first
const [WIDTH, HEIGHT] = [420, 340];
// Of the classes, near those of the printed figures, light enough for black letters.
const COLOURS = ["#59b0f0", "#feb86d", "#c48ab5", "#7edcf7", "#e8836a", "#f0e446", "#5db698"];

interface World {
  net: Network;
  noun: string;
  heads: [string, number[]][]; // a name, and which heads are averaged
  start: number;
}

/** The targets with most sources, and with the smallest and largest relative entropy. */
export function extremes(net: Network, heads: number[]): { hub: number; sharp: number; flat: number } {
  let [hub, sharp, flat] = [0, -1, -1];
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < net.count; i++) {
    const degree = net.starts[i + 1] - net.starts[i];
    if (degree > net.starts[hub + 1] - net.starts[hub]) hub = i;
    if (degree < 4 || degree > DRAWN) continue;
    const ratio = entropy(meanWeights(net, i, heads)) / Math.log(degree);
    if (ratio < low) [low, sharp] = [ratio, i];
    if (ratio > high) [high, flat] = [ratio, i];
  }
  return { hub, sharp, flat };
}

function world(file: NetworkFile, noun: string, start: number | null): World {
  const net = unpack(file);
  const heads: [string, number[]][] = [];
  let first = 0;
  file.heads.forEach((count, layer) => {
    const own = [...Array(count).keys()].map((k) => first + k);
    const where = file.heads.length > 1 ? `layer ${layer + 1}` : "the layer";
    if (count > 1) heads.push([`${where}, mean of ${count} heads`, own]);
    own.forEach((head, k) => heads.push([count > 1 ? `${where}, head ${k}` : where, [head]]));
    first += count;
  });
  return { net, noun, heads, start: start ?? extremes(net, heads[0][1]).sharp };
}

/** Targets that make a point, with the weights of these heads. */
function examples({ net, noun, start }: World, heads: number[]): [string, number][] {
  const { hub, sharp, flat } = extremes(net, heads);
  const found: [string, number][] = noun === "paper" ? [["As in the figure", start]] : [];
  found.push(["Sharpest", sharp], ["Flattest", flat], ["Most sources", hub]);
  const { labels, predicted } = net.file;
  if (predicted) {
    const wrong = [...labels].findIndex((label, i) =>
      label !== predicted[i] && sourcesOf(net, i).length > 4);
    found.push(["A wrong answer", wrong]);
  }
  return found;
}

export async function startPapers(place: HTMLElement): Promise<void> {
  const [cora, senders] = await Promise.all([
    load<NetworkFile>("cora"), load<NetworkFile>("senders"),
  ]);
  const worlds = [world(cora, "paper", cora.start ?? null), world(senders, "node", null)];
  // Cora's second layer is the one of the figure.
  let [now, target, heads] = [worlds[0], cora.start ?? 0, worlds[0].heads.length - 1];

  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group" });
  const told = html("div", { class: "play-numbers", "aria-live": "polite" });
  const presets = html("div");
  const number = html("input", { type: "number", min: 0, step: 1 });
  const select = html("select");
  const noun = html("span");
  number.addEventListener("change", () => {
    const asked = Math.round(Number(number.value));
    if (number.value.trim() !== "" && Number.isFinite(asked)) {
      target = Math.min(Math.max(0, asked), now.net.count - 1);
    }
    draw();
  });
  select.addEventListener("change", () => {
    heads = select.selectedIndex;
    offer();
    draw();
  });
  const both = choice("Which network", ["Cora", "Senders, chapter 6"], 0, (k) => {
    now = worlds[k];
    heads = k === 0 ? now.heads.length - 1 : 0;
    target = now.start;
    furnish();
    draw();
  });
  place.append(
    html("div", { class: "play-wide play-row" }, both,
      html("label", {}, noun, " ", number), html("label", {}, "weights of ", select)),
    html("div", {}, picture, presets),
    told,
  );

  function furnish(): void {
    noun.textContent = now.noun;
    number.max = String(now.net.count - 1);
    select.replaceChildren(...now.heads.map(([name]) => html("option", {}, name)));
    offer();
  }

  function offer(): void {
    presets.replaceChildren(toolbar("Examples", examples(now, now.heads[heads][1]).map(
      ([name, node]) => button(name, () => {
        target = node;
        draw();
      }))));
  }

  const classOf = (i: number) => Number(now.net.file.labels[i]);

  function draw(): void {
    number.value = String(target);
    select.selectedIndex = heads;
    const sources = sourcesOf(now.net, target);
    const own = now.heads[heads][1];
    const weights = own.length > 1
      ? meanWeights(now.net, target, own) : weightsOf(now.net, target, own[0]);
    const order = [...sources.keys()].sort((a, b) => weights[b] - weights[a] || a - b);
    drawStar(order.map((k) => [sources[k], weights[k]]));
    drawNumbers(order.map((k) => [sources[k], weights[k]]));
  }

  function drawStar(pairs: [number, number][]): void {
    const focused = picture.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-node") : null;
    picture.setAttribute("aria-label", `Sources of ${now.noun} ${target}; press one to go there`);
    picture.replaceChildren();
    const around = pairs.filter(([j]) => j !== target).slice(0, DRAWN);
    const [cx, cy] = [WIDTH / 2, HEIGHT / 2];
    const even = 1 / pairs.length;
    around.forEach(([j, weight], k) => {
      const angle = (2 * Math.PI * k) / around.length - Math.PI / 2;
      const [x, y] = [cx + 170 * Math.cos(angle), cy + 138 * Math.sin(angle)];
      picture.append(svg("line", {
        x1: cx, y1: cy, x2: x, y2: y, class: "play-heard",
        "stroke-width": Math.min(16, 0.4 + (4 * weight) / even).toFixed(1),
      }));
      picture.append(node(j, x, y, weight, around.map(([n]) => n)));
    });
    const itself = pairs.find(([j]) => j === target);
    picture.append(node(target, cx, cy, itself ? itself[1] : 0, []));
    if (focused !== null) {
      (picture.querySelector<SVGElement>(`[data-node="${focused}"]`) ??
        picture.querySelector<SVGElement>("[data-node]"))?.focus();
    }
  }

  function node(j: number, x: number, y: number, weight: number, ring: number[]): SVGElement {
    const kind = classOf(j);
    const made = svg(
      "g",
      {
        class: j === target ? "play-node chosen" : "play-node", role: "button",
        tabindex: j === target || j === ring[0] ? 0 : -1,
        "data-node": j,
        "aria-label": `${now.noun} ${j}, ${now.net.file.classes[kind]}, weight ${show(weight, 3)}`,
      },
      svg("circle", { cx: x, cy: y, r: j === target ? 24 : 17, style: `fill:${COLOURS[kind]}` }),
      svg("text", { x, y: y + 4 }, String(j)),
    );
    const go = () => {
      target = j;
      draw();
      picture.querySelector<SVGElement>(`[data-node="${j}"]`)?.focus();
    };
    made.addEventListener("click", go);
    made.addEventListener("keydown", (event) => {
      const step = arrow(event.key);
      if (event.key === "Enter" || event.key === " ") go();
      else if (step && ring.length) {
        const next = ring[(ring.indexOf(j) + step + ring.length) % ring.length];
        picture.querySelector<SVGElement>(`[data-node="${next}"]`)?.focus();
      } else return;
      event.preventDefault();
    });
    return made;
  }

  function drawNumbers(pairs: [number, number][]): void {
    const { classes, predicted } = now.net.file;
    const [h, most] = [entropy(pairs.map(([, w]) => w)), Math.log(pairs.length)];
    const share = most > 0 ? h / most : 1;
    const kind = classOf(target);
    const guess = predicted ? Number(predicted[target]) : null;
    const rows = pairs.slice(0, 8).map(([j, weight]) => html(
      "tr", {},
      html("th", { scope: "row" }, j === target ? `${j} (itself)` : String(j)),
      html("td", {}, html("span", { class: "dot", style: `background:${COLOURS[classOf(j)]}` }), classes[classOf(j)]),
      html("td", { class: "eq-a" }, show(weight, 3)),
    ));
    const rest = pairs.slice(8).reduce((sum, [, w]) => sum + w, 0);
    told.replaceChildren(
      html("p", { class: "play-title" }, `What ${now.noun} ${target} hears`),
      html("p", { class: "play-small" }, "The wider a line, the larger the weight. Press a source to see what it hears itself."),
      html("p", {}, `Class: ${classes[kind]}` + (guess === null ? "." :
        guess === kind ? "; the network says so, too." : `; the network says ${classes[guess]}.`)),
      html("table", {}, html("thead", {}, html("tr", {},
        ...["source", "class", "α"].map((name) => html("th", { scope: "col" }, name)))),
      html("tbody", {}, ...rows)),
      html("p", { class: "play-small" },
        pairs.length > DRAWN + 1 ? `The picture shows the heaviest ${DRAWN} of ${pairs.length}. ` : "",
        pairs.length > 8 ? `The other ${pairs.length - 8} share ${show(rest)}. ` : "",
        `No preference would be ${show(1 / pairs.length, 3)} each.`),
      html("p", {}, "entropy ", show(h), " of at most ", show(most), " nats"),
      html("div", { class: "play-meter", role: "img", "aria-label": `${show(100 * share, 1)} percent of the maximum` },
        html("div", { style: `width:${(100 * share).toFixed(1)}%` })),
      html("p", { class: "play-small" }, `${show(100 * share, 1)} % of the maximum`),
    );
  }

  furnish();
  draw();
}
