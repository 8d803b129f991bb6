// Why a candidate has its place, in numbers: by objective, by rule and by re-ranking step.
import {make, table} from "./dom.js";
import {shown} from "./json.js";
import {aligned, digits} from "./numbers.js";

const NUMBER = (name, title) => ({name, number: true, title});

export function details(answer, i) {
  const {explanations: why, scores, ids} = answer;
  const part = aligned(Object.values(why.contributions).map((values) => values[i]));
  const rows = Object.keys(why.contributions).map((name) => [name, scores[name] ? digits(scores[name][i], 4) : "–",
    `${why.contributions[name][i] > 0 ? "+" : ""}${part(why.contributions[name][i])}`, why.rank_without[name][i] || "dropped"]);
  const rules = Object.entries(why.rules).filter(([, applies]) => applies[i]).map(([name]) => name);
  const moved = Object.entries(why.moved_by).filter(([, places]) => places[i]).map(([name, places]) =>
    `${name} ${places[i] > 0 ? "▲" : "▼"} ${Math.abs(places[i])}`);
  const lines = [`Score at the median of every objective: ${digits(why.baseline[i], 4)}.`,
    rules.length ? `Rules that apply: ${rules.join(", ")}.` : "", moved.length ? `Moved by: ${moved.join(", ")}.` : ""];
  return make("div", {}, table(`Why ${shown(ids[i])} has place ${i + 1}`,
    ["Objective", NUMBER("Score"), NUMBER("Contribution"), NUMBER("Place without", "Its place if candidates did not differ on this objective")], rows),
    ...lines.filter(Boolean).map((line) => make("p", {}, line)));
}
