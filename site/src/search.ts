// Search as one types: in the dialog that the theme opens, and on the search page.

import { engine, type Hit, type Section } from "./find";
import { here } from "./data";
import { html } from "./dom";

let searching: Promise<(query: string) => Hit[]> | undefined;

// A script, not JSON: a book opened from a folder can load it, too.
const loaded = () => (searching ??= new Promise((done, failed) => {
  const script = html("script", { src: new URL("search.js", here).href });
  script.addEventListener("load", () => {
    done(engine((window as unknown as { courseSearch: Section[] }).courseSearch));
  });
  script.addEventListener("error", () => failed(new Error("search.js did not come")));
  document.head.append(script);
}));

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
  after.after(told, list);
  const search = async () => {
    const query = input.value.trim();
    if (!query) {
      list.replaceChildren();
      told.textContent = "";
      return;
    }
    let hits: Hit[] = [];
    try {
      hits = (await loaded())(query);
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
    inDialog.addEventListener("focus", () => loaded().catch(() => {}), { once: true });
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
