// Numbers as text. Counts are exact, so that they can be compared with /metrics.
const COUNT = new Intl.NumberFormat("en", {maximumFractionDigits: 0});

export const count = (value) => COUNT.format(value);
export const digits = (value, most = 3) => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4)) return value.toExponential(2).replace("-", "−");
  return String(Number(value.toPrecision(most))).replace("-", "−");
};
export const signed = (value) => (value > 0 ? `+${digits(value)}` : digits(value));
export const signedPercent = (share) => `${share > 0 ? "+" : ""}${(share * 100).toFixed(2)} %`.replace("-", "−");
export const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : "–");
export const perSecond = (rate) => (rate === null ? "–" : rate >= 100 ? count(rate) : digits(rate, 2));

// Seconds as milliseconds; an infinite quantile lies above the last bucket.
export function milliseconds(seconds, last) {
  if (seconds === null) return "–";
  return seconds === Infinity ? `> ${(last * 1e3).toFixed(2)}` : (seconds * 1e3).toFixed(2);
}

// Writes numbers that stand below each other with as many decimals as the largest one needs for four digits.
export function aligned(values) {
  const largest = Math.max(...values.map(Math.abs), 0);
  const decimals = Math.min(Math.max(3 - Math.floor(Math.log10(largest || 1)), 0), 8);
  const plain = largest < 1e7 && (largest === 0 || largest >= 1e-5);
  return (value) => (plain ? value.toFixed(decimals) : value.toExponential(3)).replace("-", "−");
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${digits(value)} ${units[unit]}`;
}

const AGES = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function ago(time, now) {
  const seconds = Math.max(0, (new Date(now) - new Date(time)) / 1e3);
  const [size, unit] = AGES.find(([least]) => seconds >= least) ?? AGES.at(-1);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

export const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
export const moment = (time) => {
  const at = new Date(time);
  const two = (part) => String(part).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
};
