// Small pictures: lines of recent values, and bars. Each has its values in text beside it or as its name.
import {draw, make} from "./dom.js";

const WIDTH = 160;
const HEIGHT = 36;

// Recent values as a line from zero up; gaps where there is no value.
export function sparkline(values, label) {
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 1e-12);
  const step = WIDTH / Math.max(values.length - 1, 1);
  let path = "";
  let drawing = false;
  values.forEach((value, i) => {
    if (value !== null) {
      const y = HEIGHT - 2 - (value / top) * (HEIGHT - 4);
      path += `${drawing ? "L" : "M"}${(i * step).toFixed(1)} ${y.toFixed(1)}`;
    }
    drawing = value !== null;
  });
  return draw("svg", {class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label},
    draw("path", {d: `M0 ${HEIGHT - 1}H${WIDTH}`, class: "axis"}), draw("path", {d: path, class: "line"}));
}

// A share of a whole as a bar beside its number.
export function bar(share, kind = "") {
  const filled = make("span", {class: `fill ${kind}`});
  filled.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return make("span", {class: "bar", "aria-hidden": "true"}, filled);
}
