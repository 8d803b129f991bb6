// Models with their versions, the last refused version, and the two changes that admin routes offer.
import {ask} from "./api.js";
import {confirmed} from "./confirm.js";
import {announce, make, scrolling, section, table} from "./dom.js";
import {ago, moment} from "./numbers.js";

const COLUMNS = ["Model", {name: "Version", number: true}, "Served since", "Exported", "Previous", "Available", "Refused", "Workers", "Change"];
const list = (numbers) => (numbers.length ? numbers.join(", ") : "–");

// How many workers serve the version that all of them should.
function agreement(status, name, version) {
  const serving = Object.values(status.workers).map((worker) => worker.models[name]);
  const agree = serving.filter((one) => one === version).length;
  return agree === serving.length ? `all ${agree}` : {text: `${agree} of ${serving.length}`, kind: "bad"};
}

export function models() {
  const rows = make("div");
  const notes = make("div");
  const outcome = make("p", {class: "problem", role: "alert"});
  let drawn = "";

  async function change(path, name, question, poll) {
    if (!(await confirmed(question))) return;
    outcome.textContent = "";
    try {
      const now = await ask(path, {body: JSON.stringify({model: name})});
      announce(`${name} serves version ${now.version}.`);
    } catch (error) {
      outcome.textContent = error.message;
    }
    await poll();
  }

  function buttons(name, model, poll) {
    if (model.pinned) return make("span", {class: "muted"}, "fixed to this version");
    const latest = model.available.at(-1);
    const back = model.previous.at(-1);
    return make("span", {class: "buttons"},
      make("button", {type: "button", "aria-label": `Reload ${name}`, onclick: () => change("/admin/reload", name,
        `Serve version ${latest} of ${name}, the newest one, and check its items?`, poll)}, "Reload"),
      make("button", {type: "button", "aria-label": `Roll back ${name}`, disabled: back === undefined, onclick: () =>
        change("/admin/rollback", name, `Serve version ${back} of ${name} again, instead of ${model.version}?`, poll)}, "Roll back"));
  }

  function update({state, status, poll}) {
    const told = JSON.stringify([status, state.started, Math.floor(Date.now() / 60e3)]);
    if (told === drawn) return; // keeps the focus on a button
    drawn = told;
    rows.replaceChildren(table("Models and their versions", COLUMNS, Object.entries(status.models).map(([name, model]) => [
      name === status.default && Object.keys(status.models).length > 1 ? `${name} (default)` : name, model.version,
      {text: model.since ? moment(model.since) : "–", title: model.since ? ago(model.since, state.time) : ""},
      {text: moment(model.created), title: ago(model.created, state.time)},
      list(model.previous), list(model.available),
      list(Object.entries(model.refused).map(([version, cause]) => `${version} (${cause})`)),
      agreement(status, name, model.version), buttons(name, model, poll)])));
    const refused = Object.entries(status.models).filter(([, model]) => model.last_refused);
    notes.replaceChildren(...refused.map(([name, {last_refused: last}]) => make("p", {class: "note"},
      make("strong", {}, `Last refused: version ${last.version} of ${name}, `), `${moment(last.time)}, ${last.cause}. ${last.reason}`)));
  }

  return {element: section("Models", scrolling("Models and their versions", rows), outcome, notes), update};
}
