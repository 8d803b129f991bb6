// What is served since when, and how it does.
import {make} from "./dom.js";
import {drift} from "./drift.js";
import {exposures, items, users, workers} from "./stores.js";
import {latency, outcomes} from "./requests.js";
import {models} from "./models.js";
import {tiles} from "./tiles.js";

export function overview() {
  const parts = [tiles, models, outcomes, latency, drift, exposures, items, users, workers].map((part) => part());
  const [numbers, served, ...rest] = parts.map((part) => part.element);
  return {
    element: make("div", {}, numbers, served, make("div", {class: "columns"}, rest)),
    update: (facts) => parts.forEach((part) => part.update(facts)),
  };
}
