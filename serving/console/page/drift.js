// Served scores against validation scores: the population stability index by objective, and its threshold.
import {bar} from "./charts.js";
import {make, scrolling, section, table} from "./dom.js";
import {select} from "./samples.js";

export function drift() {
  const rows = make("div");
  const element = section("Score drift", scrolling("Score drift", rows));

  function update({state: {metrics}}) {
    const indices = select(metrics, "ranker_score_psi");
    element.hidden = indices.length === 0;
    rows.replaceChildren(table("Population stability index of served scores",
      ["Model", "Objective", {name: "Index", number: true}, {name: "Threshold", number: true}, "State", ""],
      indices.map(({labels, value}) => {
        const threshold = select(metrics, "ranker_score_psi_threshold", labels)[0]?.value ?? NaN;
        const above = value > threshold;
        const told = value === 0 ? {text: "too few scores", kind: "muted"} : above ? {text: "above", kind: "bad"} : "within";
        return [labels.model, labels.objective, value.toFixed(4), threshold.toFixed(4), told, bar(value / threshold, above ? "bad" : "")];
      })));
  }

  return {element, update};
}
