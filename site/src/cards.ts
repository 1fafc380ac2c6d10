// Cards: what a glossary term or an equation number means, when one points at its link.

import { loadScript } from "./data";
import { html } from "./dom";

const LINKS = "a.term, a.equation-number, .bd-article a[href*='glossary.html#term-']";
/** The end of an address by which a meaning is kept: `page.html#anchor`. */
export const keyOf = (address: string): string => address.replace(/^.*\//, "");

export function startCards(): void {
  const card = html("div", { class: "meaning", role: "tooltip", id: "meaning", hidden: "" });
  (document.querySelector("main") ?? document.body).append(card);
  let shown: HTMLAnchorElement | null = null;

  function hide(): void {
    shown?.removeAttribute("aria-describedby");
    shown = null;
    card.hidden = true;
  }

  async function show(link: HTMLAnchorElement): Promise<void> {
    hide();
    shown = link;
    const nothing = (): Record<string, string> => ({});
    const all = await loadScript<Record<string, string>>("meanings").catch(nothing);
    const text = all[keyOf(link.href)];
    if (!text || shown !== link) return; // the link leads there all the same
    card.innerHTML = text; // the book's own HTML, written when it was built
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    place();
  }

  function place(): void {
    if (!shown || card.hidden) return;
    const { left, bottom, top } = shown.getBoundingClientRect();
    const below = bottom + card.offsetHeight + 12 < innerHeight;
    card.style.left = `${Math.max(8, Math.min(left, innerWidth - card.offsetWidth - 8))}px`;
    card.style.top = `${(below ? bottom + 6 : top - card.offsetHeight - 6)}px`;
  }

  for (const link of document.querySelectorAll<HTMLAnchorElement>(LINKS)) {
    link.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") void show(link);
    });
    // A finger sees the meaning first, and follows the link by a second touch.
    link.addEventListener("click", (event) => {
      if ((event as PointerEvent).pointerType === "touch" && (shown !== link || card.hidden)) {
        event.preventDefault();
        void show(link);
      }
    });
    link.addEventListener("focus", () => {
      if (link.matches(":focus-visible")) void show(link);
    });
    link.addEventListener("blur", hide);
    // It stays while the pointer is on the card itself.
    link.addEventListener("pointerleave", () => setTimeout(() => {
      if (shown === link && !card.matches(":hover") && document.activeElement !== link) hide();
    }, 150));
  }
  card.addEventListener("pointerleave", hide);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("scroll", place, { passive: true });
  addEventListener("click", (event) => {
    const on = event.target as Element;
    if (shown && !card.contains(on) && !shown.contains(on)) hide();
  });
}
