/**
 * What a client asks over REST, whether it is connected or not: one call each.
 *
 * Promises: rejects with a ChatError; nothing is repeated.
 */

import { THREADS, threadPath } from "./http.js";

/** @typedef {import("./protocol.js").ThreadSummary} ThreadSummary */

export class Calls extends EventTarget {
  /** @param {import("./http.js").Http} http */
  constructor(http) {
    super();
    /** @protected */
    this.http = http;
  }

  /** @param {{archived?: boolean, cursor?: string, limit?: number}} [options] @returns {Promise<{items: ThreadSummary[], nextCursor: string | null}>} */
  listThreads(options = {}) {
    return this.http.get(THREADS, options);
  }

  /** The same id again gives the same thread. @param {import("./protocol.js").CreateThreadBody} body @returns {Promise<import("./protocol.js").ThreadState>} */
  createThread(body) {
    return this.http.call("POST", THREADS, { body });
  }

  /** @param {string} threadId @returns {Promise<import("./protocol.js").ThreadDetail>} */
  threadDetail(threadId) {
    return this.http.get(threadPath(threadId));
  }

  /** @param {string} q @param {{threadId?: string, order?: "newest" | "rank", cursor?: string, limit?: number}} [options] @returns {Promise<import("./protocol.js").SearchPage>} */
  search(q, options = {}) {
    return this.http.get("/api/chat/search", { q, ...options });
  }
}
