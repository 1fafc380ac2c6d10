// What runs on the book's pages. Each part looks for its place and is idle elsewhere.

import { startCards } from "./cards";
import { whenNear } from "./data";
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

const each = (kind: string, start: (place: HTMLElement) => void) =>
  document.querySelectorAll<HTMLElement>(`.play.${kind}`).forEach(start);

/** A figure whose numbers come when it is near; without them it stays as printed. */
function later(kind: string, start: (place: HTMLElement) => Promise<void>): void {
  each(kind, (place) => whenNear(place, () => {
    start(place).catch((error: unknown) => {
      console.warn(error);
      place.classList.add("absent");
    });
  }));
}

each("friends", startFriends);
each("masks", startMasks);
later("papers", startPapers);
later("lookup", startLookup);
later("tissues", startTissues);
