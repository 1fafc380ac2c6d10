// What runs on the book's pages. Each part looks for its place and is idle elsewhere.

import { startFriends } from "./friends";
import { startPredictions } from "./predict";

startPredictions();

document.querySelectorAll(".friends").forEach(startFriends);
