/** The head of a thread: what it is called, who is there, and since when not. */

import { avatar } from "./avatar.js";
import { h } from "./dom.js";
import { others, presenceDot, presenceWords, threadTitle } from "./presence.js";

/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */
/** @typedef {import("../core/thread.js").Thread} Thread */

export class ThreadHeader {
  #ui;
  #face = h("span", { class: "face" });
  #title = h("bdi", {});
  #about = h("p", { class: "about" });
  node = h("header", {}, h("slot", { name: "start" }), this.#face,
    h("div", { class: "names" }, h("h2", {}, this.#title), this.#about), h("slot", { name: "end" }));

  /** @param {ThreadElement} ui */
  constructor(ui) {
    this.#ui = ui;
  }

  /** @param {Thread} thread */
  render(thread) {
    const ui = this.#ui;
    const ids = others(thread.members.values(), ui.me);
    const title = threadTitle(ui, thread.title, ids, thread.id);
    const presence = ids.map((id) => ui.client?.presence(id));
    const single = ids.length === 1;
    const here = presence.filter((one) => one && one.status !== "offline").length;
    const about = single ? presenceWords(ui, presence[0]) : ids.length ? ui.words.members(thread.members.size, here) : "";
    this.#title.textContent = title;
    // Two landmarks must not be called the same: a page that shows a thread twice names them.
    ui.box.setAttribute("aria-label", ui.getAttribute("label") ?? title);
    this.#about.textContent = about;
    this.#face.replaceChildren(avatar(single ? ids[0] : thread.id, title), ...(single ? [presenceDot(ui, presence[0])] : []));
  }
}
