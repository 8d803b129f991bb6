// Elements made of text and attributes. Data becomes text nodes only: the page's policy refuses any markup made of text.
const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const make = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

export const draw = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

let names = 0;
export const uniqueId = (prefix) => `${prefix}-${(names += 1)}`;

// A section with a heading that names it for screen readers.
export function section(title, ...children) {
  const id = uniqueId("section");
  return make("section", {"aria-labelledby": id}, make("h2", {id}, title), ...children);
}

// A cell of a table: text, or {value, text, title, kind} with a class, or an element.
export function cell(tag, content, numeric, scope) {
  if (content instanceof Node) return make(tag, {class: numeric ? "number" : undefined, scope}, content);
  const {text, title, kind} = typeof content === "object" && content !== null ? content : {text: content};
  const classes = [numeric ? "number" : "", kind ?? ""].join(" ").trim();
  return make(tag, {class: classes || undefined, title, scope}, text === null || text === undefined ? "" : String(text));
}

// Rows with a header each. Columns are names, or {name, number: true, title} for numbers.
export function table(caption, columns, rows) {
  const heads = columns.map((column) => (typeof column === "string" ? {name: column} : column));
  const head = make("tr", {}, heads.map((column) =>
    cell(column.name ? "th" : "td", {text: column.name, title: column.title}, column.number, column.name ? "col" : undefined)));
  const body = rows.map((row) => make("tr", {}, row.map((content, i) =>
    cell(i === 0 ? "th" : "td", content, heads[i].number, i === 0 ? "row" : undefined))));
  return make("table", {}, make("caption", {class: "unseen"}, caption), make("thead", {}, head), make("tbody", {}, body));
}

// A table that scrolls on a narrow screen, also by the keyboard.
export function scrolling(label, content) {
  return make("div", {class: "scrolling", tabindex: "0", role: "region", "aria-label": label}, content);
}

// Tell screen readers what has changed.
export function announce(text) {
  document.getElementById("announcement").textContent = text;
}
