/**
 * Says when what is shown may be behind: connecting, offline with what waits, catching up.
 *
 * Promises silence while all is well, and about what passes within a moment.
 */

import { button, h } from "./dom.js";

/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

export class ConnectionBanner {
  #ui;
  #text = h("span", {});
  #retry;
  node;

  /** @param {ThreadElement} ui */
  constructor(ui) {
    this.#ui = ui;
    this.#retry = button(ui.words.retry, () => ui.client?.retryNow());
    this.node = h("div", { class: "banner" }, h("span", { role: "status" }, this.#text), this.#retry);
    this.node.hidden = true;
  }

  render() {
    const { client, thread, words } = this.#ui;
    const state = client?.connectionState;
    const waiting = thread?.messages.filter(({ pending, status }) => pending && status !== "failed").length ?? 0;
    const offline = state === "offline";
    const text = offline ? words.disconnected(waiting)
      : state === "closed" ? words.closed
      : state === "catching_up" || (state === "online" && !thread?.caughtUp) ? words.catchingUp
      : state === "online" ? ""
      : words.connecting;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#retry.hidden = !offline;
    this.node.hidden = !text;
    this.node.classList.toggle("now", offline || state === "closed");
  }
}
