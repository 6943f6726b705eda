/**
 * What a request can end with. The codes are the server's (docs/codes.md), and three of our own: NETWORK (no answer),
 * ABORTED (by the caller's signal), CLOSED (the client was closed).
 */

/** @typedef {import("./types.js").Failure} Failure */

/** They say something of the session and nothing of the request: a fresh token may mend them. */
export const OF_THE_TOKEN = new Set(["AUTH_REQUIRED", "AUTH_FAILED", "TOKEN_EXPIRED", "TOKEN_REVOKED"]);

/** A request that was not carried out, as far as is known. */
export class ChatError extends Error {
  /**
   * @param {Failure["code"]} code
   * @param {string} message for people; may change
   * @param {{retryable?: boolean, fate?: "rejected" | "unknown", retryAfterMs?: number | null}} [more]
   */
  constructor(code, message, { retryable = false, fate = "rejected", retryAfterMs } = {}) {
    super(message);
    this.name = "ChatError";
    this.code = code;
    this.retryable = retryable;
    /** rejected: nothing was stored; unknown: it may have been. */
    this.fate = fate;
    this.retryAfterMs = retryAfterMs ?? undefined;
  }

  /** @param {{code: Failure["code"], message?: string, detail?: string, retryable: boolean, fate: "rejected" | "unknown", retryAfterMs?: number | null}} said an error frame or a REST problem */
  static said(said) {
    return new ChatError(said.code, said.message ?? said.detail ?? said.code, said);
  }

  /** The same request may be carried out later, or was already. */
  get mayPass() {
    return this.retryable || this.fate === "unknown" || OF_THE_TOKEN.has(this.code);
  }

  /** As plain data. @returns {Failure} */
  get problem() {
    return { code: this.code, message: this.message, retryable: this.retryable };
  }
}
