// Exposures, items, users and workers; a section without anything to show is hidden.
import {make, scrolling, section, table} from "./dom.js";
import {bytes, count, digits, percent} from "./numbers.js";
import {select, total, valuesOf} from "./samples.js";

const NUMBER = (name) => ({name, number: true});

function rows(title, columns, linesOf) {
  const body = make("div");
  const element = section(title, scrolling(title, body));
  return {
    element,
    update: (facts) => {
      const lines = linesOf(facts.state, facts.status);
      element.hidden = lines.length === 0;
      body.replaceChildren(table(title, columns, lines));
    },
  };
}

export const exposures = () => rows("Exposure log", ["What", NUMBER("Since start")], ({metrics}, status) => {
  if (!status.exposures) return [];
  const dropped = select(metrics, "ranker_exposures_dropped_total").map(({labels, value}) =>
    [`requests dropped: ${labels.cause}`, {text: count(value), kind: value ? "bad" : ""}]);
  return [
    ["requests written", count(total(metrics, "ranker_exposures_requests_total"))],
    ["rows written", count(total(metrics, "ranker_exposures_rows_total"))],
    ["bytes before compression", bytes(total(metrics, "ranker_exposures_bytes_total"))],
    ...dropped,
    ["waiting now", bytes(total(metrics, "ranker_exposures_queue_bytes"))],
    ...(status.exposures.problem ? [["problem", {text: status.exposures.problem, kind: "bad wrapped"}]] : []),
    ["oldest that waits, seconds", digits(total(metrics, "ranker_exposures_unwritten_seconds"))],
  ];
});

export const items = () => rows("Items", ["Model", NUMBER("Items"), NUMBER("Looked up"), NUMBER("Unknown")], ({metrics}) =>
  select(metrics, "ranker_items").filter(({value}) => value).map(({labels, value}) => {
    const lookedUp = total(metrics, "ranker_looked_up_items_total", labels);
    const unknown = total(metrics, "ranker_unknown_items_total", labels);
    return [labels.model, count(value), count(lookedUp), `${count(unknown)} (${percent(lookedUp ? unknown / lookedUp : 0)})`];
  }));

export const users = () => rows("User look-ups", ["Outcome", NUMBER("Look-ups")], ({metrics}) => {
  const lines = select(metrics, "ranker_users_total").map(({labels, value}) => [labels.outcome, count(value), value]);
  return lines.some(([, , value]) => value) ? lines.map(([outcome, text]) => [outcome, text]) : [];
});

export const workers = () => rows("Workers", ["What", NUMBER("Now")], ({metrics, workers: wanted}, status) => {
  const living = Object.keys(status.workers).length;
  const deaths = valuesOf(metrics, "ranker_worker_deaths_total", "reason")
    .map((reason) => [reason, total(metrics, "ranker_worker_deaths_total", {reason})]).filter(([, value]) => value);
  const told = (text, bad) => ({text, kind: bad ? "bad" : ""});
  return [
    ["alive", told(`${living} of ${wanted}`, living < wanted)],
    ["restarts", told(count(total(metrics, "ranker_worker_restarts_total")), false)],
    ...deaths.map(([reason, value]) => [`deaths: ${reason}`, told(count(value), true)]),
    ["memory", bytes(total(metrics, "process_resident_memory_bytes"))],
    ["open files", count(total(metrics, "process_open_fds"))],
    ["CPU seconds", digits(total(metrics, "process_cpu_seconds_total"), 4)],
    ["log lines dropped", told(count(total(metrics, "ranker_log_lines_dropped_total")), false)],
  ];
});
