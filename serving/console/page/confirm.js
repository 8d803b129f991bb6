// Asks before a change, in a dialog that holds the focus and gives it back.
import {make, uniqueId} from "./dom.js";

export function confirmed(question) {
  return new Promise((answer) => {
    const id = uniqueId("question");
    const close = (value) => () => dialog.close(value);
    const dialog = make("dialog", {"aria-labelledby": id}, make("p", {id}, question),
      make("p", {class: "buttons"}, make("button", {type: "button", onclick: close("yes")}, "Yes"),
        make("button", {type: "button", class: "quiet", onclick: close("no")}, "Cancel")));
    dialog.addEventListener("close", () => {
      dialog.remove();
      answer(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
