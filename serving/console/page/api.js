// Requests to the service with the admin key, which is kept for this tab alone.
import {read} from "./json.js";

const ROOT = document.body.dataset.root;
const KEPT = "ranker console key";

export class ServiceError extends Error {
  constructor(status, problems) {
    super(problems.map((problem) => `${problem.field}: ${problem.reason}`).join("; "));
    this.status = status;
    this.problems = problems;
  }
}

let key = sessionStorage.getItem(KEPT);
export const hasKey = () => key !== null;

export function useKey(given) {
  key = given;
  if (given === null) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, given);
}

// The answer of a route as JSON; `id` is the request's own id, if any. Throws ServiceError with the problems that the service names.
export async function ask(path, {body, signal, id} = {}) {
  if (!/^[\x20-\x7e\xa0-\xff]+$/.test(key)) throw new ServiceError(401, [{field: "key", reason: "is not valid"}]); // no header can hold it
  const headers = {Authorization: `Bearer ${key}`};
  if (id !== undefined) headers["X-Request-ID"] = id;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`${ROOT}${path}`, {method: body === undefined ? "GET" : "POST", headers, body, signal});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, [{field: "service", reason: "does not answer"}]);
  }
  const text = await response.text();
  let content;
  try {
    content = read(text);
  } catch {
    content = null;
  }
  if (response.ok && content !== null) return content;
  // What a proxy answers in the service's place has no problems.
  const problems = content?.detail;
  throw new ServiceError(response.status, Array.isArray(problems) ? problems : [{field: "service", reason: `cannot be reached: status ${response.status}`}]);
}

export const query = (parts) => {
  const given = Object.entries(parts).filter(([, value]) => value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};
