// The latest states of the metrics, in this page's memory: rates and recent latencies come from their differences.
import {merged, quantile, select, since, total} from "./samples.js";

const KEPT = 100;
const WINDOW = 60;

export class History {
  constructor() {
    this.states = [];
  }

  add({time, started, metrics}) {
    const state = {time: new Date(time) / 1e3, started, metrics};
    const last = this.states.at(-1);
    const anew = last && (last.started !== started || requests(last) > requests(state));
    this.states = [...(anew ? [] : this.states), state].slice(-KEPT);
  }

  // The newest state, and the oldest one of the last WINDOW seconds.
  ends() {
    const now = this.states.at(-1);
    return [this.states.find((state) => now.time - state.time <= WINDOW), now];
  }

  // A value of the last WINDOW seconds, by one of the functions below.
  lately(of) {
    return of(...this.ends());
  }

  // Values between successive states, for sparklines.
  series(of) {
    return this.states.slice(1).map((state, i) => of(this.states[i], state));
  }
}

const requests = (state) => total(state.metrics, "ranker_requests_total");
const ranked = (state) => total(state.metrics, "ranker_requests_total", {outcome: "ok"});
const latency = (state) => merged(select(state.metrics, "ranker_request_seconds"));

// Requests a second; null between states of one time.
export const rate = (before, now) =>
  (now.time > before.time ? (requests(now) - requests(before)) / (now.time - before.time) : null);

// Share of requests that were not ranked; null without requests.
export const failing = (before, now) => {
  const count = requests(now) - requests(before);
  return count > 0 ? 1 - (ranked(now) - ranked(before)) / count : null;
};

// 95th percentile of latency in seconds; null without requests.
export const tail = (before, now) => quantile(since(latency(now), latency(before)), 0.95);

export const inFlight = (before, now) => total(now.metrics, "ranker_in_flight");
