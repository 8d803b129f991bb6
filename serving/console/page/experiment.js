// The running experiment: its groups with their requests, and the newest report on what they did to users.
import {bar} from "./charts.js";
import {announce, make, scrolling, section, table} from "./dom.js";
import {count, digits, milliseconds, moment, percent} from "./numbers.js";
import {report} from "./report.js";
import {lastBound, merged, quantile, select, total} from "./samples.js";

const NUMBER = (name, title) => ({name, number: true, title});
const COLUMNS = ["Group", "Model", "Fusion", NUMBER("Share"), NUMBER("Requests", "Since the experiment was loaded"),
  NUMBER("Expected", "By the shares"), "", NUMBER("Not ranked", "Since start"), NUMBER("p50 ms", "Since start"), NUMBER("p95 ms", "Since start")];
const OUTSIDE = {_chosen: "name a model or fusion", _no_unit: "name no user", _not_covered: "of users not covered"};

function fusionText(fusion) {
  if (!fusion) return "the model's own";
  const {name, ...changes} = fusion;
  const parameters = Object.entries(changes.parameters ?? {}).map(([parameter, value]) =>
    `${parameter} ${typeof value === "object" ? Object.entries(value).map((pair) => pair.join(" ")).join(", ") : value}`);
  const rest = Object.entries(changes).filter(([key]) => key !== "parameters").map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return [name ?? "default", ...parameters, ...rest].join("; ");
}

function verdict({p_value: p, mismatch}) {
  if (mismatch) return ["note", `Sample ratio mismatch: groups have other numbers of requests than their shares ask for${p === null ? "" : ` (p = ${digits(p)})`}. Requests of one user stay together, so count users before you conclude: ranker-train experiment.`];
  if (p === null) return ["muted", "Too few requests to compare the groups' numbers with their shares."];
  return ["muted", `The groups' numbers of requests fit their shares (p = ${digits(p)}).`];
}

export function experiment() {
  const title = make("p");
  const rows = make("div");
  const ratio = make("p");
  const outside = make("p", {class: "muted"});
  const effect = report();
  const shown = section("Groups", title, scrolling("Groups", rows), ratio, outside);

  function update(facts) {
    const {state: {experiment: running, metrics, report: newest}} = facts;
    effect.update(newest, running);
    [rows.parentElement, ratio, outside].forEach((part) => { part.hidden = !running; });
    if (!running) {
      title.textContent = "No experiment is running.";
      return;
    }
    title.replaceChildren(make("strong", {}, running.name), `, loaded ${moment(running.since)}, by ${running.unit}, covers ${percent(running.coverage)} of the units.`);
    const most = Math.max(...Object.values(running.groups).map((group) => group.requests), 1);
    rows.replaceChildren(table(`Groups of ${running.name}`, COLUMNS, Object.entries(running.groups).map(([name, group]) => {
      const all = total(metrics, "ranker_requests_total", {group: name});
      const ranked = total(metrics, "ranker_requests_total", {group: name, outcome: "ok"});
      const seconds = merged(select(metrics, "ranker_request_seconds", {group: name}));
      const [p50, p95] = [0.5, 0.95].map((share) => milliseconds(quantile(seconds, share), lastBound(seconds)));
      return [name, group.model, {text: fusionText(group.fusion), kind: "wrapped"}, percent(group.share), count(group.requests),
        count(group.expected), bar(group.requests / most), all ? percent(1 - ranked / all) : "–", p50, p95];
    })));
    const [kind, text] = verdict(running.ratio);
    ratio.className = kind;
    if (kind === "note" && ratio.textContent !== text) announce(text);
    ratio.textContent = text;
    const others = Object.entries(OUTSIDE).map(([group, why]) => [total(metrics, "ranker_requests_total", {group}), why]).filter(([value]) => value);
    outside.textContent = others.length ? `In no group since start: ${others.map(([value, why]) => `${count(value)} that ${why}`).join(", ")}.` : "";
  }

  return {element: make("div", {}, shown, effect.element), update};
}
