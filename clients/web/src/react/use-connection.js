/**
 * useConnection: how the client's connection is.
 *
 * Promises: renders again when `state`, `stale`, `retryAt` or `attempt` changed.
 */

import { useSource } from "./subscription.js";

/** @typedef {import("../core/client.js").ChatClient} ChatClient */
/**
 * @typedef {object} Connection
 * @property {import("../core/types.d.ts").ConnectionState} state
 * @property {boolean} stale what is shown may be behind
 * @property {number | null} retryAt when the next attempt is made, ms since 1970
 * @property {number} attempt failed ones since the last good one
 */

/** @type {Connection} */
const NONE = Object.freeze({ state: "idle", stale: true, retryAt: null, attempt: 0 });

/** @param {ChatClient} client @returns {Connection} */
function read({ connectionState, stale, retryAt, attempt }) {
  return { state: connectionState, stale, retryAt, attempt };
}

/** @param {ChatClient | null} client @returns {Connection} */
export function useConnection(client) {
  return useSource(client, ["state", "stale"], read, NONE);
}
