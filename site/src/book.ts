// What runs on the book's pages. Each part looks for its place and is idle elsewhere.

import { startCards } from "./cards";
import { whenNear } from "./data";
import { html } from "./dom";
import { startFriends } from "./friends";
import { startLookup } from "./lookup";
import { startMasks } from "./masks";
import { startPapers } from "./papers";
import { startPredictions } from "./predict";
import { startProgress } from "./progress";
import { startSearch } from "./search";
import { startTissues } from "./tissues";

startPredictions();
startProgress();
startCards();
startSearch();
startPaper();
startScrollers();

const each = (kind: string, start: (place: HTMLElement) => void) =>
  document.querySelectorAll<HTMLElement>(`.play.${kind}`).forEach(start);

/** A figure whose numbers come when it is near; until then it is the printed one, in the
 * place that is kept, and without them it stays so. */
function later(kind: string, start: (place: HTMLElement) => Promise<void>): void {
  each(kind, (place) => {
    const printed = place.nextElementSibling?.querySelector("img")?.cloneNode(true);
    const waiting = html("div", { class: "play-wide play-printed" }, ...(printed ? [printed] : []));
    place.append(waiting);
    whenNear(place, () => {
      start(place).then(() => waiting.remove(), (error: unknown) => {
        console.warn(error);
        place.classList.add("absent");
      });
    });
  });
}

/** Paper is white: what is printed has the light theme. */
function startPaper(): void {
  const { dataset } = document.documentElement;
  let before = dataset.theme;
  addEventListener("beforeprint", () => {
    before = dataset.theme;
    dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    dataset.theme = before;
  });
}

/** What is wider than its place can be scrolled by keyboard. */
function startScrollers(): void {
  const look = () => document.querySelectorAll<HTMLElement>("div.math").forEach((place) => {
    if (place.scrollWidth > place.clientWidth + 1) place.tabIndex = 0;
    else place.removeAttribute("tabindex");
  });
  look();
  document.fonts.ready.then(look);
  addEventListener("resize", look);
}

each("friends", startFriends);
each("masks", startMasks);
later("papers", startPapers);
later("lookup", startLookup);
later("tissues", startTissues);

(window as unknown as { bookStarted: boolean }).bookStarted = true;
