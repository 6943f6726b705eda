/**
 * What an answer that is no good means.
 *
 * Promises: the server's own words where it has any; a proxy's page, or silence behind a status, is one of its codes too.
 */

import { ChatError } from "./errors.js";

/** @type {Record<number, import("./protocol.js").ErrorCode>} */
const UNEXPLAINED = { 401: "AUTH_FAILED", 403: "FORBIDDEN", 404: "NOT_FOUND", 413: "FRAME_TOO_LARGE", 429: "RATE_LIMITED" };

/** @param {Response} response @returns {Promise<ChatError>} */
export async function refusal(response) {
  const problem = await response.json().catch(() => null);
  return refusalOf(response.status, problem);
}

/** @param {number} status @param {any} problem the body, if it was JSON */
export function refusalOf(status, problem) {
  if (typeof problem?.code === "string") return ChatError.said(problem);
  if (status >= 500) return new ChatError("INTERNAL", `HTTP ${status}`, { retryable: true, fate: "unknown" });
  return new ChatError(UNEXPLAINED[status] ?? "BAD_REQUEST", `HTTP ${status}`, { retryable: status === 429 });
}
