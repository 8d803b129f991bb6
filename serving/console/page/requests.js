// Requests by outcome and version, and latency by stage, since the service started.
import {bar} from "./charts.js";
import {make, scrolling, section, table} from "./dom.js";
import {count, milliseconds, percent} from "./numbers.js";
import {lastBound, merged, quantile, select, total, valuesOf} from "./samples.js";

const REQUESTS = "ranker_requests_total";
const NUMBER = (name, title) => ({name, number: true, title});

export function outcomes() {
  const byOutcome = make("div");
  const byVersion = make("div");
  const none = make("p", {class: "muted"});

  function update({state: {metrics}}) {
    const all = total(metrics, REQUESTS);
    const each = valuesOf(metrics, REQUESTS, "outcome").map((outcome) => [outcome, total(metrics, REQUESTS, {outcome})]);
    const rows = each.filter(([outcome, value]) => value || outcome === "ok").sort(([, a], [, b]) => b - a);
    none.textContent = `None: ${each.filter((row) => !rows.includes(row)).map(([outcome]) => outcome).join(", ")}.`;
    none.hidden = rows.length === each.length;
    byOutcome.replaceChildren(table("Requests by outcome", ["Outcome", NUMBER("Requests"), NUMBER("Share"), ""],
      rows.map(([outcome, value]) => [outcome, count(value), percent(all ? value / all : 0), bar(all ? value / all : 0, outcome === "ok" ? "" : "bad")])));
    const served = new Map();
    select(metrics, REQUESTS).filter(({labels}) => labels.model).forEach(({labels, value}) => {
      const name = JSON.stringify([labels.model, labels.version]);
      const [ranked, other] = served.get(name) ?? [0, 0];
      served.set(name, labels.outcome === "ok" ? [ranked + value, other] : [ranked, other + value]);
    });
    byVersion.replaceChildren(table("Requests by version", ["Model", NUMBER("Version"), NUMBER("Ranked"), NUMBER("Not ranked")],
      [...served].map(([name, [ranked, other]]) => [...JSON.parse(name), count(ranked), count(other)])));
  }

  return {element: section("Outcomes since start", scrolling("Requests by outcome", byOutcome), none, scrolling("Requests by version", byVersion)), update};
}

export function latency() {
  const rows = make("div");

  function update({state: {metrics}}) {
    const whole = merged(select(metrics, "ranker_request_seconds"));
    const stages = select(metrics, "ranker_stage_seconds").filter((stage) => stage.count);
    const sum = stages.reduce((seconds, stage) => seconds + stage.sum, 0);
    const line = (name, histogram, share) => [name,
      ...[0.5, 0.95, 0.99].map((p) => milliseconds(quantile(histogram, p), lastBound(histogram))),
      milliseconds(histogram.count ? histogram.sum / histogram.count : null), share];
    rows.replaceChildren(table("Latency by stage in milliseconds",
      ["Stage", NUMBER("p50"), NUMBER("p95"), NUMBER("p99"), NUMBER("mean"), {name: "Share", title: "Share of the time of all stages"}],
      [line("whole request", whole, ""), ...stages.map((stage) => line(stage.labels.stage, stage, bar(stage.sum / sum)))]));
  }

  return {element: section("Latency since start, ms", scrolling("Latency by stage", rows)), update};
}
