// Reads metrics as the service gives them: samples by name, each with labels and a value, or buckets of a histogram.

const fits = (labels, wanted) => Object.entries(wanted).every(([name, value]) => labels[name] === value);

// Samples of a metric with certain labels.
export const select = (metrics, name, wanted = {}) => (metrics[name] ?? []).filter((sample) => fits(sample.labels, wanted));

export const total = (metrics, name, wanted = {}) =>
  select(metrics, name, wanted).reduce((sum, sample) => sum + sample.value, 0);

// Values that a label has, in the order of the metric.
export const valuesOf = (metrics, name, label) => [...new Set((metrics[name] ?? []).map((sample) => sample.labels[label]))];

// Several histograms of one metric as one: [[upper bound, count up to it], ...], the last bound null.
export function merged(samples) {
  if (!samples.length) return {buckets: [], count: 0, sum: 0};
  const buckets = samples[0].buckets.map(([bound], i) => [bound, samples.reduce((sum, one) => sum + one.buckets[i][1], 0)]);
  const sum = (field) => samples.reduce((whole, one) => whole + one[field], 0);
  return {buckets, count: sum("count"), sum: sum("sum")};
}

// What was observed between two states of a histogram; a service that was restarted begins anew.
export function since(now, before) {
  if (!before || before.buckets.length !== now.buckets.length || before.count > now.count) return now;
  const buckets = now.buckets.map(([bound, value], i) => [bound, value - before.buckets[i][1]]);
  return {buckets, count: now.count - before.count, sum: now.sum - before.sum};
}

// Quantile as Prometheus' histogram_quantile: linear within a bucket; null without observations, Infinity beyond the last.
export function quantile({buckets, count}, share) {
  if (!count) return null;
  const rank = share * count;
  const i = buckets.findIndex(([, below]) => below >= rank);
  const [bound, below] = buckets[i];
  if (bound === null) return Infinity;
  const [low, before] = i ? buckets[i - 1] : [0, 0];
  return below === before ? low : low + ((bound - low) * (rank - before)) / (below - before);
}

export const lastBound = ({buckets}) => buckets.at(-2)?.[0] ?? 0;
