// How far one has read: each chapter's share in the sidebar, and the minutes left.

import { html } from "./dom";
import { keep, kept } from "./storage";

const CHAPTER = /\/(\d\d-[\w-]+)\.html$/;
const SLICES = 40; // of a chapter; each counts when it has been on the screen at rest
const REST = 400; // milliseconds
const READ = 0.9;

const seen = (name: string): string => {
  const stored = kept(`read:${name}`) ?? "";
  return /^[01]+$/.test(stored) && stored.length === SLICES ? stored : "0".repeat(SLICES);
};

/** The slices seen before and now, of which those from `first` to `last` are in view. */
export const add = (before: string, first: number, last: number): string =>
  [...before].map((mark, k) => (k >= first && k <= last ? "1" : mark)).join("");

export const share = (marks: string): number => marks.split("1").length - 1;

export function startProgress(): void {
  const here = CHAPTER.exec(location.pathname);
  const inChapter = here !== null && !location.pathname.includes("/solutions/");
  const article = document.querySelector("article");
  const minutes = Number(/Time: (\d+) minutes/.exec(article?.textContent ?? "")?.[1] ?? 0);
  const marks = new Map<string, HTMLElement>();
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".bd-links a")) {
    const name = CHAPTER.exec(link.pathname)?.[1];
    if (name === undefined || link.pathname.includes("/solutions/")) continue;
    const mark = html("span", { class: "read-mark" });
    link.append(mark);
    marks.set(name, mark);
  }

  function draw(): void {
    for (const [name, mark] of marks) {
      const read = share(seen(name)) / SLICES;
      const left = here?.[1] === name && minutes
        ? `, ${Math.max(1, Math.round(minutes * (1 - read)))} min left` : "";
      mark.textContent = read >= READ ? " ✓ read" : read >= 0.05
        ? ` ${Math.round(100 * read)} %${left}` : "";
    }
  }

  function look(): void {
    const { top, height } = article!.getBoundingClientRect();
    const first = Math.ceil((SLICES * -top) / height - 0.5);
    const last = Math.floor((SLICES * (innerHeight - top)) / height) - 1;
    keep(`read:${here![1]}`, add(seen(here![1]), first, last));
    draw();
  }

  if (inChapter && article) {
    let waiting = 0;
    addEventListener("scroll", () => {
      clearTimeout(waiting);
      waiting = window.setTimeout(look, REST);
    }, { passive: true });
  }
  draw();
}
