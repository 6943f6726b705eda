/**
 * What a request can end with. The codes are the server's (docs/codes.md), and three of our own: NETWORK (no answer),
 * ABORTED (by the caller's signal), CLOSED (the client was closed).
 */

/** @typedef {import("./types.js").Failure} Failure */

/** A request that was not carried out, as far as is known. */
export class ChatError extends Error {
  /**
   * @param {Failure["code"]} code
   * @param {string} message for people; may change
   * @param {{retryable?: boolean, fate?: "rejected" | "unknown", retryAfterMs?: number}} [more]
   */
  constructor(code, message, { retryable = false, fate = "rejected", retryAfterMs } = {}) {
    super(message);
    this.name = "ChatError";
    this.code = code;
    this.retryable = retryable;
    /** rejected: nothing was stored; unknown: it may have been. */
    this.fate = fate;
    this.retryAfterMs = retryAfterMs;
  }

  /** @param {{code: Failure["code"], message?: string, detail?: string, retryable: boolean, fate: "rejected" | "unknown", retryAfterMs?: number | null}} said an error frame or a REST problem */
  static said(said) {
    const { code, retryable, fate, retryAfterMs } = said;
    return new ChatError(code, said.message ?? said.detail ?? code, { retryable, fate, retryAfterMs: retryAfterMs ?? undefined });
  }

  /** As plain data. @returns {Failure} */
  get problem() {
    return { code: this.code, message: this.message, retryable: this.retryable };
  }
}
