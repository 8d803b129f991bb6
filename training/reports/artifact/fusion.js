// JavaScript versions of ranker.fusion's `combine` and rules. Parameter-free parts that need whole requests (ranks,
// percentiles, logarithms) are precomputed and embedded in the page. Tests compare the results with NumPy.
const FUSION = (() => {
  const sum = (weights, term) => weights.reduce((total, weight, i) => total + term(weight, i), 0);
  const clip = (x, low, high) => Math.min(Math.max(x, low), high);
  const LARGEST = 1e300;

  // Value of the leaf that a candidate reaches in a tree of ranker.trees.
  const leaf = (tree, x) => {
    let node = tree.feature.length ? 0 : -1;
    while (node >= 0) {
      const value = x[tree.feature[node]];
      const left = value === null ? tree.missing_left[node] : value <= tree.threshold[node];
      node = left ? tree.left[node] : tree.right[node];
    }
    return tree.value[-1 - node];
  };

  // name -> (candidate's values from `prepare`, parameters by name, the fusion's fixed data) -> fused score
  const COMBINE = {
    additive: (x, {share, shift}) => sum(share, (w, i) => w * x[i]) + sum(share, (w, i) => w * shift[i]),
    multiplicative: (x, {power, shift}) =>
      Math.exp(clip(sum(power, (w, i) => w * Math.log(Math.max(shift[i] + x[i], 1e-9))), -700, 700)),
    powered_sum: (x, {factor, beta, alpha}) =>
      sum(factor, (w, i) => w * Math.exp(beta[i] * x[i])) + sum(alpha, (a) => a),
    powered_product: (x, {factor, beta, alpha}) =>
      Math.min(factor.reduce((product, w, i) =>
        product * Math.max(alpha[i] + w * Math.exp(beta[i] * x[i]), 1e-12), 1), LARGEST),
    rank_bucket: (x, {weight, buckets}) =>
      sum(weight, (w, i) => w * ((buckets - Math.floor(buckets * x[i] + 1e-9)) / buckets)),
    rank_power: (x, {weight, alpha, beta}) =>
      sum(weight, (w, i) => w / (Math.exp(alpha[i] * Math.log(x[i])) + beta[i])),
    reciprocal_rank: (x, {weight, k}) => sum(weight, (w, i) => w / (k + x[i])),
    percentile: (x, {weight}) => sum(weight, (w, i) => w * x[i]),
    learned: (x, {share}, {state: {linear, trees}}) => linear.bias + sum(linear.score, (w, i) => w * x[i]) +
      sum(linear.log, (w, i) => w * Math.log(Math.max(x[i], 1e-9))) +
      trees.reduce((total, tree) => total + leaf(tree, x), 0) + sum(share, (w, i) => w * x[i]),
    expression: (x, parameters, {columns, formula}) => {
      const values = {...parameters};
      columns.forEach((name, i) => { values[name] = x[i] === null ? NaN : x[i]; });
      const value = formula(values);
      return Number.isNaN(value) ? -LARGEST : clip(value, -LARGEST, LARGEST);
    },
  };

  // Functions of text formulas; nulls are NaN and propagate as in ranker.expressions.
  const known = (result, ...operands) => (operands.some(Number.isNaN) ? NaN : Number(result));
  const EXPRESSION = {
    known,
    abs: Math.abs, ceil: Math.ceil, exp: Math.exp, expm1: Math.expm1, floor: Math.floor, log: Math.log,
    log1p: Math.log1p, max: Math.max, min: Math.min, sqrt: Math.sqrt, tanh: Math.tanh, clip,
    coalesce: (...values) => values.reduce((first, second) => (Number.isNaN(first) ? second : first)),
    is_null: (x) => Number(Number.isNaN(x)),
    sigmoid: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
    where: (condition, then, otherwise) => (Number.isNaN(condition) ? NaN : condition !== 0 ? then : otherwise),
    power: (base, exponent) => known(base === 1 || (base === -1 && !Number.isFinite(exponent)) ? 1 : base ** exponent,
      base, exponent),
    mod: (a, b) => {
      const rest = a % b;
      return rest !== 0 && (rest < 0) !== (b < 0) ? rest + b : rest;
    },
    truth: (x) => known(x !== 0, x),
    both: (a, b) => (a === 0 || b === 0 ? 0 : a * b),
    either: (a, b) => (a === 1 || b === 1 ? 1 : Math.max(a, b)),
  };

  const fuse = (fusion, prepared, parameters) =>
    prepared.map((row) => COMBINE[fusion.formula](row, parameters, fusion.held));

  // Boosts change fused scores, floors move candidates last or drop them; `picks` marks the candidates of a rule.
  const ranked = (fused, rules) => {
    const scores = [...fused];
    const tier = fused.map(() => 0);
    for (const rule of rules) {
      rule.picks.forEach((picked, n) => {
        if (!picked) return;
        scores[n] = (scores[n] < 0 ? scores[n] / rule.multiply : scores[n] * rule.multiply) + rule.add;
        tier[n] = Math.max(tier[n], rule.drops ? 2 : rule.last ? 1 : 0);
      });
    }
    const order = scores.map((_, n) => n).filter((n) => tier[n] < 2);
    order.sort((a, b) => tier[a] - tier[b] || scores[b] - scores[a] || a - b);
    return {scores, order};
  };

  return {COMBINE, EXPRESSION, fuse, ranked};
})();
