// The bench: one request, ranked in one or two lanes side by side.
import {make, section} from "./dom.js";
import {lane} from "./lane.js";
import {editor} from "./editor.js";

export function bench() {
  const grid = make("div", {class: "lanes"});
  const request = editor(() => lanes.forEach((one) => one.request()));
  const lanes = [lane("A", request, () => null, () => lanes.slice(1).forEach((one) => one.compare()))];
  const toggle = make("button", {type: "button", "aria-pressed": "false", onclick: compare}, "Compare side by side");
  let facts = null;

  function compare() {
    const two = lanes.length === 1;
    if (two) {
      lanes.push(lane("B", request, () => lanes[0].order(), () => {}));
      if (facts) lanes[1].update(facts);
      lanes[1].request();
    } else {
      lanes.pop().close();
    }
    toggle.setAttribute("aria-pressed", String(two));
    grid.classList.toggle("two", two);
    grid.replaceChildren(...lanes.map((one) => one.element));
  }

  grid.replaceChildren(lanes[0].element);
  return {
    element: make("div", {}, section("Request", request.element, make("p", {class: "buttons"}, request.button, toggle)), grid),
    update: (latest) => {
      facts = latest;
      request.update(latest);
      lanes.forEach((one) => one.update(latest));
    },
  };
}
