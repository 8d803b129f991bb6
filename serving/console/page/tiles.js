// The four numbers to look at first, each with its last minutes as a line.
import {sparkline} from "./charts.js";
import {make} from "./dom.js";
import {failing, inFlight, rate, tail} from "./history.js";
import {count, milliseconds, moment, percent, perSecond} from "./numbers.js";
import {lastBound, merged, quantile, select, total} from "./samples.js";

const finite = (values) => values.map((value) => (value === Infinity ? null : value));

function tile(name, unit, value, note, values, kind = "") {
  return make("div", {class: `tile ${kind}`},
    make("dt", {}, name), make("dd", {class: "value"}, value, make("span", {class: "unit"}, ` ${unit}`)),
    make("dd", {}, sparkline(finite(values), `${name}, lately`)), make("dd", {class: "muted"}, note));
}

export function tiles() {
  const list = make("dl", {class: "tiles"});

  function update({state: {metrics, started}, history}) {
    const requests = total(metrics, "ranker_requests_total");
    const whole = merged(select(metrics, "ranker_request_seconds"));
    const quantiles = [0.5, 0.95, 0.99].map((share) => milliseconds(quantile(whole, share), lastBound(whole)));
    const failed = requests - total(metrics, "ranker_requests_total", {outcome: "ok"});
    const failingNow = history.lately(failing);
    const gauge = (name) => count(total(metrics, `ranker_${name}`));
    list.replaceChildren(
      tile("Requests", "a second", perSecond(history.lately(rate)), `${count(requests)} since ${moment(started)}`,
        history.series(rate)),
      tile("Latency, 95 %", "ms", milliseconds(history.lately(tail), lastBound(whole)),
        `p50 ${quantiles[0]}, p95 ${quantiles[1]}, p99 ${quantiles[2]} since start`, history.series(tail)),
      tile("Not ranked", "of requests", percent(failingNow ?? NaN), `${count(failed)} since start`,
        history.series(failing), failingNow > 0.01 ? "alarm" : ""),
      tile("In flight", "requests", gauge("in_flight"), `${gauge("waiting")} waiting, ${gauge("connections")} connections`,
        history.series(inFlight)),
    );
  }

  return {element: make("section", {"aria-label": "In the last minute"}, list), update};
}
