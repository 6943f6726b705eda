/**
 * What hooks share: a flat object taken from an object that tells of its changes by events.
 *
 * Promises: while its fields are the same it is the same object, as useSyncExternalStore asks for; no event is missed between
 * the first rendering and the subscription. On a server, and without a source, the value is `empty`.
 */

import { useCallback, useMemo, useSyncExternalStore } from "react";

/**
 * @template {EventTarget} S
 * @template {object} V
 * @param {S | null} source
 * @param {readonly string[]} events which may change the value
 * @param {(source: S) => V} read the same function each time, or another reading; makes a new value, or returns one that is never changed in place
 * @param {V} empty
 * @param {(source: S) => () => void} [begin] called when the first event is listened for; returns how to end that
 * @returns {V}
 */
export function useSource(source, events, read, empty, begin) {
  // Rendered before it is listened to: the version tells whether something happened in between.
  const kept = useMemo(() => ({ value: source ? read(source) : empty, stale: false }), [source, read]);
  const subscribe = useCallback(
    /** @param {() => void} changed */
    (changed) => {
      if (!source) return () => {};
      const renew = () => {
        kept.stale = true;
        changed();
      };
      for (const event of events) source.addEventListener(event, renew);
      const end = begin?.(source);
      kept.stale = true; // React reads the value again after this
      return () => {
        for (const event of events) source.removeEventListener(event, renew);
        end?.();
      };
    },
    [source, kept, begin],
  );
  const snapshot = useCallback(() => {
    if (kept.stale && source) {
      kept.stale = false;
      const value = read(source);
      if (!same(kept.value, value)) kept.value = value;
    }
    return kept.value;
  }, [source, kept, read]);
  return useSyncExternalStore(subscribe, snapshot, () => empty);
}

/** Whether two flat objects hold the same. @param {any} one @param {any} other */
function same(one, other) {
  const keys = Object.keys(other);
  return keys.length === Object.keys(one).length && keys.every((key) => Object.is(one[key], other[key]));
}
