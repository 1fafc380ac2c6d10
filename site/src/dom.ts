// Small helpers to make elements.

type Children = (Node | string)[];
type Attributes = Record<string, string | number>;

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Children
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Children
): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return filled(made, attributes, children);
}

function filled<E extends Element>(made: E, attributes: Attributes, children: Children): E {
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

export function button(name: string, act: () => void): HTMLButtonElement {
  const made = html("button", { type: "button" }, name);
  made.addEventListener("click", act);
  return made;
}

/** One tab stop for several buttons: arrow keys move between them (ARIA's toolbar). */
export function toolbar(label: string, buttons: HTMLElement[]): HTMLElement {
  const row = html("div", { class: "play-row", role: "toolbar", "aria-label": label }, ...buttons);
  rove(row, buttons);
  return row;
}

/** Make some buttons of a place one tab stop. */
export function rove(place: HTMLElement, buttons: HTMLElement[]): void {
  const stop = (chosen: HTMLElement) =>
    buttons.forEach((b) => (b.tabIndex = b === chosen ? 0 : -1));
  stop(buttons[0]);
  place.addEventListener("focusin", (event) => {
    const at = buttons.indexOf(event.target as HTMLElement);
    if (at >= 0) stop(buttons[at]);
  });
  place.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target as HTMLElement);
    const step = arrow(event.key);
    if (at < 0 || !step) return;
    buttons[(at + step + buttons.length) % buttons.length].focus();
    event.preventDefault();
  });
}

/** A group of buttons of which one is pressed; `choose` gets its number. */
export function choice(
  label: string, names: string[], chosen: number, choose: (k: number) => void,
): HTMLElement {
  const buttons = names.map((name, k) => button(name, () => {
    press(k);
    choose(k);
  }));
  const press = (k: number) =>
    buttons.forEach((b, j) => b.setAttribute("aria-pressed", String(j === k)));
  press(chosen);
  return toolbar(label, buttons);
}

/** A number that a slider sets; `shown` is how it reads. */
export function slider(
  label: string,
  [least, most, step]: number[],
  value: number,
  shown: (v: number) => string,
  change: (v: number) => void,
): { row: HTMLElement; set: (v: number) => void } {
  const input = html("input", { type: "range", min: least, max: most, step });
  const told = html("output");
  const set = (v: number) => {
    input.value = String(v);
    told.textContent = shown(v);
    input.setAttribute("aria-valuetext", shown(v));
  };
  set(value);
  input.addEventListener("input", () => {
    set(Number(input.value));
    change(Number(input.value));
  });
  return { row: html("label", { class: "play-slider" }, html("span", {}, label), input, told), set };
}

/** Two decimals and a real minus sign. */
export const show = (value: number, digits = 2): string =>
  value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");

/** The step that an arrow key asks for, or 0. */
export const arrow = (key: string): number =>
  ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 })[key] ?? 0;
