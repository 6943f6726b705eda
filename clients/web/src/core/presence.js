/**
 * How others are seen, as the server tells it. Pure.
 *
 * Promises: of two notices for one user the one with the higher version is shown, in whatever order they come. What we
 * may see can change with a new connection or a new question, so the first notice after one is believed whatever its
 * version, and so is the first one after a goodbye. Nobody stays online by mistake: `forgetUntold` forgets those of whom
 * a new connection tells nothing.
 */

/** @typedef {import("./types.js").Presence} Presence */
/** @typedef {import("./protocol.js").PresenceNotice} PresenceNotice */

const USERS_MAX = 2_000;

export class PresenceView {
  /** The newest told are last. @type {Map<string, PresenceNotice>} */ #told = new Map();
  /** Told before we connected, or asked, for the last time. @type {Set<string>} */ #untold = new Set();

  /** @param {string} userId @returns {Presence | undefined} */
  get(userId) {
    const notice = this.#told.get(userId);
    return notice && { status: notice.status, lastSeenAt: notice.lastSeenAt };
  }

  /** A new connection: what is known so far was told by others. */
  connected() {
    this.#untold = new Set(this.#told.keys());
  }

  /** The server was asked how these are seen. @param {string[]} userIds */
  asked(userIds) {
    for (const userId of userIds) this.#untold.add(userId);
  }

  /** @param {PresenceNotice} notice @returns {boolean} whether that changes how the user is seen */
  receive(notice) {
    const known = this.#told.get(notice.userId);
    if (known && !this.#untold.has(notice.userId) && notice.version <= known.version) return false;
    this.#untold.delete(notice.userId);
    this.#told.delete(notice.userId);
    // A goodbye (offline, never seen) has a version of its gateway's making: whatever comes after it is newer.
    const isGoodbye = notice.status === "offline" && !notice.lastSeenAt;
    this.#told.set(notice.userId, isGoodbye ? { ...notice, version: 0 } : notice);
    if (this.#told.size > USERS_MAX) this.#told.delete(/** @type {string} */ (this.#told.keys().next().value));
    return known?.status !== notice.status || known.lastSeenAt !== notice.lastSeenAt;
  }

  /** Forget those of whom this connection has told nothing. @returns {string[]} */
  forgetUntold() {
    const gone = [...this.#untold].filter((userId) => this.#told.delete(userId));
    this.#untold.clear();
    return gone;
  }
}
