// A ranked list: places, moves, and what each objective contributes to a candidate's score.
import {contributions, legend, largest} from "./contributions.js";
import {cell, make, scrolling, table} from "./dom.js";
import {details} from "./details.js";
import {shown as asText} from "./json.js";
import {aligned, count, digits, percent} from "./numbers.js";

const SHOWN = 100;

// Candidates in ranked order, told apart if they share an id.
export function orderOf({ids}) {
  const seen = new Map();
  return ids.map((id) => {
    const times = seen.get(id) ?? 0;
    seen.set(id, times + 1);
    return JSON.stringify([id, times]);
  });
}

function moveCell(places) {
  if (places === undefined) return {text: "new", title: "Not in the other list"};
  if (places === 0) return {text: "–", kind: "muted"};
  return places > 0 ? {text: `▲ ${places}`, kind: "up", title: `${places} places up`} : {text: `▼ ${-places}`, kind: "down", title: `${-places} places down`};
}

export function ranking(name) {
  const body = make("div");
  const note = make("p", {class: "muted"});
  const colours = make("p", {class: "legend"});
  const element = make("div", {}, colours, scrolling(`Ranking ${name}`, body), note);
  const alone = make("input", {type: "checkbox", onchange: () => redraw()});
  const open = new Set();
  let redraw = () => {};

  function row(answer, i, key, places, columns, scale, score) {
    const explained = Boolean(answer.explanations) && i < answer.explanations.baseline.length;
    const more = make("tr", {class: "details", hidden: true}, make("td", {colspan: columns}));
    const button = make("button", {type: "button", class: "quiet", "aria-expanded": "false", "aria-label": `Why ${asText(answer.ids[i])}?`}, "Why?");
    const toggle = (shown) => {
      button.setAttribute("aria-expanded", String(shown));
      more.hidden = !shown;
      if (shown) more.firstChild.replaceChildren(details(answer, i));
    };
    button.addEventListener("click", () => {
      const shown = more.hidden;
      if (shown) open.add(key);
      else open.delete(key);
      toggle(shown);
    });
    const line = make("tr", {}, cell("td", i + 1, true), places === null ? null : cell("td", moveCell(places), true),
      cell("th", asText(answer.ids[i]), false, "row"), cell("td", score(answer.fused[i]), true),
      answer.propensity ? cell("td", percent(answer.propensity[i]), true) : null,
      make("td", {}, explained ? contributions(answer, i, scale ?? largest(answer, i)) : ""), make("td", {}, explained ? button : ""));
    if (explained && open.has(key)) toggle(true);
    return explained ? [line, more] : [line];
  }

  // Draw an answer beside another order, if any; returns how many candidates have moved.
  function draw(answer, against, what) {
    const order = orderOf(answer);
    const before = against && new Map(against.map((key, i) => [key, i]));
    const moves = order.map((key, i) => (before ? before.has(key) ? before.get(key) - i : undefined : null));
    const heads = [{name: "#", number: true}, ...(before ? [{name: `vs ${what}`, number: true}] : []), "Id",
      {name: "Score", number: true},
      ...(answer.propensity ? [{name: "Drawn with", number: true, title: "Probability of the candidate at its place, given those before it"}] : []), "Contributions to the score", ""];
    const scale = alone.checked ? null : largest(answer);
    const score = aligned(answer.fused);
    const whole = table(`Ranking ${name}`, heads, []);
    whole.tBodies[0].append(...order.slice(0, SHOWN).flatMap((key, i) => row(answer, i, key, moves[i], heads.length, scale, score)));
    body.replaceChildren(whole);
    colours.replaceChildren(...legend(answer), make("label", {class: "check"}, alone, " Scale each bar by itself"));
    redraw = () => draw(answer, against, what);
    const rest = order.length - SHOWN;
    const parts = [rest > 0 ? `${count(rest)} more candidates are not shown.` : "", answer.unknown_ids?.length ? `Unknown ids: ${answer.unknown_ids.map(asText).join(", ")}.` : "",
      answer.user ? `User ${asText(answer.user.id)}: ${answer.user.found ? "found" : answer.user.reason}.` : "",
      answer.cascade ? `Two stages: the full model scored ${answer.cascade.full}, the student ${answer.cascade.student}.` : "",
      answer.reranking ? `Re-ranking cost ${digits(answer.reranking.fused.lost)} of the mean score of the first ${answer.reranking.places}.` : ""];
    note.textContent = parts.filter(Boolean).join(" ");
    return moves.filter((move) => move).length;
  }

  return {element, draw, stale: (is) => element.classList.toggle("stale", is)};
}
