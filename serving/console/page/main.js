// The page: sign in with an admin key, then views that share one poll of the service.
import {ServiceError, ask, hasKey, useKey} from "./api.js";
import {bench} from "./bench.js";
import {announce, make} from "./dom.js";
import {experiment} from "./experiment.js";
import {History} from "./history.js";
import {clock} from "./numbers.js";
import {overview} from "./overview.js";
import {signIn} from "./sign_in.js";

const EVERY = 3000;
const VIEWS = {overview: ["Overview", overview], experiment: ["Experiment", experiment], bench: ["Bench", bench]};

const content = document.getElementById("content");
const views = document.getElementById("views");
const session = document.getElementById("session");
let stop = () => {};

function leave(reason) {
  stop();
  useKey(null);
  views.hidden = session.hidden = true;
  content.replaceChildren(signIn(enter, reason));
  content.querySelector("input").focus();
}

function enter() {
  const history = new History();
  const shown = {};
  const updated = make("span", {class: "muted"});
  let failing = false;
  let since = "";
  let left = false;
  let timer;
  session.replaceChildren(updated, make("button", {type: "button", class: "quiet", onclick: () => leave()}, "Sign out"));

  async function poll() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const [state, status] = await Promise.all([ask("/admin/console"), ask("/admin/status")]);
        if (left) return; // signed out while the answer was on its way
        history.add(state);
        const facts = {state, status, history, poll};
        Object.values(shown).forEach((view) => view.update(facts));
        updated.textContent = `Updated ${clock(state.time)}`;
        updated.classList.remove("bad");
        if (failing) announce("The service answers again.");
        failing = false;
      } catch (error) {
        if (left) return;
        if (error.status === 401) return leave("That key is not valid.");
        if (!failing) since = clock(Date.now());
        updated.textContent = error instanceof ServiceError ? `No answer since ${since}: ${error.message}` : `This page failed: ${error.message}`;
        updated.classList.add("bad");
        if (!failing) announce(updated.textContent);
        failing = true;
      }
    }
    timer = setTimeout(poll, EVERY);
  }

  function show() {
    const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "overview";
    const [title, view] = VIEWS[name];
    const first = !(name in shown);
    shown[name] ??= view();
    document.title = `${title} · ranker console`;
    views.querySelectorAll("a").forEach((link) => {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    content.replaceChildren(shown[name].element);
    if (first) poll();
  }

  const links = Object.entries(VIEWS).map(([name, [title]]) => make("a", {href: `#${name}`}, title));
  views.replaceChildren(...links);
  views.hidden = session.hidden = false;
  window.addEventListener("hashchange", show);
  document.addEventListener("visibilitychange", poll);
  stop = () => {
    left = true;
    clearTimeout(timer);
    window.removeEventListener("hashchange", show);
    document.removeEventListener("visibilitychange", poll);
  };
  show();
  content.focus();
}

if (hasKey()) enter();
else leave();
