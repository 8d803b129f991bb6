// The form that asks for the admin key.
import {ask, useKey} from "./api.js";
import {make} from "./dom.js";

export function signIn(enter, reason) {
  const input = make("input", {id: "key", type: "password", autocomplete: "off", required: true, "aria-describedby": "key-problem"});
  const problem = make("p", {id: "key-problem", class: "problem", role: "alert"}, reason ?? "");
  const button = make("button", {type: "submit"}, "Open the console");

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      useKey(input.value.trim());
      await ask("/admin/status");
      enter();
    } catch (error) {
      useKey(null);
      problem.textContent = error.status === 401 ? "That key is not valid." : error.message;
      input.setAttribute("aria-invalid", "true");
      input.select();
    } finally {
      button.disabled = false;
    }
  }

  return make("form", {class: "sign-in", onsubmit: submit},
    make("h2", {}, "Sign in"),
    make("p", {}, "The console shows what this service serves and lets you try rankings."),
    make("label", {for: "key"}, "Admin key"), input, problem, button,
    make("p", {class: "muted"}, "The key stays in this tab, until it is closed or you sign out."));
}
