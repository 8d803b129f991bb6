// The request as text, with requests to start from, and what the service says is wrong with it, at its place.
import {ask, query} from "./api.js";
import {make} from "./dom.js";
import {locate} from "./locate.js";
import {pretty} from "./json.js";

export function editor(changed) {
  const text = make("textarea", {id: "request", rows: "14", spellcheck: "false", autocapitalize: "off", "aria-describedby": "request-problems"});
  const problems = make("ul", {id: "request-problems", class: "problems", role: "alert"});
  const picks = make("select", {id: "pick", onchange: pick});
  const button = make("button", {type: "button", onclick: () => changed()}, "Rank");
  const byLane = {};
  let offered = [];
  let names = [];
  let known = "";

  function pick() {
    if (picks.value === "") return;
    text.value = pretty(offered[picks.value].request);
    changed();
  }

  async function offer() {
    const found = await Promise.all(names.map((name) => ask(`/admin/console/requests${query({name})}`)));
    offered = found.flat();
    const option = ({title, reason}, i) => make("option", {value: i, disabled: reason !== undefined}, reason ? `${title} ${reason}` : title);
    picks.replaceChildren(make("option", {value: ""}, "your own"), ...offered.map(option));
    const first = offered.findIndex(({request}) => request);
    if (text.value === "" && first >= 0) {
      picks.value = String(first);
      pick();
    }
  }

  function update({status}) {
    const served = JSON.stringify(Object.entries(status.models).map(([name, {version}]) => [name, version]));
    if (served === known) return;
    known = served;
    names = Object.keys(status.models);
    lookAgain();
  }

  const lookAgain = () => offer().catch(() => { known = ""; });

  // A problem's field as a button that selects the place in the text.
  function problem({field, reason}) {
    const place = locate(text.value, field);
    const name = place === null ? make("strong", {}, field) : make("button", {type: "button", class: "link", onclick: () => {
      text.focus();
      text.setSelectionRange(...place);
      const lines = text.value.slice(0, place[0]).split("\n").length;
      text.scrollTop = (lines - 4) * parseFloat(getComputedStyle(text).lineHeight);
    }}, field);
    return make("li", {}, name, ` ${reason}`);
  }

  // Show the problems that a lane's request has, apart from those of the lane's own settings.
  function show(name, found) {
    byLane[name] = found;
    const all = new Map(Object.values(byLane).flat().map((one) => [JSON.stringify(one), one]));
    problems.replaceChildren(...[...all.values()].map(problem));
    if (all.size) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  }

  text.addEventListener("input", () => { picks.value = ""; });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) changed();
  });
  return {
    element: make("div", {class: "editor"},
      make("p", {class: "field"}, make("label", {for: "pick"}, "Start from"), picks,
        make("button", {type: "button", class: "quiet", title: "Look for newer requests", onclick: () => lookAgain()}, "Look again")),
      make("label", {for: "request"}, "Request to /rank, as JSON (Ctrl+Enter ranks)"), text, problems),
    button, update, show,
    text: () => text.value,
  };
}
