// Sliders for a fusion's parameters, those of its re-ranking steps and of its exploration, within the model's bounds.
import {make, uniqueId} from "./dom.js";
import {digits} from "./numbers.js";

// The slider covers values near the usual one; the number takes any, and the service refuses what is out of bounds.
function slider(label, bounds, value, take) {
  const reach = Math.max(bounds.integer ? 20 : 5, 4 * Math.abs(value));
  const low = Math.max(bounds.low, bounds.low < 0 ? -reach : 0);
  const high = Math.min(bounds.high, reach);
  const id = uniqueId("parameter");
  const range = make("input", {id, type: "range", min: low, max: high, step: bounds.integer ? 1 : (high - low) / 200});
  const number = make("input", {type: "number", step: bounds.integer ? 1 : "any", "aria-label": `${label}, exactly`});
  const inform = (given, other) => {
    if (given.value === "" || !Number.isFinite(Number(given.value))) return;
    other.value = given.value;
    take(Number(given.value));
  };
  range.value = value;
  number.value = Number(value.toPrecision(6));
  range.addEventListener("input", () => inform(range, number));
  number.addEventListener("input", () => inform(number, range));
  number.title = `From ${digits(bounds.low)} to ${digits(bounds.high)}`;
  return [make("label", {for: id}, label.split(" ").at(-1)), range, number];
}

const group = (title, description, ...rows) =>
  make("fieldset", {}, make("legend", {}, title), description ? make("p", {class: "muted"}, description) : null, ...rows);

export function parameters(lane, {changed, reset, drawAgain}) {
  const body = make("div", {class: "knobs"});
  const back = make("button", {type: "button", class: "quiet", disabled: true, onclick: reset}, "Back to its own parameters");
  const element = make("details", {}, make("summary", {}, `Parameters of ${lane}`), body, back);
  let values = null;
  let moved = false;
  const took = () => { moved = true; back.disabled = false; changed(); };

  function formulaGroup([name, bounds], tasks) {
    const value = values.parameters[name];
    const rows = typeof value === "number"
      ? slider(`${name} value`, bounds, value, (x) => { values.parameters[name] = x; took(); })
      : tasks.filter((task) => task in value).flatMap((task) =>
        slider(`${name} ${task}`, bounds, value[task], (x) => { value[task] = x; took(); }));
    return group(name, bounds.description, make("div", {class: "sliders"}, rows));
  }

  function stepGroup(used) {
    const {name, step} = used;
    const sliders = make("div", {class: "sliders"}, Object.entries(step.parameters).filter(([parameter]) => typeof used.given[parameter] === "number")
      .flatMap(([parameter, bounds]) => slider(`${name} ${parameter}`, bounds, used.given[parameter], (x) => { used.given[parameter] = x; took(); })));
    const on = make("input", {type: "checkbox", checked: used.on, "data-step": name, onchange: () => { used.on = on.checked; sliders.hidden = !used.on; took(); }});
    sliders.hidden = !used.on;
    const again = used.rerank ? null : make("button", {type: "button", class: "quiet", onclick: drawAgain}, "Draw again");
    return group(used.rerank ? `Re-ranking: ${name}` : "Exploration", "", make("label", {class: "check"}, on, ` ${step.kind}`), sliders, again);
  }

  // The parameters of an answer's fusion become the sliders' values.
  function draw(facts, fusion, tasks) {
    const of = (name, rerank, step, used) => ({name, rerank, step, on: Boolean(used), given: given(step, used ?? step)});
    const steps = Object.entries(facts.rerank ?? {}).map(([name, step]) => of(name, true, step, fusion.rerank?.[name]));
    if (facts.explore) steps.push(of("explore", false, facts.explore, fusion.explore));
    values = {parameters: structuredClone(fusion.parameters), steps};
    forget();
    const groups = [...Object.entries(facts.parameters).map((entry) => formulaGroup(entry, tasks)), ...steps.map(stepGroup)];
    body.replaceChildren(...(groups.length ? groups : [make("p", {class: "muted"}, "This fusion has no parameters.")]));
  }

  const given = (step, used) =>
    Object.fromEntries(Object.keys(step.parameters).map((name) => [name, used[name] ?? used[`${name}_`]]).filter(([, value]) => typeof value === "number"));

  function forget() {
    moved = false;
    back.disabled = true;
  }

  // Parameters and steps as a request gives them; null while they are the fusion's own.
  function changes() {
    if (!moved) return null;
    return {parameters: values.parameters, steps: values.steps.map(({name, rerank, on, given: to}) => ({name, rerank, given: on && to}))};
  }

  // Mark the numbers that a problem names.
  function mark(problems) {
    body.querySelectorAll("input[type=number]").forEach((input) => {
      const words = input.getAttribute("aria-label").replace(", exactly", "").split(" ").filter((word) => word !== "value");
      if (problems.some(({reason}) => words.every((word) => reason.includes(word)))) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    });
  }

  return {element, draw, changed: changes, forget, mark};
}
