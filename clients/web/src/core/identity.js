/**
 * Who this client speaks for: a token, a function that gets tokens, or (development mode) a bare user id.
 *
 * Promises: the function is asked once at a time, for 15 s, and only when there is no token yet or a fresh one is wanted.
 * Does not promise that a token is valid, never logs one, and never puts one into a URL.
 */

import { ChatError } from "./errors.js";

const DEADLINE_MS = 15_000;

export class Identity {
  /** @type {(() => Promise<string> | string) | null} */ #callback;
  /** @type {string | null} */ #token;
  /** @type {Promise<string> | null} */ #asking = null;
  /** @type {Pick<import("./types.js").Clock, "setTimeout" | "clearTimeout">} */ #clock;

  /** @param {import("./types.js").ClientOptions} options */
  constructor({ token, userId, userType = "user", name, deviceId, clock }) {
    if (!token && !userId) throw new TypeError("give a token, or a userId (development mode)");
    this.#callback = typeof token === "function" ? token : null;
    this.#token = typeof token === "string" ? token : null;
    this.userId = userId;
    this.userType = userType;
    this.name = name;
    this.deviceId = deviceId;
    this.#clock = clock ?? globalThis;
  }

  /** Whether a fresh token can be had. */
  get canRenew() {
    return this.#callback !== null;
  }

  /** @param {boolean} [fresh] @returns {Promise<string | null>} null in development mode; rejects with ChatError */
  async token(fresh = false) {
    if (!this.#callback || (this.#token && !fresh)) return this.#token;
    // Kept before the asking is over: nobody asks again in between.
    this.#asking ??= this.#ask(this.#callback)
      .then((token) => (this.#token = token))
      .finally(() => (this.#asking = null));
    try {
      return await this.#asking;
    } catch {
      // The application's own error may hold a secret: it is not repeated.
      throw new ChatError("NETWORK", "no token", { retryable: true });
    }
  }

  /** @param {() => Promise<string> | string} callback @returns {Promise<string>} */
  #ask(callback) {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(reject, DEADLINE_MS);
      Promise.resolve()
        .then(callback)
        .then((token) => (token && typeof token === "string" ? resolve(token) : reject()))
        .catch(reject)
        .finally(() => this.#clock.clearTimeout(timer));
    });
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
