// The newest report of `ranker-train experiment`, if the service is told where to find it.
import {make, section} from "./dom.js";
import {moment} from "./numbers.js";

export function report() {
  const body = make("div");
  const element = section("Effect on users", body);

  function update(newest) {
    if (!newest) {
      body.replaceChildren(make("p", {class: "muted"},
        "The service counts requests, not what users do. Set console_reports to a folder with the JSON of ranker-train experiment to see effects here."));
    } else if (newest.reason) {
      body.replaceChildren(make("p", {class: "note"}, newest.reason));
    } else {
      body.replaceChildren(make("p", {}, `${newest.file}, ${moment(newest.time)}`), make("pre", {}, JSON.stringify(newest.content, null, 2)));
    }
  }

  return {element, update};
}
