// Where a field such as `candidates.length.3` stands in the text of a request, so that a problem can be shown there.
const TOKEN = /\s*("(?:[^"\\]|\\.)*"|[^\s"[\]{},:]+|[[\]{},:])/y;

// Start and end of the value in the text, of the part of the path that is there; null where no part of it is.
export function locate(text, field) {
  const places = new Map();
  let at = 0;

  function token() {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError("not JSON");
    at = TOKEN.lastIndex;
    return match[1];
  }

  function inside(path, close) {
    for (let i = 0; ; i += 1) {
      const before = at;
      if (token() === close) return;
      if (close === "]") at = before;
      const name = close === "]" ? String(i) : JSON.parse(text.slice(before, at));
      if (close === "}") token();
      value(path ? `${path}.${name}` : name);
      if (token() === close) return;
    }
  }

  function value(path) {
    const first = token();
    const start = at - first.length;
    if (first === "{" || first === "[") inside(path, first === "{" ? "}" : "]");
    places.set(path, [start, at]);
  }

  try {
    value("");
  } catch {
    return null; // the service says what is wrong with the text as a whole
  }
  for (let path = field; path; path = path.slice(0, Math.max(path.lastIndexOf("."), 0))) {
    if (places.has(path)) return places.get(path);
  }
  return null;
}
