// The five friends: choose a target, change what is heard, and see the four equations
// with its numbers.

import { attend, type Layer } from "./attention";
import { arrow, button, html, show, slider, svg, toolbar } from "./dom";

export const FRIENDSHIPS = [[0, 1], [0, 2], [0, 3], [2, 3], [3, 4]];
export const FEATURES = [[1, 0], [2, 0], [0, 1], [1, 1], [0, 2]];
export const LAYER: Layer = {
  weight: [[1, 1], [0, 1]],
  dst: [1, 0],
  src: [1, -1],
  slope: 0.2,
};
const PLACES = [[150, 120], [50, 70], [195, 210], [270, 120], [370, 70]];
const COUNT = FEATURES.length;

interface State {
  x: number[][];
  friendships: number[][];
  layer: Layer;
  target: number;
}

const fresh = (): State => ({
  x: FEATURES.map((row) => [...row]),
  friendships: FRIENDSHIPS,
  layer: { ...LAYER, dst: [...LAYER.dst], src: [...LAYER.src] },
  target: 0,
});

const PRESETS: [string, string, (state: State) => void][] = [
  ["As in the text", "", () => {}],
  ["a = 0", "No score differs: attention is the mean.", (s) => {
    s.layer.dst = [0, 0];
    s.layer.src = [0, 0];
  }],
  ["Target's half only", "The target's half gives a whole row one score: attention is the mean.", (s) => {
    s.layer.src = [0, 0];
  }],
  ["Node 4 alone", "A node that hears only itself gives itself all weight.", (s) => {
    s.friendships = s.friendships.filter((pair) => !pair.includes(4));
    s.target = 4;
  }],
];

const vector = (values: number[]) => `(${values.map((v) => show(v)).join(", ")})`;

export function heardBy(friendships: number[][]): boolean[][] {
  const heard = FEATURES.map((_, i) => FEATURES.map((_, j) => i === j));
  for (const [i, j] of friendships) heard[i][j] = heard[j][i] = true;
  return heard;
}

export function startFriends(place: HTMLElement): void {
  let state = { ...fresh(), target: Number(place.dataset.target ?? 0) };
  const picture = svg("svg", { viewBox: "0 0 420 265", role: "group" });
  picture.setAttribute("aria-label", "Five friends; choose the target");
  const table = html("div", { class: "play-numbers" });
  const note = html("p", { class: "play-note", "aria-live": "polite" });
  const sliders = html("div", { class: "friends-sliders" });
  const presets = toolbar("Examples", PRESETS.map(([name, said, change]) => button(name, () => {
    state = fresh();
    change(state);
    draw(said);
  })));
  place.append(html("div", { class: "friends-left" }, picture, presets), table, sliders, note);

  function addSlider(name: string, values: number[], k: number, least: number, most: number) {
    sliders.append(slider(name, [least, most, 0.1], values[k], (v) => show(v), (v) => {
      values[k] = v;
      drawPicture();
      drawNumbers();
      tell("");
    }).row);
  }

  function drawSliders(): void {
    sliders.replaceChildren();
    const { layer, target, x } = state;
    addSlider(`jazz of ${target}`, x[target], 0, 0, 3);
    addSlider(`rock of ${target}`, x[target], 1, 0, 3);
    layer.dst.forEach((_, k) => addSlider(`a, target’s half, ${k + 1}`, layer.dst, k, -2, 2));
    layer.src.forEach((_, k) => addSlider(`a, source’s half, ${k + 1}`, layer.src, k, -2, 2));
  }

  function drawPicture(): void {
    const focused = picture.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-node")
      : null;
    const { weights } = now();
    picture.replaceChildren();
    for (const [i, j] of state.friendships) {
      const [[x1, y1], [x2, y2]] = [PLACES[i], PLACES[j]];
      picture.append(svg("line", { x1, y1, x2, y2, class: "friends-edge" }));
    }
    const [tx, ty] = PLACES[state.target];
    weights[state.target].forEach((weight, j) => {
      const [sx, sy] = PLACES[j];
      if (weight === 0 || j === state.target) return;
      const length = Math.hypot(tx - sx, ty - sy);
      const [ux, uy] = [(tx - sx) / length, (ty - sy) / length];
      const [ex, ey] = [tx - 30 * ux, ty - 30 * uy];
      const width = 1 + 12 * weight;
      const head = 5 + width;
      picture.append(
        svg("line", {
          x1: sx + 24 * ux, y1: sy + 24 * uy, x2: ex - head * ux, y2: ey - head * uy,
          "stroke-width": width.toFixed(1), class: "friends-heard",
        }),
        svg("polygon", {
          points: [
            [ex, ey],
            [ex - head * ux + 0.6 * head * uy, ey - head * uy - 0.6 * head * ux],
            [ex - head * ux - 0.6 * head * uy, ey - head * uy + 0.6 * head * ux],
          ].map((p) => p.map((v) => v.toFixed(1)).join(",")).join(" "),
          class: "friends-head",
        }),
        svg("text", {
          x: sx + 0.5 * (tx - sx) - 17 * uy, y: sy + 0.5 * (ty - sy) + 17 * ux + 4,
          class: "friends-weight",
        }, show(weight)),
      );
    });
    picture.append(
      svg("rect", { x: 22, y: 232, width: 7, height: 14, class: "jazz" }),
      svg("text", { x: 34, y: 245, class: "friends-legend" }, "jazz"),
      svg("rect", { x: 76, y: 232, width: 7, height: 14, class: "rock" }),
      svg("text", { x: 88, y: 245, class: "friends-legend" }, "rock records"),
    );
    for (let i = 0; i < COUNT; i++) picture.append(node(i, weights[state.target][i]));
    if (focused !== null) {
      picture.querySelector<SVGElement>(`[data-node="${focused}"]`)?.focus();
    }
  }

  function node(i: number, weight: number): SVGElement {
    const [cx, cy] = PLACES[i];
    const [jazz, rock] = state.x[i];
    const chosen = i === state.target;
    const bar = (value: number, k: number, kind: string) =>
      svg("rect", {
        x: cx + 2 + 8 * k, y: cy + 11 - 7 * value, width: 6, height: 7 * value + 0.5, class: kind,
      });
    const made = svg(
      "g",
      {
        class: chosen ? "play-node chosen" : "play-node",
        role: "button", tabindex: chosen ? 0 : -1, "data-node": i, "aria-pressed": String(chosen),
        "aria-label": `Node ${i}: jazz ${show(jazz)}, rock ${show(rock)}; ` +
          `node ${state.target} gives it ${show(weight)}`,
      },
      svg("circle", { cx, cy, r: 22 }),
      svg("text", { x: cx - 10, y: cy + 5 }, String(i)),
      bar(jazz, 0, "jazz"),
      bar(rock, 1, "rock"),
    );
    const choose = () => {
      state.target = i;
      draw("");
    };
    made.addEventListener("click", choose);
    made.addEventListener("keydown", (event) => {
      const step = arrow(event.key);
      if (step) {
        state.target = (state.target + step + COUNT) % COUNT;
        draw("");
        picture.querySelector<SVGElement>(`[data-node="${state.target}"]`)?.focus();
      } else if (event.key === "Enter" || event.key === " ") {
        choose();
      } else {
        return;
      }
      event.preventDefault();
    });
    return made;
  }

  const now = () => attend(state.x, heardBy(state.friendships), state.layer);

  function drawNumbers(): void {
    const i = state.target;
    const { z, scores, weights, sums, outputs } = now();
    const rows = weights[i].flatMap((weight, j) => {
      if (!heardBy(state.friendships)[i][j]) return [];
      const bar = html("span", { class: "friends-bar" });
      bar.style.width = `${(4 * weight).toFixed(2)}em`;
      return [html(
        "tr", {},
        html("th", { scope: "row" }, j === i ? `${j} (itself)` : String(j)),
        html("td", { class: "eq-z" }, vector(z[j])),
        html("td", { class: "eq-e" }, show(scores[i][j])),
        html("td", { class: "eq-a" }, show(weight), bar),
      )];
    });
    const head = ["source j", "(1) z", "(2) e", "(3) α"].map((name) =>
      html("th", { scope: "col" }, name));
    table.replaceChildren(
      html("p", { class: "play-title" }, `What node ${i} hears`),
      html("p", { class: "play-small" }, "Press a node: it becomes the target, who listens."),
      html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows)),
      html(
        "p", { class: "friends-output" },
        "(4) h′ = ELU", vector(sums[i]), " = ",
        html("span", { class: "eq-h" }, vector(outputs[i])),
      ),
    );
  }

  function draw(said: string): void {
    drawPicture();
    drawNumbers();
    drawSliders();
    tell(said);
  }

  function tell(said: string): void {
    const { weights } = now();
    const pairs = state.friendships.filter((pair) => pair.includes(state.target));
    const told = pairs.map(([a, b]) => {
      const j = a === state.target ? b : a;
      const [mine, theirs] = [weights[state.target][j], weights[j][state.target]];
      return `${j}→${state.target} ${show(mine)}, ${state.target}→${j} ${show(theirs)}`;
    });
    const even = pairs.every(([a, b]) => Math.abs(weights[a][b] - weights[b][a]) < 0.005);
    const lamp = even ? "Symmetric here" : "Not symmetric";
    note.textContent = [said, told.length ? `${lamp}: ${told.join("; ")}.` : ""]
      .filter(Boolean).join(" ");
  }

  draw("");
}
