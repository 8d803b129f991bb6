// The newest report of `ranker-train experiment`, if the service is told where to find it: what the groups did to users.
import {interval, reach} from "./intervals.js";
import {make, scrolling, section, table} from "./dom.js";
import {count, digits, moment, signed, signedPercent} from "./numbers.js";

const NUMBER = (name, title) => ({name, number: true, title});
const KINDS = {win: "good", better: "good", holds: "good", harm: "bad", worse: "bad", broken: "bad", "not trusted": "bad"};
const told = (state) => ({text: state, kind: KINDS[state] ?? ""});

// A change as a share of the control's value, or plainly where the control has none.
const change = (one) => (one.relative === null
  ? {value: one.difference, low: one.low, high: one.high, text: signed}
  : {value: one.relative, low: one.relative_low, high: one.relative_high, text: signedPercent});
const shown = ({text}, value) => (value === null ? "–" : text(value));

function comparisons(content) {
  const changes = content.comparisons.map(change);
  const widest = reach(changes);
  return table(`Differences to ${content.control}`,
    ["Metric", "Group", NUMBER("Value"), NUMBER("Control"), NUMBER("Difference"), NUMBER("From"), NUMBER("To"), "", NUMBER("p", "After the correction for several comparisons"), "Outcome"],
    content.comparisons.map((one, i) => [{text: one.metric, title: one.formula}, one.group, digits(one.value, 4), digits(one.control_value, 4),
      ...["value", "low", "high"].map((part) => shown(changes[i], changes[i][part])), interval(changes[i], widest), digits(one.p_corrected),
      one.undefined ? {text: one.undefined, kind: "wrapped"} : told(one.outcome)]));
}

function guardrails(content) {
  return table("Guardrails", ["Guardrail", "Group", NUMBER("Value"), NUMBER("From"), NUMBER("To"), "State"], content.guardrails.map((one) => {
    const text = one.relative ? signedPercent : signed;
    return [one.guardrail, one.group, ...["value", "low", "high"].map((part) => shown({text}, one[part])), told(one.state)];
  }));
}

function groups(content) {
  return table("Groups of the report", ["Group", NUMBER("Users", "Units that the experiment splits"), NUMBER("Requests"), "Verdict", "Why"],
    Object.entries(content.groups).map(([name, one]) => [name, count(one.units), count(one.requests),
      name === content.control ? "control" : told(one.state ?? "–"), {text: (one.why ?? []).join("; "), kind: "wrapped"}]));
}

function parts({file, time, content}, running) {
  const byGroup = Object.entries(content.groups).flatMap(([name, {why}]) => (why ?? []).map((line) => `${name}: ${line}`));
  const doubts = content.why.filter((line) => !byGroup.includes(line));
  const other = running && running.name !== content.experiment;
  return [
    make("p", {}, make("strong", {class: KINDS[content.state]}, content.state), `: ${content.experiment}, requests from ${moment(content.first)} to ${moment(content.last)}`),
    doubts.length ? make("ul", {class: "bad"}, doubts.map((line) => make("li", {}, line))) : null,
    other ? make("p", {class: "note"}, `This report is of ${content.experiment}; ${running.name} is running now.`) : null,
    scrolling("Groups of the report", groups(content)),
    scrolling("Differences to the control", comparisons(content)),
    content.guardrails.length ? scrolling("Guardrails", guardrails(content)) : null,
    content.notes.length ? make("ul", {class: "note"}, content.notes.map((line) => make("li", {}, line))) : null,
    make("p", {class: "muted"}, `${file}, written ${moment(time)}. Intervals: ${content.method}, level ${digits(content.level)}, corrected by ${content.correction}.`),
  ];
}

export function report() {
  const body = make("div");
  const element = section("Effect on users", body);
  let drawn = null;

  function update(newest, running) {
    const told = JSON.stringify([newest, running?.name]);
    if (told === drawn) return;
    drawn = told;
    if (!newest) {
      body.replaceChildren(make("p", {class: "muted"},
        "The service counts requests, not what users do. Set console_reports to a folder with the JSON of ranker-train experiment to see effects here."));
    } else if (newest.reason) {
      body.replaceChildren(make("p", {class: "note"}, newest.reason));
    } else {
      body.replaceChildren(...parts(newest, running).filter(Boolean));
    }
  }

  return {element, update};
}
