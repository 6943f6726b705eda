/**
 * useUnread: what is not read yet, in all threads of the user.
 *
 * Promises: renders again when a count changed; `threads` is a new map then, and the same one otherwise.
 */

import { useSource } from "./subscription.js";

/** @typedef {import("../core/client.js").ChatClient} ChatClient */
/** @typedef {{total: number, threads: ReadonlyMap<string, import("../core/types.d.ts").UnreadItem>}} Unread */

/** @type {Unread} */
const NOTHING = Object.freeze({ total: 0, threads: new Map() });

/** @param {ChatClient} client @returns {Unread} */
const read = (client) => ({ total: client.totalUnread, threads: new Map(client.unread) });

/** @param {ChatClient | null} client @returns {Unread} */
export function useUnread(client) {
  return useSource(client, ["unread"], read, NOTHING);
}
