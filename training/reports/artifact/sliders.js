// The interactive part of the report: sliders for a fusion's parameters, and a request ranked by them.
function liveFusion(root, data, compiled) {
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    return element;
  };
  const choose = (label, names) => {
    const select = make("select");
    names.forEach((name, i) => select.append(make("option", name, {value: i})));
    const around = make("label", `${label} `);
    around.append(select);
    bar.append(around);
    return select;
  };
  const shown = (x) => (Number.isInteger(x) ? String(x) : String(Number(x.toPrecision(4))));

  const bar = make("p", undefined, {class: "bar"});
  const fusionSelect = choose("Fusion", data.fusions.map((f) => f.name));
  const requestSelect = choose("Request", data.requests.map((r) => r.title));
  const reset = make("button", "Back to the artifact's parameters", {type: "button"});
  bar.append(reset);
  const note = make("p", "", {class: "note"});
  const knobs = make("div", undefined, {class: "wide knobs"});
  const result = make("div", undefined, {class: "wide"});
  const body = make("pre");
  root.append(bar, note, knobs, result, make("p", "To get this ranking, put this into the request:"), body);

  let fusion;
  let values;

  function start() {
    fusion = data.fusions[fusionSelect.value];
    fusion.held = {...fusion.held, formula: compiled[fusion.name]};
    values = Object.fromEntries(fusion.parameters.map((p) => [p.name, structuredClone(p.value)]));
    const able = fusion.formula in FUSION.COMBINE;
    note.textContent = able ? "" : `This page cannot compute ${fusion.formula}: candidates are ranked with the artifact's parameters.`;
    note.hidden = able;
    drawKnobs(able);
    rank();
  }

  // Append the logged outcome, if any, to a score's cell.
  function outcome(cell, label) {
    if (label === null || label === 0) return cell;
    cell.append(" ", make("span", label === 1 ? "✓" : shown(label), {class: "happened"}));
    return cell;
  }

  // The slider covers values near the artifact's; the number field takes any value within the bounds.
  function slider(parameter, value, set) {
    const reach = Math.max(parameter.integer ? 20 : 5, 4 * Math.abs(value));
    const low = Math.max(parameter.low, parameter.low < 0 ? -reach : 0);
    const high = Math.min(parameter.high, reach);
    const step = parameter.integer ? 1 : (high - low) / 200;
    const range = make("input", undefined, {type: "range", min: low, max: high, step, title: parameter.description});
    const number = make("input", undefined, {type: "number", min: parameter.low, max: parameter.high, step: "any"});
    range.value = value;
    number.value = value;
    const take = (text, other) => {
      const given = Number(text);
      if (text === "" || !Number.isFinite(given)) return;
      const bounded = Math.min(Math.max(given, parameter.low), parameter.high);
      const taken = parameter.integer ? Math.round(bounded) : bounded;
      other.value = taken;
      set(taken);
      rank();
    };
    range.addEventListener("input", () => take(range.value, number));
    number.addEventListener("input", () => take(number.value, range));
    const cell = make("td");
    cell.append(range, number);
    return cell;
  }

  function drawKnobs(able) {
    const table = make("table");
    const single = fusion.parameters.filter((p) => !p.per_objective);
    const each = fusion.parameters.filter((p) => p.per_objective);
    const addRow = (...cells) => {
      const row = make("tr");
      row.append(...cells);
      table.append(row);
    };
    single.forEach((p) => addRow(make("th", p.name, {title: p.description}),
      slider(p, p.value, (x) => { values[p.name] = x; })));
    if (each.length) addRow(make("th", ""), ...each.map((p) => make("th", p.name, {title: p.description})));
    (each.length ? data.objectives : []).forEach((objective, i) =>
      addRow(make("th", objective), ...each.map((p) => slider(p, p.value[i], (x) => { values[p.name][i] = x; }))));
    knobs.replaceChildren(...(able && fusion.parameters.length ? [table] : []));
  }

  function rank() {
    const request = data.requests[requestSelect.value];
    const seen = request.fusions[fusion.name];
    const usual = Object.fromEntries(fusion.parameters.map((p) => [p.name, p.value]));
    const able = fusion.formula in FUSION.COMBINE;
    const fused = (parameters) => (able ? FUSION.fuse(fusion, seen.prepared, parameters) : seen.fused);
    const before = FUSION.ranked(fused(usual), seen.rules).order;
    const {scores, order} = FUSION.ranked(fused(values), seen.rules);
    const table = make("table", undefined, {class: "ranking"});
    const heads = ["rank", "moved", request.id_name, "fused", ...data.objectives, ...Object.keys(request.facts)];
    const head = make("tr");
    head.append(...heads.map((name) => make("th", name)));
    table.append(head);
    order.forEach((n, place) => {
      const moved = before.indexOf(n) - place;
      const row = make("tr", undefined, {"data-row": n});
      const cells = [place + 1, moved > 0 ? `▲ ${moved}` : moved < 0 ? `▼ ${-moved}` : "", request.ids[n],
        shown(scores[n])].map((text) => make("td", text));
      const objectives = seen.scores[n].map((score, i) => outcome(make("td", shown(score)), request.labels[n][i]));
      row.append(...cells, ...objectives, ...Object.values(request.facts).map((column) => make("td", column[n])));
      table.append(row);
    });
    result.replaceChildren(table);
    const named = Object.fromEntries(fusion.parameters.map((p) => [p.name, p.per_objective
      ? Object.fromEntries(data.objectives.map((name, i) => [name, values[p.name][i]])) : values[p.name]]));
    body.textContent = `"fusion": ${JSON.stringify({name: fusion.name, parameters: named})}`;
  }

  fusionSelect.addEventListener("change", start);
  requestSelect.addEventListener("change", rank);
  reset.addEventListener("click", start);
  start();
}
