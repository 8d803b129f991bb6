// What may rank a request: as it says itself, or a model's version by a fusion or a group.
import {make, uniqueId} from "./dom.js";

const AS_REQUESTED = "request";
const ANY = ""; // the model that the request names

export function choices(lane, changed) {
  const model = make("select", {id: uniqueId("model"), onchange: () => { drawVersions(); changed(); }});
  const version = make("select", {id: uniqueId("version"), onchange: () => changed()});
  const by = make("select", {id: uniqueId("by"), onchange: () => { follow(); changed(); }});
  let facts = null;
  let drawn = "";

  const options = (select, values, titles = values) => {
    const before = select.value;
    select.replaceChildren(...values.map((value, i) => make("option", {value}, titles[i])));
    if (values.map(String).includes(before)) select.value = before;
  };
  const groups = () => facts.state.experiment?.groups ?? {};

  function drawVersions() {
    version.disabled = model.value === ANY;
    if (version.disabled) return options(version, ["served"]);
    const {version: served, available} = facts.status.models[model.value];
    const others = available.filter((one) => one !== served).reverse();
    options(version, [served, ...others], [`${served} (served)`, ...others]);
    version.value = String(served);
  }

  // A group's model is chosen with the group.
  function follow() {
    const group = groups()[by.value.replace(/^group /, "")];
    if (by.value.startsWith("group ") && group.model !== model.value) {
      model.value = group.model;
      drawVersions();
    }
  }

  function update(latest) {
    facts = latest;
    const told = JSON.stringify([facts.status.models, groups(), facts.status.experiment]);
    if (told === drawn) return;
    drawn = told;
    const names = Object.keys(facts.status.models);
    options(model, names.length > 1 ? [ANY, ...names] : names, names.length > 1 ? ["what the request says", ...names] : names);
    const kept = version.value;
    drawVersions();
    if ([...version.options].some((option) => option.value === kept)) version.value = kept;
    drawFusions([]);
  }

  let fusions = [];
  function drawFusions(names) {
    fusions = names.length ? names : fusions;
    const values = [AS_REQUESTED, ...Object.keys(groups()).map((name) => `group ${name}`), ...fusions.map((name) => `fusion ${name}`)];
    options(by, values, ["what the request says", ...values.slice(1)]);
  }

  // What the choice puts into the request, and the version to ask for.
  function chosen() {
    const {models} = facts.status;
    const put = model.value !== ANY && Object.keys(models).length > 1 ? {model: model.value} : {};
    if (by.value.startsWith("fusion ")) put.fusion = {name: by.value.slice(7)};
    if (by.value.startsWith("group ")) {
      put.model = model.value;
      put.fusion = groups()[by.value.slice(6)].fusion ?? {name: "default"};
    }
    const served = model.value === ANY || Number(version.value) === models[model.value].version;
    return {put, version: served ? null : Number(version.value)};
  }

  const field = (name, select) => make("p", {class: "field"}, make("label", {for: select.id}, name, make("span", {class: "unseen"}, ` of ranking ${lane}`)), select);
  return {
    element: make("div", {class: "choices"}, field("Model", model), field("Version", version), field("Ranked by", by)),
    update, chosen, drawFusions, ready: () => facts !== null,
  };
}
