// Search as one types: in the dialog that the theme opens, and on the search page.

import { engine, type Hit, type Section } from "./find";
import { here, loadScript } from "./data";
import { html } from "./dom";

let ready: ((query: string) => Hit[]) | undefined;

async function searcher(): Promise<(query: string) => Hit[]> {
  const sections = await loadScript<Section[]>("search");
  return (ready ??= engine(sections));
}

const root = new URL("..", here).href;

function shown(hit: Hit): HTMLElement {
  const [kind, where] = hit.link.includes("#term-")
    ? ["glossary", ""] : [hit.page, hit.link.includes("solutions/") ? ", solutions" : ""];
  return html("li", {},
    html("a", { href: root + hit.link },
      html("span", { class: "hit-title" }, hit.title),
      html("span", { class: "hit-where" }, kind ? ` · ${kind}${where}` : ""),
      html("span", { class: "hit-text" }, hit.piece)));
}

function attach(input: HTMLInputElement, after: Element): () => Promise<void> {
  const told = html("p", { class: "hits-told", role: "status" });
  const list = html("ul", { class: "hits" });
  after.after(html("div", { class: "hits-box" }, told, list));
  // A hit on the same page lies under the dialog.
  list.addEventListener("click", () => list.closest("dialog")?.close());
  const search = async () => {
    const query = input.value.trim();
    if (!query) {
      list.replaceChildren();
      told.textContent = "";
      return;
    }
    let hits: Hit[] = [];
    try {
      hits = (await searcher())(query);
    } catch {
      told.textContent = "The list of words could not be loaded.";
      return;
    }
    if (query !== input.value.trim()) return; // typed on meanwhile
    list.replaceChildren(...hits.map(shown));
    told.textContent = hits.length ? "" : `Nothing is found for “${query}”.`;
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      list.querySelector("a")?.focus();
      event.preventDefault();
    }
  });
  list.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)].focus();
    else if (event.key === "ArrowUp") (at > 0 ? links[at - 1] : input).focus();
    else return;
    event.preventDefault();
  });
  return search;
}

export function startSearch(): void {
  const field = (place: Element | null) =>
    place?.querySelector<HTMLInputElement>("input[type=search]") ?? null;
  const dialog = document.querySelector("#pst-search-dialog");
  const inDialog = field(dialog);
  if (dialog && inDialog) {
    attach(inDialog, inDialog.closest("form") ?? inDialog);
    inDialog.addEventListener("focus", () => searcher().catch(() => {}), { once: true });
  }
  const results = document.querySelector("#search-results");
  if (!results) return;
  const own = field(results.parentElement) ?? results.parentElement?.insertBefore(
    html("input", { type: "search", "aria-label": "Search the book", class: "form-control" }),
    results,
  );
  if (!own) return;
  own.value = new URLSearchParams(location.search).get("q") ?? "";
  void attach(own, own.closest("form") ?? own)();
}
