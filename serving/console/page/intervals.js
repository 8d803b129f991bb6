// Intervals of differences below each other on one scale, with zero in the middle.
import {draw} from "./dom.js";

const WIDTH = 140;
const HEIGHT = 14;

// The farthest end of all intervals from zero.
export const reach = (changes) =>
  Math.max(...changes.flatMap(({value, low, high}) => [value, low, high]).filter((end) => end !== null).map(Math.abs), 1e-12);

export function interval({value, low, high, text}, widest) {
  const at = (x) => ((x / widest + 1) / 2) * (WIDTH - 8) + 4;
  const middle = HEIGHT / 2;
  const known = value !== null && low !== null && high !== null;
  const kind = !known ? "" : low > 0 || high < 0 ? "sure" : "open";
  const label = known ? `${text(value)}, from ${text(low)} to ${text(high)}` : "no interval";
  return draw("svg", {class: `interval ${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label},
    draw("path", {class: "axis", d: `M${at(0)} 0V${HEIGHT}`}),
    known ? draw("path", {class: "line", d: `M${at(low)} ${middle}H${at(high)}`}) : null,
    known ? draw("circle", {cx: at(value), cy: middle, r: 3}) : null);
}
