// JSON with whole numbers of any size. JavaScript rounds those beyond 2**53, such as 64-bit ids, so that another item
// would be asked for and shown: they are kept as marked text between reading and writing.
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const MARK = "\u0001exactly ";
const MARKED = /"\\u0001exactly (-?\d+)"/g;
const exactly = (token) => (/^-?\d{16,}$/.test(token) && String(Number(token)) !== token ? JSON.stringify(MARK + token) : token);

// Throws SyntaxError.
export const read = (text) => JSON.parse(text.replace(TOKEN, exactly));
export const write = (value) => JSON.stringify(value).replace(MARKED, "$1");
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// An id as a reader sees it.
export const shown = (value) => String(value).replace(MARK, "");

// With one line for each column: lists stay on their line.
export function pretty(value, indent = "") {
  if (!isObject(value)) return write(value);
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(([name, part]) => `${inner}${JSON.stringify(name)}: ${pretty(part, inner)}`);
  return lines.length ? `{\n${lines.join(",\n")}\n${indent}}` : "{}";
}
