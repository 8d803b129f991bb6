// Contributions of the objectives to a candidate's score, as one bar: gains to the right of the axis, losses to the left.
import {draw, make} from "./dom.js";
import {signed} from "./numbers.js";

const WIDTH = 200;
const HEIGHT = 14;
const COLOURS = 8; // classes in the style; further objectives begin again

const objectives = (answer) => Object.keys(answer.explanations?.contributions ?? answer.scores);
const sums = (answer, i) => objectives(answer).reduce(([gains, losses], name) => {
  const part = answer.explanations.contributions[name][i];
  return part > 0 ? [gains + part, losses] : [gains, losses - part];
}, [0, 0]);

// The longest gains and losses that bars are scaled by: those of the whole list, or of one candidate.
export function largest(answer, i) {
  const all = i === undefined ? (answer.explanations?.baseline ?? []).map((_, n) => sums(answer, n)) : [sums(answer, i)];
  return {gains: Math.max(...all.map(([gains]) => gains), 0), losses: Math.max(...all.map(([, losses]) => losses), 0)};
}

export function legend(answer) {
  return objectives(answer).map((name, n) => make("span", {}, make("i", {class: `colour-${n % COLOURS}`, "aria-hidden": "true"}), name));
}

export function contributions(answer, i, {gains, losses}) {
  const scale = WIDTH / (gains + losses || 1);
  const axis = losses * scale;
  let right = axis;
  let left = axis;
  const parts = objectives(answer).map((name, n) => {
    const value = answer.explanations.contributions[name][i];
    const width = Math.abs(value) * scale;
    if (value < 0) left -= width;
    const bar = draw("rect", {x: (value < 0 ? left : right).toFixed(2), y: 2, width: width.toFixed(2), height: HEIGHT - 4, class: `colour-${n % COLOURS}`},
      draw("title", {}, `${name} ${signed(value)}`));
    if (value > 0) right += width;
    return bar;
  });
  const text = objectives(answer).map((name) => `${name} ${signed(answer.explanations.contributions[name][i])}`).join(", ");
  return draw("svg", {class: "contributions", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": text},
    parts, draw("path", {d: `M${axis.toFixed(2)} 0V${HEIGHT}`, class: "axis"}));
}
