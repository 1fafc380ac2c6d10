// How far one has read: each chapter's share in the sidebar, and the minutes left.

import { html } from "./dom";
import { keep, kept } from "./storage";

const CHAPTER = /\/(\d\d-[\w-]+)\.html$/;
const READ = 0.95; // of a page: its end is links

const share = (name: string) => Math.min(1, Number(kept(`read:${name}`) ?? 0) || 0);

export function startProgress(): void {
  const here = CHAPTER.exec(location.pathname);
  const inChapter = here !== null && !location.pathname.includes("/solutions/");
  const article = document.querySelector("article");
  const minutes = Number(/Time: (\d+) minutes/.exec(article?.textContent ?? "")?.[1] ?? 0);
  const links = [...document.querySelectorAll<HTMLAnchorElement>(".bd-links__title ~ * a, .bd-links a")]
    .filter((link) => CHAPTER.test(link.pathname) && !link.pathname.includes("/solutions/"));
  const marks = new Map<string, HTMLElement>();
  for (const link of new Set(links)) {
    const mark = html("span", { class: "read-mark" });
    link.append(mark);
    marks.set(CHAPTER.exec(link.pathname)![1], mark);
  }

  function draw(): void {
    for (const [name, mark] of marks) {
      const read = share(name);
      mark.textContent = read >= READ ? " ✓ read" : read >= 0.05 ?
        ` ${Math.round(100 * read)} %` + (here?.[1] === name && minutes ?
          `, ${Math.max(1, Math.round(minutes * (1 - read)))} min left` : "") : "";
    }
  }

  if (inChapter && article) {
    let waiting = false;
    const look = () => {
      waiting = false;
      const { top, height } = article.getBoundingClientRect();
      const now = Math.min(1, Math.max(0, (innerHeight - top) / height));
      // The first screen is seen by everyone who looks in.
      if (top < 0 && now > share(here[1])) {
        keep(`read:${here[1]}`, now.toFixed(2));
        draw();
      }
    };
    addEventListener("scroll", () => {
      if (!waiting) requestAnimationFrame(look);
      waiting = true;
    }, { passive: true });
  }
  draw();
}
