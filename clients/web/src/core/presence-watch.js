/**
 * Whose presence is wanted, how this user wants to be seen, and how others are seen: said anew on each connection.
 *
 * Promises: what is wished for is asked on every connection, and `away` declared on it; each change of how somebody is
 * seen is told once; of whom a new connection tells nothing for 10 s is shown as offline.
 */

import { ChatError } from "./errors.js";
import { PresenceView } from "./presence.js";
import { Requests } from "./requests.js";

/** @typedef {import("./types.js").Presence} Presence */
/** What the page wants; `watched` by asker. @typedef {{watched: Map<string, readonly string[]>, declared: "away" | null}} Wishes */
/**
 * @typedef {object} PresenceHost
 * @property {import("./types.js").Clock} clock
 * @property {(frame: any) => boolean} send
 * @property {(type: "presence", detail: {userId: string, presence: Presence}) => void} tell
 */

const UNTOLD_MS = 10_000;
const WATCHED_MAX = 200;

export class PresenceWatch {
  #host;
  #wishes;
  #requests;
  #view = new PresenceView();
  /** @type {unknown} */ #untoldTimer = null;

  /** @param {PresenceHost} host @param {Wishes} wishes */
  constructor(host, wishes) {
    this.#host = host;
    this.#wishes = wishes;
    this.#requests = new Requests(host.clock);
  }

  /** @param {string} userId @returns {Presence | undefined} */
  get(userId) {
    return this.#view.get(userId);
  }

  connected() {
    const { declared, watched } = this.#wishes;
    this.#view.connected();
    if (watched.size) this.ask();
    if (declared) this.#host.send({ type: "presence_set", status: declared });
    this.#untoldTimer = this.#host.clock.setTimeout(() => this.#forgetUntold(), UNTOLD_MS);
  }

  /** Nothing comes any more, nor do answers. @param {ChatError} [error] why */
  disconnected(error = new ChatError("NETWORK", "no connection", { retryable: true, fate: "unknown" })) {
    this.#host.clock.clearTimeout(this.#untoldTimer); // the next connection has its own time to tell
    this.#requests.end(error);
  }

  /** For good. */
  close() {
    this.disconnected(new ChatError("CLOSED", "closed"));
  }

  /** Other users are wanted now. */
  ask() {
    const userIds = [...new Set([...this.#wishes.watched.values()].flat())].slice(0, WATCHED_MAX);
    this.#view.asked(userIds);
    this.#host.send({ type: "presence_watch", userIds });
  }

  /** @param {string} status @returns {Promise<void>} rejects with ChatError */
  set(status) {
    return this.#requests.ask({ type: "presence_set", status }, this.#host.send);
  }

  /** @param {string | null | undefined} ref @param {ChatError} [error] @returns {boolean} whether it was one of ours */
  answered(ref, error) {
    return this.#requests.answered(ref, error);
  }

  /** @param {import("./protocol.js").PresenceNotice} notice */
  received(notice) {
    if (!this.#view.receive(notice)) return;
    const { userId } = notice;
    this.#host.tell("presence", { userId, presence: /** @type {Presence} */ (this.#view.get(userId)) });
  }

  #forgetUntold() {
    for (const userId of this.#view.forgetUntold()) {
      this.#host.tell("presence", { userId, presence: { status: "offline", lastSeenAt: null } });
    }
  }
}
