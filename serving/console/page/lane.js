// A lane of the bench: what ranks the request, its parameters, and the list that comes of it.
import {ask, query} from "./api.js";
import {choices} from "./choices.js";
import {announce, make, uniqueId} from "./dom.js";
import {isObject, read, write} from "./json.js";
import {parameters} from "./parameters.js";
import {orderOf, ranking} from "./ranking.js";

const EXPLAINED = 100;
const WAIT = 150;
const newSeed = () => `console-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
const OWN_FIELDS = /^(fusion|model|version|name)\b/;

// `reference` gives the order to compare with, or null for the lane's own order before its parameters were moved.
export function lane(name, editor, reference, ranked) {
  const id = uniqueId("lane");
  const choice = choices(name, () => request());
  const knobs = parameters(name, {changed: () => later(), reset: () => request(), drawAgain: () => {
    seed = newSeed();
    rank();
  }});
  const title = make("p", {class: "used"});
  const problems = make("ul", {class: "problems", role: "alert"});
  const list = ranking(name);
  const element = make("section", {class: "lane", "aria-labelledby": id}, make("h2", {id}, `Ranking ${name}`),
    choice.element, title, problems, knobs.element, list.element);
  let timer;
  let running = null;
  let start = null;
  let answer = null;
  let waiting = true;
  let seed = newSeed(); // of exploration, kept so that a moved parameter shows its own effect alone

  // Rank anew, by the parameters that the service has.
  function request() {
    knobs.forget();
    return rank();
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(rank, WAIT);
  }

  function body(put) {
    let content = null;
    try {
      content = read(editor.text());
    } catch {
      // the service says what is wrong
    }
    if (!isObject(content)) return editor.text();
    const choice = {explain: EXPLAINED, ...content, ...put};
    const changed = knobs.changed();
    if (changed) Object.assign(choice, {model: answer.model, fusion: merged(choice.fusion ?? {}, changed)});
    return write(choice);
  }

  // A fusion with moved parameters; what has no slider stays, such as the candidates of fixed places.
  function merged(fusion, {parameters: moved, steps}) {
    const found = {...fusion, name: answer.fusion.name, parameters: moved};
    const both = (before, given) => given && {...(typeof before === "object" ? before : {}), ...given};
    steps.forEach(({name, rerank, given}) => {
      if (!rerank) found.explore = both(fusion.explore, given);
      else found.rerank = {...(typeof found.rerank === "object" ? found.rerank : {}), [name]: both(fusion.rerank?.[name], given)};
    });
    return found;
  }

  async function rank() {
    clearTimeout(timer);
    waiting = !choice.ready() || editor.text() === "";
    if (waiting) return;
    running?.abort();
    const mine = running = new AbortController();
    const {put, version} = choice.chosen();
    const moved = knobs.changed() !== null;
    element.setAttribute("aria-busy", "true");
    try {
      const found = await ask(`/admin/console/rank${query({version})}`, {body: body(put), signal: mine.signal, id: seed});
      const model = moved ? null : await ask(`/admin/console/model${query({name: found.model, version})}`, {signal: mine.signal});
      tell([], put, moved);
      answer = found;
      if (model) {
        start = orderOf(answer);
        choice.drawFusions(Object.keys(model.fusions));
        knobs.draw(model.fusions[answer.fusion.name], answer.fusion, model.tasks);
      }
      draw();
      ranked();
    } catch (error) {
      if (error.name !== "AbortError") tell(error.problems ?? [{field: "page", reason: error.message}], put, moved);
    } finally {
      if (running === mine) element.removeAttribute("aria-busy");
    }
  }

  function draw() {
    const {model, model_version: version, fusion, experiment} = answer;
    const group = experiment?.group ? `, group ${experiment.group}` : "";
    title.textContent = `${model} version ${version}, fusion ${fusion.name}${fusion.name === fusion.formula ? "" : ` (${fusion.formula})`}${group}`;
    const other = reference();
    const against = other ?? (knobs.changed() ? start : null);
    const moves = list.draw(answer, against, other ? "A" : "start");
    if (against) announce(`Ranking ${name}: ${moves} moved.`);
  }

  // Problems of what the lane has chosen stay here, others are the request's own.
  function tell(found, put, moved) {
    const own = found.filter(({field}) => OWN_FIELDS.test(field) && (moved || put.fusion || put.model || field !== "fusion"));
    problems.replaceChildren(...own.map(({field, reason}) => make("li", {}, make("strong", {}, field), ` ${reason}`)));
    knobs.mark(own);
    editor.show(name, found.filter((problem) => !own.includes(problem)));
    list.stale(found.length > 0);
  }

  function update(facts) {
    choice.update(facts);
    if (waiting) request();
  }

  function close() {
    running?.abort();
    clearTimeout(timer);
    editor.show(name, []);
  }

  const compare = () => { if (answer) draw(); };
  return {element, update, request, compare, close, order: () => (answer ? orderOf(answer) : null)};
}
