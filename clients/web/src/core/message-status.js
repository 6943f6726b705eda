/**
 * How far one's own stored message has come. Pure.
 *
 * Promises: "delivered" and "read" mean every other member, never just one of them; members who left do not count, and
 * a message that nobody else could have got is "sent".
 */

/**
 * The lowest cursors of all members but one: a message up to there has reached, or was read by, everybody else.
 * As long as not all of them are known, nothing has reached everybody.
 * @param {import("./members.js").Members} members
 * @param {string | undefined} userId
 */
export function lowestCursors(members, userId) {
  let [delivered, read, others] = [Infinity, Infinity, 0];
  for (const member of members.values()) {
    if (member.userId === userId) continue;
    others += 1;
    delivered = Math.min(delivered, member.deliveredSeq);
    read = Math.min(read, member.readSeq);
  }
  return others && members.isComplete ? { delivered, read } : { delivered: 0, read: 0 };
}

/** @param {number} seq @param {{delivered: number, read: number}} lowest @returns {"read" | "delivered" | "sent"} */
export function statusOf(seq, lowest) {
  if (seq <= lowest.read) return "read";
  return seq <= lowest.delivered ? "delivered" : "sent";
}
