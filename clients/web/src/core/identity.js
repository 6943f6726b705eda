/**
 * Who this client speaks for: a token, a function that gets tokens, or (development mode) a bare user id.
 *
 * Promises: the function is asked once at a time, and only when there is no token yet or a fresh one is wanted. Does not
 * promise that a token is valid, never logs one, and never puts one into a URL.
 */

import { ChatError } from "./errors.js";

export class Identity {
  /** @type {(() => Promise<string> | string) | null} */ #callback;
  /** @type {string | null} */ #token;
  /** @type {Promise<string> | null} */ #asking = null;

  /** @param {import("./types.js").ClientOptions} options */
  constructor({ token, userId, userType = "user", name, deviceId }) {
    if (!token && !userId) throw new TypeError("give a token, or a userId (development mode)");
    this.#callback = typeof token === "function" ? token : null;
    this.#token = typeof token === "string" ? token : null;
    this.userId = userId;
    this.userType = userType;
    this.name = name;
    this.deviceId = deviceId;
  }

  /** Whether a fresh token can be had. */
  get canRenew() {
    return this.#callback !== null;
  }

  /** @param {boolean} [fresh] @returns {Promise<string | null>} null in development mode; rejects with ChatError */
  async token(fresh = false) {
    if (!this.#callback || (this.#token && !fresh)) return this.#token;
    const callback = this.#callback;
    this.#asking ??= Promise.resolve()
      .then(callback)
      .finally(() => (this.#asking = null));
    try {
      return (this.#token = await this.#asking);
    } catch {
      // The application's own error may hold a secret: it is not repeated.
      throw new ChatError("NETWORK", "no token: its function failed", { retryable: true });
    }
  }

  /** The user, as far as known before the server has said it. @returns {Promise<string | undefined>} */
  async whoever() {
    return this.userId ?? subjectOf((await this.token()) ?? "");
  }

  /** @param {string | null} token @returns {import("./protocol.js").Auth} */
  auth(token) {
    const { name, deviceId } = this;
    const who = token ? { token } : { userId: this.userId, userType: this.userType };
    return { type: "auth", ...who, name, deviceId, protocolVersion: 1 };
  }

  /** Headers of a REST request. @param {boolean} [fresh] @returns {Promise<Record<string, string>>} */
  async headers(fresh) {
    const token = await this.token(fresh);
    if (token) return { Authorization: `Bearer ${token}` };
    return { "X-User-Id": this.userId ?? "", "X-User-Type": this.userType };
  }
}

/** The `sub` of a JWT, unchecked: it names a drawer of this browser, nothing else. @param {string} token */
function subjectOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).sub;
  } catch {
    return undefined;
  }
}
