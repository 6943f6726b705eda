/**
 * Who is sitting here.
 *
 * Promises: a window keeps its people over a reload, and a new window asks, with the last name filled in; `?as=alice,bob`
 * decides for both. A name becomes an id that the server takes, and an id a name that people can read.
 */

export const SUGGESTIONS = ["Alice", "Bob", "Carol", "Dmitri", "Elif"];
export const PAIR = ["alice", "bob"];

const HERE = "chatterbus-demo-people";
const LAST = "chatterbus-demo-name";

/** @param {string} text @returns {string} of letters, digits and hyphens; "" when there are none */
export function idOf(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9_:@.]+/g, "-").replace(/\./g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
}

/** A thread keeps its id as it is; other text becomes one. @param {string} text */
export const threadIdOf = (text) => (/^[A-Za-z0-9_:@+=|-]{1,128}$/.test(text) ? text : idOf(text));

/** @param {string} id */
export const nameOf = (id) => id.replace(/(^|[-_ ])(\p{L})/gu, (_, gap, letter) => (gap && " ") + letter.toUpperCase());

/** @returns {string[]} ids; none: ask */
export function remembered() {
  const asked = new URLSearchParams(location.search).get("as");
  const known = asked ?? sessionStorage.getItem(HERE) ?? "";
  return [...new Set(known.split(",").map(idOf).filter(Boolean))].slice(0, 2);
}

/** @param {string[]} ids */
export function remember(ids) {
  sessionStorage.setItem(HERE, ids.join(","));
  if (ids.length === 1) localStorage.setItem(LAST, ids[0]);
}

export function forget() {
  sessionStorage.removeItem(HERE);
}

export const lastName = () => nameOf(localStorage.getItem(LAST) ?? "");
