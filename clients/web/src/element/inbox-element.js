/**
 * <chatterbus-inbox>: one's threads, newest activity first.
 *
 * Promises to stay true by itself, to keep the focus on its thread while threads change places, and to fire
 * `chatterbus-select` {threadId} when one is chosen. Attributes: selected (a thread's id), theme, lang, label
 * (what a screen reader calls it), and url, token, user-id for a client of its own. Properties: client, names, nameOf, strings.
 * How it looks is loaded with the first one: most pages have a thread only.
 */

import { ChatElement } from "./chat-element.js";
import { later } from "./later.js";

/** @typedef {import("../core/client.js").ChatClient} ChatClient */

export class InboxElement extends ChatElement {
  /** @type {import("./inbox-view.js").InboxView | null} */ #view = null;

  get selected() {
    return this.getAttribute("selected");
  }
  set selected(id) {
    this.setOrRemove("selected", id);
  }

  /** @param {ChatClient} client @param {AbortSignal} signal */
  async attach(client, signal) {
    const { InboxView } = await later(() => import("./inbox-view.js"));
    if (!signal.aborted) this.#view = new InboxView(this, client, signal);
  }

  detach() {
    this.#view = null;
    this.box.replaceChildren();
  }

  /** @param {boolean} force */
  redraw(force) {
    this.#view?.render(force);
  }

  /** @param {string} name @param {string | null} [before] @param {string | null} [after] */
  attributeChangedCallback(name, before, after) {
    if (name === "selected") this.#view?.mark();
    else super.attributeChangedCallback(name, before, after);
  }
}
