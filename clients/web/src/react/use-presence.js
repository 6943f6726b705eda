/**
 * usePresence: who of these users is there.
 *
 * Promises: watches the users while any mounted component asks for them, all of the page's hooks together in one watch;
 * renders again when one of them changed.
 */

import { useCallback, useMemo } from "react";

import { useSource } from "./subscription.js";

/** @typedef {import("../core/client.js").ChatClient} ChatClient */
/** @typedef {import("../core/types.d.ts").Presence} Presence */

/** Elements, and the page itself, may watch the same users. */
const ASKER = "hooks";

/** How many hooks ask for each user: a watch replaces the asker's one before. @type {WeakMap<ChatClient, Map<string, number>>} */
const watched = new WeakMap();

/** @param {ChatClient} client @param {readonly string[]} userIds @param {1 | -1} by */
function count(client, userIds, by) {
  const counts = watched.get(client) ?? new Map();
  watched.set(client, counts);
  const before = counts.size; // one call only adds or only removes, so a change is a change of size
  for (const userId of userIds) {
    const left = (counts.get(userId) ?? 0) + by;
    if (left > 0) counts.set(userId, left);
    else counts.delete(userId);
  }
  if (counts.size !== before) client.watchPresence([...counts.keys()], ASKER);
}

/**
 * @param {ChatClient | null} client
 * @param {readonly string[]} userIds
 * @returns {Readonly<Record<string, Presence | undefined>>} by user id; nothing for those of whom nothing is known
 */
export function usePresence(client, userIds) {
  const key = JSON.stringify([...new Set(userIds)].sort());
  const ids = useMemo(() => /** @type {string[]} */ (JSON.parse(key)), [key]);
  const watch = useCallback(
    /** @param {ChatClient} source */
    (source) => {
      count(source, ids, 1);
      return () => count(source, ids, -1);
    },
    [ids],
  );
  const read = useCallback(
    /** @param {ChatClient} source @returns {Readonly<Record<string, Presence | undefined>>} */
    (source) => Object.fromEntries(ids.map((userId) => [userId, source.presence(userId)])),
    [ids],
  );
  return useSource(client, ["presence"], read, NOBODY, watch);
}

/** @type {Readonly<Record<string, Presence | undefined>>} */
const NOBODY = Object.freeze({});
