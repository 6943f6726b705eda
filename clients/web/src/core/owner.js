/**
 * Whose outbox and whose tabs: a server and its user, as far as known before the server has said it.
 *
 * Promises: a token knows better than the page, which may name somebody else. Null where neither says anything.
 */

/** @param {string} base of the server @param {import("./identity.js").Identity} identity @returns {Promise<string | null>} */
export async function ownerOf(base, identity) {
  const token = await identity.token().catch(() => null);
  const user = subjectOf(token ?? "") ?? identity.userId;
  return user ? `${base} ${user}` : null;
}

/** The `sub` of a JWT, unchecked: it names a drawer of this browser, nothing else. @param {string} token */
function subjectOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).sub;
  } catch {
    return undefined;
  }
}
